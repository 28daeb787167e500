import { isItemOf, standsFor } from "../../machines/group.ts"
import { openNeeds } from "../../machines/needs.ts"
import { hasEnded, type JobKey, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Dependents } from "../children/dependents.ts"
import type { Messenger } from "../children/messenger.ts"
import type { Host } from "../host/port.ts"
import type { Isolation } from "../isolation/isolation.ts"
import type { Options } from "../options.ts"
import type { Budgets } from "../owners/budgets.ts"
import type { Conversations } from "../owners/conversations.ts"
import type { Inbox } from "../owners/inbox.ts"
import type { Lineage } from "../owners/lineage.ts"
import type { Recovery } from "../records/recovery.ts"
import { excerpt, statusLine } from "../records/words.ts"
import type { Fate } from "../worktrees/fate.ts"
import type { StartsUnderWay } from "./starts.ts"

/** What the tools work with. */
export type Services = {
  troupe: Troupe
  host: Host
  messenger: Messenger
  isolation: Isolation
  inbox: Pick<Inbox, "open" | "isTaken" | "handOver" | "showedBeginnings">
  lineage: Lineage
  budgets: Pick<Budgets, "refusal" | "limitsCost" | "isLimited" | "standing" | "notes">
  recovery: Pick<Recovery, "owner" | "again" | "deliveredSince" | "elsewhere" | "isInDoubt">
  dependents: Pick<Dependents, "goingOn" | "onGivenUp">
  starts: StartsUnderWay
  conversations: Pick<Conversations, "settled">
  options: Options
  /** What a person types for a link to the inspector. */
  inspectCommand: () => string
  now: () => number
}

/** Jobs of an owner, and the asked ids that it has no job of. */
export type Found = { known: JobRecord[]; unknown: string[] }

/**
 * The owner's jobs of these ids, in the order asked. A group comes with the jobs that it stands for, and the id of a
 * list of items, which is no job itself, is that of all its jobs.
 */
export function find({ troupe }: Services, owner: string, ids: readonly string[]): Found {
  const { records } = troupe
  const asked = [...new Set(ids)].map((id) => {
    const record = records.get(owner, id)
    return { id, jobs: record ? [record] : jobsOfList(records, owner, id) }
  })
  return {
    known: current(
      troupe,
      asked.flatMap(({ jobs }) => jobs),
    ),
    unknown: asked.flatMap(({ id, jobs }) => (jobs.length > 0 ? [] : id)),
  }
}

/** The jobs that a list of items has become; none where there is no such list. */
export function jobsOfList(records: Troupe["records"], owner: string, list: string): JobRecord[] {
  const found: JobRecord[] = []
  for (;;) {
    const record = records.get(owner, `${list}.${found.length + 1}`)
    if (!record) return found
    found.push(record)
  }
}

/** These jobs as they are now, each group followed by the jobs that it stands for by now. */
export function current({ records }: Pick<Troupe, "records">, jobs: readonly JobKey[]): JobRecord[] {
  const found = jobs.flatMap(({ owner, id }) => {
    const record = records.get(owner, id)
    if (!record?.isGroup) return record ?? []
    return [record, ...records.of(owner).filter((each) => standsFor(record, each.id))]
  })
  return [...new Set(found)]
}

/** What is not there, or not all of it, an earlier opencode may have left since the last look. */
export async function foundAnew(
  { recovery }: Pick<Services, "recovery">,
  owner: string,
  look: () => Found,
): Promise<Found> {
  const found = look()
  if (found.known.length > 0 && found.unknown.length === 0) return found
  await recovery.again(owner)
  return look()
}

/** Resolves once an owner's jobs of an earlier opencode are its jobs here, and what an undo has taken is known. */
export async function jobsKnown(
  { recovery, conversations }: Pick<Services, "recovery" | "conversations">,
  owner: string,
): Promise<void> {
  await recovery.owner(owner)
  await conversations.settled(owner)
}

/** Resolves once it is known what an owner's jobs have started in an earlier opencode: it has used something, too. */
export async function treeKnown(services: Services, owner: string): Promise<void> {
  if (services.options.depth === 1) return
  const children = services.troupe.records.of(owner).filter(({ session }) => session !== "")
  await Promise.all(
    children.map(async ({ session }) => {
      await services.recovery.owner(session)
      await treeKnown(services, session)
    }),
  )
}

/** Names what is unknown beside what there is. */
export function unknownWords(
  { troupe }: Pick<Services, "troupe">,
  owner: string,
  unknown: readonly string[],
): string[] {
  if (unknown.length === 0) return []
  const known = troupe.records.of(owner).map(({ id }) => id)
  const there = known.length > 0 ? `your jobs: ${listed(known, 20)}` : "you have no jobs"
  return [`Unknown: ${listed(unknown, 20)} (${there})`]
}

