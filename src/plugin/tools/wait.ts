import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { failedBy } from "../children/dependents.ts"
import type { ToolAnswer, ToolCall, ToolCallPlace } from "../host/port.ts"
import { deliveryMark } from "../records/delivery-mark.ts"
import { type JobWithText, withTexts } from "../records/texts.ts"
import { excerpt, progress, resultBlock } from "../records/words.ts"
import { readArguments, WaitArguments } from "./arguments.ts"
import { fitting } from "./output-limit.ts"
import { shownProgress } from "./progress.ts"
import {
  current,
  elsewhereWords,
  type Found,
  find,
  foundAnew,
  idsOf,
  lineOf,
  listed,
  type Services,
  settled,
  unfinished,
  unknownTitle,
  unknownWords,
  withoutResults,
  withoutText,
} from "./services.ts"

/** Waits for jobs and hands over their full texts. Its timeout, or the user's interrupt, ends the waiting alone. */
export async function wait(services: Services, given: unknown, call: ToolCall): Promise<ToolAnswer> {
  const { ids, until, timeout } = readArguments(WaitArguments, given)
  const owner = call.place.session
  const time = new AbortController()
  const timer = timeout === undefined ? undefined : setTimeout(() => time.abort(), timeout * 1000).unref()
  const signal = AbortSignal.any([call.signal, time.signal])
  try {
    const { known, unknown } = await jobsToWaitFor(services, owner, ids, signal)
    if (known.length === 0) return nothing(services, owner, unknown)
    const waited = { known, unknown, isAsked: ids !== undefined }
    return await resultsOf(services, waited, call, { until, timeout: time.signal })
  } finally {
    clearTimeout(timer)
  }
}

type Waited = Found & {
  /** By their ids. */
  isAsked: boolean
  /** What the answer has to say first. */
  said?: string[]
}

/**
 * Waits for these jobs and hands over their full texts, while the call shows how they are doing.
 * @param how `timeout`: aborts when the time is up. Default: never, and until all have ended.
 */
export async function resultsOf(
  services: Services,
  waited: Waited,
  call: ToolCall,
  { until, timeout }: { until?: "all" | "any" | undefined; timeout?: AbortSignal } = {},
): Promise<ToolAnswer> {
  const { known } = waited
  const shown = shownProgress(services.host, call.place)
  const show = (records: readonly JobRecord[]) =>
    shown.show(progress(records), { jobs: withoutResults(records) })
  show(known)
  const signal = timeout ? AbortSignal.any([call.signal, timeout]) : call.signal
  await settled(services, known, { until, signal, onChange: show })
  await shown.settle()

  const reason = call.signal.aborted
    ? "The wait was interrupted."
    : timeout?.aborted
      ? "The wait timed out."
      : "Returned with the first result."
  return report(services, call.place, waited, reason)
}

/** What a start of the same message is about to make belongs to it, whichever of the two calls comes first. */
async function jobsToWaitFor(
  services: Services,
  owner: string,
  ids: string[] | undefined,
  signal: AbortSignal,
): Promise<Found> {
  const look = (): Found => (ids ? find(services, owner, ids) : { known: open(services, owner), unknown: [] })
  await services.starts.over(owner, signal)
  if (!ids) await services.recovery.deliveredSince(owner)
  const found = look()
  if (found.known.length > 0 && found.unknown.length === 0) return found
  await services.starts.announcedAndOver(owner, signal)
  return foundAnew(services, owner, look)
}

/** What runs, what is not delivered, and what is yet to go on. */
function open(services: Services, owner: string): JobRecord[] {
  return [...new Set([...services.inbox.open(owner), ...services.dependents.goingOn(owner)])]
}

