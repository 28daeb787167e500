import type { ToolPart } from "@opencode-ai/sdk/v2/client"
import { answered } from "../test/support/answered.ts"
import { type Opencode, startOpencode } from "../test/support/opencode.ts"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { alternate } from "./alternate.ts"
import { answerWork, ownerTurn, tasks, timeOf } from "./owner-turn.ts"
import type { Part } from "./part.ts"
import { medianRow } from "./statistics.ts"

/** Waits in each round: one is cheap, and 50 ms are not much. */
const waitsPerRound = 4

/** From the completion of the last child's message, by opencode's record of it, to the end of agents_wait. */
export const waitLatency: Part = async (bench) => {
  const model = await startScriptedModel()
  answerWork(model)
  const oc = await startOpencode({ model, plugin: { path: bench.plugin } })
  const waitFor = async (jobs: number) => {
    const [, wait] = await ownerTurn(oc, model, [
      [{ name: "agents_start", args: { tasks: tasks(jobs) } }],
      [{ name: "agents_wait", args: {} }],
    ])
    if (!wait) throw new Error("the call of agents_wait is missing")
    return timeOf(wait).end - (await lastCompletion(oc, wait))
  }

  try {
    const rounds = bench.rounds * waitsPerRound
    const measured = await alternate({ ...bench, rounds }, { one: () => waitFor(1), eight: () => waitFor(8) })
    const bound = 50
    return [
      medianRow("child's last message → return of agents_wait, 1 job", measured.one, { unit: "ms", bound }),
      medianRow("last child's last message → return of agents_wait, 8 jobs", measured.eight, {
        unit: "ms",
        bound,
      }),
    ]
  } finally {
    await oc.stop()
    await model.stop()
  }
}

async function lastCompletion(oc: Opencode, { sessionID, messageID }: ToolPart): Promise<number> {
  const children = await answered("the children", oc.client.session.children({ sessionID }))
  const times = await Promise.all(
    children.map(async ({ id }) => {
      const messages = await answered("the messages", oc.client.session.messages({ sessionID: id }))
      const last = messages.findLast(({ info }) => info.role === "assistant")?.info
      if (last?.role !== "assistant" || last.time.completed === undefined) {
        throw new Error(`child ${id} of message ${messageID} has no final answer`)
      }
      return last.time.completed
    }),
  )
  return Math.max(...times)
}
