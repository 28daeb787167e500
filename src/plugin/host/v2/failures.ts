import * as z from "zod"

/** Why the latest turns failed, in opencode's words: conversations have them only where an answer failed. */
export class Failures {
  readonly #words = new Map<string, string>()

  /** What opencode said when the latest turn of this session failed. */
  of(session: string): string | undefined {
    return this.#words.get(session)
  }

  /** Takes every event as opencode tells it. */
  hear(event: unknown): void {
    const read = OfTurn.safeParse(event).data
    if (!read) return
    const { sessionID } = read.data
    if (read.type === "session.execution.failed") this.#words.set(sessionID, read.data.error.message)
    else this.#words.delete(sessionID)
  }
}

const InSession = z.object({ sessionID: z.string() })

const OfTurn = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("session.execution.failed"),
    data: InSession.extend({ error: z.object({ message: z.string() }) }),
  }),
  z.object({ type: z.enum(["session.execution.started", "session.deleted"]), data: InSession }),
])
