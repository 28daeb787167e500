import { descriptionOf } from "../../machines/description.ts"
import { duration, timeOf } from "../../machines/durations.ts"
import type { JobPhase } from "../../machines/record.ts"
import { counted } from "../../util/counted.ts"
import { oneLine } from "../../util/plain.ts"
import { type Counts, conditionOf, type Glance, isHeld } from "../glance.ts"
import { hasEnded, type Items, type ShownJob } from "../jobs.ts"
import type { ColorName } from "../terminal.ts"
import { spentWords } from "./spent.ts"

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

/** What a sidebar shows of an owner's jobs: its budgets, a line each; `more` are there beside the rows. */
export type Rows = {
  counts: string
  budgets: { words: string; isSpent: boolean }[]
  rows: Row[]
  more: number
}

/** A job stays the same while its state and its place in a list change. */
export const keyOf = ({ owner, id, session }: ShownJob): string => session || `${owner}/${id}`

/** Characters of an id, and of what a job does. */
export const idLength = 16
const wordsLength = 80
const describedLength = 160

/** Of the jobs at a glance. */
export function rowsOf({ counts, jobs, budgets }: Glance, now: number): Rows {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return {
    counts: countWords(counts),
    budgets: budgets.map((each) => ({ words: spentWords(each), isSpent: each.isSpent })),
    rows: jobs.map((job) => rowOf(job, now)),
    more: Math.max(0, all - jobs.filter(({ isGroup }) => !isGroup).length),
  }
}

/** `1 waiting for you, 3 running` */
export const countWords = (counts: Partial<Counts>): string =>
  conditions.flatMap(([name, words]) => (counts[name] ? [`${counts[name]} ${words}`] : [])).join(", ")

/** As it is counted there. */
export const countedAs = (job: ShownJob, now: number): string =>
  job.isGroup ? "group" : (conditions.find(([name]) => name === conditionOf(job, now))?.[1] ?? "")

const conditions: [keyof Counts, string][] = [
  ["asking", "waiting for you"],
  ["running", "running"],
  ["queued", "queued"],
  ["held", "on hold"],
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
    words: isDescribed ? clip(`${words} · ${descriptionOf(job)}`, describedLength) : words,
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
  const mark = stateMarkOf(job)
  return job.isGroup ? { ...mark, glyph: "≡" } : mark
}

function stateMarkOf(job: ShownJob): { glyph: string; color: ColorName } {
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
  if (job.items) return itemWords(job.items)
  if (hasEnded(job)) return endWords(job)
  if (job.phase === "blocked" && job.waitsFor?.length) return waitWords(job.waitsFor)
  if (job.isGroup && job.phase !== "blocked" && job.phase !== "stopping") return "no items yet"
  if (isHeld(job, now)) return `on hold ${untilWords(job.holdUntil, now)} (${providerOf(job)})`
  if (job.phase === "queued" && job.before) return `queued, ${job.before} before it`
  if (job.phase === "checking" && job.check) return checkingWords(job.check)
  if (activity?.tool !== undefined) return activity.tool
  if (job.phase === "opening" && state === "prompting") return "moving on to its next model"
  return activity?.text ? lastOf(activity.text) : phaseWords[job.phase ?? "working"]
}

function endWords(job: ShownJob): string {
  const changes = job.worktree && changeWords(job.worktree)
  return [
    stateWords[job.state],
    ...(job.attempts ? [modelWords(job)] : []),
    ...(changes !== undefined ? [changes] : []),
  ].join(", ")
}

/** `+10 −2 in 3 files`; nothing before what it did is committed, or where it has changed nothing. */
export function changeWords({ files = 0, insertions = 0, deletions = 0 }: Changes): string | undefined {
  if (files === 0) return undefined
  return `+${insertions} −${deletions} in ${counted(files, "file")}`
}

type Changes = Pick<NonNullable<ShownJob["worktree"]>, "files" | "insertions" | "deletions">

/** Of the check that runs. */
export const checkingWords = ({ command, rounds }: NonNullable<ShownJob["check"]>) =>
  `checking: ${command}, round ${rounds + 1}`

/** Names in a line: what follows is cut off. */
const mostNames = 3

function waitWords(waitsFor: readonly string[]): string {
  const more = waitsFor.length - mostNames
  return `waits for ${waitsFor.slice(0, mostNames).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

/** How far a group is: `3 of 8 done, 1 failed`. */
function itemWords({ all, done, failed, cancelled }: Items): string {
  const others = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
  ]
  return [`${done} of ${all} done`, ...others].join(", ")
}

/** Which model a job has come to, where others were tried before. */
function modelWords({ model, attempts = [] }: ShownJob): string {
  const left = attempts.map((attempt) => attempt.model ?? chosen)
  return `by ${model ?? chosen} after ${left.join(", ")}`
}

const chosen = "opencode's choice"

/** `until 13:20`; the seconds where they are few. */
function untilWords(until: number, now: number): string {
  const left = Math.ceil((until - now) / 1_000)
  return left < 60 ? `for ${seconds(left)}` : `until ${clockTime(until, now)}`
}

/** As the person's clock shows it, with the date only where the clock will have shown that time before: rows are narrow. */
function clockTime(at: number, now: number): string {
  const date = new Date(at)
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
  if (at - now < dayMs) return time
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`
}

const dayMs = 24 * 3_600_000

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
