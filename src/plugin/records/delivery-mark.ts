import * as z from "zod"
import { JobRecord } from "../../machines/record.ts"
import type { HostMessage } from "../host/port.ts"

/** A run whose result stands in its owner's conversation. */
export type DeliveredRun = { session: string; run: number }

const DeliveredRuns = z.array(JobRecord.pick({ session: true, run: true }))

const Mark = z.object({ delivered: DeliveredRuns })
type Mark = z.infer<typeof Mark>

/** Conversations keep the marks of the first version, which called it so. */
const OldMark = z.object({ told: DeliveredRuns }).transform(({ told }): Mark => ({ delivered: told }))

const AnyMark = z.union([Mark, OldMark])

/** What notifications and the results of tools carry, unseen, so that no result is delivered twice. */
export function deliveryMark(records: readonly JobRecord[]): Mark {
  return { delivered: records.map(({ session, run }) => ({ session, run })) }
}

/** The runs whose results an owner's conversation holds. */
export function deliveredRuns(messages: readonly HostMessage[]): DeliveredRun[] {
  return messages.flatMap(({ marks }) => marks).flatMap(runsIn)
}

/** The runs that a mark names; none where it is somebody else's. */
export function runsIn(mark: unknown): DeliveredRun[] {
  return AnyMark.safeParse(mark).data?.delivered ?? []
}
