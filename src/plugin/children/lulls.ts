import type { HostEvent } from "../host/port.ts"

/** How long a child has to be idle; between the steps of a turn it is so for a moment. Milliseconds. */
const lullMs = 5_000

/** Tells when working children have been idle for so long that their answers should have come. */
export class Lulls {
  readonly #byChild = new Map<string, Lull>()

  /** Has `look` called again and again while the child stays idle. Returns what ends that. */
  watch(session: string, look: () => void): () => void {
    const lull: Lull = { look }
    this.#byChild.set(session, lull)
    return () => {
      clearInterval(lull.timer)
      if (this.#byChild.get(session) === lull) this.#byChild.delete(session)
    }
  }

  handle({ type, session }: HostEvent): void {
    if (type !== "session.idle" && type !== "session.busy" && type !== "session.retrying") return
    const lull = this.#byChild.get(session)
    if (!lull) return
    clearInterval(lull.timer)
    if (type === "session.idle") lull.timer = setInterval(lull.look, lullMs).unref()
  }
}

type Lull = { look: () => void; timer?: NodeJS.Timeout }
