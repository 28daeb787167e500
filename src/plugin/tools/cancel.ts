import { hasEnded } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { deliveryMark } from "../records/delivery-mark.ts"
import { progress, statusLine } from "../records/words.ts"
import { CancelArguments, readArguments } from "./arguments.ts"
import { type Desk, find, settled, unknownWords, withoutText } from "./services.ts"

/** Ends jobs and whatever they started; harmless on ended ones. */
export async function cancel(desk: Desk, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids, all = false, reason } = readArguments(CancelArguments, given)
  if (!ids && !all) throw new Error("ids: name the jobs to cancel, or say all: true. Nothing was cancelled.")
  const owner = call.place.session
  const running = desk.troupe.records.of(owner).filter((record) => !hasEnded(record))
  const { known, unknown } = ids && !all ? find(desk, owner, ids) : { known: running, unknown: [] }

  desk.troupe.cancel(known, `cancelled by its owner${reason ? `: ${reason}` : ""}`)
  await settled(desk, known)

  const records = known.flatMap(({ id }) => desk.troupe.records.get(owner, id) ?? [])
  desk.inbox.markRead(records)
  const lines = [
    ...(known.length === 0 && unknown.length === 0 ? ["No job runs."] : []),
    ...records.map((record) => statusLine(record, desk.now())),
    ...unknownWords(desk, owner, unknown),
  ]
  return {
    title: progress(records),
    output: lines.join("\n"),
    metadata: { jobs: withoutText(records), troupe: deliveryMark(records) },
  }
}
