import { groupOf } from "../machines/group.ts"
import { hasEnded, type Overview, type ShownJob, type Spending } from "./jobs.ts"

/** How many jobs there are in each condition that a person tells apart. Groups are none: their jobs are. */
export type Counts = {
  asking: number
  running: number
  queued: number
  /** Their provider wants to be asked later. */
  held: number
  /** They wait for other jobs, and are in no queue. */
  blocked: number
  done: number
  /** Timed out, too. */
  failed: number
  cancelled: number
}

/** What there is to be seen of jobs without a look at each: how many there are, and the most urgent ones. */
export type Glance = { counts: Counts } & Overview

export const glanceAt = ({ jobs, budgets }: Overview, most: number, now: number): Glance => ({
  counts: countsOf(jobs, now),
  jobs: sortedByUrgency(jobs, now).slice(0, most),
  budgets: atWork(jobs, budgets),
})

/** An owner's, and those of batches that run; where none does, that of the last one. */
function atWork(jobs: readonly ShownJob[], budgets: readonly Spending[]): Spending[] {
  const live = jobs.filter((job) => !hasEnded(job))
  const last = jobs.reduce<ShownJob | undefined>(
    (latest, job) => (latest && latest.createdAt > job.createdAt ? latest : job),
    undefined,
  )
  const shown = new Set((live.length > 0 || !last ? live : [last]).map(({ batch }) => batch))
  const own = new Set(jobs.map(({ batch }) => batch))
  return budgets.filter(({ of, name }) => of === "owner" || shown.has(name) || !own.has(name))
}

export const noCounts: Counts = {
  asking: 0,
  running: 0,
  queued: 0,
  held: 0,
  blocked: 0,
  done: 0,
  failed: 0,
  cancelled: 0,
}

export function countsOf(jobs: readonly ShownJob[], now: number): Counts {
  const counts = { ...noCounts }
  for (const job of jobs) if (!job.isGroup) counts[conditionOf(job, now)]++
  return counts
}

export function conditionOf(job: ShownJob, now: number): keyof Counts {
  const { state, phase, asks } = job
  if (asks?.length) return "asking"
  if (!hasEnded(job) && phase === "blocked") return "blocked"
  if (isHeld(job, now)) return "held"
  if (!hasEnded(job)) return state === "created" && phase !== "stopping" ? "queued" : "running"
  return state === "done" || state === "cancelled" ? state : "failed"
}

export const isHeld = (job: ShownJob, now: number): job is ShownJob & { holdUntil: number } =>
  !hasEnded(job) && job.phase === "queued" && job.holdUntil !== undefined && job.holdUntil > now

/**
 * Those that need a person first, then those that run, those that wait for a slot, those that wait for other jobs, and
 * the last that ended. A group stands above the first of its jobs.
 */
export function sortedByUrgency(jobs: readonly ShownJob[], now: number): ShownJob[] {
  const groups = new Map(jobs.flatMap((job) => (job.isGroup ? [[nameOf(job.owner, job.id), job]] : [])))
  const sorted = jobs.toSorted((a, b) => urgency(a, now) - urgency(b, now) || latest(b) - latest(a))
  const heads = new Map<ShownJob, ShownJob>()
  for (const job of sorted) {
    const group = groups.get(nameOf(job.owner, groupOf(job.id)))
    if (group && !job.isGroup && !heads.has(group)) heads.set(group, job)
  }
  const headOf = new Map([...heads].map(([group, first]) => [first, group]))
  return sorted.flatMap((job) => {
    if (heads.has(job)) return []
    const group = headOf.get(job)
    return group ? [group, job] : [job]
  })
}

const nameOf = (owner: string, id = "") => `${owner}/${id}`

const latest = ({ endedAt, createdAt }: ShownJob) => endedAt ?? -createdAt

const urgencies: Record<keyof Counts, number> = {
  asking: 0,
  running: 2,
  queued: 3,
  held: 4,
  blocked: 5,
  done: 6,
  failed: 6,
  cancelled: 6,
}

const urgency = (job: ShownJob, now: number): number =>
  job.phase === "retrying" && !job.asks?.length && !hasEnded(job) ? 1 : urgencies[conditionOf(job, now)]
