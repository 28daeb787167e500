import * as z from "zod"
import { JobRecord } from "../machines/record.ts"
import type { MessageWithParts, Part } from "./host.ts"
import { METADATA_KEY } from "./stored-job.ts"

/** A run whose result stands in its owner's conversation. */
export type DeliveredRun = { session: string; run: number }

const DeliveredRun = JobRecord.pick({ session: true, run: true })

/** What a notification carries, unseen, so that it is never sent twice. */
export function deliveryMark(records: readonly JobRecord[]): Record<string, unknown> {
  return { [METADATA_KEY]: { told: records.map(({ session, run }) => ({ session, run })) } }
}

/** The runs whose results an owner's conversation holds: by a notification, or by a tool's answer. */
export function deliveredRuns(messages: readonly MessageWithParts[]): DeliveredRun[] {
  return messages.flatMap(({ parts }) => parts).flatMap((part) => [...toldBy(part), ...answeredBy(part)])
}

const Notification = z.object({
  type: z.literal("text"),
  metadata: z.object({ [METADATA_KEY]: z.object({ told: z.array(DeliveredRun) }) }),
})

function toldBy(part: Part): DeliveredRun[] {
  return Notification.safeParse(part).data?.metadata[METADATA_KEY]?.told ?? []
}

const ToolAnswer = z.object({
  type: z.literal("tool"),
  tool: z.enum(["agents_wait", "agents_cancel"]),
  state: z.object({
    status: z.literal("completed"),
    metadata: z.object({ jobs: z.array(JobRecord.pick({ session: true, run: true, endedAt: true })) }),
  }),
})

function answeredBy(part: Part): DeliveredRun[] {
  const jobs = ToolAnswer.safeParse(part).data?.state.metadata.jobs ?? []
  return jobs.filter(({ endedAt }) => endedAt !== undefined)
}
