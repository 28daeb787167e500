import type { JobState } from "../../../machines/record.ts"
import type { JobView } from "../../feed/job-view.ts"
import { countByState, isCounted } from "./jobs.ts"
import { isLive, tokensOf } from "./words.ts"

/** `again`: how many can be run again. */
export type Sums = {
  /** Without groups, as in `states`: the jobs that they stand for count. */
  jobs: number
  states: Record<JobState, number>
  /** Whether anything goes on, be it that a group has no jobs yet. */
  isLive: boolean
  again: number
  tokens: number
  cost: number
}
/** `onlyBatch`: that of all its jobs, which has no row of its own. */
export type OwnerRow = Sums & {
  kind: "owner"
  owner: string
  project: string
  onlyBatch?: string | undefined
}
/** The jobs that one call has started, where their owner has others as well. */
export type BatchRow = Sums & { kind: "batch"; owner: string; batch: string; startedAt: number }
/** `under` is the owner at the top of its tree. */
export type JobRow = { kind: "job"; job: JobView; depth: number; under: string }
export type Row = OwnerRow | BatchRow | JobRow

/** Grouped by owner and batch, with the jobs that a job started nested under it. */
export function treeOf(jobs: readonly JobView[]): Row[] {
  const byOwner = groupsOf(jobs, ({ owner }) => owner)
  const sessions = new Set(jobs.map(({ session }) => session))
  const rows: Row[] = []
  for (const [owner, theirs] of byOwner) {
    if (sessions.has(owner)) continue
    // Jobs of an earlier version have no batch.
    const batches = groupsOf(theirs, ({ batch = "" }) => batch)
    const [first] = theirs
    const onlyBatch = batches.size === 1 ? first?.batch : undefined
    rows.push({ kind: "owner", owner, project: first?.project ?? "", onlyBatch, ...sumsOf(theirs) })
    if (batches.size < 2) putBranch(rows, owner, theirs, 0, byOwner)
    else
      for (const [batch, started] of batches) {
        const startedAt = started.reduce((first, { createdAt }) => Math.min(first, createdAt), Infinity)
        if (batch !== "") rows.push({ kind: "batch", owner, batch, startedAt, ...sumsOf(started) })
        putBranch(rows, owner, started, batch === "" ? 0 : 1, byOwner)
      }
  }
  return rows
}

export function sumsOf(jobs: readonly JobView[]): Sums {
  const sums = {
    jobs: jobs.filter(isCounted).length,
    states: countByState(jobs),
    isLive: jobs.some(isLive),
    again: meantBy(jobs.filter(canRunAgain)).length,
    tokens: 0,
    cost: 0,
  }
  for (const job of jobs) {
    sums.tokens += tokensOf(job)
    sums.cost += job.usage.cost
  }
  return sums
}

export const liveIn = ({ states }: Sums) => states.created + states.prompting

/**
 * What a person may want to run again: what was cancelled was meant to be, and what failed for want of another goes on
 * by itself once that is done. Without a session there is nothing to run.
 */
export const canRunAgain = ({ state, session, error }: Pick<JobView, "state" | "session" | "error">) =>
  (state === "failed" || state === "timedOut") && session !== "" && error?.kind !== "dependency"

/**
 * Those that a person means by "all": a group is done with the jobs that it stands for, and counts where it has none
 * yet.
 */
export function meantBy(jobs: readonly JobView[]): readonly JobView[] {
  const counted = jobs.filter(isCounted)
  return counted.length > 0 ? counted : jobs
}

/** `3 jobs` */
export function meantWords(jobs: readonly JobView[]): string {
  const meant = meantBy(jobs)
  const noun = jobs.some(isCounted) ? "job" : "group"
  return `${meant.length} ${noun}${meant.length === 1 ? "" : "s"}`
}

type Groups = ReadonlyMap<string, readonly JobView[]>

function groupsOf(jobs: readonly JobView[], nameOf: (job: JobView) => string): Groups {
  const groups = new Map<string, JobView[]>()
  for (const job of jobs) {
    const name = nameOf(job)
    const group = groups.get(name)
    if (group) group.push(job)
    else groups.set(name, [job])
  }
  return groups
}

/** Jobs, each followed by those that it started: without recursion, for jobs may nest very deep. */
function putBranch(rows: Row[], under: string, jobs: readonly JobView[], top: number, byOwner: Groups): void {
  const stack: JobRow[] = []
  const push = (some: readonly JobView[], depth: number) => {
    for (const job of some.toReversed()) stack.push({ kind: "job", job, depth, under })
  }
  push(jobs, top)
  for (let row = stack.pop(); row; row = stack.pop()) {
    rows.push(row)
    push(byOwner.get(row.job.session) ?? [], row.depth + 1)
  }
}
