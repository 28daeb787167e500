import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { type BenchOpencode, startBench } from "./opencode.ts"
import { answerWork, type Call, ownCall, ownerTurn, pieceIn, startAndWait } from "./owner-turn.ts"
import type { Part } from "./part.ts"

/** What the plugin adds to a request of a main agent, and to one of a child. The same each time: one round will do. */
export const requestBytes: Part = async ({ generation, folder, say }) => {
  const model = await startScriptedModel()
  answerWork(model)
  const withPlugin = await startBench(generation, { model, plugin: { folder } })
  const without = await startBench(generation, { model, plugin: false })
  try {
    say("comparing requests")
    const owners = await Promise.all([withPlugin, without].map((oc) => ownerRequest(oc, model)))
    const child = await childRequest(withPlugin, model, startAndWait(1))
    const other = await childRequest(without, model, [[ownCall(generation, 0)]])
    return [
      { name: "added to a request of a main agent", ...added(owners[0], owners[1]), bound: 3_600 },
      {
        name: "added to a request of a child, beside one of opencode's own",
        ...added(child, other),
        bound: 0,
      },
      { name: "a whole request of a main agent without the plugin", value: bytes(owners[1]), unit: "bytes" },
    ]
  } finally {
    await Promise.all([withPlugin.stop(), without.stop()])
    await model.stop()
  }
}

const bytes = (request: ModelRequest | undefined) => request?.bytes ?? Number.NaN

const added = (request: ModelRequest | undefined, other: ModelRequest | undefined) => ({
  value: bytes(request) - bytes(other),
  unit: "bytes" as const,
})

async function ownerRequest(oc: BenchOpencode, model: ScriptedModel): Promise<ModelRequest> {
  const owner = await oc.session()
  await oc.prompt(owner, "hello")
  return model.waitFor(({ session }) => session === owner)
}

async function childRequest(oc: BenchOpencode, model: ScriptedModel, steps: Call[][]): Promise<ModelRequest> {
  const before = model.requests.length
  await ownerTurn(oc, model, steps)
  const asked = model.requests.slice(before).find((request) => pieceIn(request) === 0)
  if (!asked) throw new Error("the child was not asked")
  return asked
}
