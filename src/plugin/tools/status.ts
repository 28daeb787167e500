import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { progress, statusLine } from "../records/words.ts"
import { readArguments, StatusArguments } from "./arguments.ts"
import { type Desk, find, unknownWords, withoutText } from "./services.ts"

/** How many jobs are shown where no ids were named: the newest. */
const most = 50

/** Where each job stands. */
export async function status(desk: Desk, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids } = readArguments(StatusArguments, given)
  const owner = call.place.session
  const { known, unknown } = ids
    ? find(desk, owner, ids)
    : { known: desk.troupe.records.of(owner), unknown: [] }
  const shown = ids ? known : known.slice(-most)
  const lines = [
    ...(known.length === 0 && unknown.length === 0 ? ["You have no jobs."] : []),
    ...(shown.length < known.length
      ? [`(${known.length - shown.length} older ones not shown; name their ids)`]
      : []),
    ...shown.map((record) => statusLine(record, desk.now())),
    ...unknownWords(desk, owner, unknown),
  ]
  return { title: progress(known), output: lines.join("\n"), metadata: { jobs: withoutText(shown) } }
}
