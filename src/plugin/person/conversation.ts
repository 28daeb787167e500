import type { Conversation, Files } from "../../inspector/index.ts"
import type { JobRecord } from "../../machines/record.ts"
import type { ShownMessage, ShownPart } from "../../shown/conversation.ts"
import type { ChangedFile } from "../../shown/files.ts"
import type { Turns } from "../children/turns.ts"
import type { Host, HostError } from "../host/port.ts"
import type { Isolation } from "../isolation/isolation.ts"
import { wordsOf } from "../util/error-words.ts"
import type { FileDiff } from "../worktrees/diff.ts"

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

type FileReading = { host: Pick<Host, "files">; isolation: Pick<Isolation, "diffs"> }

/**
 * Which files a child has changed: as git says where it has a worktree of its own, for there nobody else changes any;
 * else, and once that is removed, as far as opencode knows.
 */
export async function filesOf({ host, isolation }: FileReading, job: JobRecord): Promise<Files> {
  const { session, worktree } = job
  try {
    const diffs = worktree && (await isolation.diffs(worktree))
    if (diffs) return { kind: "files", files: diffs.map(changedFile) }
  } catch (error) {
    return { kind: "unreadable", why: wordsOf(error) }
  }
  const read = await host.files(session)
  return read.ok ? { kind: "files", ...read.value } : unread(read.error)
}

/** git has a diff for each file: one without was left out. */
const changedFile = ({ path, insertions, deletions, diff }: FileDiff): ChangedFile => ({
  path,
  additions: insertions,
  deletions,
  diff,
  ...(diff === undefined && { isCut: true as const }),
})

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
