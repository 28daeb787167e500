import { groupOf, standsFor } from "../machines/group.ts"
import { isHeld } from "./glance.ts"
import { hasEnded, type Items, type ShownJob } from "./jobs.ts"

/**
 * Jobs with what each one that has not begun waits for: those before it in the queue, or jobs that it needs. One whose
 * provider is on hold has no place in the queue, and keeps nobody waiting.
 */
export function withWaits<Job extends ShownJob>(jobs: readonly Job[], now: number): Job[] {
  const running = new Set(jobs.filter((job) => !hasEnded(job)).map(keyOf))
  const ofGroups = byGroup(jobs)
  const queued = new Map<string, number>()
  return jobs.map((job) => {
    if (job.isGroup) return withItems(job, ofGroups.get(keyOf(job)) ?? [], running)
    if (job.state !== "created" || hasEnded(job)) return job
    const waitsFor = (job.needs ?? []).flatMap(({ id }) => (running.has(keyOf({ ...job, id })) ? [id] : []))
    if (job.phase === "blocked" || waitsFor.length > 0) return { ...job, phase: "blocked", waitsFor }
    if (job.phase !== "queued" || isHeld(job, now)) return job
    const before = queued.get(job.owner) ?? 0
    queued.set(job.owner, before + 1)
    return { ...job, before }
  })
}

/** The jobs that groups stand for, or have stood for, by the keys of the groups. */
function byGroup<Job extends ShownJob>(jobs: readonly Job[]): ReadonlyMap<string, readonly Job[]> {
  const groups = new Map<string, Job[]>(jobs.flatMap((job) => (job.isGroup ? [[keyOf(job), []]] : [])))
  for (const job of jobs) groups.get(keyOf({ owner: job.owner, id: groupOf(job.id) ?? "" }))?.push(job)
  return groups
}

/** @param ofGroup all that it has stood for, of which its list may have lost some */
function withItems<Job extends ShownJob>(
  job: Job,
  ofGroup: readonly Job[],
  running: ReadonlySet<string>,
): Job {
  const needs = (job.needs ?? []).flatMap(({ id }) => (running.has(keyOf({ ...job, id })) ? [id] : []))
  if (!hasEnded(job) && job.state === "created" && needs.length > 0)
    return { ...job, phase: "blocked", waitsFor: needs }
  const items = ofGroup.filter(({ id }) => standsFor(job, id))
  return items.length === 0 ? job : { ...job, items: itemsIn(items) }
}

function itemsIn(items: readonly ShownJob[]): Items {
  const count = (...states: ShownJob["state"][]) => items.filter(({ state }) => states.includes(state)).length
  return {
    all: items.length,
    done: count("done"),
    failed: count("failed", "timedOut"),
    cancelled: count("cancelled"),
  }
}

const keyOf = ({ owner, id }: Pick<ShownJob, "owner" | "id">) => `${owner}/${id}`
