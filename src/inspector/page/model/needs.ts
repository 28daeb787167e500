import type { JobView } from "../../feed/job-view.ts"
import { duration } from "./words.ts"

/** Attempts after which a retrying job counts as stuck. */
const manyAttempts = 3
/** A wait for the next attempt that is worth a look, milliseconds. */
const longBackoff = 60_000
/** Silence after which a working job is worth a look, milliseconds. */
const longSilence = 120_000

/** Why somebody should look at a job, in words; undefined when it gets on by itself. */
export function needOf(job: JobView, now: number): string | undefined {
  if (job.state !== "prompting") return undefined
  const ask = job.asks?.[0]
  if (job.phase === "permission") return `asks for permission: ${ask?.text ?? ""}`
  if (job.phase === "question") return `asks you: ${ask?.text ?? ""}`
  if (job.phase === "retrying" && job.retry && job.retry.attempt >= manyAttempts)
    return `retried ${job.retry.attempt} times: ${job.retry.reason}`
  if (job.phase === "retrying" && job.retry && job.retry.next - now > longBackoff)
    return `tries again only in ${duration(job.retry.next - now)}: ${job.retry.reason}`
  const silence = now - Math.max(job.activity?.at ?? 0, job.startedAt ?? now)
  return job.phase === "working" && silence > longSilence
    ? `no sign of life for ${duration(silence)}`
    : undefined
}

/** What somebody can do for a job that needs it. */
export function helpFor({ phase, session }: Pick<JobView, "phase" | "session">): string {
  if (phase === "permission" || phase === "question")
    return `Answer it in opencode: its session is ${session}.`
  if (phase === "retrying")
    return "opencode tries again by itself. Wait, or cancel it and give the task another model."
  return "A tool may hang, or the model be slow. Look into its session, tell it more, or cancel it."
}

/** What can be done about an error. */
export function adviceOf(kind: string): string {
  return advice[kind] ?? "Give it a follow-up, or start it again from the agent."
}

const advice: Record<string, string> = {
  create: "opencode did not make the child session. Look into opencode's log, then start the job again.",
  prompt: "The prompt was not taken. Check that its agent and model exist, then give it a follow-up.",
  provider: "The model's provider refused. Check its key, quota and status, then give it a follow-up.",
  schema: "The answer had the wrong shape. Tell the child in a follow-up what was missing.",
  dependency: "A job that it waited for did not end well. Mend that one first.",
  interrupted:
    "opencode stopped meanwhile. A follow-up goes on in the same session; nothing that it wrote is lost.",
  total:
    "Its time ran out. Give it a follow-up, or more time: the option timeoutSeconds, or timeout on the task.",
  idle: "The child went silent: a tool that hangs, or a model that does not answer. Raise idleSeconds if that is normal here.",
  cancelled: "It was ended on purpose. A follow-up continues in the same session.",
}
