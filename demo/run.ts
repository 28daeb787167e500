import { join } from "node:path"
import { type AnyOpencode, type Generation, nameOf } from "../test/support/any-opencode.ts"
import { startOpencode1 } from "../test/support/opencode-1.ts"
import { startOpencode2 } from "../test/support/opencode-2.ts"
import { type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { Watched } from "../test/support/waiters.ts"
import { Board } from "./board.ts"
import { demoHome } from "./home.ts"
import { InspectorClient, newToken } from "./inspector.ts"
import { collection, differences, type JobResult, resultsIn } from "./results.ts"
import { conclusion, concurrency, plan, request, scriptModel, title } from "./script.ts"
import type { View } from "./view.ts"

export type Outcome = {
  board: Board
  /** As the main agent received them. */
  results: JobResult[]
  /** The main agent's answer. */
  answer: string
  /** How the outcome differs from the plan, in words. */
  problems: string[]
  /** Another one-time link to the inspector. */
  freshLink(): Promise<string>
}

/** Timeout of the main agent's turn, which takes about 7 seconds. Milliseconds. */
const turnLimit = 90_000
/** How long the inspector may take to show the last end. Milliseconds. */
const showLimit = 3_000

/**
 * Runs the main agent's turn in the real opencode, then stops and removes everything it started.
 * @param linger receives the outcome while opencode and the inspector still run.
 */
export async function run(
  generation: Generation,
  view: View,
  linger: (outcome: Outcome) => Promise<void>,
): Promise<void> {
  const home = demoHome(generation)
  const model = await startScriptedModel({ title })
  const token = newToken()
  try {
    view.step(`Starting ${nameOf(generation)} in a temporary home`)
    const start = generation === 1 ? startOpencode1 : startOpencode2
    const opencode = await start({
      model,
      home: home.path,
      plugin: { options: { concurrency, inspector: { token } } },
      // Nothing here needs undoing, and each step is faster without snapshots.
      config: generation === 1 ? { snapshot: false } : { snapshots: false },
      // The second is its default, named: the inspector's command for a fresh link is run in another home.
      env: { TMPDIR: join(home.path, "tmp"), XDG_STATE_HOME: join(home.path, ".local", "state") },
    })
    try {
      await linger(await turn({ opencode, model, token, view }))
    } finally {
      await opencode.stop()
    }
  } finally {
    await model.stop()
    home.remove()
  }
}

type Running = { opencode: AnyOpencode; model: ScriptedModel; token: string; view: View }

async function turn({ opencode, model, token, view }: Running): Promise<Outcome> {
  view.step("Prompting the main agent")
  const board = new Board(plan.map(({ task }) => task.id))
  const shown = new Watched<Board>("change of the board")
  const changed = () => {
    shown.add(board)
    view.changed()
  }
  scriptModel(model, opencode.generation, {
    called(call) {
      board.began(call)
      // opencode prepares its first prompt until then.
      if (board.calls.length === 1) view.follow(board)
      changed()
    },
    returned(output) {
      board.returned(output)
      changed()
    },
  })

  const over = new AbortController()
  const owner = await opencode.session()
  const finding = InspectorClient.of(opencode.home, token, over.signal)
  const watching = watch()
  async function watch(): Promise<void> {
    const inspector = await finding
    view.say(`Watch the jobs in a browser (a one-time link): ${await inspector.link()}`)
    const hear: Parameters<typeof inspector.follow>[0] = (record) => {
      board.take(record)
      changed()
    }
    await inspector.follow(hear, over.signal)
  }
  const prompted = opencode.say(owner, request)
  try {
    // The inspector shows until the end, or fails before.
    await Promise.race([inTime(prompted), watching.then(() => prompted)])
    await shown.waitFor(() => board.hasAllEnds, showLimit).catch(() => {})
    const messages = await opencode.messages(owner)
    const answer = messages.findLast(({ role }) => role === "assistant")?.text ?? ""
    return {
      board,
      results: resultsIn(collection(board)?.output ?? ""),
      answer,
      problems: [...differences(board, plan), ...wrongAnswer(answer), ...(await openRequests(model))],
      freshLink: async () => (await finding).link(),
    }
  } finally {
    over.abort()
    view.close()
  }
}

function inTime(prompted: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = new Error(`the main agent's turn was not over after ${turnLimit / 1000} s`)
    const timer = setTimeout(() => reject(late), turnLimit)
    prompted.then(resolve, reject).finally(() => clearTimeout(timer))
  })
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
