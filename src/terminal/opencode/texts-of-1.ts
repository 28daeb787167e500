import { hasEnded, type ShownJob } from "../jobs.ts"
import type { Message } from "./api-of-1.ts"
import type { AskedRun } from "./shown-record.ts"

/**
 * What a job's owner is given of it, as the conversation of its child holds it: the answer, or all that it had written
 * in this run; before it, the answers that the owner was never given.
 */
export function textOf(job: ShownJob, messages: readonly Message[], run: AskedRun): string {
  const placeOf = (askedAt: number) => {
    const start = idStart(askedAt)
    return messages.findIndex(({ info }) => info.role === "user" && info.id.startsWith(start))
  }
  const asked = Math.max(0, run.askedAt === undefined ? 0 : placeOf(run.askedAt))
  const ofRun = messages.slice(asked)
  if (!hasEnded(job)) return soFar(written(ofRun), job.activity?.text)
  const before = run.askedBefore.map(placeOf).filter((place) => place >= 0)
  const earlier = before.map((place, index) => answerIn(messages.slice(place, before[index + 1] ?? asked)))
  if (job.state === "done") return joined([...earlier, answerIn(messages)])
  // A follow-up that ends otherwise than by an answer leaves the earlier one in place.
  return joined(earlier) || lastIn(messages.slice(0, asked)) || written(ofRun)
}

/** Of the prompt that the server part sent at this time: the end of the id follows from the session. */
const idStart = (askedAt: number) =>
  `msg_${((BigInt(askedAt) * 4096n) % 2n ** 48n).toString(16).padStart(12, "0")}`

/** opencode stores a text once it is finished. */
function soFar(finished: string, activity = ""): string {
  const tail = activity.trim()
  return tail === "" || finished.endsWith(tail) ? finished : joined([finished, `…${tail}`])
}

const answerIn = (messages: readonly Message[]) => written(messages.filter(isAnswer).slice(-1))

const lastIn = (messages: readonly Message[]) =>
  written(messages.filter((each) => written([each]) !== "").slice(-1))

/** opencode writes one of its own where it compacts a conversation. */
const isAnswer = ({ info }: Message) => info.role === "assistant" && !info.summary

const written = (messages: readonly Message[]) =>
  joined(
    messages
      .filter((each) => isAnswer(each))
      .flatMap(({ parts }) =>
        parts.flatMap(({ type, text, synthetic }) => (type === "text" && !synthetic && text ? [text] : [])),
      ),
  )

const joined = (texts: readonly string[]) => texts.filter((text) => text !== "").join("\n\n")
