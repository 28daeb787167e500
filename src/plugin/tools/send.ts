import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { failedBy } from "../children/dependents.ts"
import type { ToolAnswer, ToolCall } from "../host/port.ts"
import { readArguments, SendArguments } from "./arguments.ts"
import { refusalOf } from "./permission.ts"
import {
  current,
  elsewhereWords,
  find,
  foundAnew,
  lineOf,
  listed,
  type Services,
  treeKnown,
  unknownTitle,
  unknownWords,
  withoutText,
} from "./services.ts"
import { askForCheck } from "./start/checks.ts"

/** Tells a running job something more, or gives an ended one a follow-up: a new run in the same child session. */
export async function send(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const sent = readArguments(SendArguments, given)
  return services.starts.trackSend(call.place.session, sent.id, handOver(services, sent, call))
}

type Sent = { id: string; message: string }

async function handOver(services: Services, { id, message }: Sent, call: ToolCall): Promise<ToolAnswer> {
  const owner = call.place.session
  const record = await jobToSendTo(services, owner, id, call.signal)
  if (!record) {
    const elsewhere = elsewhereWords(services, owner)
    return {
      title: unknownTitle([id]),
      output: [...unknownWords(services, owner, [id]), ...elsewhere].join("\n"),
      metadata: { jobs: [] },
    }
  }
  if (record.budget || services.budgets.isLimited(owner)) await treeKnown(services, owner)
  // What has nowhere to go needs nobody's permission.
  await services.messenger.reach(record)
  if (record.session !== "") await askToDirect(record, call)
  let asked: Promise<void> | undefined
  /** Once, whether it has ended by now or does so just as it is told. */
  const assureCheck = () => (asked ??= askToCheck(current(services.troupe, [record]), call))
  if (hasEnded(record)) await assureCheck()
  const { place, agent } = call
  const words = await services.messenger.send(record, message, { place, agent, assureCheck })
  const waiting = hasEnded(record) ? failedBy(services.troupe.records.of(owner), id) : []
  const others = waiting.length > 0 ? [`Once it is done, these go on: ${listed(waiting, 20)}`] : []
  const latest = services.troupe.records.get(owner, id) ?? record
  return {
    title: `${id}: ${words}`,
    output: [words, ...others, lineOf(services, latest)].join("\n"),
    metadata: { jobs: withoutText([latest]) },
  }
}

/** A start of the same message may be about to make it. */
async function jobToSendTo(
  services: Services,
  owner: string,
  id: string,
  signal: AbortSignal,
): Promise<JobRecord | undefined> {
  const known = services.troupe.records.get(owner, id)
  if (known) return known
  await services.starts.announcedAndOver(owner, signal, "jobs")
  const found = await foundAnew(services, owner, () => find(services, owner, [id]))
  // A list of items is no job that could be told something.
  return found.known.find((record) => record.id === id)
}

/** The owner may have another agent now than when it started the job, one that may not direct this one. */
async function askToDirect(record: JobRecord, call: ToolCall): Promise<void> {
  const permission = await call.askToStart(record.agent, record.description, record.session)
  const refusal = refusalOf(permission, { denied: `"${call.agent}" may not direct "${record.agent}"` })
  if (refusal !== undefined) throw new Error(`${refusal}. Nothing was sent.`)
}

/** The owner may have to ask now for what it was free to run when it started the job: another run is checked again. */
async function askToCheck(records: readonly JobRecord[], call: ToolCall): Promise<void> {
  for (const command of new Set(records.flatMap(({ check }) => check?.command ?? []))) {
    const refusal = await askForCheck(command, call)
    if (refusal !== undefined) throw new Error(`${refusal}. Nothing was sent.`)
  }
}
