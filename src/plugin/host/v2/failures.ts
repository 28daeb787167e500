import * as z from "zod"
import { shared } from "../../util/process-wide.ts"
import { typeOf } from "../event-type.ts"

/** Of all instances of the plugin in this process: the one that asks may not be the one that hears. */
const words = shared("why turns of opencode 2 failed, 1", () => new Map<string, string>())

/**
 * What opencode said when the latest turn of this session failed. Its conversation has that only where an answer failed.
 */
export const failureOf = (session: string): string | undefined => words.get(session)

/** Takes every event as opencode tells it. */
export function hearFailures(event: unknown): void {
  const type = typeOf(event)
  const read =
    type === failed || type === started || type === deleted ? OfTurn.safeParse(event).data : undefined
  if (!read) return
  const { sessionID } = read.data
  if (read.type === failed) words.set(sessionID, read.data.error.message)
  else words.delete(sessionID)
}

const failed = "session.execution.failed"
const started = "session.execution.started"
const deleted = "session.deleted"

const InSession = z.object({ sessionID: z.string() })

const OfTurn = z.discriminatedUnion("type", [
  z.object({
    type: z.literal(failed),
    data: InSession.extend({ error: z.object({ message: z.string() }) }),
  }),
  z.object({ type: z.enum([started, deleted]), data: InSession }),
])
