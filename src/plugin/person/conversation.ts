import type { Conversation, Files } from "../../inspector/index.ts"
import type { JobRecord } from "../../machines/record.ts"
import type { ShownMessage, ShownPart } from "../../shown/conversation.ts"
import type { Turns } from "../children/turns.ts"
import type { Host, HostError } from "../host/port.ts"

type Reading = { host: Pick<Host, "conversation">; turns: Pick<Turns, "partOf"> }

/** What opencode has of a child's conversation, and what is being written, of which opencode has only the place. */
export async function conversationOf(
  { host, turns }: Reading,
  { session }: JobRecord,
  after: string | undefined,
): Promise<Conversation> {
  const read = await host.conversation(session, after)
  if (!read.ok) return unread(read.error)
  // Asked for afterwards: it is never behind what opencode has stored.
  const draft = turns.partOf(session)
  return {
    kind: "messages",
    messages: draft ? read.value.map((message) => withDraft(message, draft)) : read.value,
  }
}

/** Which files a child has changed. */
export async function filesOf(host: Pick<Host, "files">, { session }: JobRecord): Promise<Files> {
  const read = await host.files(session)
  return read.ok ? { kind: "files", ...read.value } : unread(read.error)
}

const unread = ({ status, message }: HostError) =>
  status === 404
    ? { kind: "lost" as const, why: "its session was deleted" }
    : { kind: "unreadable" as const, why: message }

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
