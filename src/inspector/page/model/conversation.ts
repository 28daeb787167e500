import type { JobAnswer, MessageAnswer, MessagesAnswer } from "../../http/api.ts"
import { loadMessages, Refused } from "./api.ts"
import { hasQuestion } from "./needs.ts"

export type Message = MessageAnswer
export type Part = Message["parts"][number]

export type Conversation = {
  messages: readonly Message[]
  /** `loading` is not the same as without messages. */
  state: "loading" | "loaded" | "lost" | "unreadable"
  /** Why it is not loaded, or not all of it. */
  problem: string
}

export const notLoaded: Conversation = { messages: [], state: "loading", problem: "" }

/** Shortest time between two looks at what is under way, milliseconds. */
const pace = 1_000
/** The same while nothing is said to have changed. */
const patience = 5_000

/**
 * Reads a child's conversation, and while the job runs goes on with what is said.
 *
 * @param version another one whenever the job has changed
 */
export async function follow(
  address: string,
  known: Conversation,
  isRunning: boolean,
  version: () => unknown,
  signal: AbortSignal,
  tell: (conversation: Conversation) => void,
): Promise<void> {
  let now = known
  while (!signal.aborted) {
    const seen = version()
    const { conversation, hasMore } = await readOn(address, now, signal)
    if (signal.aborted) return
    now = conversation
    tell(now)
    if (hasMore) continue
    if (now.state === "lost" || (now.state === "loaded" && !isRunning)) return
    const due = Date.now() + (now.state === "loaded" ? patience : pace)
    do await new Promise((resolve) => setTimeout(resolve, pace))
    while (!signal.aborted && (document.hidden || (version() === seen && Date.now() < due)))
  }
}

async function readOn(
  address: string,
  { messages, state }: Conversation,
  signal: AbortSignal,
): Promise<{ conversation: Conversation; hasMore: boolean }> {
  try {
    const answer = await loadMessages(address, messages.at(-1)?.id, signal)
    const hasMore = answer.cursor !== undefined
    const read = { messages: merged(messages, answer), problem: "" }
    return { conversation: { ...read, state: hasMore ? state : "loaded" }, hasMore }
  } catch (error) {
    const isLost = error instanceof Refused && error.kind === "lost"
    const problem = error instanceof Error ? error.message : String(error)
    return { conversation: { messages, state: isLost ? "lost" : "unreadable", problem }, hasMore: false }
  }
}

/** A message that has not grown stays the same object, which need not be drawn again. */
export function merged(known: readonly Message[], { messages, isAnew }: MessagesAnswer): readonly Message[] {
  const first = messages[0]
  if (isAnew || known.length === 0 || !first) return isAnew || known.length === 0 ? messages : known
  const at = known.findIndex(({ id }) => id === first.id)
  if (at < 0) return [...known, ...messages]
  const fresh = messages.map((message, index) => {
    const before = known[at + index]
    return before && JSON.stringify(before) === JSON.stringify(message) ? before : message
  })
  const isSame =
    known.length === at + fresh.length && fresh.every((each, index) => each === known[at + index])
  return isSame ? known : [...known.slice(0, at), ...fresh]
}

/**
 * The server sends the beginnings of long texts. The last one is in the job's answer in full.
 *
 * @param full the text that an ended job left
 */
export function completed(messages: readonly Message[], full: string | undefined): readonly Message[] {
  const last = messages.at(-1)
  const isIts = (part: Part) => part.type === "text" && part.cut && full?.startsWith(part.text ?? "")
  if (!last || full === undefined || !last.parts.some(isIts)) return messages
  const parts = last.parts.map((part): Part => (isIts(part) ? { type: "text", text: full } : part))
  return [...messages.slice(0, -1), { ...last, parts }]
}

/** The last words of the child. */
export function answerIn(turns: readonly Turn[]): Part | undefined {
  const last = turns.findLast(({ role }) => role === "assistant")?.messages.at(-1)
  return last?.parts.findLast(({ type }) => type === "text")
}

const nobody: ReadonlySet<Part> = new Set()
/** Shorter words may stand in any text, characters. */
const tellingLength = 4

/**
 * The calls that go on once a person has answered. A request does not say which it is about: all that are under way
 * where there are no more of them than requests, otherwise those whose arguments have in common with one what it asks.
 */
export function waitingCalls(
  messages: readonly Message[],
  { phase, asks = [], requests }: Pick<JobAnswer, "phase" | "asks" | "requests">,
): ReadonlySet<Part> {
  if (!hasQuestion({ phase })) return nobody
  const latest = messages.findLast(({ role }) => role === "assistant")
  const calls = (latest?.parts ?? []).filter(
    ({ type, status }) => type === "tool" && (status === "running" || status === "pending"),
  )
  if (calls.length <= asks.length) return new Set(calls)
  const asked = requests.flatMap((request) =>
    (request.kind === "permission" ? request.parts : request.questions).map(({ text }) => text),
  )
  const isAsked = ({ text }: { text: string }) =>
    asked.some((words) => isIn(text, words) || isIn(words, text))
  return new Set(calls.filter(({ input = [] }) => input.some(isAsked)))
}

const isIn = (part: string, text: string) => part.length >= tellingLength && text.includes(part)

/** What one side said without being interrupted: opencode makes a message of each step. */
export type Turn = { role: Message["role"]; messages: readonly Message[] }

export function turnsOf(messages: readonly Message[]): Turn[] {
  const turns: { role: Message["role"]; messages: Message[] }[] = []
  for (const message of messages) {
    const last = turns.at(-1)
    const isNotice = message.origin !== undefined
    if (last?.role === message.role && !isNotice && last.messages[0]?.origin === undefined)
      last.messages.push(message)
    else turns.push({ role: message.role, messages: [message] })
  }
  return turns
}
