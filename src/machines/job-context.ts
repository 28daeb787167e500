import type { PromptChildOutput } from "./effects.ts"
import type { CheckedAnswer, JobInput } from "./events.ts"
import type { Activity, Ask, EndedState, JobError, JobRecord, Retry, Usage } from "./record.ts"

/** Plain JSON throughout, so that the same machine can run on a durable engine. */
export type JobContext = {
  job: JobInput
  /** Empty until opencode has made it. */
  session: string
  /** Jobs that it needs are still to end. */
  isBlocked: boolean
  /** When it may prompt, for a job whose slot came before its session. */
  slotAt?: number | undefined
  /** Until when its provider is on hold, while it waits for a slot. */
  holdUntil?: number | undefined
  /** When it was told so. */
  heldAt?: number | undefined
  /** When it began to go on to another model, until the session for that is there. */
  movedAt?: number | undefined
  /** When its session was there, where it was made for this run. */
  openedAt?: number | undefined
  startedAt?: number
  endedAt?: number
  /** What is left of the total time when its clock starts again. Milliseconds. */
  remainingMs: number
  /** When the total time runs out; absent while the clocks are paused. */
  deadlineAt?: number | undefined
  /** When the idle timeout is over; absent while its clock is paused. */
  idleAt?: number | undefined
  /** How long it has waited for people, without the wait that is under way. Milliseconds. */
  waitedMs: number
  waitingSince?: number | undefined
  asks: Ask[]
  /** The calls of tools that the child runs. */
  tools: string[]
  retry?: Retry | undefined
  activity?: Activity
  /** Over all its sessions. */
  usage: Usage
  text?: string | undefined
  /** The model's output limit cut the answer off. */
  isTruncated?: true | undefined
  structured?: JobRecord["structured"]
  /** The answer that is being checked. */
  answer?: PromptChildOutput | undefined
  /** The last check of this run. */
  check?: CheckedAnswer | undefined
  formerItems?: JobRecord["formerItems"]
  /** Why its model is left. */
  failure?: JobError | undefined
  /** How the job ends. The first decision stands. */
  ending?: Ending
}

export type Ending =
  | { state: "done"; error?: never }
  | { state: Exclude<EndedState, "done">; error: JobError }
