import * as z from "zod"
import { type Ask, boundedMessage, type JobError, type Usage } from "../../../machines/record.ts"
import { ABORTED, refusedAt, STALLED } from "../answers.ts"
import type {
  AssistantMessage,
  HostAgent,
  HostMessage,
  HostModel,
  HostSession,
  UserMessage,
} from "../port.ts"
import { isUnavailable } from "../unavailable.ts"
import { decodeRule } from "./rules.ts"

/** The key under which messages and tool calls carry what is this product's. */
export const OUR_KEY = "troupe"

const Rule = z.object({ action: z.string(), resource: z.string(), effect: z.enum(["allow", "ask", "deny"]) })

/** What opencode calls no variant, which it does not take as one. */
const noVariant = "default"

export const Model = z.object({
  id: z.string(),
  providerID: z.string(),
  variant: z
    .string()
    .optional()
    .transform((variant) => (variant === noVariant ? undefined : variant)),
})

export const Tokens = z.object({
  input: z.number(),
  output: z.number(),
  reasoning: z.number(),
  cache: z.object({ read: z.number(), write: z.number() }),
})

export function decodeUsage({ tokens, cost }: { tokens: z.infer<typeof Tokens>; cost: number }): Usage {
  const { input, output, reasoning, cache } = tokens
  return { input, output, reasoning, cacheRead: cache.read, cacheWrite: cache.write, cost }
}

const Session = z.object({
  id: z.string(),
  parentID: z.string().optional(),
  title: z.string().default(""),
  permissions: z.array(Rule).default([]),
  cost: z.number(),
  tokens: Tokens,
  time: z.object({ updated: z.number() }),
  revert: z.unknown(),
  location: z.object({ directory: z.string() }),
})

/**
 * @param kept what the product keeps for this session: its parent too, which opencode does not know of a child that
 *   had to be made as a root session
 */
export function decodeSession(
  given: unknown,
  kept: { parent: string; stored: unknown } | undefined,
): HostSession {
  const { id, parentID, title, permissions, time, revert, location, ...spent } = Session.parse(given)
  return {
    id,
    parent: parentID ?? kept?.parent,
    directory: location.directory,
    title,
    isReverted: revert !== undefined && revert !== null,
    rules: permissions.map(decodeRule),
    usage: decodeUsage(spent),
    updatedAt: time.updated,
    stored: kept?.stored,
  }
}

const Located = z.object({ location: z.object({ directory: z.string() }) })

/** Where a session works. */
export const decodeDirectory = (session: unknown): string => Located.parse(session).location.directory

const Agents = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      mode: z.string(),
      hidden: z.boolean().default(false),
      permissions: z.array(Rule).default([]),
      model: Model.optional(),
    }),
  ),
})

export function decodeAgents(given: unknown): HostAgent[] {
  return Agents.parse(given).data.map(({ id, mode, hidden, permissions, model }) => ({
    name: id,
    isSubagent: mode !== "primary",
    isHidden: hidden,
    rules: permissions.map(decodeRule),
    model: model && nameOf(model),
  }))
}

const Variants = z.array(z.object({ id: z.string() })).default([])
/** Of several, each holds from some size of the context on. */
const Prices = z.array(z.object({ input: z.number(), output: z.number() })).optional()
const Models = z.object({
  data: z.array(z.object({ id: z.string(), providerID: z.string(), variants: Variants, cost: Prices })),
})

export function decodeModels(given: unknown): HostModel[] {
  return Models.parse(given).data.map(({ variants, cost, ...model }) => ({
    name: nameOf(model),
    variants: variants.map(({ id }) => id),
    ...(cost?.every(({ input, output }) => input === 0 && output === 0) && { isUnpriced: true }),
  }))
}

export const nameOf = ({ providerID, id }: { providerID: string; id: string }) => `${providerID}/${id}`

const Metadata = z.record(z.string(), z.unknown()).optional()

const Part = z.object({
  type: z.string(),
  text: z.string().default(""),
  name: z.string().default(""),
  id: z.string().default(""),
  state: z
    .object({
      status: z.string().optional(),
      metadata: Metadata,
      error: z.object({ message: z.string().default("") }).optional(),
    })
    .default({}),
})

