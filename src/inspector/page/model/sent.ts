import { signal } from "@preact/signals"
import { sendTo } from "./api.ts"
import type { Message } from "./conversation.ts"

/** A message of this tab. `before`: how often the same was in the conversation when it was sent. */
type Sent = { text: string; before: number }

/** By the address of the job: a child reads them when it gets to it, which may take minutes. */
const sent = signal<ReadonlyMap<string, readonly Sent[]>>(new Map())

/** The conversation that was read last: that of the open job. */
let read: { address: string; messages: readonly Message[] } | undefined

export async function send(address: string, text: string): Promise<void> {
  await sendTo(address, text)
  const before = read?.address === address ? timesIn(read.messages, text) : 0
  sent.value = new Map([...sent.value, [address, [...(sent.value.get(address) ?? []), { text, before }]]])
}

/** The messages that are not yet in the conversation. */
export function unread(address: string, messages: readonly Message[]): string[] {
  read = { address, messages }
  const theirs = sent.value.get(address) ?? []
  return theirs.flatMap(({ text, before }, index) => {
    const earlier = theirs.slice(0, index).filter((other) => other.text === text && other.before === before)
    return timesIn(messages, text) > before + earlier.length ? [] : [text]
  })
}

/** Long texts are cut in a conversation. */
const compared = 500

function timesIn(messages: readonly Message[], text: string): number {
  const start = text.slice(0, compared)
  const has = ({ role, parts }: Message) =>
    role === "user" && parts.some((part) => part.type === "text" && part.text?.includes(start))
  return messages.filter(has).length
}
