import { duration, timeOf } from "../../machines/durations.ts"
import type { JobPhase } from "../../machines/record.ts"
import { oneLine } from "../../util/plain.ts"
import { type Counts, conditionOf, type Glance } from "../glance.ts"
import { hasEnded, type ShownJob } from "../jobs.ts"
import type { ColorName } from "../terminal.ts"

/** A job in one line: `• auth  bash: npm test  12 s`. */
export type Row = {
  key: string
  session: string
  glyph: string
  color: ColorName
  id: string
  words: string
  /** Which end of its words is to be seen where there is no room for both. */
  keep: "start" | "end"
  time: string
  needsPerson: boolean
}

/** What a sidebar shows of an owner's jobs; `more` are there beside the rows. */
export type Rows = { counts: string; rows: Row[]; more: number }

/** A job stays the same while its state and its place in a list change. */
export const keyOf = ({ owner, id, session }: ShownJob): string => session || `${owner}/${id}`

/** Characters of an id, and of what a job does. */
export const idLength = 16
const wordsLength = 80
const describedLength = 160

/** Of the jobs at a glance. */
export function rowsOf({ counts, jobs }: Glance, now: number): Rows {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return {
    counts: countWords(counts),
    rows: jobs.map((job) => rowOf(job, now)),
    more: Math.max(0, all - jobs.length),
  }
}

/** `1 waiting for you, 3 running` */
export const countWords = (counts: Partial<Counts>): string =>
  conditions.flatMap(([name, words]) => (counts[name] ? [`${counts[name]} ${words}`] : [])).join(", ")

/** As it is counted there. */
export const countedAs = (job: ShownJob): string =>
  conditions.find(([name]) => name === conditionOf(job))?.[1] ?? ""

const conditions: [keyof Counts, string][] = [
  ["asking", "waiting for you"],
  ["running", "running"],
  ["queued", "queued"],
  ["blocked", "blocked"],
  ["done", "done"],
  ["failed", "failed"],
  ["cancelled", "cancelled"],
]

/** @param style `described`: says what it is for as well, where there is room */
export function rowOf(job: ShownJob, now: number, style: "short" | "described" = "short"): Row {
  const words = clip(wordsOf(job, now), wordsLength)
  const isDescribed = style === "described"
  return {
    key: keyOf(job),
    session: job.session,
    ...markOf(job),
    id: clip(job.id, idLength),
    words: isDescribed ? clip(`${words} · ${job.description}`, describedLength) : words,
    keep: !isDescribed && words.startsWith(endMark) ? "end" : "start",
    time: hasEnded(job) ? duration(timeOf(job, now)) : seconds(Math.floor(shownTime(job, now) / 1_000)),
    needsPerson: needsPerson(job),
  }
}

const needsPerson = ({ asks }: ShownJob) => asks !== undefined && asks.length > 0

/** How long it has waited for the person, who is to see that it does; else how long it runs or is queued. */
const shownTime = (job: ShownJob, now: number) =>
  needsPerson(job) && job.waitingSince !== undefined ? Math.max(0, now - job.waitingSince) : timeOf(job, now)

/** Enough where a line lives. */
const seconds = (whole: number) => (whole < 60 ? `${whole} s` : duration(whole * 1_000))

function markOf(job: ShownJob): { glyph: string; color: ColorName } {
  if (needsPerson(job)) return { glyph: "?", color: "attention" }
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
    return `retrying in ${seconds(Math.max(0, Math.ceil((retry.next - now) / 1_000)))}: ${retry.reason}`
  if (error && state === "cancelled") return error.kind === "budget" ? "cancelled: budget spent" : "cancelled"
  if (error) return `${stateWords[state]}: ${error.message}`
  if (hasEnded(job))
    return job.items ? `${stateWords[state]}, a group of ${jobsIn(job.items)}` : stateWords[state]
  if (state === "prompting" && job.items && job.waitsFor)
    return `waits for ${job.waitsFor.length} of its ${jobsIn(job.items)}`
  if (job.phase === "blocked" && job.waitsFor?.length) return waitWords(job.waitsFor)
  if (job.phase === "queued" && job.holdUntil !== undefined && job.holdUntil > now)
    return `queued, ${providerOf(job)} on hold for ${seconds(Math.ceil((job.holdUntil - now) / 1_000))}`
  if (job.phase === "queued" && job.before) return `queued, ${job.before} before it`
  if (activity?.tool !== undefined) return activity.tool
  if (job.phase === "opening" && state === "prompting") return "moving on to its next model"
  return activity?.text ? lastOf(activity.text) : phaseWords[job.phase ?? "working"]
}

/** Names in a line: what follows is cut off. */
const mostNames = 3

function waitWords(waitsFor: readonly string[]): string {
  const more = waitsFor.length - mostNames
  return `waits for ${waitsFor.slice(0, mostNames).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

const jobsIn = (items: number) => (items === 1 ? "1 job" : `${items} jobs`)

const providerOf = ({ model }: ShownJob) => model?.split("/")[0] ?? "its provider"

export const stateWords = {
  created: "queued",
  prompting: "working",
  done: "done",
  failed: "failed",
  timedOut: "timed out",
  cancelled: "cancelled",
} satisfies Record<ShownJob["state"], string>

const phaseWords = {
  opening: "starting",
  blocked: "blocked",
  queued: "queued",
  working: "working",
  retrying: "retrying",
  permission: "asks for permission",
  question: "asks",
  checking: "checking",
  stopping: "stopping",
} satisfies Record<JobPhase, string>

/** How it stands, in a word or two. */
export const placeWords = (job: ShownJob): string =>
  hasEnded(job)
    ? stateWords[job.state]
    : phaseWords[job.phase ?? (job.state === "created" ? "queued" : "working")]

/** The end of what it writes. */
const lastOf = (text: string) => `${endMark}${text.slice(-wordsLength / 2)}`
const endMark = "…"

/** One line of foreign text, without what hides in words or makes a line wider than it looks. */
export const clip = (text: string, most: number) => {
  const line = oneLine(text).replace(/\p{Cf}+/gu, "")
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}
