/** A message of a session as people read it. All texts are foreign, and as long as they are. */
export type ShownMessage = {
  id: string
  role: "user" | "assistant"
  /** Epoch milliseconds. */
  at?: number | undefined
  /** `provider/model`, where it is known. */
  model?: string | undefined
  /**
   * Neither a person nor the model said it. `summary`: it stands for what was said before. `notice`: opencode or this
   * product put it there.
   */
  origin?: "summary" | "notice" | undefined
  /** Why the answer broke off. */
  error?: string | undefined
  parts: readonly ShownPart[]
}

export type ShownPart = ShownText | ShownCall

/** `id`: that of the part in the events of what is being written. */
export type ShownText = { type: "text" | "reasoning"; id: string; text: string }

/** A call of a tool. */
export type ShownCall = {
  type: "tool"
  tool: string
  /** What the call is about, where opencode or its arguments say. */
  title?: string | undefined
  status: CallStatus
  input: readonly Argument[]
  /** Its result, or why it failed. */
  output?: string | undefined
  /** Epoch milliseconds. */
  startedAt?: number | undefined
  endedAt?: number | undefined
}

/** `pending`: the model is still writing the arguments. */
export type CallStatus = "pending" | "running" | "completed" | "error"

/** `text`: a string as it is, anything else as JSON. */
export type Argument = { name: string; text: string }

/** Characters. */
const longestTitle = 100

/** Where opencode has no title for a call: what it is about, which tools ask for first. */
export function titleOf(input: Record<string, unknown>): string | undefined {
  const first = Object.values(input).find((value) => typeof value === "string")
  return first?.slice(0, longestTitle).replace(/\s+/g, " ").trim()
}

export const argumentsOf = (input: Record<string, unknown>): Argument[] =>
  Object.entries(input).map(([name, value]) => ({
    name,
    text: typeof value === "string" ? value : (JSON.stringify(value, undefined, 2) ?? ""),
  }))
