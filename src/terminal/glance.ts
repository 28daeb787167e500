import { hasEnded, type ShownJob } from "./jobs.ts"

/** How many jobs there are in each condition that a person tells apart. */
export type Counts = {
  asking: number
  running: number
  queued: number
  /** They wait for other jobs, and are in no queue. */
  blocked: number
  done: number
  /** Timed out, too. */
  failed: number
  cancelled: number
}

/** What there is to be seen of jobs without a look at each: how many there are, and the most urgent ones. */
export type Glance = { counts: Counts; jobs: readonly ShownJob[] }

export const glanceAt = (jobs: readonly ShownJob[], most: number): Glance => ({
  counts: countsOf(jobs),
  jobs: sortedByUrgency(jobs).slice(0, most),
})

export function countsOf(jobs: readonly ShownJob[]): Counts {
  const counts = { asking: 0, running: 0, queued: 0, blocked: 0, done: 0, failed: 0, cancelled: 0 }
  for (const job of jobs) counts[conditionOf(job)]++
  return counts
}

export function conditionOf(job: ShownJob): keyof Counts {
  const { state, phase, asks } = job
  if (asks?.length) return "asking"
  if (!hasEnded(job) && phase === "blocked") return "blocked"
  if (!hasEnded(job)) return state === "created" && phase !== "stopping" ? "queued" : "running"
  return state === "done" || state === "cancelled" ? state : "failed"
}

/** Those that need a person first, then those that run, those that wait for a slot, those that wait for other jobs, and the last that ended. */
export const sortedByUrgency = (jobs: readonly ShownJob[]) =>
  jobs.toSorted((a, b) => urgency(a) - urgency(b) || latest(b) - latest(a))

const latest = ({ endedAt, createdAt }: ShownJob) => endedAt ?? -createdAt

function urgency(job: ShownJob): number {
  if (job.asks?.length) return 0
  if (hasEnded(job)) return 5
  const condition = conditionOf(job)
  if (condition === "blocked") return 4
  return condition === "queued" ? 3 : job.phase === "retrying" ? 1 : 2
}
