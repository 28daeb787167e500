import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { progress } from "../records/words.ts"
import { version } from "../util/version.ts"
import { readArguments, StatusArguments } from "./arguments.ts"
import {
  elsewhereWords,
  find,
  lineOf,
  listed,
  type Services,
  unknownTitle,
  unknownWords,
  withoutText,
} from "./services.ts"

/** How many jobs are shown where no ids were named: the newest. */
const most = 50

/** Where each job stands. */
export async function status(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids } = readArguments(StatusArguments, given)
  const owner = call.place.session
  await services.recovery.again(owner)
  const { known, unknown } = ids
    ? find(services, owner, ids)
    : { known: services.troupe.records.of(owner), unknown: [] }
  const shown = ids ? known : known.slice(-most)
  const fates = await Promise.all(shown.map((record) => services.isolation.fateOf(record)))
  const elsewhere = elsewhereWords(services, owner)
  const isNone = known.length === 0 && unknown.length === 0 && elsewhere.length === 0
  const lines = [
    ...(isNone ? [aboutPlugin(services, ": no jobs")] : []),
    ...(shown.length < known.length
      ? [`(${known.length - shown.length} older ones not shown: pass their ids to see them)`]
      : []),
    ...shown.map((record, index) => lineOf(services, record, fates[index])),
    ...delivered(shown),
    ...(ids ? [] : services.budgets.standing(owner)),
    ...unknownWords(services, owner, unknown),
    ...elsewhere,
    ...services.host.problems.all.map((problem) => `Problem: ${problem}`),
    // Nothing else shows it to a person.
    ...(!isNone && !ids && !services.host.toast ? [aboutPlugin(services)] : []),
  ]
  return { title: titleOf(known, unknown), output: lines.join("\n"), metadata: { jobs: withoutText(shown) } }
}

/** Their texts have left memory with their delivery. */
function delivered(records: readonly JobRecord[]): string[] {
  const ids = records.filter((record) => hasEnded(record) && record.text === undefined).map(({ id }) => id)
  return ids.length > 0 ? [`agents_wait with ids returns the text of ${listed(ids, 5)}.`] : []
}

function titleOf(known: JobRecord[], unknown: string[]): string {
  if (known.length > 0) return progress(known)
  return unknown.length > 0 ? unknownTitle(unknown) : "no jobs"
}

/** Shows a person who asks for it that the plugin is there, and how to see more. */
function aboutPlugin({ options, inspectCommand }: Services, said = ""): string {
  const inspector = options.inspector.enabled ? ` Inspector: ${inspectCommand()}` : ""
  return `opencode-troupe ${version}${said}.${inspector}`
}
