import type { HostSession, Result } from "../port.ts"

type Place = Pick<HostSession, "directory" | "parent">

/** How many are kept: those that were read first go first. */
const mostKept = 1_000

/** Where sessions are and what they are children of, which opencode 1.18 never changes. */
export class Places {
  readonly #read: (session: string) => Promise<Result<Place>>
  readonly #known = new Map<string, Place>()

  constructor(read: (session: string) => Promise<Result<Place>>) {
    this.#read = read
  }

  keep(session: string, { directory, parent }: Place): void {
    this.#known.set(session, { directory, parent })
    const [oldest] = this.#known.keys()
    if (this.#known.size > mostKept && oldest !== undefined) this.#known.delete(oldest)
  }

  /** Where it is known to be, without opencode being asked. */
  known(session: string): string | undefined {
    return this.#known.get(session)?.directory
  }

  async of(session: string): Promise<Result<Place>> {
    const known = this.#known.get(session)
    if (known) return { ok: true, value: known }
    const read = await this.#read(session)
    if (read.ok) this.keep(session, read.value)
    return read
  }

  /** The directory of the owner above it, which is nobody's child. */
  async home(session: string): Promise<Result<string>> {
    const place = await this.of(session)
    if (!place.ok) return place
    const { directory, parent } = place.value
    return parent === undefined ? { ok: true, value: directory } : this.home(parent)
  }
}
