import type { HostEvent } from "../../src/plugin/host/port.ts"
import { Watched } from "./waiters.ts"

/** What happens in an opencode, in the product's words. Only 1.18 shows toasts. */
export type Happening = HostEvent | { type: "toast.shown"; message: string }
type Of<Type extends Happening["type"]> = Extract<Happening, { type: Type }>

export class Happenings {
  readonly #all = new Watched<Happening>("event")

  /** In the order they came. */
  get seen(): readonly Happening[] {
    return this.#all.items
  }

  add(happening: Happening): void {
    this.#all.add(happening)
  }

  /** The first of this type that matches, past ones included: let the predicate name ids. */
  async waitFor<Type extends Happening["type"]>(
    type: Type,
    matches: (happening: Of<Type>) => boolean,
    timeoutMs?: number,
  ): Promise<Of<Type>> {
    const isIt = (each: Happening): each is Of<Type> => each.type === type
    const found = await this.#all.waitFor((each) => isIt(each) && matches(each), timeoutMs)
    if (!isIt(found)) throw new Error(`Not ${type}: ${found.type}`)
    return found
  }

  /** Hears of everything from now on, until the returned function is called. */
  listen(hear: (happening: Happening) => void): () => void {
    return this.#all.listen(hear)
  }
}
