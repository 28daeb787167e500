import * as z from "zod"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { alternate } from "./alternate.ts"
import { startBench } from "./opencode.ts"
import { answerWork, ownerTurn, startAndWait } from "./owner-turn.ts"
import type { Part } from "./part.ts"
import { medianRow } from "./statistics.ts"

/** Waits in each round: one is cheap, and these are few milliseconds. */
const waitsPerRound = 4

/** From the completion of the last child's message, by opencode's record of it, to the end of agents_wait. */
export const waitLatency: Part = async (bench) => {
  const { generation, folder } = bench
  const model = await startScriptedModel()
  answerWork(model)
  const oc = await startBench(generation, { model, plugin: { folder } })
  const waitFor = async (jobs: number) => {
    const [, wait] = await ownerTurn(oc, model, startAndWait(jobs))
    if (!wait) throw new Error("the call of agents_wait is missing")
    const children = Jobs.parse(wait.metadata).jobs
    const ends = await Promise.all(children.map(({ session }) => oc.endOf(session)))
    return wait.end - Math.max(...ends)
  }

  try {
    const rounds = bench.rounds * waitsPerRound
    const measured = await alternate({ ...bench, rounds }, { one: () => waitFor(1), eight: () => waitFor(8) })
    // 1.18 stores an answer before it says that the turn is over.
    const bound = generation === 1 ? 50 : 20
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

const Jobs = z.object({ jobs: z.array(z.object({ session: z.string() })) })