const Message = z.object({
  id: z.string(),
  type: z.string(),
  time: z.object({ created: z.number(), completed: z.number().optional() }),
  text: z.string().default(""),
  metadata: Metadata,
  agent: z.string().optional(),
  model: Model.optional(),
  content: z.array(Part).default([]),
  finish: z.string().optional(),
  error: z
    .object({ type: z.string(), message: z.string().default(""), status: z.number().optional() })
    .optional(),
  /** Its provider broke off, and opencode asks for the rest. */
  retry: z.object({}).optional(),
  outcome: z.string().optional(),
  status: z.string().optional(),
})
type Message = z.infer<typeof Message>
/** What opencode answers for a conversation. */
const Messages = z.array(Message)

/**
 * A conversation since it was last compacted. A turn is what stands before a message `idle`: its last answer answers
 * all that was asked in it, what came while it ran included. A turn in which opencode compacts goes on after that.
 *
 * An answer that its provider broke off and what opencode then asked for as its rest are one message.
 */
export function decodeMessages(given: unknown): HostMessage[] {
  const decoded: HostMessage[] = []
  let asked: string[] = []
  let open: UserMessage[] = []
  let last: AssistantMessage | undefined
  let broken: Broken | undefined
  const lines = Messages.parse(given)
  // A user message says neither its agent nor its model: they are those of the answer that follows it.
  const ran: Ran = { agent: "", model: "", variant: undefined }
  for (const message of lines.toReversed())
    if (message.type === "assistant") Object.assign(ran, ranAs(message))
  for (const message of lines) {
    if (message.type === "user" || message.type === "synthetic") {
      const again = againIn(message)
      if (again.length > 0) broken = undefined
      asked.push(message.id, ...again)
      open.push(decodeUser(message, ran))
      decoded.push(...open.slice(-1))
    } else if (message.type === "compaction" && message.status === "completed") {
      asked.push(message.id)
      open.push({ ...decodeUser(message, ran), summarizesUntil: message.time.created })
      decoded.push(...open.slice(-1))
    } else if (message.type === "assistant") {
      Object.assign(ran, ranAs(message))
      const text = (broken?.text ?? "") + textOf(message.content)
      last = decodeAssistant(message, text, [...asked])
      if (broken) {
        last.marks.unshift(...broken.decoded.marks)
        decoded.splice(decoded.indexOf(broken.decoded), 1)
      }
      decoded.push(last)
      broken = message.retry && { decoded: last, text, error: errorOf(message) }
    } else if (message.type === "idle") {
      if (last) last.end ??= { error: errorOfTurn(message, broken), at: message.time.created }
      for (const each of open) each.isOver = last?.end?.error !== STALLED
      asked = []
      open = []
      last = undefined
      broken = undefined
    }
  }
  return decoded
}

/** Of a turn whose last answer has no end of its own. */
function errorOfTurn({ outcome }: Message, broken: Broken | undefined): JobError | undefined {
  if (outcome === "interrupted") return ABORTED
  if (broken) return broken.error
  return outcome === "failed" ? STALLED : undefined
}

/** With which message opencode has closed the last turn, be it one that took up no prompt. */
export const lastEndIn = (given: unknown): string | undefined =>
  z
    .array(Message)
    .parse(given)
    .findLast(({ type }) => type === "idle")?.id

/** An answer of which the rest is still to come. `text`: just as it came, since the rest may begin within a word. */
type Broken = { decoded: AssistantMessage; text: string; error: JobError | undefined }

/** A prompt that is asked once more under another id carries the one under which it was asked first. */
export const againMark = (messageID: string) => ({ [OUR_KEY]: { again: messageID } })

const Again = z.object({ again: z.string() })

function againIn({ metadata }: Message): string[] {
  const read = Again.safeParse(metadata?.[OUR_KEY])
  return read.success ? [read.data.again] : []
}

type Ran = { agent: string; model: string; variant: string | undefined }

const ranAs = ({ agent = "", model }: Message): Ran => ({
  agent,
  model: model ? nameOf(model) : "",
  variant: model?.variant,
})

const Requests = z.array(z.object({ id: z.string(), action: z.string(), resources: z.array(z.string()) }))

