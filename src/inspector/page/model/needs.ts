import type { JobView } from "../../feed/job-view.ts"
import { duration } from "./words.ts"

/** Attempts after which a retrying job is considered stuck. */
const manyAttempts = 3
/** A backoff that deserves attention, milliseconds. */
const longBackoff = 60_000
/** Time without activity after which a working job deserves attention, milliseconds. */
const longSilence = 120_000
/** The same while a tool is running: builds and tests may be silent for minutes. */
const longTool = 600_000

/** Why a job needs attention, in words; undefined when it gets on by itself. */
export function needOf(job: JobView, now: number): string | undefined {
  // A group has nothing to do but to wait for its jobs.
  if (job.state !== "prompting" || job.isGroup) return undefined
  const ask = job.asks?.[0]
  if (job.phase === "permission") return `permission request: ${ask?.text ?? ""}`
  if (job.phase === "question") return `question: ${ask?.text ?? ""}`
  if (job.phase === "retrying" && job.retry && job.retry.attempt >= manyAttempts)
    return `${job.retry.attempt} attempts failed: ${job.retry.reason}`
  if (job.phase === "retrying" && job.retry && job.retry.next - now > longBackoff)
    return `next attempt in ${duration(job.retry.next - now)}: ${job.retry.reason}`
  const silence = now - Math.max(job.activity?.at ?? 0, job.startedAt ?? now)
  const tool = job.activity?.tool
  if (job.phase !== "working" || silence <= (tool === undefined ? longSilence : longTool)) return undefined
  return tool === undefined
    ? `no activity for ${duration(silence)}`
    : `running ${tool} for ${duration(silence)}`
}

/** Whether it waits for a person's answer. */
export const hasQuestion = ({ phase }: Pick<JobView, "phase">) =>
  phase === "permission" || phase === "question"

/** What a person can do for a job that is slow or retries. */
export function helpFor({ phase, activity }: Pick<JobView, "phase" | "activity">): string {
  if (phase === "retrying")
    return "opencode retries by itself. Wait, or cancel the job and start it again with another model."
  return activity?.tool === undefined
    ? "The model has written nothing since. Wait, send the job a message, or cancel it."
    : "The tool may be hanging: nothing tells it from one that takes long. Wait, or cancel the job."
}

/** What a person can do about an error of this kind. */
export function adviceOf(kind: string): string {
  return advice[kind] ?? "Send it a follow-up, or ask the main agent to start it again."
}

const advice: Record<string, string> = {
  create: "opencode did not create the child session. Check opencode's log, then start the job again.",
  prompt:
    "opencode did not accept the prompt, or its answer was lost. Check its agent and model, then send a follow-up.",
  provider: "The provider refused the request. Check its key, quota and status, then send a follow-up.",
  schema: "The answer did not match its schema. Say in a follow-up what is missing.",
  check:
    "Its command has not passed. A follow-up goes on from where it is, and the command runs again after it.",
  isolation:
    "It could not work in a worktree of its own. What it needs for that is said above; then start the job again.",
  dependency:
    "Send the one that broke first a follow-up, unless its budget is spent: once it is done, those that failed for want of it start again by themselves.",
  interrupted: "A follow-up continues in the same session, with everything that opencode has saved of it.",
  total: "Its timeout ran out. Send a follow-up, or raise the task's timeout or the option timeoutSeconds.",
  idle: "A tool hung, or the model did not answer. If such pauses are normal here, raise the option idleSeconds.",
  budget:
    "Its batch, or all jobs of its session, may spend no more. Have the rest done by a new job, or raise the option budget.",
  cancelled: "A follow-up continues in the same session.",
}
