import type { OpencodeClient, ToolPart } from "@opencode-ai/sdk/v2/client"
import { answered } from "./answered.ts"
import type { ToolOutcome } from "./any-opencode.ts"
import type { Events } from "./events.ts"
import { newCallId } from "./replies.ts"
import type { ScriptedModel } from "./scripted-model.ts"

/** A tool call under way. */
export interface StartedToolCall {
  readonly callID: string
  /** The outcome, when the whole turn is over. Rejects when the turn ends without the call having ended. */
  readonly done: Promise<ToolOutcome>
  /** The call as opencode shows it now, with its title and metadata; undefined before the model asked for it. */
  part(): Promise<ToolPart | undefined>
  /** The first state of the call that matches, past ones included. */
  waitForPart(matches: (part: ToolPart) => boolean, timeoutMs?: number): Promise<ToolPart>
}

export interface CallOptions {
  agent?: string
  /** Default: one of its own. */
  callID?: string | undefined
}

interface Stage {
  client: OpencodeClient
  model: Pick<ScriptedModel, "script">
  events: Events
}

/**
 * Makes the main agent of `session` call one tool, the way a person's words would: a prompt of its own, to which
 * the model answers with that call and then "ok". One at a time in a session, any number in several.
 */
export function startToolCall(
  { client, model, events }: Stage,
  session: string,
  tool: string,
  args: object,
  { agent, callID: given }: CallOptions = {},
): StartedToolCall {
  const name = newCallId()
  const callID = given ?? name
  const words = `Please call ${tool} (${name}.)`
  const forget = model.script(words, [{ type: "tool", calls: [{ name: tool, args, id: callID }] }])

  const part = () => toolPart(client, session, callID)

  async function run(): Promise<ToolOutcome> {
    const prompt = {
      sessionID: session,
      parts: [{ type: "text" as const, text: words }],
      ...(agent && { agent }),
    }
    const reply = await answered(`the prompt for ${tool}`, client.session.prompt(prompt))
    const outcome = await outcomeOf(client, session, callID)
    if (!outcome) throw new Error(`The call of ${tool} did not end: ${JSON.stringify(reply.info.error)}`)
    return outcome
  }

  const done = run().finally(forget)
  // Who does not ask for the outcome need not hear that opencode was killed meanwhile.
  done.catch(() => {})
  return {
    callID,
    done,
    part,
    waitForPart: async (matches, timeoutMs) => {
      const { payload } = await events.waitFor((event) => {
        const shown = partOf(event.payload, session, callID)
        return shown !== undefined && matches(shown)
      }, timeoutMs)
      const shown = partOf(payload, session, callID)
      if (!shown) throw new Error("The event that matched has no part")
      return shown
    },
  }
}

function partOf(
  payload: Events["seen"][number]["payload"],
  session: string,
  callID: string,
): ToolPart | undefined {
  if (payload.type !== "message.part.updated") return undefined
  const { part } = payload.properties
  const isMeant = part.type === "tool" && part.sessionID === session && part.callID === callID
  return isMeant ? part : undefined
}

/** The outcome of a call that has ended, as the session's conversation holds it. */
export async function outcomeOf(
  client: OpencodeClient,
  session: string,
  callID: string,
): Promise<ToolOutcome | undefined> {
  const state = (await toolPart(client, session, callID))?.state
  if (state?.status === "completed")
    return { status: "completed", output: state.output, title: state.title, metadata: state.metadata }
  if (state?.status === "error")
    return { status: "error", output: "", title: "", metadata: state.metadata ?? {}, error: state.error }
  return undefined
}

async function toolPart(
  client: OpencodeClient,
  session: string,
  callID: string,
): Promise<ToolPart | undefined> {
  const messages = await answered("the messages", client.session.messages({ sessionID: session }))
  return messages
    .flatMap((message) => message.parts)
    .filter((part) => part.type === "tool")
    .find((part) => part.callID === callID)
}
