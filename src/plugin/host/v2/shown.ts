import * as z from "zod"
import {
  argumentsOf,
  type ShownCall,
  type ShownMessage,
  type ShownPart,
  titleOf,
} from "../../../shown/conversation.ts"
import { Model, nameOf } from "./decode.ts"

const State = z.object({
  status: z.string().default("pending"),
  // A string while the model is still writing it.
  input: z.unknown(),
  content: z.array(z.object({ type: z.string(), text: z.string().default("") })).default([]),
  error: z.object({ message: z.string().default("") }).optional(),
})

const Part = z.object({
  type: z.string(),
  text: z.string().default(""),
  name: z.string().default("a tool"),
  state: State.optional(),
  time: z.object({ ran: z.number().optional(), completed: z.number().optional() }).default({}),
})
type Part = z.infer<typeof Part>

const Message = z.object({
  id: z.string(),
  type: z.string(),
  time: z.object({ created: z.number() }),
  text: z.string().default(""),
  summary: z.string().optional(),
  model: Model.optional(),
  content: z.array(Part).default([]),
  error: z.object({ type: z.string(), message: z.string().default("") }).optional(),
  status: z.string().optional(),
})
type Message = z.infer<typeof Message>

/** A conversation since it was last compacted, as people read it. */
export const shownMessages = (given: unknown): ShownMessage[] =>
  z.array(Message).parse(given).flatMap(shownMessage)

function shownMessage({ type, ...message }: Message): ShownMessage[] {
  const { id, text, model, error } = message
  const said = (words: string) => [{ type: "text", id: `${id}/0`, text: words } as const]
  const shown = { id, at: message.time.created, model: model && nameOf(model) }
  switch (type) {
    case "user":
      return [{ ...shown, role: "user", parts: said(text) }]
    case "synthetic":
      return [{ ...shown, role: "user", origin: "notice", parts: said(text) }]
    case "compaction":
      return message.status === "completed"
        ? [{ ...shown, role: "assistant", origin: "summary", parts: said(message.summary ?? text) }]
        : []
    case "assistant":
      return [
        {
          ...shown,
          role: "assistant",
          parts: shownParts(id, message.content),
          error: error && (error.message || error.type),
        },
      ]
    default:
      return []
  }
}

/** The events of a text name the message and which of its texts it is. */
function shownParts(message: string, content: readonly Part[]): ShownPart[] {
  const counts = { text: 0, reasoning: 0 }
  return content.flatMap((part): ShownPart[] => {
    const { type, text } = part
    if (type === "tool") return [shownCall(part)]
    return type === "text" || type === "reasoning" ? [{ type, id: `${message}/${counts[type]++}`, text }] : []
  })
}

function shownCall({ name: tool, state, time }: Part): ShownCall {
  const { status, content = [], error } = state ?? {}
  const input = Input.safeParse(state?.input).data ?? {}
  const output =
    error?.message ?? content.map(({ type, text }) => (type === "text" ? text : `[${type}]`)).join("\n")
  return {
    type: "tool",
    tool,
    title: titleOf(input),
    status: Status.safeParse(status).data ?? "pending",
    input: argumentsOf(input),
    output: output === "" ? undefined : output,
    startedAt: time.ran,
    endedAt: time.completed,
  }
}

const Input = z.record(z.string(), z.unknown())
const Status = z.enum(["pending", "running", "completed", "error"])
