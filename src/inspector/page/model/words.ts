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
  blocked: "⋯",
  queued: "⋯",
  working: undefined,
  retrying: "↻",
  permission: "!",
  question: "?",
  stopping: "■",
}

const PHASES = Object.keys(phaseSigns) as JobPhase[]

export const signOf = ({ state, phase }: Pick<JobView, "state" | "phase">) =>
  (phase && phaseSigns[phase]) ?? stateWords[state].sign

/** Reads a job's place as the API writes it: `state.phase` or `state`. */
export function placeIn(text: string): Pick<JobView, "state" | "phase"> | undefined {
  const [state, phase] = text.split(".")
  const knownState = STATES.find((each) => each === state)
  const knownPhase = PHASES.find((each) => each === phase)
  return knownState && { state: knownState, ...(knownPhase && { phase: knownPhase }) }
}

export const keyOf = ({ owner, id }: Pick<JobView, "owner" | "id">) => `${owner}/${id}`

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
export const errorWords = ({ kind, message }: JobError) =>
  kind === "interrupted" ? message.replace("agents_send continues it", "A follow-up continues it") : message

/** What it is doing now, or why it failed, in one line. */
export function doing({ state, phase, asks, retry, activity, error }: JobView): string {
  if (error) return errorWords(error)
  if (asks?.[0]) return asks[0].text
  if (phase === "retrying" && retry) return `attempt ${retry.attempt} failed: ${retry.reason}`
  if (phase === "queued") return "waiting for a slot"
  if (phase === "opening") return "creating its session"
  if (phase === "stopping") return "stopping the child"
  if (state === "prompting" && activity?.tool !== undefined) return `running ${activity.tool}`
  return activity?.text?.trimEnd().split("\n").at(-1) ?? ""
}

/** How long it has waited for a person, in words. */
export function waitOf({ waitingSince }: Pick<JobView, "waitingSince">, now: number): string | undefined {
  return waitingSince === undefined ? undefined : `waiting ${duration(now - waitingSince)}`
}
