import { startScriptedModel } from "../test/support/scripted-model.ts"
import { startBench } from "./opencode.ts"
import { answerTo, answerWork, scriptTurn, tasks } from "./owner-turn.ts"
import type { Part } from "./part.ts"

const jobs = 8
/** How much faster time passes than the row says. */
const pace = 10
/** A job ends this long after the one before, milliseconds: the last a minute after the first. */
const betweenMs = 60_000 / pace / (jobs - 1)
/** So that the first ends once all have started. Milliseconds. */
const firstMs = 500

/**
 * How often the main agent is asked because of jobs for which it does not wait, which end one by one over a minute. The
 * same each time: one round will do.
 */
export const ownerTurns: Part = async ({ generation, folder, say }) => {
  const model = await startScriptedModel()
  answerWork(model, (piece) => firstMs + betweenMs * piece)
  const turnsWith = async (notify: "batch" | "each") => {
    say(`telling of each ${notify === "batch" ? "batch" : "job"}`)
    const options = { notify, notifySeconds: 60 / pace }
    const oc = await startBench(generation, { model, plugin: { folder, options } })
    try {
      const start = { name: "agents_start", args: { tasks: tasks(jobs) } }
      const { session, words, forget } = await scriptTurn(oc, model, [[start]])
      await oc.prompt(session, words)
      forget()
      const before = model.requests.length
      const answers = tasks(jobs).map((_, piece) => answerTo(piece))
      await model.waitFor(
        (request) =>
          request.session === session &&
          request.state === "answered" &&
          answers.every((answer) => request.rawBody.includes(answer)),
        60_000,
      )
      return model.requests.slice(before).filter((request) => request.session === session).length
    } finally {
      await oc.stop()
    }
  }

  try {
    const name = `turns of an owner for ${jobs} jobs that end one by one over a minute`
    return [
      { name, value: await turnsWith("batch"), unit: "calls", bound: 2 },
      { name: `${name}, told of each`, value: await turnsWith("each"), unit: "calls" },
    ]
  } finally {
    await model.stop()
  }
}
