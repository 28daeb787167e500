import { redError } from "./check-words.ts"
import type { CheckInput, PromptChildOutput } from "./effects.ts"
import { endOf } from "./job-clock.ts"
import type { JobContext } from "./job-context.ts"
import { type Usage, withAttempts } from "./record.ts"

/** One that does not fit its schema is an answer all the same. */
export const isAnswer = ({ error }: PromptChildOutput) => error === undefined || error.kind === "schema"

/** The run's answer, after what its owner would otherwise never be given. */
export function withUndelivered({ job: { earlier } }: JobContext, answer: string): string {
  const before = earlier?.isUndelivered ? earlier.text : undefined
  return [before, answer].filter((text) => text).join("\n\n")
}

/** What the effect is to check, which the compiler cannot see to be there wherever this is called. */
export function checkInput({ job, session, check: last, answer }: JobContext): CheckInput {
  if (!job.hasToPass || !answer) throw new Error("there is no answer to check")
  // Where opencode names no message, the answer is known by when it was given.
  const message = answer.message ?? { id: `${answer.at}`, at: answer.at }
  return { job, session, check: job.hasToPass, round: (last?.round ?? 0) + 1, answer: message }
}

export const withWorktree = ({ job }: JobContext, { worktree }: Pick<PromptChildOutput, "worktree">) =>
  worktree ? { job: { ...job, worktree } } : {}

/** The answer counts as it is, or as the check has found it wanting. */
export function checkedAnswer(context: JobContext, at: number): Partial<JobContext> {
  const { job, answer, check } = context
  if (!answer || !check) return {}
  return {
    ending:
      check.exitCode === 0
        ? { state: "done" }
        : { state: "failed", error: redError(job.hasToPass?.command ?? "", check.round, check.exitCode) },
    endedAt: endOf(context, at),
    text: withUndelivered(context, answer.text),
    isTruncated: answer.isTruncated,
    structured: check.exitCode === 0 ? answer.structured : undefined,
  }
}

export function usageNow({ job, usage: known }: JobContext, usage: Usage | undefined): Usage {
  return usage ? withAttempts(usage, job.attempts) : known
}
