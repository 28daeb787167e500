import * as z from "zod"
import { typeOf } from "../event-type.ts"
import type { HostEvent } from "../port.ts"
import { decodeUsage, OUR_KEY } from "./decode.ts"

/**
 * Decodes an event of opencode 1.18; nothing for those of no interest, and for those that are not as they were seen, of
 * which `onUnknown` is told the type.
 * Every event of opencode comes by here, once.
 */
export function decodeEvent(
  event: object,
  onUnknown: (type: string) => void = () => {},
): HostEvent | undefined {
  const type = typeOf(event)
  const decode = typeof type === "string" ? decoders.get(type) : undefined
  if (typeof type !== "string" || !decode) return undefined
  const decoded = decode("properties" in event ? event.properties : undefined)
  if (decoded !== "unknown") return decoded
  onUnknown(type)
  return undefined
}

/** `unknown`: the properties are not as expected. Nothing: it is of no interest. */
type Decoder = (properties: unknown) => HostEvent | "unknown" | undefined

function decoder<Shape extends z.ZodRawShape>(
  shape: Shape,
  decode: (properties: z.infer<z.ZodObject<Shape>>) => HostEvent | undefined,
): Decoder {
  const schema = z.object(shape)
  return (properties) => {
    const read = schema.safeParse(properties)
    return read.success ? decode(read.data) : "unknown"
  }
}

const sessionID = z.string()
const mark = z.record(z.string(), z.unknown()).optional()

const Part = z.object({
  id: z.string().default(""),
  sessionID,
  type: z.string(),
  text: z.string().default(""),
  time: z.object({}).optional(),
  metadata: mark,
  callID: z.string().default(""),
  tool: z.string().default("a tool"),
  state: z
    .object({ status: z.string().optional(), title: z.string().optional(), metadata: mark })
    .default({}),
})
type Part = z.infer<typeof Part>

const Status = z.union([
  z.object({ type: z.literal("retry"), attempt: z.number(), message: z.string(), next: z.number() }),
  z.object({ type: z.enum(["busy", "idle"]) }),
])

const Tokens = z.object({
  input: z.number(),
  output: z.number(),
  reasoning: z.number(),
  cache: z.object({ read: z.number(), write: z.number() }),
})

const closed = decoder({ sessionID, requestID: z.string() }, ({ sessionID, requestID }) => ({
  type: "request.closed",
  session: sessionID,
  request: requestID,
}))

const decoders = new Map<string, Decoder>([
  [
    "message.part.delta",
    decoder(
      { sessionID, partID: z.string().default(""), delta: z.string() },
      ({ sessionID, partID, delta }) => ({
        type: "text.streamed",
        session: sessionID,
        part: partID,
        delta,
      }),
    ),
  ],
  ["message.part.updated", decoder({ part: Part }, ({ part }) => decodePart(part))],
  [
    "message.updated",
    decoder({ info: z.object({ sessionID }) }, ({ info }) => ({
      type: "message.stored",
      session: info.sessionID,
    })),
  ],
  [
    "message.removed",
    decoder({ sessionID }, ({ sessionID: session }) => ({ type: "messages.removed", session })),
  ],
  [
    "message.part.removed",
    decoder({ sessionID }, ({ sessionID: session }) => ({ type: "messages.removed", session })),
  ],
  [
    "session.status",
    decoder({ sessionID, status: Status }, ({ sessionID: session, status }) => {
      if (status.type !== "retry")
        return { type: status.type === "busy" ? "session.busy" : "session.idle", session }
      const { attempt, message: reason, next } = status
      return { type: "session.retrying", session, attempt, reason, next }
    }),
  ],
  [
    "session.created",
    decoder({ info: z.object({ id: z.string(), parentID: z.string().optional() }) }, ({ info }) => ({
      type: "session.created",
      session: info.id,
      parent: info.parentID,
    })),
  ],
  [
    "session.updated",
    decoder(
      { info: z.object({ id: z.string(), tokens: Tokens.optional(), cost: z.number().optional() }) },
      ({ info }) => ({ type: "usage.changed", session: info.id, usage: decodeUsage(info) }),
    ),
  ],
  [
    "session.deleted",
    decoder({ sessionID }, ({ sessionID: session }) => ({ type: "session.deleted", session })),
  ],
  [
    "session.error",
    decoder(
      { sessionID: sessionID.optional(), error: z.object({ name: z.string() }).optional() },
      ({ sessionID: session, error }) =>
        session !== undefined && error?.name === "MessageAbortedError"
          ? { type: "session.interrupted", session }
          : undefined,
    ),
  ],
  [
    "permission.asked",
    decoder(
      { id: z.string(), sessionID, permission: z.string(), patterns: z.array(z.string()) },
      ({ id, sessionID: session, permission, patterns }) => ({
        type: "request.opened",
        session,
        request: { id, kind: "permission", text: `${permission}: ${patterns.join(", ")}` },
      }),
    ),
  ],
  [
    "question.asked",
    decoder(
      { id: z.string(), sessionID, questions: z.array(z.object({ question: z.string() })) },
      ({ id, sessionID: session, questions }) => ({
        type: "request.opened",
        session,
        request: { id, kind: "question", text: questions.map(({ question }) => question).join(" ") },
      }),
    ),
  ],
  ["permission.replied", closed],
  ["question.replied", closed],
  ["question.rejected", closed],
])

function decodePart({ id, sessionID: session, type, ...part }: Part): HostEvent | undefined {
  if (type === "text") {
    // A message of ours, which is no text of the model's.
    if (part.metadata?.[OUR_KEY] !== undefined)
      return { type: "mark.stored", session, mark: part.metadata[OUR_KEY] }
    // A prompt has no time: it is not the model's text either.
    return part.time && { type: "text.updated", session, part: id, text: part.text }
  }
  if (type !== "tool") return { type: "reasoning.updated", session, part: id }
  const { callID: call, tool, state } = part
  if (state.status === "completed")
    return { type: "tool.ended", session, call, tool, mark: state.metadata?.[OUR_KEY] }
  if (state.status === "error") return { type: "tool.ended", session, call, tool, mark: undefined }
  if (state.status === "running")
    return { type: "tool.running", session, call, tool, isSubagent: tool === "task", title: state.title }
  return { type: "tool.pending", session, call, tool }
}
