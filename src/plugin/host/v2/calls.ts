import * as z from "zod"

/**
 * What opencode 2 hands over when it calls one of our tools or hooks, and what it hands out to be called: seen on
 * 2.0.15. Each decoder throws where it is not as it was seen.
 */

const isFunction = (value: unknown) => typeof value === "function"

const Signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, "expected an AbortSignal")
const Progress = z.custom<(metadata: object) => Promise<unknown>>(isFunction, "expected a function")
const ListTools = z.custom<() => Promise<unknown>>(isFunction)

const Call = z.object({
  sessionID: z.string(),
  messageID: z.string(),
  /** The call's own id, as its provider gives it: other sessions may have calls with the same. */
  id: z.string(),
  agent: z.string(),
  signal: Signal,
  /** Replaces the shown metadata of the running call. */
  progress: Progress,
  /**
   * The tools of the opencode that calls; ours, not opencode's. Of several instances that a reload makes at once it
   * keeps one, not always the last, and refuses whatever the tools of another ask for.
   */
  builtIn: ListTools.optional(),
})
/** A call of one of our tools. */
export type Call = z.infer<typeof Call>

// What else opencode hands over goes along to its own tools.
export const decodeCall = (given: unknown): Call => Call.loose().parse(given)

/** Before a request to the model. */
export type ModelRequest = {
  session: string
  /** Adds this to the system prompt. Of several instances whose hooks opencode calls, each would: it is added once. */
  tell(text: string): void
}

const Request = z.object({
  sessionID: z.string(),
  // opencode reads the list that it has handed over, not a copy.
  system: z.custom<unknown[]>(Array.isArray, "expected a list"),
})

export function decodeModelRequest(given: unknown): ModelRequest {
  const { sessionID: session, system } = Request.parse(given)
  return {
    session,
    tell(text) {
      const isSame = (part: unknown) => Text.safeParse(part).data?.text === text
      if (!system.some(isSame)) system.push({ type: "text", text })
    },
  }
}

const Text = z.object({ text: z.string() })

/** A rule says that a person is to be asked before a tool call starts a subagent. A `deny` does not come by here. */
export type StartCheck = {
  session: string
  /** Its agents. */
  agents: string[]
  /** The tool call. */
  source: { message: string; call: string | undefined }
  allow(): void
}

const Check = z.object({ action: z.string() })
const CheckToStart = z.object({
  sessionID: z.string(),
  resources: z.array(z.string()),
  source: z.object({ messageID: z.string().optional(), id: z.string().optional() }).nullish(),
  effect: z.string(),
})

/** Nothing where no person is to be asked, or where it is about something else. */
export function decodeStartCheck(given: unknown): StartCheck | undefined {
  if (Check.parse(given).action !== "subagent") return undefined
  const { sessionID: session, resources: agents, source, effect } = CheckToStart.parse(given)
  const { messageID: message, id: call } = source ?? {}
  if (effect !== "ask" || message === undefined) return undefined
  const allow = () => void Object.assign(Object(given), { effect: "allow" })
  return { session, agents, source: { message, call }, allow }
}

/** One of opencode's own tools: a plugin can call it. */
export type BuiltInTool = { id: string; execute(given: object, call: Call): Promise<unknown> }

/** The one of this name, where there is one. */
export function decodeTool(tools: unknown, name: "subagent" | "shell" | "edit"): BuiltInTool | undefined {
  const named = Tools.parse(tools).find(({ id }) => id === name)
  return named && callable(name).parse(named)
}

const Named = z.object({ id: z.string() })
// The tools themselves, not copies: they may be called as methods.
const Tools = z.array(
  z.custom<z.infer<typeof Named>>((tool) => Named.safeParse(tool).success, "expected an id"),
)
const callable = (name: string) =>
  z.custom<BuiltInTool>((tool) => isFunction(Object(tool).execute), `${name} cannot be called`)
