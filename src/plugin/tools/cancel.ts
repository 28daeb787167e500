import { hasEnded } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { deliveryMark } from "../records/delivery-mark.ts"
import { progress, statusLine } from "../records/words.ts"
import { CancelArguments, readArguments } from "./arguments.ts"
import { find, type Services, settled, unknownWords, withoutText } from "./services.ts"

/** Ends jobs and whatever they started; harmless on ended ones. */
export async function cancel(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids, all = false, reason } = readArguments(CancelArguments, given)
  if (!ids && !all) throw new Error("ids: name the jobs to cancel, or say all: true. Nothing was cancelled.")
  const owner = call.place.session
  const running = services.troupe.records.of(owner).filter((record) => !hasEnded(record))
  const { known, unknown } = ids && !all ? find(services, owner, ids) : { known: running, unknown: [] }

  services.troupe.cancel(known, `cancelled by its owner${reason ? `: ${reason}` : ""}`)
  await settled(services, known)

  const records = known.flatMap(({ id }) => services.troupe.records.get(owner, id) ?? [])
  const lines = [
    ...(known.length === 0 && unknown.length === 0 ? ["No job runs."] : []),
    ...records.map((record) => statusLine(record, services.now())),
    ...unknownWords(services, owner, unknown),
  ]
  return {
    title: progress(records),
    output: lines.join("\n"),
    metadata: { jobs: withoutText(records), troupe: deliveryMark(records) },
  }
}