/** The permissions that a session waits for. */
export const decodeRequests = (given: unknown): Ask[] => Requests.parse(given).map(permissionAsk)

export const permissionAsk = ({ id, action, resources }: z.infer<typeof Requests>[number]): Ask => ({
  id,
  kind: "permission",
  text: `${action}: ${resources.join(", ")}`,
})

/** opencode's own tool for subagents. */
export const subagentTool = "subagent"

/** `subagent`: the session that a call of opencode's own tool for subagents has started. */
type CallUnderWay = { call: string; tool: string; isSubagent: boolean; subagent?: string }

/** The calls of tools that run. */
export function decodeRunningCalls(given: unknown): CallUnderWay[] {
  // What an earlier one has left running, a crash has ended.
  const last = z
    .array(Message)
    .parse(given)
    .findLast(({ type }) => type === "assistant")
  return (last?.content ?? []).flatMap(({ type, id, name, state: { status, metadata } }) => {
    if (type !== "tool" || status !== "running") return []
    const isSubagent = name === subagentTool
    const subagent = isSubagent ? Subagent.safeParse(metadata).data?.sessionID : undefined
    return [{ call: id, tool: name, isSubagent, ...(subagent !== undefined && { subagent }) }]
  })
}

const Subagent = z.object({ sessionID: z.string() })

function decodeUser({ id, type, text, metadata }: Message, ran: Ran): UserMessage {
  // What is ours is no word of the user's.
  return {
    ...ran,
    role: "user",
    id,
    text: type === "user" ? text : "",
    marks: marksIn(metadata),
    isOver: false,
  }
}

function decodeAssistant(message: Message, text: string, answers: string[]): AssistantMessage {
  const { id, content, finish, error, retry, time } = message
  const isEnd = !retry && (error !== undefined || (finish !== undefined && finish !== "tool-calls"))
  const { model, variant } = ranAs(message)
  return {
    role: "assistant",
    id,
    answers,
    model,
    variant,
    text: text.trim(),
    marks: content.flatMap(({ state }) => (state.status === "completed" ? marksIn(state.metadata) : [])),
    end: isEnd
      ? {
          error: errorOf(message),
          at: time.completed,
          ...(isOfModel(message) && { isUnavailable: true }),
          ...(finish === "length" && { isTruncated: true }),
        }
      : undefined,
    refusal: failedCallIn(message),
  }
}

/** Its tool, and why it failed. */
function failedCallIn({ content }: Message): string | undefined {
  const failed = content.find(({ type, state }) => type === "tool" && state.status === "error")
  return failed && `${failed.name}: ${failed.state.error?.message ?? ""}`
}

function textOf(content: Message["content"]): string {
  return content.flatMap(({ type, text }) => (type === "text" ? [text] : [])).join("\n\n")
}

const marksIn = (metadata: z.infer<typeof Metadata>): unknown[] =>
  metadata?.[OUR_KEY] === undefined ? [] : [metadata[OUR_KEY]]

const Admitted = z.object({ payload: z.object({ metadata: Metadata }) })

/** What the message carries that opencode has under the id of one that it was handed. */
export const admittedMark = (given: unknown): unknown =>
  Admitted.safeParse(given).data?.payload.metadata?.[OUR_KEY]

/** The types of errors of opencode 2 for what a provider refuses. */
const unavailableTypes = new Set([
  "provider.auth",
  "provider.quota",
  "provider.rate-limit",
  "provider.internal",
])

function isOfModel({ error }: Message): boolean {
  if (!error?.type.startsWith("provider.")) return false
  return unavailableTypes.has(error.type) || isUnavailable(error.status, error.message)
}

function errorOf(given: Message): JobError | undefined {
  if (!given.error) return undefined
  const { type, message, status } = given.error
  const call = failedCallIn(given)
  // A person who refuses what a call asks for, or dismisses its question, ends its turn.
  if (type === "aborted")
    return call !== undefined && /declined|dismissed/.test(call) ? refusedAt(call) : ABORTED
  const isSaid = status === undefined || message.includes(`${status}`)
  return {
    kind: "provider",
    message: `${boundedMessage(message || type)}${isSaid ? "" : ` (HTTP ${status})`}`,
  }
}
