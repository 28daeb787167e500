import type { ShownMessage, ShownPart } from "../../shown/conversation.ts"
import { beginning } from "../../util/plain.ts"
import type { MessageAnswer, MessagesAnswer } from "./api.ts"

const mostMessages = 100
/** All in characters. */
const mostOfAnswer = 512 * 1024
const mostOfMessage = 128 * 1024
const longest = { text: 32_000, argument: 8_000, name: 200 }
/** What is left of each text of a message that has very many. */
const shortest = 100
const mostParts = 500
const mostArguments = 50

type PartAnswer = MessageAnswer["parts"][number]

/** As many as fit, from the message `after` on: it comes again, for it may have grown. */
export function boundedMessages(messages: readonly ShownMessage[], after?: string): MessagesAnswer {
  const known = after === undefined ? 0 : messages.findIndex(({ id }) => id === after)
  const wanted = messages.slice(Math.max(0, known))
  const answered: MessageAnswer[] = []
  let left = mostOfAnswer
  for (const message of wanted.slice(0, mostMessages)) {
    const bounded = boundedMessage(message)
    left -= JSON.stringify(bounded).length
    // Whoever goes on with the first one must get further.
    if (left < 0 && answered.length > 1) break
    answered.push(bounded)
  }
  const last = answered.at(-1)
  const hasMore = answered.length < wanted.length
  return {
    messages: answered,
    ...(hasMore && last && { cursor: last.id }),
    ...(known < 0 && { isAnew: true }),
  }
}

function boundedMessage({ id, role, at, model, origin, error, parts }: ShownMessage): MessageAnswer {
  const kept = parts.slice(0, mostParts)
  const whole = kept.map((part) => boundedPart(part, mostOfMessage))
  const isLong = JSON.stringify(whole).length > mostOfMessage
  const share = mostOfMessage / kept.reduce((count, part) => count + textsIn(part), 0)
  return {
    id,
    role,
    parts: isLong ? kept.map((part) => boundedPart(part, Math.max(shortest, share))) : whole,
    ...(at !== undefined && { at }),
    ...(model !== undefined && { model }),
    ...(origin && { origin }),
    ...(error !== undefined && { error: beginning(error, longest.argument) }),
    ...(kept.length < parts.length && { cut: true }),
  }
}

const textsIn = (part: ShownPart) =>
  part.type === "tool" ? Math.min(part.input.length, mostArguments) + 2 : 1

/** @param most characters of each of its texts */
function boundedPart(part: ShownPart, most: number): PartAnswer {
  let isCut = false
  const cut = (text: string, length: number) => {
    const kept = beginning(text, Math.min(length, most))
    isCut ||= kept.length < text.length
    return kept
  }
  const bounded = () => {
    if (part.type !== "tool") return { type: part.type, text: cut(part.text, longest.text) }
    const { type, tool, status, title, input, output, startedAt, endedAt } = part
    isCut ||= input.length > mostArguments
    return {
      type,
      tool: cut(tool, longest.name),
      status,
      input: input.slice(0, mostArguments).map(({ name, text }) => ({
        name: cut(name, longest.name),
        text: cut(text, longest.argument),
      })),
      ...(title !== undefined && { title: cut(title, longest.name) }),
      ...(output !== undefined && { output: cut(output, longest.text) }),
      ...(startedAt !== undefined && { startedAt }),
      ...(endedAt !== undefined && { endedAt }),
    }
  }
  const answer = bounded()
  return isCut ? { ...answer, cut: true } : answer
}
