import { join } from "node:path"
import type { GlobalEvent } from "@opencode-ai/sdk/v2/client"
import { answered } from "../test/support/answered.ts"
import { type Opencode, startOpencode } from "../test/support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { Board } from "./board.ts"
import { demoHome } from "./home.ts"
import { collection, type JobResult, resultsIn, surprises } from "./results.ts"
import { conclusion, concurrency, fates, rehearse, request } from "./script.ts"
import type { View } from "./view.ts"

export type Outcome = {
  board: Board
  /** As the main agent read them. */
  results: JobResult[]
  /** What the main agent said in the end. */
  answer: string
  /** What was not as the script says, in words. */
  surprises: string[]
}

/** The longest that the main agent's turn may take, milliseconds. It takes 7 seconds. */
const turnLimit = 60_000

/**
 * Runs the main agent's turn in the real opencode, and ends all that it had started.
 * @param linger what is done with the outcome while opencode and its inspector still run.
 */
export async function run(view: View, linger: (outcome: Outcome) => Promise<void>): Promise<void> {
  const home = demoHome()
  const model = await startScriptedModel()
  try {
    rehearse(model)
    view.step("Starting the real opencode in a temporary home")
    const opencode = await startOpencode({
      model,
      home: home.path,
      plugin: { options: { concurrency } },
      // There is nothing here to be taken back, and each step is the faster for it.
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
  view.step("Asking the main agent")
  const owner = await opencode.session()
  const board = new Board(
    owner,
    fates.map(({ task }) => task.id),
  )
  let follows = false
  const stopListening = opencode.events.listen((event) => {
    const link = linkIn(event)
    if (link) view.say(`Watch it in a browser (the link opens once): ${link}`)
    board.take(event)
    // Until then opencode gets ready for its first prompt.
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
    // Events come by another connection: when it has told of the end, it has told of all before.
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
      surprises: [...surprises(board, fates), ...unlike(answer), ...(await stillAsking(model))],
    }
  } finally {
    stopListening()
    view.close()
  }
}

/** The plugin shows the person a link to its inspector when the first job starts. */
function linkIn({ payload }: GlobalEvent): string | undefined {
  return payload.type === "tui.toast.show"
    ? payload.properties.message.match(/http:\S+link=\S+/)?.[0]
    : undefined
}

const unlike = (answer: string) =>
  answer === conclusion ? [] : [`the main agent's last words are ${JSON.stringify(answer)}`]

/** A job that was stopped has hung up on its model, or will within a second. */
async function stillAsking(model: ScriptedModel): Promise<string[]> {
  const stopped = fates.filter(({ expected }) => expected.atLeast !== undefined)
  const checked = stopped.map(async ({ task }) => {
    const asked = model.requests.find(({ text }) => text === task.prompt)
    if (!asked) return []
    return model
      .waitFor((request) => request === asked && request.closed, 1_000)
      .then(() => [])
      .catch(() => [`${task.id}: its request to the model was not ended`])
  })
  return (await Promise.all(checked)).flat()
}
