import { answered } from "../test/support/answered.ts"
import { type Opencode, startOpencode } from "../test/support/opencode.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { answerWork, type Call, ownerTurn, tasks, work } from "./owner-turn.ts"
import type { Part } from "./part.ts"

/** What the plugin adds to a request of a main agent, and to one of a child. The same each time: one round will do. */
export const requestBytes: Part = async ({ plugin, say }) => {
  const model = await startScriptedModel()
  answerWork(model)
  const withPlugin = await startOpencode({ model, plugin: { path: plugin } })
  const without = await startOpencode({ model, plugin: false })
  try {
    say("comparing requests")
    const owners = await Promise.all([withPlugin, without].map((oc) => ownerRequest(oc, model)))
    const child = await childRequest(withPlugin, model, [
      [{ name: "agents_start", args: { tasks: tasks(1) } }],
      [{ name: "agents_wait", args: {} }],
    ])
    const task = { description: "bench", prompt: work(0), subagent_type: "general" }
    const other = await childRequest(without, model, [[{ name: "task", args: task }]])
    return [
      { name: "added to a request of a main agent", ...added(owners[0], owners[1]), bound: 3_000 },
      {
        name: "added to a request of a child, beside one of opencode's task",
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

async function ownerRequest(oc: Opencode, model: ScriptedModel): Promise<ModelRequest> {
  const sessionID = await oc.session({ title: "bench" })
  const prompt = { sessionID, parts: [{ type: "text" as const, text: "hello" }] }
  await answered("the prompt", oc.client.session.prompt(prompt))
  return model.waitFor(({ session }) => session === sessionID)
}

async function childRequest(oc: Opencode, model: ScriptedModel, steps: Call[][]): Promise<ModelRequest> {
  const before = model.requests.length
  await ownerTurn(oc, model, steps)
  const asked = model.requests.slice(before).find(({ text }) => text === work(0))
  if (!asked) throw new Error("the child was not asked")
  return asked
}
