import type { Generation } from "../test/support/any-opencode.ts"
import { newCallId } from "../test/support/replies.ts"
import type { ModelRequest, ScriptedModel } from "../test/support/scripted-model.ts"
import type { BenchOpencode, RecordedCall } from "./opencode.ts"

export type Call = { name: string; args: object }

/** How long a scripted child's model takes. Milliseconds. */
export const modelMs = 300

export const work = (piece: number) => `work on piece ${piece}.`
export const answerTo = (piece: number) => `the answer to ${work(piece)}`

/** The piece of work that a child is asked for; opencode 2 puts words of its own before a subagent's prompt. */
export function pieceIn({ text }: Pick<ModelRequest, "text">): number | undefined {
  const [, piece] = text.match(/^work on piece (\d+)\.$/m) ?? []
  return piece === undefined ? undefined : Number(piece)
}

/** Answers every child's prompt. `delay`: how long that takes, milliseconds. */
export function answerWork(model: ScriptedModel, delay: (piece: number) => number = () => modelMs): void {
  model.on(
    (request) => pieceIn(request) !== undefined,
    (request) => {
      const piece = pieceIn(request) ?? 0
      return { type: "text", text: answerTo(piece), delayMs: delay(piece) }
    },
  )
}

/** As many jobs for `agents_start`. */
export const tasks = (count: number) => Array.from({ length: count }, (_, piece) => ({ prompt: work(piece) }))

/** Starts so many jobs in one call and waits for all of them in the next. */
export const startAndWait = (count: number): Call[][] => [
  [{ name: "agents_start", args: { tasks: tasks(count) } }],
  [{ name: "agents_wait", args: {} }],
]

/** Starts so many jobs and waits for all of them in one call. */
export const startAndReturn = (count: number): Call[][] => [
  [{ name: "agents_start", args: { tasks: tasks(count), wait: true } }],
]

/** A call of opencode's own tool for subagents. */
export function ownCall(generation: Generation, piece: number, isInBackground = false): Call {
  const args = {
    description: `piece ${piece}`,
    prompt: work(piece),
    ...(isInBackground && { background: true }),
  }
  return generation === 1
    ? { name: "task", args: { ...args, subagent_type: "general" } }
    : { name: "subagent", args: { ...args, agent: "general" } }
}

/**
 * Has the main agent of a new session answer one prompt with these tool calls: those of one step together in one
 * message, the steps one after the other. Returns the calls as opencode recorded them.
 */
export async function ownerTurn(
  oc: BenchOpencode,
  model: ScriptedModel,
  steps: Call[][],
): Promise<RecordedCall[]> {
  const { session, words, forget, ids } = await scriptTurn(oc, model, steps)
  await oc.prompt(session, words)
  forget()
  const calls = await oc.calls(session)
  return ids.map((id) => {
    const call = calls.find((each) => each.id === id)
    if (!call) throw new Error(`there is no call ${id}`)
    return call
  })
}

/** A new session, and the words that make its main agent do this. */
export async function scriptTurn(oc: BenchOpencode, model: ScriptedModel, steps: Call[][]) {
  const calls = steps.map((step) => step.map((call) => ({ ...call, id: newCallId() })))
  const ids = calls.flat().map(({ id }) => id)
  const words = `Please do ${ids.join(" ")}.`
  const forget = model.script(
    words,
    calls.map((step) => ({ type: "tool", calls: step })),
  )
  return { session: await oc.session(), words, forget, ids }
}
