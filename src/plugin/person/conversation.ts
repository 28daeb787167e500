import type { Conversation } from "../../inspector/index.ts"
import type { JobRecord } from "../../machines/record.ts"
import type { ShownMessage, ShownPart } from "../../shown/conversation.ts"
import type { Turns } from "../children/turns.ts"
import type { Host } from "../host/port.ts"

type Reading = { host: Pick<Host, "conversation">; turns: Pick<Turns, "partOf"> }

/** What opencode has of a child's conversation, and what is being written, of which opencode has only the place. */
export async function conversationOf(
  { host, turns }: Reading,
  { session }: JobRecord,
  after: string | undefined,
): Promise<Conversation> {
  const read = await host.conversation(session, after)
  if (!read.ok) {
    const { status, message } = read.error
    return status === 404
      ? { kind: "lost", why: "its session was deleted" }
      : { kind: "unreadable", why: message }
  }
  // Asked for afterwards: it is never behind what opencode has stored.
  const draft = turns.partOf(session)
  return {
    kind: "messages",
    messages: draft ? read.value.map((message) => withDraft(message, draft)) : read.value,
  }
}

type Draft = { part: string; text: string }

function withDraft(message: ShownMessage, draft: Draft): ShownMessage {
  const isLonger = (part: ShownPart) =>
    part.type === "text" && part.id === draft.part && draft.text.length > part.text.length
  if (!message.parts.some(isLonger)) return message
  return {
    ...message,
    parts: message.parts.map((part) => (isLonger(part) ? { ...part, text: draft.text } : part)),
  }
}
