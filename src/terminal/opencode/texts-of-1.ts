import { hasEnded, type ShownJob } from "../jobs.ts"
import type { Message } from "./api-of-1.ts"

/**
 * What a job's owner is given of it, as the conversation of its child holds it: the answer, or all that it had written
 * in this run.
 * @param prompt this run's; what a person told it meanwhile is not
 */
export function textOf(job: ShownJob, messages: readonly Message[], prompt: string | undefined): string {
  if (job.state === "done") return written(messages.slice(messages.findLastIndex(isAnswer)))
  const asked = messages.findLastIndex(({ info, parts }) => info.role === "user" && isFor(parts, prompt))
  const run = messages.slice(Math.max(0, asked))
  if (hasEnded(job)) {
    // A follow-up that ends otherwise than by an answer leaves the earlier one in place.
    const earlier = messages.slice(0, Math.max(0, asked)).findLast((each) => written([each]) !== "")
    return earlier ? written([earlier]) : written(run)
  }
  const finished = written(run)
  // opencode stores a text once it is finished.
  const tail = job.activity?.text?.trim() ?? ""
  return tail === "" || finished.endsWith(tail) ? finished : joined([finished, `…${tail}`])
}

const isAnswer = ({ info }: Message) => info.role === "assistant"

const isFor = (parts: Message["parts"], prompt: string | undefined) =>
  prompt === undefined || parts.some(({ text }) => text === prompt)

const written = (messages: readonly Message[]) =>
  joined(
    messages
      .filter(isAnswer)
      .flatMap(({ parts }) => parts.flatMap(({ type, text }) => (type === "text" && text ? [text] : []))),
  )

const joined = (texts: readonly string[]) => texts.filter((text) => text !== "").join("\n\n")