function nothing(services: Services, owner: string, unknown: string[]): ToolAnswer {
  const elsewhere = elsewhereWords(services, owner)
  const isNone = unknown.length === 0
  const none =
    elsewhere.length > 0
      ? "No other jobs are running."
      : "No jobs are running, and all results have been delivered."
  const lines = isNone ? [...elsewhere, none] : [...unknownWords(services, owner, unknown), ...elsewhere]
  return {
    title: isNone ? "nothing to wait for" : unknownTitle(unknown),
    output: lines.join("\n"),
    metadata: { jobs: [] },
  }
}

/** @param reason why some still run */
async function report(
  services: Services,
  { session: owner, call }: ToolCallPlace,
  { known, unknown, isAsked, said = [] }: Waited,
  reason: string,
): Promise<ToolAnswer> {
  const jobs = current(services.troupe, known)
  const running = unfinished(services, jobs)
  const now = services.now()
  const read = await withTexts(
    services.host,
    jobs.filter((record) => !running.includes(record)),
  )
  const fateOf = async ({ record }: JobWithText) =>
    [record.id, await services.isolation.fateOf(record)] as const
  const fates = new Map(await Promise.all(read.map(fateOf)))
  const elsewhere = elsewhereWords(services, owner)
  if (!isAsked) await services.recovery.deliveredSince(owner)
  // From here on nothing waits: no other call can take them meanwhile.
  const isTaken = ({ record }: JobWithText) => !isAsked && services.inbox.isTaken(record, call)
  const taken = read.filter(isTaken).map(({ record }) => record)
  const ended = read.filter((result) => result.text.kind !== "unreadable" && !isTaken(result))
  const blocks = ended.map((result) => resultBlock(result, now, fates.get(result.record.id)))
  const count = fitting(blocks, said)
  const handedOver = ended.slice(0, count).map(({ record }) => record)
  const left = ended.slice(count).map(({ record }) => record)
  services.inbox.handOver(handedOver, call)
  const lines = [
    ...said,
    ...(left.length > 0 ? [`No room for ${idsOf(left)}: call agents_wait again for ${them(left)}.`] : []),
    ...read.flatMap(({ record, text }) => (text.kind === "unreadable" ? unreadable(record, text.why) : [])),
    ...(running.length > 0 ? [`${reason} Still running:`] : []),
    ...running.map((record) =>
      hasEnded(record)
        ? `${record.id}: goes on once what it needs is done after all`
        : lineOf(services, record),
    ),
    ...unknownWords(services, owner, unknown),
    ...elsewhere,
    ...(taken.length > 0 ? [`Already returned by another call: ${idsOf(taken)}.`] : []),
    ...waysOn(services, owner, handedOver),
    ...services.budgets.notes(handedOver, (record) => services.inbox.isTaken(record, call)),
    // Last: where opencode cuts a result that is too long, what stands before it must not be lost.
    ...blocks.slice(0, count),
  ]
  return {
    title: progress(jobs),
    output: lines.join("\n"),
    metadata: { jobs: withoutText(jobs), troupe: deliveryMark(handedOver) },
  }
}

/** What lets those of these jobs go on that failed for want of others. A spent budget lets nothing go on. */
function waysOn({ troupe }: Services, owner: string, results: readonly JobRecord[]): string[] {
  const failed = new Set(results.filter(({ error }) => error?.kind === "dependency").map(({ id }) => id))
  if (failed.size === 0) return []
  const all = troupe.records.of(owner)
  const isFirst = ({ state, error }: JobRecord) =>
    state !== "done" && error !== undefined && error.kind !== "dependency" && error.kind !== "budget"
  return all.filter(isFirst).flatMap(({ id }) => {
    const dependents = failedBy(all, id)
    return dependents.some((each) => failed.has(each))
      ? [`Continue ${id} with agents_send: once it is done, these go on: ${listed(dependents, 20)}.`]
      : []
  })
}

const unreadable = ({ id, state }: JobRecord, problem: string) =>
  `${id} is ${state}, but its text could not be read now: ${excerpt(problem)}. Call agents_wait again for it.`

const them = (records: readonly JobRecord[]) => (records.length === 1 ? "it" : "them")
