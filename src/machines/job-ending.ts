import { stillRuns } from "./check-words.ts"
import { EffectFailure, type LeaveChildOutput } from "./effects.ts"
import type { CancelKind, JobInput } from "./events.ts"
import { isolationLimit, leaveLimit, openLimit } from "./job-clock.ts"
import type { Ending, JobContext } from "./job-context.ts"
import { failureOf } from "./job-fallbacks.ts"
import { boundedMessage } from "./record.ts"

/** How a job ends, and when. */
export type Decision = { ending: Ending; at: number }

type Cancel = { reason: string; kind?: CancelKind | undefined; at: number }

export function cancellation({ reason, kind = "cancelled", at }: Cancel): Decision {
  return { ending: { state: "cancelled", error: { kind, message: boundedMessage(reason) } }, at }
}

export function breach({ reason, at }: { reason: string; at: number }): Decision {
  return { ending: { state: "failed", error: { kind: "dependency", message: reason } }, at }
}

export function failure(context: JobContext, thrown: unknown, kind: "create" | "prompt" | "check"): Decision {
  const known = EffectFailure.safeParse(thrown)
  const { at, ...error } = known.success
    ? known.data
    : { kind, message: boundedMessage(String(thrown)), at: context.startedAt ?? context.job.askedAt }
  return { ending: { state: error.kind === "cancelled" ? "cancelled" : "failed", error }, at }
}

export function notOpened(context: JobContext, thrown: unknown): Decision {
  const { ending, at } = failure(context, thrown, "create")
  return ending.error?.kind === "create" ? unopened(context, ending.error.message, at) : { ending, at }
}

const isToGetWorktree = ({ isolation, worktree }: JobInput) =>
  isolation !== undefined && worktree === undefined

export const openLimitOf = (job: JobInput) => (isToGetWorktree(job) ? isolationLimit : openLimit)

export function openedTooLate(context: JobContext): Decision {
  const { job, movedAt = job.askedAt } = context
  const limit = openLimitOf(job)
  const at = movedAt + limit
  if (!isToGetWorktree(job)) return unopened(context, openedLate(limit), at)
  const message = `its worktree and its child session were not made within ${inSeconds(limit)}`
  return { ending: { state: "failed", error: { kind: "isolation", message } }, at }
}

export function movedTooLate(context: JobContext): Decision {
  const { job, movedAt = job.askedAt } = context
  const limit = openLimitOf(job)
  return unopened(context, openedLate(limit), movedAt + limit)
}

const openedLate = (limit: number) => `opencode did not make the child session within ${inSeconds(limit)}`

/** Of a job that has left a model, the reason why is that of its failure too. */
function unopened({ job }: JobContext, why: string, at: number): Decision {
  const left = job.attempts?.at(-1)
  const message = left
    ? `${left.error.message}. ${job.model} was not asked instead: ${why}. agents_send has it go on where the job is.`
    : why
  return { ending: { state: "failed", error: { kind: "create", message } }, at }
}

export function notRepeated(
  context: JobContext,
  { changed, at }: LeaveChildOutput & { at: number },
): Decision {
  const { kind, message } = failureOf(context)
  const words =
    `${message}. ${nextOf(context)} was not asked instead: ${changed.join(", ")} had run by then, and what that has ` +
    "changed is not to be done twice. agents_send has it go on where the job is."
  return { ending: { state: "failed", error: { kind, message: words } }, at }
}

export function notLeft(context: JobContext, thrown: unknown): Decision {
  const { kind, message } = failureOf(context)
  const { job, movedAt = job.askedAt } = context
  const known = EffectFailure.safeParse(thrown)
  const why = known.success ? known.data.message : `opencode gave no answer within ${inSeconds(leaveLimit)}`
  const words = `${message}. ${nextOf(context)} was not asked instead, since the child could not be stopped: ${why}`
  const at = known.success ? known.data.at : movedAt + leaveLimit
  return { ending: { state: "failed", error: { kind, message: words } }, at }
}

const nextOf = ({ job }: JobContext) => job.fallbacks?.[0]?.model ?? "the next model"

export function outOfTime({ job, deadlineAt = job.askedAt }: JobContext, during = ""): Decision {
  const message = `not done within ${inSeconds(job.timeoutMs)}${during}`
  return { ending: { state: "timedOut", error: { kind: "total", message } }, at: deadlineAt }
}

export const stillChecked = ({ job, check }: JobContext) =>
  `: ${stillRuns(job.hasToPass?.command ?? "", (check?.round ?? 0) + 1)}`

export function inactive({ job, idleAt = job.askedAt }: JobContext): Decision {
  const message = `no activity for ${inSeconds(job.idleMs)}`
  return { ending: { state: "timedOut", error: { kind: "idle", message } }, at: idleAt }
}

const inSeconds = (ms: number) => `${ms / 1000} s`
