import type { JobView } from "../../feed/job-view.ts"
import type { PhasesAnswer } from "../../http/api.ts"
import { type SpanKind, spansOf } from "./spans.ts"
import { keyOf } from "./words.ts"

/** A job from its beginning to its end, as it is drawn. */
export type Bar = { job: JobView; from: number; to: number; parts: BarPart[] }
export type BarPart = { kind: SpanKind; from: number; to: number }

/** Since when a job was in line for a slot. */
export type InLine = (job: JobView, now: number) => number

/** Of jobs whose records do not say all that they spent their time on. */
export type Phases = PhasesAnswer["phases"]

/** A heading, or a line of jobs that were not there at once. */
export type Line = { kind: "heading"; owner: string; batch: string } | { kind: "lane"; bars: Bar[] }

/**
 * The jobs of each owner and each of its batches, in as few lanes as possible.
 *
 * @param least how long a bar is at least, so that short ones do not lie one on another
 */
export function linesOf(
  jobs: readonly JobView[],
  now: number,
  least: number,
  inLine: InLine,
  phases: Phases = {},
): Line[] {
  const owners = new Map<string, Map<string, JobView[]>>()
  for (const job of jobs) {
    const { owner, batch = "" } = job
    const batches = owners.get(owner) ?? new Map<string, JobView[]>()
    owners.set(owner, batches)
    const theirs = batches.get(batch)
    if (theirs) theirs.push(job)
    else batches.set(batch, [job])
  }
  return [...owners].flatMap(([owner, batches]) =>
    [...batches].flatMap(([batch, theirs]): Line[] => [
      { kind: "heading", owner, batch },
      ...lanesOf(theirs, now, least, inLine, phases).map((bars): Line => ({ kind: "lane", bars })),
    ]),
  )
}

export function lanesOf(
  jobs: readonly JobView[],
  now: number,
  least: number,
  inLine: InLine,
  phases: Phases = {},
): Bar[][] {
  const bars = jobs.map(
    (job): Bar => ({
      job,
      from: job.createdAt,
      to: job.endedAt ?? now,
      parts: partsOf(job, now, inLine(job, now), phases[keyOf(job)]),
    }),
  )
  const lanes: { bars: Bar[]; end: number }[] = []
  for (const bar of bars.sort((a, b) => a.from - b.from)) {
    const end = Math.max(bar.to, bar.from + least)
    const free = lanes.find((lane) => lane.end <= bar.from)
    if (free) {
      free.bars.push(bar)
      free.end = end
    } else lanes.push({ bars: [bar], end })
  }
  return lanes.map((lane) => lane.bars)
}

/**
 * @param since when it was in line for a slot
 * @param steps since when it was where, if its record does not say all of that
 */
export function partsOf(job: JobView, now: number, since: number, steps?: Phases[string]): BarPart[] {
  // What its jobs do is seen at them.
  if (job.isGroup) return [{ kind: "blocked", from: job.createdAt, to: job.endedAt ?? now }]
  if (steps) return spansOf({ ...job, history: steps.map(([at, to]) => ({ at, to, why: "" })) }, now, since)
  const { createdAt, startedAt, endedAt, waitingSince, phase, activity } = job
  const end = endedAt ?? now
  const before: BarPart[] = [
    { kind: "blocked", from: createdAt, to: since },
    { kind: "queued", from: since, to: startedAt ?? end },
  ]
  if (startedAt === undefined) return before.filter(isLong)
  const stood = waitingSince ?? (phase === "retrying" ? Math.max(startedAt, activity?.at ?? 0) : end)
  const parts: BarPart[] = [
    ...before,
    { kind: "run", from: startedAt, to: stood },
    { kind: phase === "retrying" ? "retry" : "waiting", from: stood, to: end },
  ]
  return parts.filter(isLong)
}

const isLong = ({ from, to }: BarPart) => to > from

const seconds = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
]

/** Round moments, so many at most. */
export function ticksOf(start: number, end: number, most: number): number[] {
  const days = Math.ceil((end - start) / most / 86_400_000)
  const step = 1_000 * (seconds.find((each) => (end - start) / (each * 1_000) <= most) ?? days * 86_400)
  // Round by the clock on the wall, and not by that of Greenwich.
  const shift = new Date(start).getTimezoneOffset() * 60_000
  const first = Math.ceil((start - shift) / step) * step + shift
  const ticks: number[] = []
  for (let at = first; at <= end; at += step) ticks.push(at)
  return ticks
}

export type Spent = { at: number; tokens: number; cost: number }

/** What the jobs had used at some moments: a job is taken to use the same at all times of its run. */
export function spentOf(jobs: readonly JobView[], now: number, start: number, end: number): Spent[] {
  const points = 60
  return Array.from({ length: points + 1 }, (_none, index) => {
    const at = start + ((end - start) * index) / points
    const spent = { at, tokens: 0, cost: 0 }
    for (const { startedAt, endedAt = now, usage } of jobs) {
      if (startedAt === undefined || startedAt > at) continue
      const share = endedAt <= at ? 1 : (at - startedAt) / Math.max(1, endedAt - startedAt)
      spent.tokens += share * (usage.input + usage.output + usage.reasoning)
      spent.cost += share * usage.cost
    }
    return spent
  })
}

export type Step = { at: number; running: number; waiting: number }

/** How many jobs, without groups, were running and in line for a slot, at every moment at which that changed. */
export function concurrencyOf(jobs: readonly JobView[], now: number, inLine: InLine): Step[] {
  const changes: [at: number, running: number, waiting: number][] = []
  for (const job of jobs) {
    const { startedAt, endedAt, isGroup } = job
    if (isGroup) continue
    changes.push([inLine(job, now), 0, 1], [startedAt ?? endedAt ?? now, startedAt === undefined ? 0 : 1, -1])
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
