import type { ToolPart } from "@opencode-ai/sdk/v2/client"
import { answered } from "../test/support/answered.ts"
import type { Opencode } from "../test/support/opencode.ts"
import { newCallId } from "../test/support/replies.ts"
import type { ScriptedModel } from "../test/support/scripted-model.ts"

export type Call = { name: string; args: object }

/** How long a scripted child's model takes. Milliseconds. */
export const modelMs = 300

/** Answers every child's prompt after `modelMs`. */
export function answerWork(model: ScriptedModel): void {
  model.on(/^work /, ({ text }) => ({ type: "text", text: answerTo(text), delayMs: modelMs }))
}

export const work = (piece: number) => `work on piece ${piece}.`
export const answerTo = (prompt: string) => `the answer to ${prompt}`

/** As many jobs for `agents_start`. */
export const tasks = (count: number) => Array.from({ length: count }, (_, piece) => ({ prompt: work(piece) }))

/**
 * Has the main agent of a new session answer one prompt with these tool calls: those of one step together in one
 * message, the steps one after the other. Returns the calls as opencode recorded them.
 */
export async function ownerTurn(oc: Opencode, model: ScriptedModel, steps: Call[][]): Promise<ToolPart[]> {
  const { session, words, forget, ids } = await scriptTurn(oc, model, steps)
  const prompt = { sessionID: session, parts: [{ type: "text" as const, text: words }] }
  await answered("the owner's prompt", oc.client.session.prompt(prompt))
  forget()
  const messages = await answered("the messages", oc.client.session.messages({ sessionID: session }))
  const parts = messages.flatMap((message) => message.parts).filter((part) => part.type === "tool")
  return ids.map((id) => {
    const part = parts.find(({ callID }) => callID === id)
    if (part?.state.status !== "completed")
      throw new Error(`a tool call failed: ${JSON.stringify(part?.state)}`)
    return part
  })
}

/** A new session, and the words that make its main agent do this. */
export async function scriptTurn(oc: Opencode, model: ScriptedModel, steps: Call[][]) {
  const calls = steps.map((step) => step.map((call) => ({ ...call, id: newCallId() })))
  const ids = calls.flat().map(({ id }) => id)
  const words = `Please do ${ids.join(" ")}.`
  const forget = model.script(
    words,
    calls.map((step) => ({ type: "tool", calls: step })),
  )
  // With a title of its own: making one up would cost a model request.
  return { session: await oc.session({ title: "bench" }), words, forget, ids }
}

/** When a call began and ended, epoch milliseconds. */
export function timeOf({ state }: ToolPart): { start: number; end: number } {
  if (state.status !== "completed") throw new Error(`the call is ${state.status}`)
  return state.time
}
