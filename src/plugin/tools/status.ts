import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { progress, statusLine } from "../records/words.ts"
import { readArguments, StatusArguments } from "./arguments.ts"
import { find, type Services, unknownWords, withoutText } from "./services.ts"

/** How many jobs are shown where no ids were named: the newest. */
const most = 50

/** Where each job stands. */
export async function status(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids } = readArguments(StatusArguments, given)
  const owner = call.place.session
  const { known, unknown } = ids
    ? find(services, owner, ids)
    : { known: services.troupe.records.of(owner), unknown: [] }
  const shown = ids ? known : known.slice(-most)
  const lines = [
    ...(known.length === 0 && unknown.length === 0 ? ["You have no jobs."] : []),
    ...(shown.length < known.length
      ? [`(${known.length - shown.length} older ones not shown; name their ids)`]
      : []),
    ...shown.map((record) => statusLine(record, services.now())),
    ...unknownWords(services, owner, unknown),
  ]
  return { title: progress(known), output: lines.join("\n"), metadata: { jobs: withoutText(shown) } }
}
