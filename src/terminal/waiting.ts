import { hasEnded, type ShownJob } from "./jobs.ts"

/** Jobs with what each one that has not begun waits for: those before it in the queue, or jobs that it needs. */
export function withWaits<Job extends ShownJob>(jobs: readonly Job[]): Job[] {
  const running = new Set(jobs.filter((job) => !hasEnded(job)).map(keyOf))
  const queued = new Map<string, number>()
  return jobs.map((job) => {
    if (job.state !== "created" || hasEnded(job)) return job
    const waitsFor = (job.needs ?? []).flatMap(({ id }) => (running.has(keyOf({ ...job, id })) ? [id] : []))
    if (job.phase === "blocked" || waitsFor.length > 0) return { ...job, phase: "blocked", waitsFor }
    if (job.phase !== "queued") return job
    const before = queued.get(job.owner) ?? 0
    queued.set(job.owner, before + 1)
    return { ...job, before }
  })
}

const keyOf = ({ owner, id }: Pick<ShownJob, "owner" | "id">) => `${owner}/${id}`
