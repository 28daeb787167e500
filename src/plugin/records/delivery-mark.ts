import * as z from "zod"
import { JobRecord } from "../../machines/record.ts"
import type { MessageWithParts, Part } from "../host/client.ts"
import { METADATA_KEY } from "./stored-job.ts"

/** A run whose result stands in its owner's conversation. */
export type DeliveredRun = { session: string; run: number }

const DeliveredRun = JobRecord.pick({ session: true, run: true })

const Mark = z.object({ [METADATA_KEY]: z.object({ told: z.array(DeliveredRun) }) })

/** What notifications and tools' answers carry, unseen, so that no result is told twice. */
export function deliveryMark(records: readonly JobRecord[]): z.infer<typeof Mark> {
  return { [METADATA_KEY]: { told: records.map(({ session, run }) => ({ session, run })) } }
}

/** The runs whose results an owner's conversation holds. */
export function deliveredRuns(messages: readonly MessageWithParts[]): DeliveredRun[] {
  return messages
    .flatMap(({ parts }) => parts)
    .flatMap((part) => Mark.safeParse(metadataOf(part)).data?.[METADATA_KEY].told ?? [])
}

function metadataOf(part: Part): unknown {
  if (part.type === "text") return part.metadata
  return part.type === "tool" && part.state.status === "completed" ? part.state.metadata : undefined
}
