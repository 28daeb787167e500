import { duration, timeOf } from "../../machines/durations.ts"
import type { JobPhase } from "../../machines/record.ts"
import { oneLine } from "../../util/plain.ts"
import { hasEnded, type ShownJob } from "../jobs.ts"
import type { ColorName } from "../terminal.ts"

/** A job in one line: `• auth  bash: npm test  12 s`. */
export type Row = {
  session: string
  glyph: string
  color: ColorName
  id: string
  words: string
  time: string
  /** Its time goes on. */
  isLive: boolean
}

/** What a sidebar shows of an owner's jobs; `more` are there beside the rows. */
export type Rows = { counts: string; rows: Row[]; more: number }

/** Characters of an id, and of what a job does. */
export const idLength = 16
const wordsLength = 80
const describedLength = 160

/** Those that need a person first, then those that run, those that wait, and the last that ended. */
export function rowsOf(jobs: readonly ShownJob[], now: number, most: number): Rows {
  const rows = sortedByUrgency(jobs)
    .slice(0, most)
    .map((job) => rowOf(job, now))
  return { counts: countsOf(jobs), rows, more: jobs.length - rows.length }
}

export const sortedByUrgency = (jobs: readonly ShownJob[]) =>
  jobs.toSorted((a, b) => urgency(a) - urgency(b) || latest(b) - latest(a))

const latest = ({ endedAt, createdAt }: ShownJob) => endedAt ?? -createdAt

function urgency(job: ShownJob): number {
  if (job.asks?.length) return 0
  if (hasEnded(job)) return 4
  return job.phase === "queued" || job.phase === "opening" ? 3 : job.phase === "retrying" ? 1 : 2
}

export function countsOf(jobs: readonly ShownJob[]): string {
  const count = (words: string, is: (job: ShownJob) => boolean) => {
    const found = jobs.filter(is).length
    return found > 0 ? [`${found} ${words}`] : []
  }
  return [
    ...count("waiting for you", ({ asks }) => asks !== undefined && asks.length > 0),
    ...count("running", (job) => !hasEnded(job) && !isWaiting(job) && !job.asks?.length),
    ...count("queued", isWaiting),
    ...count("done", ({ state }) => state === "done"),
    ...count("failed", ({ state }) => state === "failed" || state === "timedOut"),
    ...count("cancelled", ({ state }) => state === "cancelled"),
  ].join(", ")
}

const isWaiting = ({ phase }: ShownJob) => phase === "queued" || phase === "opening"

/** @param style `described`: says what it is for as well, where there is room */
export function rowOf(job: ShownJob, now: number, style: "short" | "described" = "short"): Row {
  const words = clip(wordsOf(job, now), wordsLength)
  return {
    session: job.session,
    ...markOf(job),
    id: clip(job.id, idLength),
    words: style === "short" ? words : clip(`${words} · ${job.description}`, describedLength),
    time: duration(wholeSeconds(timeOf(job, now))),
    isLive: !hasEnded(job),
  }
}

/** Seconds are enough where a line lives. */
const wholeSeconds = (ms: number) =>
  ms < 1_000 ? ms : Math.max(10_000, ms) === ms ? ms : Math.floor(ms / 1_000) * 1_000

function markOf(job: ShownJob): { glyph: string; color: ColorName } {
  if (job.asks?.length) return { glyph: "?", color: "attention" }
  switch (job.state) {
    case "created":
      return { glyph: "·", color: "muted" }
    case "prompting":
      return job.phase === "retrying" ? { glyph: "↻", color: "attention" } : { glyph: "•", color: "text" }
    case "done":
      return { glyph: "✓", color: "good" }
    case "failed":
    case "timedOut":
      return { glyph: "✗", color: "bad" }
    case "cancelled":
      return { glyph: "-", color: "muted" }
  }
}

function wordsOf(job: ShownJob, now: number): string {
  const { asks, retry, activity, error, state } = job
  const [ask] = asks ?? []
  if (ask) return ask.kind === "permission" ? `allow ${ask.text}?` : ask.text
  if (retry && !hasEnded(job))
    return `tries again in ${duration(Math.max(0, retry.next - now))}: ${retry.reason}`
  if (error) return state === "cancelled" ? "cancelled" : `${stateWords[state]}: ${error.message}`
  if (hasEnded(job)) return stateWords[state]
  if (activity?.tool !== undefined) return activity.tool
  return activity?.text ? lastOf(activity.text) : phaseWords[job.phase ?? "working"]
}

const stateWords = {
  created: "queued",
  prompting: "working",
  done: "done",
  failed: "failed",
  timedOut: "timed out",
  cancelled: "cancelled",
} satisfies Record<ShownJob["state"], string>

const phaseWords = {
  opening: "starting",
  queued: "queued",
  working: "working",
  retrying: "retrying",
  permission: "asks for permission",
  question: "asks",
  stopping: "stopping",
} satisfies Record<JobPhase, string>

/** The end of what it writes. */
const lastOf = (text: string) => `…${text.slice(-wordsLength / 2)}`

/** One line of foreign text, without what hides in words or makes a line wider than it looks. */
export const clip = (text: string, most: number) => {
  const line = oneLine(text).replace(/\p{Cf}+/gu, "")
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}