/** Which jobs of this owner another opencode has, and what to do. */
export function elsewhereWords({ recovery }: Services, owner: string): string[] {
  const jobs = recovery.elsewhere(owner)
  const doubt =
    "opencode did not say which jobs an earlier opencode has left in this session: call again in a moment."
  const words = [...new Set(jobs.map(({ pid }) => pid))].map((pid) => {
    const ids = jobs
      .filter((job) => job.pid === pid)
      .map(({ id, isRunning }) => (isRunning ? id : `${id} (ended)`))
    const count =
      ids.length === 1 ? "1 job of this session belongs" : `${ids.length} jobs of this session belong`
    // One of another version, for instance, in whose directory this session has worked before.
    if (pid === process.pid) {
      return (
        `${count} to another instance of the plugin in this opencode: ${listed(ids, 20)}. Results are delivered by ` +
        "it; once opencode is started again, they are available here."
      )
    }
    return (
      `${count} to another opencode (pid ${pid}): ${listed(ids, 20)}. Results are delivered there; ` +
      "once that opencode has ended, they are available here."
    )
  })
  return recovery.isInDoubt(owner) ? [...words, doubt] : words
}

/** For a call that found nothing else. */
export const unknownTitle = (unknown: readonly string[]) =>
  `unknown ${unknown.length === 1 ? "job" : "jobs"}: ${listed(unknown, 5)}`

export function listed(names: readonly string[], most: number): string {
  const rest = names.length - most
  const shown = names.slice(0, most).map((name) => excerpt(name))
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ")
}

/** Where a job stands, in a line. `fate`: what has become of its worktree, where that is known. */
export const lineOf = ({ troupe, now }: Pick<Services, "troupe" | "now">, record: JobRecord, fate?: Fate) =>
  statusLine(record, now(), openNeeds(record, troupe.records), fate)

export const idsOf = (records: readonly JobRecord[]) => records.map(({ id }) => id).join(", ")

/** Records as results carry them: their texts are in the output. */
export function withoutText(records: readonly JobRecord[]): Omit<JobRecord, "text">[] {
  return records.map(({ text: _text, ...rest }) => rest)
}

/** Those of a call that goes on, which are shown again with each change: what they came to is in its answer. */
export function withoutResults(records: readonly JobRecord[]): Omit<JobRecord, "text" | "structured">[] {
  return withoutText(records).map(({ structured: _structured, check, ...rest }) => ({
    ...rest,
    ...(check && { check: { ...check, output: "" } }),
  }))
}

/** Those of these jobs that are not over: they run, or go on once what they need is done after all. */
export function unfinished({ dependents }: Services, records: readonly JobRecord[]): JobRecord[] {
  const failed = records.find(({ error }) => error?.kind === "dependency")
  const goingOn = failed && dependents.goingOn(failed.owner)
  return records.filter((record) => !hasEnded(record) || goingOn?.has(record))
}

/** Resolves once all these jobs are over, and those that groups among them stand for, or `signal` aborts. */
export function settled(
  services: Services,
  jobs: readonly JobKey[],
  { test, until, signal, onChange }: WaitOptions = {},
): Promise<void> {
  const { troupe, dependents } = services
  const isOver = () => {
    const records = current(troupe, jobs)
    const open = test ? records.filter((record) => !test(record)) : unfinished(services, records)
    return until === "any" && records.length > 0 ? open.length < records.length : open.length === 0
  }
  return new Promise((resolve) => {
    if (isOver() || signal?.aborted) return resolve()
    const finish = () => {
      for (const unsubscribe of subscriptions) unsubscribe()
      signal?.removeEventListener("abort", finish)
      resolve()
    }
    const look = () => void (isOver() && finish())
    const hear = (changed: JobRecord) => {
      const isMeant = ({ owner, id }: JobKey) =>
        owner === changed.owner && (id === changed.id || isItemOf(changed.id, id))
      if (jobs.some(isMeant)) onChange?.(current(troupe, jobs))
      // That of another one may have ended what one of these waits for.
      else if (!hasEnded(changed) || jobs.every(({ owner }) => owner !== changed.owner)) return
      look()
    }
    const subscriptions = [troupe.records.subscribe(hear), dependents.onGivenUp(look)]
    signal?.addEventListener("abort", finish)
  })
}

type WaitOptions = {
  /** Default: the job is over. */
  test?: (record: JobRecord) => boolean
  /** Default: `all`. */
  until?: "all" | "any" | undefined
  signal?: AbortSignal
  /** Hears of every change of one of the jobs. */
  onChange?: (records: JobRecord[]) => void
}
