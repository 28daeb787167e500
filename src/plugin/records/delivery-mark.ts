import * as z from "zod"
import { JobRecord } from "../../machines/record.ts"
import type { HostMessage } from "../host/port.ts"

/** A run whose result an owner's conversation holds. */
const DeliveredRun = z.object({
  /** The child session; empty for a job that never got one, which has its `id` alone. */
  session: JobRecord.shape.session,
  run: JobRecord.shape.run,
  id: JobRecord.shape.id.optional(),
})
export type DeliveredRun = z.infer<typeof DeliveredRun>

const Mark = z.object({ delivered: z.array(DeliveredRun) })
type Mark = z.infer<typeof Mark>

/** Conversations keep the marks of earlier versions, which called it so. */
const OldMark = z.object({ told: Mark.shape.delivered }).transform(({ told }): Mark => ({ delivered: told }))

const AnyMark = z.union([Mark, OldMark])

/** What notifications and the results of tools carry, unseen, so that no result is delivered twice. */
export function deliveryMark(records: readonly JobRecord[]): Mark {
  return {
    delivered: records.map(({ session, run, id }) =>
      session === "" ? { session, run, id } : { session, run },
    ),
  }
}

/** The runs whose results an owner's conversation holds. */
export function deliveredRuns(messages: readonly HostMessage[]): DeliveredRun[] {
  return messages.flatMap(({ marks }) => marks).flatMap(runsIn)
}

/** Whether this result is among them, or one of a later run of its job. */
export const isIn = (runs: readonly DeliveredRun[], { session, id, run }: JobRecord) =>
  runs.some((each) => each.session === session && each.run >= run && (session !== "" || each.id === id))

/** The runs that a mark names; none where it is somebody else's. */
export function runsIn(mark: unknown): DeliveredRun[] {
  return AnyMark.safeParse(mark).data?.delivered ?? []
}
