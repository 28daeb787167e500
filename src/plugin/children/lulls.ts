import * as z from "zod"

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

  /** Takes any event of opencode. */
  handle(unparsed: object): void {
    if (!("type" in unparsed) || unparsed.type !== "session.status") return
    const properties = StatusEvent.safeParse(unparsed).data?.properties
    const lull = properties && this.#byChild.get(properties.sessionID)
    if (!lull) return
    clearInterval(lull.timer)
    if (properties.status.type === "idle") lull.timer = setInterval(lull.look, lullMs).unref()
  }
}

type Lull = { look: () => void; timer?: NodeJS.Timeout }

const StatusEvent = z.object({
  properties: z.object({ sessionID: z.string(), status: z.object({ type: z.string() }) }),
})
