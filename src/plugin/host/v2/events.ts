import * as z from "zod"
import { typeOf } from "../event-type.ts"
import type { HostEvent } from "../port.ts"
import { decodeUsage, Model, nameOf, OUR_KEY, permissionAsk, subagentTool, Tokens } from "./decode.ts"

/**
 * Decodes the events of opencode 2: none from those of no interest, nor from those that are not as they were seen, of
 * which `onUnknown` is told the type.
 * It remembers the names of the tools that run: only a call's first event has it.
 */
export function eventDecoder(onUnknown: (type: string) => void = () => {}): (event: unknown) => HostEvent[] {
  const tools = new Map<string, string>()
  return (given) => {
    const type = typeOf(given)
    const decode = typeof type === "string" ? decoders.get(type) : undefined
    if (typeof type !== "string" || !decode) return []
    const event = decode(Event.safeParse(given).data?.data)
    if (!event) onUnknown(type)
    if (!event || event === "of no session") return []
    if (event.type === "tool.pending") tools.set(keyOf(event), event.tool)
    // An interrupt ends the turn as well.
    if (event.type === "session.interrupted") return [event, { type: "session.idle", session: event.session }]
    if (event.type !== "tool.running" && event.type !== "tool.ended") return [event]
    const tool = tools.get(keyOf(event)) ?? "a tool"
    if (event.type === "tool.running") return [{ ...event, tool, isSubagent: tool === subagentTool }]
    tools.delete(keyOf(event))
    return [{ ...event, tool }]
  }
}

/** Two sessions may have calls with the same id. */
const keyOf = ({ session, call }: { session: string; call: string }) => `${session}/${call}`

const Event = z.object({ data: z.unknown() })

/** Nothing where the data are not as expected. */
type Decoder = (data: unknown) => HostEvent | "of no session" | undefined

function decoder<Schema extends z.ZodType>(
  schema: Schema,
  decode: (data: z.output<Schema>) => HostEvent | undefined,
): Decoder {
  return (data) => {
    const read = schema.safeParse(data)
    return read.success ? decode(read.data) : undefined
  }
}

const InSession = z.object({ sessionID: z.string() })

const simple = (type: "session.busy" | "session.idle" | "session.deleted" | "messages.removed"): Decoder =>
  decoder(InSession, ({ sessionID: session }) => ({ type, session }))

/** A text of an answer: it has no id of its own. */
const part = ({ assistantMessageID, ordinal }: { assistantMessageID: string; ordinal: number }) =>
  `${assistantMessageID}/${ordinal}`
const OfPart = InSession.extend({ assistantMessageID: z.string(), ordinal: z.number() })

const toolEnded = decoder(
  InSession.extend({ id: z.string(), metadata: z.record(z.string(), z.unknown()).optional() }),
  ({ sessionID: session, id: call, metadata }) => {
    const mark = metadata?.[OUR_KEY]
    // opencode 2 tells of the answer of a call, too, that another opencode has ended in the conversation.
    return { type: "tool.ended", session, call, tool: "", mark, isInDoubt: mark !== undefined }
  },
)

const requestClosed = decoder(
  InSession.extend({ requestID: z.string() }),
  ({ sessionID: session, requestID: request }) => ({
    type: "request.closed",
    session,
    request,
  }),
)

