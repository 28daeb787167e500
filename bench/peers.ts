import { answered } from "../test/support/answered.ts"
import { type Opencode, startOpencode } from "../test/support/opencode.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { alternate } from "./alternate.ts"
import { answerTo, answerWork, type Call, modelMs, scriptTurn, tasks, work } from "./owner-turn.ts"
import type { Part, Row } from "./part.ts"
import { medianRow, ratios } from "./statistics.ts"

const jobs = 8

/**
 * The same work through the plugin and through opencode's own `task` tool: several calls in one message, and in the
 * background. Each time from the owner's prompt until its model has been given all results and has answered; so it
 * counts what the owner's model is asked on the way.
 */
export const peers: Part = async (bench) => {
  const model = await startScriptedModel()
  answerWork(model)
  const env = { OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS: "true" }
  const plugin = await startOpencode({ model, plugin: { path: bench.plugin } })
  const task = await startOpencode({ model, plugin: false })
  const background = await startOpencode({ model, plugin: false, env })
  const throughPlugin = [
    [{ name: "agents_start", args: { tasks: tasks(jobs) } }],
    [{ name: "agents_wait", args: {} }],
  ]
  try {
    const measured = await alternate(bench, {
      plugin: () => turn(plugin, model, throughPlugin),
      task: () => turn(task, model, [taskCalls()]),
      background: () => turn(background, model, [taskCalls({ background: true })]),
    })
    const wall = (turns: readonly Turn[]) => turns.map(({ ms }) => ms)
    return [
      ...rowsOf("plugin", measured.plugin),
      ...rowsOf("task, parallel calls", measured.task),
      ...rowsOf("task, in the background", measured.background),
      medianRow("plugin / task, parallel calls", ratios(wall(measured.plugin), wall(measured.task)), {
        unit: "×",
      }),
      medianRow(
        "plugin / task, in the background",
        ratios(wall(measured.plugin), wall(measured.background)),
        {
          unit: "×",
        },
      ),
    ]
  } finally {
    await Promise.all([plugin.stop(), task.stop(), background.stop()])
    await model.stop()
  }
}

const taskCalls = (more: object = {}): Call[] =>
  tasks(jobs).map(({ prompt }, piece) => ({
    name: "task",
    args: { description: `piece ${piece}`, prompt, subagent_type: "general", ...more },
  }))

type Turn = { ms: number; calls: number; bytes: number }

async function turn(oc: Opencode, model: ScriptedModel, steps: Call[][]): Promise<Turn> {
  const before = model.requests.length
  const { session, words, forget } = await scriptTurn(oc, model, steps)
  const answers = Array.from({ length: jobs }, (_, piece) => answerTo(work(piece)))
  const hasAll = (request: ModelRequest) =>
    request.session === session &&
    request.state === "answered" &&
    answers.every((answer) => request.rawBody.includes(answer))
  const began = Date.now()
  const prompt = { sessionID: session, parts: [{ type: "text" as const, text: words }] }
  const prompted = answered("the owner's prompt", oc.client.session.prompt(prompt))
  const last = await model.waitFor(hasAll, 60_000)
  await prompted
  forget()
  const asked = model.requests.slice(before).filter(({ at }) => at <= last.at)
  return {
    ms: (last.endedAt ?? last.at) - began,
    calls: asked.length,
    bytes: asked.reduce((sum, request) => sum + request.bytes, 0),
  }
}

function rowsOf(who: string, turns: readonly Turn[]): Row[] {
  const of = (key: keyof Turn) => turns.map((each) => each[key])
  const name = `${jobs} jobs, ${modelMs} ms model, ${who}`
  return [
    medianRow(`${name}: wall time`, of("ms"), { unit: "ms" }),
    medianRow(`${name}: model calls`, of("calls"), { unit: "calls" }),
    medianRow(
      `${name}: sent to the model`,
      of("bytes").map((bytes) => bytes / 1000),
      { unit: "kB" },
    ),
  ]
}
