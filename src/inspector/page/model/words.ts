import { duration, timeOf } from "../../../machines/durations.ts"
import type { JobError, JobPhase, JobState } from "../../../machines/record.ts"
import type { JobView } from "../../feed/job-view.ts"

export { duration, timeOf }

/** Only types come from the machines: their schemas would double the size of the page. */
export const STATES: readonly JobState[] = ["created", "prompting", "done", "failed", "timedOut", "cancelled"]

/** Each state has its own sign and word, so that nobody has to tell them apart by colour. */
export const stateWords: Record<JobState, { sign: string; word: string }> = {
  created: { sign: "◌", word: "created" },
  prompting: { sign: "▶", word: "prompting" },
  done: { sign: "✓", word: "done" },
  failed: { sign: "✕", word: "failed" },
  timedOut: { sign: "◷", word: "timed out" },
  cancelled: { sign: "⊘", word: "cancelled" },
}

/** A phase that means something else for people than its state has its own sign. */
const phaseSigns: Record<JobPhase, string | undefined> = {
  opening: undefined,
  blocked: "∥",
  queued: "⋯",
  working: undefined,
  retrying: "↻",
  permission: "!",
  question: "?",
  checking: "≟",
  stopping: "■",
}

/** Of a job whose provider is on hold. */
export const holdSign = "◔"

const PHASES = Object.keys(phaseSigns) as JobPhase[]

export const signOf = ({ state, phase, holdUntil }: Pick<JobView, "state" | "phase" | "holdUntil">) =>
  holdUntil === undefined ? ((phase && phaseSigns[phase]) ?? stateWords[state].sign) : holdSign

/** Reads a job's place as the API writes it: `state.phase` or `state`. */
export function placeIn(text: string): Pick<JobView, "state" | "phase"> | undefined {
  const [state, phase] = text.split(".")
  const knownState = STATES.find((each) => each === state)
  const knownPhase = PHASES.find((each) => each === phase)
  return knownState && { state: knownState, ...(knownPhase && { phase: knownPhase }) }
}

export const keyOf = ({ owner, id }: Pick<JobView, "owner" | "id">) => `${owner}/${id}`

/** For sorting: `a.2` comes before `a.10`. */
export function byNumber(a: string, b: string): number {
  const [one, other] = [numbered(a), numbered(b)]
  if (one.name !== other.name) return one.name < other.name ? -1 : 1
  return one.number - other.number
}

function numbered(id: string): { name: string; number: number } {
  const dot = id.lastIndexOf(".")
  const number = dot < 0 ? Number.NaN : Number(id.slice(dot + 1))
  return Number.isNaN(number) ? { name: id, number: -1 } : { name: id.slice(0, dot), number }
}

/** How the API and the address name a job: by its session once it has one. */
export const addressOf = (job: Pick<JobView, "owner" | "id" | "session">) => job.session || keyOf(job)

export const isLive = ({ state }: Pick<JobView, "state">) => state === "created" || state === "prompting"

const pad = (value: number) => String(value).padStart(2, "0")

/** `15:04:05`; on another day than today `24 Nov 15:04:05`. */
export function clockTime(at: number, now = Date.now()): string {
  const date = new Date(at)
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  return date.toDateString() === new Date(now).toDateString() ? time : `${dayOf(date)} ${time}`
}

/** `24 Nov 15:04:05` */
export const dateTime = (at: number) => clockTime(at, Number.NaN)

const dayOf = (date: Date) => date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })

/** `950`, `12.3k`, `4.1M`. */
export function amount(value: number): string {
  if (value < 1_000) return String(value)
  return value < 1_000_000 ? `${(value / 1_000).toFixed(1)}k` : `${(value / 1_000_000).toFixed(1)}M`
}

export const tokensOf = ({ usage }: Pick<JobView, "usage">) => usage.input + usage.output + usage.reasoning

/** `—` where tokens were used and cost nothing: opencode knows no price of them, for which it has no other sign. */
export function costWords({ tokens, cost }: { tokens: number; cost: number }): string {
  if (cost === 0) return tokens === 0 ? "$0" : "—"
  return `$${cost.toFixed(cost < 1 ? 4 : 2)}`
}

/** The agent's tool has another name for what people send. */
export function errorWords({ kind, message }: JobError): string {
  if (kind === "interrupted") return message.replace("agents_send continues it", "A follow-up continues it")
  if (kind === "budget") return `budget spent: ${message}`
  return message.replace(/agents_send has it go on where the job is\.$/, "A follow-up goes on where it is.")
}

/** What it is doing now, or why it failed, in one line. Whom a blocked one waits for, its record alone does not say. */
export function doing(job: JobView, now: number): string {
  const { state, phase, asks, retry, activity, error } = job
  if (error) return errorWords(error)
  if (asks?.[0]) return asks[0].text
  if (phase === "retrying" && retry) return `attempt ${retry.attempt} failed: ${retry.reason}`
  if (phase === "blocked") return "waiting for other jobs"
  if (phase === "queued") return holdWords(job, now) ?? "waiting for a slot"
  if (phase === "opening")
    return state === "prompting" ? "moving on to its next model" : "creating its session"
  if (phase === "stopping") return "stopping the child"
  if (state === "prompting" && activity?.tool !== undefined) return `running ${activity.tool}`
  return activity?.text?.trimEnd().split("\n").at(-1) ?? ""
}

/** Which model has answered, or goes on, where others were tried before. */
export function fallbackWords({ state, model, attempts }: JobView): string | undefined {
  if (!attempts || (state !== "done" && !isLive({ state }))) return undefined
  const tried = attempts.map((attempt) => attempt.model ?? chosenModel).join(", ")
  return `${state === "done" ? "answered by" : "now with"} ${model ?? chosenModel} after ${tried}`
}

export const chosenModel = "chosen by opencode"

export type Hold = { provider: string; until: number }

/** That its provider is to be asked later, while it is. */
export function holdOf({ phase, model, holdUntil }: JobView, now: number): Hold | undefined {
  if (phase !== "queued" || holdUntil === undefined || holdUntil <= now) return undefined
  return { provider: providerOf(model) ?? "its provider", until: holdUntil }
}

const providerOf = (model: string | undefined) => model?.split("/")[0]

/** `until 14:03:20 (42 s)` */
export const untilWords = (until: number, now: number) =>
  `until ${clockTime(until, now)} (${countdown(Math.ceil((until - now) / 1_000))})`

/** Whole seconds: it changes with each. */
const countdown = (seconds: number) => (seconds < 60 ? `${seconds} s` : duration(seconds * 1_000))

function holdWords(job: JobView, now: number): string | undefined {
  const hold = holdOf(job, now)
  return hold && `queued: ${hold.provider} on hold ${untilWords(hold.until, now)}`
}

/** How long it has waited for a person, in words. */
export function waitOf({ waitingSince }: Pick<JobView, "waitingSince">, now: number): string | undefined {
  return waitingSince === undefined ? undefined : `waiting ${duration(now - waitingSince)}`
}