const decoders = new Map<string, Decoder>([
  ["session.execution.started", simple("session.busy")],
  [
    "session.step.started",
    decoder(
      InSession.extend({ assistantMessageID: z.string(), model: Model }),
      ({ sessionID: session, assistantMessageID: message, model }) => ({
        type: "session.busy",
        session,
        message,
        asked: { model: nameOf(model), variant: model.variant },
      }),
    ),
  ],
  ["session.execution.succeeded", simple("session.idle")],
  ["session.execution.failed", simple("session.idle")],
  [
    "session.execution.interrupted",
    decoder(InSession.extend({ reason: z.string() }), ({ sessionID: session, reason }) => ({
      type: reason === "user" ? "session.interrupted" : "session.idle",
      session,
    })),
  ],
  ["session.deleted", simple("session.deleted")],
  ["session.revert.committed", simple("messages.removed")],
  [
    "session.created",
    decoder(
      InSession.extend({ parentID: z.string().optional() }),
      ({ sessionID: session, parentID: parent }) => ({
        type: "session.created",
        session,
        parent,
      }),
    ),
  ],
  [
    "session.retry.scheduled",
    decoder(
      InSession.extend({
        attempt: z.number(),
        at: z.number(),
        error: z.object({ message: z.string().default("") }).optional(),
      }),
      ({ sessionID: session, attempt, at: next, error }) => ({
        type: "session.retrying",
        session,
        // opencode 2 counts the attempt to come.
        attempt: attempt - 1,
        reason: error?.message ?? "",
        next,
      }),
    ),
  ],
  [
    "session.usage.updated",
    decoder(InSession.extend({ cost: z.number(), tokens: Tokens }), ({ sessionID: session, ...spent }) => ({
      type: "usage.changed",
      session,
      usage: decodeUsage(spent),
    })),
  ],
  [
    "session.inbox.delivered",
    decoder(InSession, ({ sessionID: session }) => ({ type: "message.stored", session })),
  ],
  [
    "session.text.started",
    decoder(OfPart, ({ sessionID: session, ...of }) => ({
      type: "text.updated",
      session,
      part: part(of),
      text: "",
    })),
  ],
  [
    "session.text.delta",
    decoder(OfPart.extend({ delta: z.string() }), ({ sessionID: session, delta, ...of }) => ({
      type: "text.streamed",
      session,
      part: part(of),
      delta,
    })),
  ],
  [
    "session.text.ended",
    decoder(OfPart.extend({ text: z.string() }), ({ sessionID: session, text, ...of }) => ({
      type: "text.updated",
      session,
      part: part(of),
      text,
    })),
  ],
  [
    "session.reasoning.delta",
    decoder(OfPart, ({ sessionID: session, ...of }) => ({
      type: "reasoning.updated",
      session,
      part: part(of),
    })),
  ],
  [
    "session.tool.input.started",
    decoder(
      InSession.extend({ id: z.string(), name: z.string() }),
      ({ sessionID: session, id: call, name: tool }) => ({
        type: "tool.pending",
        session,
        call,
        tool,
      }),
    ),
  ],
  [
    "session.tool.called",
    decoder(InSession.extend({ id: z.string() }), ({ sessionID: session, id: call }) => ({
      type: "tool.running",
      session,
      call,
      tool: "",
      isSubagent: false,
      title: undefined,
    })),
  ],
  ["session.tool.success", toolEnded],
  ["session.tool.failed", toolEnded],
  [
    "permission.asked",
    decoder(
      InSession.extend({ id: z.string(), action: z.string(), resources: z.array(z.string()) }),
      ({ sessionID: session, id, action, resources }) => ({
        type: "request.opened",
        session,
        request: permissionAsk({ id, action, resources }),
      }),
    ),
  ],
  ["permission.replied", requestClosed],
  ["form.created", (data) => decodeForm(data)],
  ["form.replied", (data) => decodeFormEnd(data)],
  ["form.cancelled", (data) => decodeFormEnd(data)],
])

const Form = z.object({
  form: z.object({
    id: z.string(),
    sessionID: z.string().optional(),
    fields: z
      .array(z.object({ title: z.string().default(""), description: z.string().default("") }))
      .default([]),
  }),
})

function decodeForm(data: unknown): ReturnType<Decoder> {
  const read = Form.safeParse(data)
  if (!read.success) return undefined
  const { id, sessionID: session, fields } = read.data.form
  if (session === undefined) return "of no session"
  const text = fields.map(({ title, description }) => description || title).join(" ")
  return { type: "request.opened", session, request: { id, kind: "question", text } }
}

const FormEnd = z.object({
  id: z.string().optional(),
  formID: z.string().optional(),
  sessionID: z.string().optional(),
})

function decodeFormEnd(data: unknown): ReturnType<Decoder> {
  const { id, formID: request = id, sessionID: session } = FormEnd.safeParse(data).data ?? {}
  if (request === undefined) return undefined
  return session === undefined ? "of no session" : { type: "request.closed", session, request }
}
