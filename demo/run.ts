import { join } from "node:path"
import type { GlobalEvent } from "@opencode-ai/sdk/v2/client"
import { answered } from "../test/support/answered.ts"
import { type Opencode, startOpencode } from "../test/support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { Board } from "./board.ts"
import { demoHome } from "./home.ts"
import { collection, differences, type JobResult, resultsIn } from "./results.ts"
import { conclusion, concurrency, plan, request, scriptModel } from "./script.ts"
import type { View } from "./view.ts"

export type Outcome = {
  board: Board
  /** As the main agent received them. */
  results: JobResult[]
  /** The main agent's answer. */
  answer: string
  /** How the outcome differs from the plan, in words. */
  problems: string[]
}

/** Timeout of the main agent's turn, which takes about 7 seconds. Milliseconds. */
const turnLimit = 60_000

/**
 * Runs the main agent's turn in the real opencode, then stops and removes everything it started.
 * @param linger receives the outcome while opencode and the inspector still run.
 */
export async function run(view: View, linger: (outcome: Outcome) => Promise<void>): Promise<void> {
  const home = demoHome()
  const model = await startScriptedModel()
  try {
    scriptModel(model)
    view.step("Starting opencode in a temporary home")
    const opencode = await startOpencode({
      model,
      home: home.path,
      plugin: { options: { concurrency } },
      // Nothing here needs undoing, and each step is faster without snapshots.
      config: { snapshot: false },
      env: { TMPDIR: join(home.path, "tmp") },
    })
    try {
      await linger(await turn(opencode, model, view))
    } finally {
      await opencode.stop()
    }
  } finally {
    await model.stop()
    home.remove()
  }
}

async function turn(opencode: Opencode, model: ScriptedModel, view: View): Promise<Outcome> {
  view.step("Prompting the main agent")
  const owner = await opencode.session()
  const board = new Board(
    owner,
    plan.map(({ task }) => task.id),
  )
  let follows = false
  const stopListening = opencode.events.listen((event) => {
    const link = linkIn(event)
    if (link) view.say(`Watch the jobs in a browser (the link opens once): ${link}`)
    board.take(event)
    // opencode prepares its first prompt until then.
    if (!follows && board.calls.size > 0) {
      view.follow(board)
      follows = true
    }
    view.changed()
  })
  try {
    const reply = await answered(
      "the prompt",
      opencode.client.session.prompt(
        { sessionID: owner, parts: [{ type: "text", text: request }] },
        { signal: AbortSignal.timeout(turnLimit) },
      ),
    )
    // Events arrive on another connection: after this one, all earlier ones have arrived too.
    await opencode.events.waitFor(
      ({ payload }) =>
        payload.type === "session.status" &&
        payload.properties.sessionID === owner &&
        payload.properties.status.type === "idle",
    )
    const answer = reply.parts.flatMap((part) => (part.type === "text" ? part.text : [])).join("\n")
    return {
      board,
      results: resultsIn(collection(board)?.output ?? ""),
      answer,
      problems: [...differences(board, plan), ...wrongAnswer(answer), ...(await openRequests(model))],
    }
  } finally {
    stopListening()
    view.close()
  }
}

/** The plugin shows a link to its inspector when the first job starts. */
function linkIn({ payload }: GlobalEvent): string | undefined {
  return payload.type === "tui.toast.show"
    ? payload.properties.message.match(/http:\S+link=\S+/)?.[0]
    : undefined
}

const wrongAnswer = (answer: string) =>
  answer === conclusion ? [] : [`the main agent answered ${JSON.stringify(answer)}`]

/** Stopped jobs whose request to the model does not end within a second. */
async function openRequests(model: ScriptedModel): Promise<string[]> {
  const stopped = plan.filter(({ expected }) => expected.atLeast !== undefined)
  const checked = stopped.map(async ({ task }) => {
    const sent = model.requests.find(({ text }) => text === task.prompt)
    if (!sent) return []
    return model
      .waitFor((request) => request === sent && request.closed, 1_000)
      .then(() => [])
      .catch(() => [`${task.id}: its request to the model is still open`])
  })
  return (await Promise.all(checked)).flat()
}
