import type { Message, Part } from "@opencode-ai/sdk/v2"
import type { AssistantMessage, HostMessage } from "../port.ts"
import { decodeMessage, type MessageWithParts } from "./decode.ts"

/**
 * Decodes the messages of a session, oldest first. An answer of opencode 1.18 names the latest message before it alone;
 * its turn may have begun with an earlier one, for what the child was told while it worked, and what opencode itself
 * says as it compacts, belong to the turn that runs.
 */
export function decodeConversation(messages: MessageWithParts[]): HostMessage[] {
  /** What the turn was asked, oldest first. */
  let turn: string[] = []
  let isRunning = false
  let last: { decoded: AssistantMessage; completedAt: number } | undefined

  return messages.map((message) => {
    const { info, parts } = message
    const decoded = decodeMessage(message)
    if (info.role === "user") {
      const goesOn = isRunning || compactionIn(parts)?.auto || (last !== undefined && cameWithin(last, info))
      turn = goesOn ? [...turn, info.id] : [info.id]
      // It was not the last one after all.
      if (goesOn && last) last.decoded.end = undefined
      isRunning = goesOn || !compactionIn(parts)
    } else if (decoded.role === "assistant") {
      if (turn.includes(info.parentID)) decoded.answers = turn
      if (info.summary && !decoded.end) return decoded
      last = { decoded, completedAt: info.time.completed ?? 0 }
      isRunning = decoded.end === undefined
    }
    return decoded
  })
}

/** Whether it came before this answer was complete. One that failed has nothing after it. */
function cameWithin(
  { decoded, completedAt }: { decoded: AssistantMessage; completedAt: number },
  { time }: Pick<Message, "time">,
): boolean {
  return decoded.end?.error === undefined && time.created <= completedAt
}

const compactionIn = (parts: readonly Part[]) => parts.find((part) => part.type === "compaction")
