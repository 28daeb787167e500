import { clockTime } from "./durations.ts"
import type { LeaveChildOutput, PromptChildOutput } from "./effects.ts"
import type { EventOf, JobInput, ModelChoice } from "./events.ts"
import type { JobContext } from "./job-context.ts"
import { providerOf } from "./limits.ts"
import {
  type Attempt,
  boundedMessage,
  type JobError,
  NO_USAGE,
  withAttempts,
  withoutAttempts,
} from "./record.ts"

/**
 * Where its job has a fallback: how far away the next try of a model or the end of its hold may be, milliseconds, and
 * how many tries may fail.
 */
const longestPause = 60_000
const mostRetries = 5

export const hasFallback = ({ job }: JobContext) => (job.fallbacks ?? []).length > 0

export const unavailable = ({ error, at }: PromptChildOutput) => ({ failure: error ?? unknownFailure, at })

/** The model of a session below the child's is no matter of the job. */
export const isTooLate = ({ retry, at, isSubagents }: EventOf<"child.retrying">) =>
  !isSubagents && (retry.next - at > longestPause || retry.attempt > mostRetries)

export function tooLate({ retry, at }: EventOf<"child.retrying">): { failure: JobError; at: number } {
  const seconds = Math.round((retry.next - at) / 1000)
  const why =
    retry.attempt > mostRetries ? `it failed ${retry.attempt} times` : `its next try would be in ${seconds} s`
  return { failure: { kind: "provider", message: `${boundedMessage(retry.reason)} (${why})` }, at }
}

const unknownFailure: JobError = { kind: "provider", message: "no reason was given" }

export const failureOf = ({ failure }: JobContext): JobError => failure ?? unknownFailure

export function movedOn(
  context: JobContext,
  { prompt, usage, at }: LeaveChildOutput & { at: number },
): Partial<JobContext> {
  const { session } = context
  const used = usage ?? withoutAttempts(context.usage, context.job.attempts)
  const job = { ...withNext(context, { session, usage: used }), prompt }
  return {
    job,
    usage: withAttempts(NO_USAGE, job.attempts),
    // Its session knows nothing of one.
    check: undefined,
    failure: undefined,
    movedAt: at,
    // A slot is one for a model, whichever its variant.
    slotAt: job.model === context.job.model ? at : undefined,
  }
}

/** The model's hold lasts too long. Its child was never asked, so that there is nothing to stop or to tell the next. */
export function passedOver(context: JobContext): Partial<JobContext> {
  const { session, job, holdUntil = 0, heldAt = 0, openedAt = heldAt } = context
  const fallbacks = job.fallbacks?.slice(job.fallbacks.findIndex(isOfAnotherModel(job)))
  const message = `${providerOf(job.model) ?? "its provider"} on hold until ${clockTime(holdUntil, heldAt)}`
  return {
    job: withNext(
      { ...context, job: { ...job, fallbacks }, failure: { kind: "provider", message } },
      { session },
    ),
    // A hold may have been told while its session was still to be made.
    movedAt: Math.max(heldAt, openedAt),
    slotAt: undefined,
  }
}

/** A session that an earlier run or process has left may have been asked already; the one that a move makes has not. */
export const isFreeToMove = ({ job, startedAt }: JobContext) =>
  (job.session === undefined || job.isUnasked === true || startedAt !== undefined) &&
  (job.fallbacks ?? []).some(isOfAnotherModel(job))

/** A hold is for all variants of a model. */
const isOfAnotherModel =
  ({ model }: JobInput) =>
  (other: ModelChoice) =>
    other.model !== model

export const isHeldForLong = ({ holdUntil = 0, heldAt = 0 }: Pick<JobContext, "holdUntil" | "heldAt">) =>
  holdUntil - heldAt > longestPause

/** No session was made for the next model: that the one before was left is no reason to look for it elsewhere. */
export function stayed({ job, session }: JobContext): Partial<JobContext> {
  const left = job.attempts?.at(-1)
  if (!left || left.session !== session) return {}
  const { session: _session, usage: _usage, ...attempt } = left
  return { job: { ...job, attempts: [...(job.attempts ?? []).slice(0, -1), attempt] } }
}

export function withNext(context: JobContext, left: Pick<Attempt, "session" | "usage">): JobInput {
  const { job } = context
  const [next, ...fallbacks] = job.fallbacks ?? []
  const attempts = [...(job.attempts ?? []), { model: job.model, error: failureOf(context), ...left }]
  return { ...job, model: next?.model, variant: next?.variant, fallbacks, attempts }
}
