import type { ModelRequest } from "../test/support/scripted-model.ts"
import { type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { type BenchOpencode, startBench } from "./opencode.ts"
import { type Call, ownCall, pieceIn, scriptTurn, work } from "./owner-turn.ts"
import type { Part, Row } from "./part.ts"

/** What a child had written when it failed, and when it was stopped. */
const written = "Half of it is found: the parser takes the second colon of a line for the first."

type End = "failed" | "stopped"

/** How many characters of a failed and of a stopped job's text the owner's model is given. Always the same. */
export const keptTexts: Part = async ({ generation, folder, say }) => {
  const model = await startScriptedModel()
  const withPlugin = await startBench(generation, { model, plugin: { folder } })
  const without = await startBench(generation, { model, plugin: false })
  const own = generation === 1 ? "task" : "subagent"
  try {
    const rows: Row[] = []
    for (const end of ["failed", "stopped"] as const satisfies End[]) {
      say(`a job that is ${end}`)
      const arms = [
        { name: "plugin", oc: withPlugin, steps: stepsFor(end) },
        { name: own, oc: without, steps: [[ownCall(generation, 0)]] },
      ]
      for (const { name, oc, steps } of arms) {
        const value = await given(oc, model, steps, end)
        const what = `${written.length} characters that a ${end} job had written, given to its owner: ${name}`
        rows.push({ name: what, value, unit: "characters" })
      }
    }
    return rows
  } finally {
    await Promise.all([withPlugin.stop(), without.stop()])
    await model.stop()
  }
}

/** A job is stopped by its timeout. */
const stepsFor = (end: End): Call[][] => [
  [
    {
      name: "agents_start",
      args: { tasks: [{ prompt: work(0), ...(end === "stopped" && { timeout: 5 }) }] },
    },
  ],
  [{ name: "agents_wait", args: {} }],
]

async function given(oc: BenchOpencode, model: ScriptedModel, steps: Call[][], end: End): Promise<number> {
  const isChild = (request: ModelRequest) => pieceIn(request) === 0
  const before = model.requests.length
  const forgetChild = model.script(isChild, [
    end === "failed"
      ? { type: "tool", text: written, calls: [{ name: "glob", args: { pattern: "*" } }] }
      : { type: "hold", text: written, until: new Promise(() => {}) },
    { type: "error", status: 400, body: { error: { message: "The context is too long." } } },
  ])
  const { session, words, forget } = await scriptTurn(oc, model, steps)
  const prompted = oc.prompt(session, words)
  if (end === "stopped") {
    const asked = await model.waitFor(
      (request) => model.requests.indexOf(request) >= before && isChild(request),
    )
    // opencode's own have no timeout and nobody can cancel them but a person, who opens the child and stops it.
    if (steps[0]?.[0]?.name !== "agents_start" && asked.session) await oc.abort(asked.session)
  }
  await prompted
  forget()
  forgetChild()
  const told = model.requests.findLast((request) => request.session === session)
  return told?.rawBody.includes(written) ? written.length : 0
}
