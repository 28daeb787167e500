import { hasEnded, type Items, type ShownJob } from "./jobs.ts"

/** Jobs with what each one that has not begun waits for: those before it in the queue, or jobs that it needs. */
export function withWaits<Job extends ShownJob>(jobs: readonly Job[]): Job[] {
  const running = new Set(jobs.filter((job) => !hasEnded(job)).map(keyOf))
  const known = new Map(jobs.map((job) => [keyOf(job), job]))
  const queued = new Map<string, number>()
  return jobs.map((job) => {
    if (job.isGroup) return withItems(job, known, running)
    if (job.state !== "created" || hasEnded(job)) return job
    const waitsFor = (job.needs ?? []).flatMap(({ id }) => (running.has(keyOf({ ...job, id })) ? [id] : []))
    if (job.phase === "blocked" || waitsFor.length > 0) return { ...job, phase: "blocked", waitsFor }
    if (job.phase !== "queued") return job
    const before = queued.get(job.owner) ?? 0
    queued.set(job.owner, before + 1)
    return { ...job, before }
  })
}

/** A group has a job for each of its items, in their order. */
function withItems<Job extends ShownJob>(
  job: Job,
  known: ReadonlyMap<string, Job>,
  running: ReadonlySet<string>,
): Job {
  const needs = (job.needs ?? []).flatMap(({ id }) => (running.has(keyOf({ ...job, id })) ? [id] : []))
  if (!hasEnded(job) && job.state === "created" && needs.length > 0)
    return { ...job, phase: "blocked", waitsFor: needs }
  const items: Job[] = []
  const next = () => known.get(keyOf({ ...job, id: `${job.id}.${items.length + 1}` }))
  for (let item = next(); item; item = next()) items.push(item)
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
