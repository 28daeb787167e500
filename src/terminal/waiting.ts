import { hasEnded, type ShownJob } from "./jobs.ts"

/** Jobs with what each one that has not begun waits for: those before it in the queue, or jobs that it needs. */
export function withWaits<Job extends ShownJob>(jobs: readonly Job[]): Job[] {
  const running = new Set(jobs.filter((job) => !hasEnded(job)).map(keyOf))
  const known = new Set(jobs.map(keyOf))
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
  known: ReadonlySet<string>,
  running: ReadonlySet<string>,
): Job {
  const items: string[] = []
  const next = () => `${job.id}.${items.length + 1}`
  while (known.has(keyOf({ ...job, id: next() }))) items.push(next())
  const isOpen = (id: string) => running.has(keyOf({ ...job, id }))
  if (hasEnded(job)) return { ...job, items: items.length }
  const needs = (job.needs ?? []).map(({ id }) => id).filter(isOpen)
  if (job.state === "created" && needs.length > 0) return { ...job, phase: "blocked", waitsFor: needs }
  return { ...job, items: items.length, waitsFor: items.filter(isOpen) }
}

const keyOf = ({ owner, id }: Pick<ShownJob, "owner" | "id">) => `${owner}/${id}`
