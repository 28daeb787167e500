import type { Part } from "@opencode-ai/sdk/v2"
import {
  argumentsOf,
  type ShownCall,
  type ShownMessage,
  type ShownPart,
  titleOf,
} from "../../../shown/conversation.ts"
import { wordsOf } from "../../util/error-words.ts"
import type { MessageWithParts } from "./decode.ts"

/** A message as people read it. */
export function shownMessage({ info, parts }: MessageWithParts): ShownMessage {
  const shown = { id: info.id, at: info.time.created, parts: parts.flatMap(shownPart) }
  if (info.role === "user") {
    const { providerID, modelID } = info.model
    return {
      ...shown,
      role: "user",
      model: `${providerID}/${modelID}`,
      origin: isNotice(parts) ? "notice" : undefined,
    }
  }
  return {
    ...shown,
    role: "assistant",
    model: `${info.providerID}/${info.modelID}`,
    origin: info.summary ? "summary" : undefined,
    error: info.error && (wordsOf(info.error) || info.error.name),
  }
}

/** What opencode says by itself as it compacts, and what owners are told of their jobs. */
function isNotice(parts: readonly Part[]): boolean {
  const texts = parts.filter((part) => part.type === "text")
  return texts.every(({ synthetic }) => synthetic)
}

function shownPart(part: Part): ShownPart[] {
  switch (part.type) {
    case "text":
      return part.ignored ? [] : [{ type: "text", id: part.id, text: part.text }]
    case "reasoning":
      return [{ type: "reasoning", id: part.id, text: part.text }]
    case "tool":
      return [shownCall(part)]
    default:
      return []
  }
}

function shownCall({ tool, state }: Extract<Part, { type: "tool" }>): ShownCall {
  const { status, input } = state
  const call = { type: "tool", tool, status, title: titleOf(input), input: argumentsOf(input) } as const
  if (status === "pending") return call
  const { start: startedAt } = state.time
  if (status === "running") return { ...call, title: state.title || call.title, startedAt }
  const { end: endedAt } = state.time
  return status === "completed"
    ? { ...call, title: state.title || call.title, output: state.output, startedAt, endedAt }
    : { ...call, output: state.error, startedAt, endedAt }
}
