import type { JobEvent } from "./events.ts"
import type { JobContext } from "./job-context.ts"

/** Longest wait for opencode to make a child session, milliseconds. */
export const openLimit = 30_000
/** The same with the worktree of a job that is to have one. */
export const isolationLimit = 300_000
/** Longest wait for opencode to store how a job ends, milliseconds. */
export const recordLimit = 2_000
/** Longest wait for opencode to abort a child and to say what it had written, milliseconds. */
export const stopLimit = 5_000
/** The same where what it has done in its worktree is committed then. */
export const commitLimit = 60_000
/**
 * Longest wait for opencode to abort a child that its job leaves, and to say what it has done, milliseconds: nobody is
 * kept waiting by it, and without it the job fails.
 */
export const leaveLimit = 30_000
/** How long a child has to be idle before its messages are looked at, milliseconds: steps have pauses between them. */
export const lullLimit = 5_000

/** The clock may have been set back: nothing ends before it began. */
export const endOf = ({ startedAt, job }: JobContext, at: number) => Math.max(at, startedAt ?? job.createdAt)

/** What is left of the total time. Where the clock was set back, that is no more than there was. */
export function remainingAt({ remainingMs, deadlineAt }: JobContext, at: number): number {
  if (deadlineAt === undefined) return remainingMs
  return Math.min(remainingMs, Math.max(0, deadlineAt - at))
}

/** The wait for people that is under way ends. */
export function waitOver({ waitedMs, waitingSince }: JobContext, at: number) {
  return { waitedMs: waitedMs + Math.max(0, at - (waitingSince ?? at)), waitingSince: undefined }
}

/** How long opencode pauses before its next attempt. Milliseconds. */
export function pauseOf(event: JobEvent): number {
  return event.type === "child.retrying" ? Math.max(0, event.retry.next - event.at) : 0
}
