import type { Agent, Message, Part, Session } from "@opencode-ai/sdk/v2"
import { boundedMessage, type JobError, type Usage } from "../../../machines/record.ts"
import { wordsOf } from "../../util/error-words.ts"
import { ABORTED } from "../answers.ts"
import type { HostAgent, HostMessage, HostSession, MessageEnd, PermissionRule } from "../port.ts"
import { isUnavailable } from "../unavailable.ts"

/** The key under which sessions, messages and tool calls carry what is this product's. */
export const OUR_KEY = "troupe"

export function decodeSession(session: Session): HostSession {
  return {
    id: session.id,
    parent: session.parentID,
    directory: session.directory,
    title: session.title,
    isReverted: session.revert !== undefined,
    rules: session.permission ?? [],
    usage: decodeUsage(session),
    updatedAt: session.time.updated,
    stored: session.metadata?.[OUR_KEY],
  }
}

type Spent = { tokens?: Session["tokens"] | undefined; cost?: number | undefined }

/** opencode adds up what a session has used. */
export function decodeUsage({ tokens, cost }: Spent): Usage {
  return {
    input: tokens?.input ?? 0,
    output: tokens?.output ?? 0,
    reasoning: tokens?.reasoning ?? 0,
    cacheRead: tokens?.cache.read ?? 0,
    cacheWrite: tokens?.cache.write ?? 0,
    cost: cost ?? 0,
  }
}

export function decodeAgent({ name, mode, hidden = false, permission, model }: Agent): HostAgent {
  const rules: PermissionRule[] = permission
  return {
    name,
    isSubagent: mode !== "primary",
    isHidden: hidden,
    rules,
    model: model && `${model.providerID}/${model.modelID}`,
  }
}

export type MessageWithParts = { info: Message; parts: Part[] }

export function decodeMessage(message: MessageWithParts): HostMessage {
  const { info, parts } = message
  const shared = { id: info.id, text: textOf(parts), marks: parts.flatMap((part) => markOf(part) ?? []) }
  if (info.role === "user") {
    const { agent, model } = info
    const name = `${model.providerID}/${model.modelID}`
    return { ...shared, role: "user", agent, model: name, variant: model.variant }
  }
  return {
    ...shared,
    // opencode wrote it, of what was said before a compaction.
    ...(info.summary && { text: "" }),
    role: "assistant",
    answers: [info.parentID],
    model: `${info.providerID}/${info.modelID}`,
    variant: info.variant,
    // The child goes on after a summary; without one, its turn is over.
    end: info.summary && !info.error ? undefined : endOf(info),
    refusal: refusalIn(parts),
  }
}

function textOf(parts: readonly Part[]): string {
  return parts
    .flatMap((part) => (part.type === "text" && !part.synthetic ? [part.text] : []))
    .join("\n\n")
    .trim()
}

/** What a part of this product's carries: a message of its own, or the result of one of its tools. */
export function markOf(part: Part): unknown {
  if (part.type === "text") return part.metadata?.[OUR_KEY]
  return part.type === "tool" && part.state.status === "completed"
    ? part.state.metadata?.[OUR_KEY]
    : undefined
}

type AssistantInfo = Extract<Message, { role: "assistant" }>

function endOf({ error, finish, time }: AssistantInfo): MessageEnd | undefined {
  if (error)
    return {
      error: jobErrorOf(error),
      at: time.completed,
      ...(isOfModel(error) && { isUnavailable: true }),
    }
  if (finish === undefined || finish === "tool-calls") return undefined
  return { at: time.completed, ...(finish === "length" && { isTruncated: true }) }
}

function jobErrorOf(error: NonNullable<AssistantInfo["error"]>): JobError {
  const message = boundedMessage(wordsOf(error) || error.name)
  switch (error.name) {
    case "MessageAbortedError":
      return ABORTED
    case "StructuredOutputError":
      return { kind: "schema", message }
    default:
      return { kind: "provider", message: `${message}${statusOf(error.data)}` }
  }
}

function statusOf(data: unknown): string {
  const status = statusIn(data)
  return status === undefined ? "" : ` (HTTP ${status})`
}

function statusIn(data: unknown): number | undefined {
  const known = typeof data === "object" && data !== null && "statusCode" in data
  return known && typeof data.statusCode === "number" ? data.statusCode : undefined
}

function isOfModel(error: NonNullable<AssistantInfo["error"]>): boolean {
  switch (error.name) {
    case "ProviderAuthError":
      return true
    case "APIError":
    case "UnknownError":
      return isUnavailable(statusIn(error.data), wordsOf(error))
    default:
      return false
  }
}

/** A permission that a person refused, or a question they dismissed, ends the child's turn at that tool call. */
function refusalIn(parts: readonly Part[]): string | undefined {
  for (const part of parts) {
    if (part.type === "tool" && part.state.status === "error") return `${part.tool}: ${part.state.error}`
  }
  return undefined
}
