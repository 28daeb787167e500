import type { Answer } from "../../machines/effects.ts"
import { boundedMessage, type JobError } from "../../machines/record.ts"
import type { AssistantMessage, HostMessage, UserMessage } from "./port.ts"
import { isRecheckOf, isRepairOf, wasAskedBefore } from "./prompt-ids.ts"

/** The last message of the turn that was asked under this id, once there is one. */
export function finalAnswer(messages: readonly HostMessage[], asked: string): AssistantMessage | undefined {
  const last = lastAnswer(messages, asked)
  return last?.end && last
}

/** The same, whether its turn is over or not. */
export function lastAnswer(messages: readonly HostMessage[], asked: string): AssistantMessage | undefined {
  const { id = asked } = placeOf(messages, asked) ?? {}
  return messages.findLast(
    (message): message is AssistantMessage => message.role === "assistant" && message.answers.includes(id),
  )
}

/**
 * The last answer of a run that was asked under this id. It may have been asked to correct the first, and told that what
 * it had answered did not pass.
 */
export function answerOfRun(
  messages: readonly HostMessage[],
  asked: string,
): { answer: AssistantMessage | undefined; isRepaired: boolean } {
  const recheck = messages.findLast(({ role, id }) => role === "user" && isRecheckOf(id, asked))
  const last = recheck?.id ?? asked
  const repair = messages.findLast(({ role, id }) => role === "user" && isRepairOf(id, last))
  return { answer: finalAnswer(messages, repair?.id ?? last), isRepaired: repair !== undefined }
}

/**
 * Whether it is there as the model gave it, or ended in a way of its own: opencode's own end only aborts it, and a turn
 * with which opencode could not go on is to be asked anew.
 */
export const isGiven = (answer: AssistantMessage | undefined) =>
  answer?.end !== undefined && answer.end.error !== ABORTED && answer.end.error !== STALLED

/** Whether the turn in which this was asked has no end: it goes on, or opencode has ended itself and cut it off. */
export function isUnended(messages: readonly HostMessage[], asked: string): boolean {
  const place = placeOf(messages, asked)
  return place === undefined || (place.role === "user" && place.isOver === false)
}

/** The message in which this was asked, or the summary that has taken its place. */
export function placeOf(messages: readonly HostMessage[], asked: string): HostMessage | undefined {
  return messages.find(({ id }) => id === asked) ?? messages.find((message) => isSummaryOf(message, asked))
}

/** Whether it stands for what is not to be had any more. */
export const isSummary = (message: HostMessage): message is UserMessage & { summarizesUntil: number } =>
  message.role === "user" && message.summarizesUntil !== undefined

function isSummaryOf(message: HostMessage, asked: string): boolean {
  return isSummary(message) && wasAskedBefore(asked, message.summarizesUntil)
}

/** What was written in a run: all that follows its prompt, with the answers to what the child was told meanwhile. */
export function textSince(messages: readonly HostMessage[], asked: string): string {
  const place = placeOf(messages, asked)
  if (!place) return ""
  return messages
    .slice(messages.indexOf(place))
    .filter(({ role }) => role === "assistant")
    .map(({ text }) => text)
    .filter((each) => each !== "")
    .join("\n\n")
}

/** What a message says as the answer to a prompt whose turn is over. */
export function answerOf(message: HostMessage): Omit<Answer, "usage"> {
  const { text } = message
  if (message.role === "user") return { text, error: ABORTED }
  const { end, refusal } = message
  if (end) {
    const { error, isTruncated, isUnavailable } = end
    return { text, error, ...(isTruncated && { isTruncated }), ...(isUnavailable && { isUnavailable }) }
  }
  // An abort while opencode backs off ends the turn like this: without an error, and without an answer.
  if (refusal === undefined) return { text, error: ABORTED }
  return { text, error: refusedAt(refusal) }
}

/** @param call the tool and why it ended, as in {@link AssistantMessage.refusal} */
export const refusedAt = (call: string): JobError => ({
  kind: "interrupted",
  message: `its turn ended at a call to ${boundedMessage(call)}`,
})

export const ABORTED: JobError = {
  kind: "interrupted",
  message: "the child session was aborted from outside opencode-troupe",
}

/** opencode failed between two steps of a turn: it did not find the model, for instance, since it was just reloading. */
export const STALLED: JobError = {
  kind: "interrupted",
  message: "opencode could not go on with the child's turn",
}

/** Whether the turn in which this was asked ended so. */
export const isStalled = (messages: readonly HostMessage[], asked: string): boolean =>
  finalAnswer(messages, asked)?.end?.error === STALLED
