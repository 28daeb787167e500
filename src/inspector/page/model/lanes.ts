import type { JobView } from "../../feed/job-view.ts"

/** The time that one job held a slot. */
export type Bar = { job: JobView; from: number; to: number }

/** The jobs that ran, in as few lanes as possible without overlaps: a lane is a slot. */
export function lanesOf(jobs: readonly JobView[], now: number): Bar[][] {
  const bars = jobs.flatMap((job): Bar[] =>
    job.startedAt === undefined ? [] : [{ job, from: job.startedAt, to: job.endedAt ?? now }],
  )
  const lanes: Bar[][] = []
  for (const bar of bars.sort((a, b) => a.from - b.from)) {
    const free = lanes.find((lane) => (lane.at(-1)?.to ?? 0) <= bar.from)
    if (free) free.push(bar)
    else lanes.push([bar])
  }
  return lanes
}

export type Step = { at: number; running: number; waiting: number }

/** How many jobs were running and waiting, at every moment at which that changed. */
export function concurrencyOf(jobs: readonly JobView[], now: number): Step[] {
  const changes: [at: number, running: number, waiting: number][] = []
  for (const { createdAt, startedAt, endedAt } of jobs) {
    changes.push([createdAt, 0, 1], [startedAt ?? endedAt ?? now, startedAt === undefined ? 0 : 1, -1])
    if (startedAt !== undefined) changes.push([endedAt ?? now, -1, 0])
  }
  // At the same moment, a job that ends makes room for one that starts.
  changes.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  let [running, waiting] = [0, 0]
  return changes.map(([at, run, wait]) => {
    running += run
    waiting += wait
    return { at, running, waiting }
  })
}
