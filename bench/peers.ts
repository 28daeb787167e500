import type { ModelRequest, ScriptedModel } from "../test/support/scripted-model.ts"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { alternate } from "./alternate.ts"
import { atRest } from "./at-rest.ts"
import { cpuTime } from "./cpu-time.ts"
import { type BenchOpencode, startBench } from "./opencode.ts"
import {
  answerTo,
  answerWork,
  type Call,
  modelMs,
  ownCall,
  scriptTurn,
  startAndReturn,
  startAndWait,
} from "./owner-turn.ts"
import type { Part, Row } from "./part.ts"
import { differences, medianRow, ratios } from "./statistics.ts"

const jobs = 8
const pieces = Array.from({ length: jobs }, (_, piece) => piece)

/**
 * The same work through the plugin and through opencode's own tool for subagents: several calls in one message, and in
 * the background. The jobs' models take from 0.3 to 2.4 seconds, as real ones never end together. Each time from the
 * owner's prompt until its model has been given all results and has answered; so it counts what the owner's model is
 * asked on the way. CPU time counts what opencode does after that, too.
 */
export const peers: Part = async (bench) => {
  const { generation, folder } = bench
  const model = await startScriptedModel()
  answerWork(model, (piece) => modelMs * (piece + 1))
  const own = generation === 1 ? "task" : "subagent"
  // 1.18 hides it; opencode 2 has it on for everybody.
  const env = { OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS: "true" }
  const withPlugin = await startBench(generation, { model, plugin: { folder } })
  const without = await startBench(generation, { model, plugin: false, env })
  try {
    const measured = await alternate(bench, {
      oneCall: () => turn(withPlugin, model, startAndReturn(jobs)),
      plugin: () => turn(withPlugin, model, startAndWait(jobs)),
      foreground: () => turn(without, model, [pieces.map((piece) => ownCall(generation, piece))]),
      background: () => turn(without, model, [pieces.map((piece) => ownCall(generation, piece, true))]),
    })
    return [
      ...rowsOf("plugin, one call", measured.oneCall),
      ...rowsOf("plugin", measured.plugin),
      ...rowsOf(`${own}, parallel calls`, measured.foreground),
      ...rowsOf(`${own}, in the background`, measured.background),
      ...ratioRows(`plugin, one call / ${own}, parallel calls`, measured.oneCall, measured.foreground, 1),
      medianRow(
        `plugin, one call, more than ${own}, parallel calls: requests of the owner's model`,
        differences(of("ownerCalls", measured.oneCall), of("ownerCalls", measured.foreground)),
        { unit: "calls", bound: 0 },
      ),
      ...ratioRows(`plugin / ${own}, parallel calls`, measured.plugin, measured.foreground),
      ...ratioRows(`plugin / ${own}, in the background`, measured.plugin, measured.background),
    ]
  } finally {
    await Promise.all([withPlugin.stop(), without.stop()])
    await model.stop()
  }
}

type Turn = {
  ms: number
  /** Requests of the owner's model alone. */
  ownerCalls: number
  /** In all requests, those of the children too. */
  bytes: number
  /** Of opencode, until it is at rest. Milliseconds; nothing where the system does not say. */
  cpu: number | undefined
}

async function turn(oc: BenchOpencode, model: ScriptedModel, steps: Call[][]): Promise<Turn> {
  const before = model.requests.length
  const { session, words, forget } = await scriptTurn(oc, model, steps)
  const answers = pieces.map((piece) => answerTo(piece))
  const hasAll = (request: ModelRequest) =>
    request.session === session &&
    request.state === "answered" &&
    answers.every((answer) => request.rawBody.includes(answer))
  const cpuBefore = cpuTime(oc.pid)
  const began = Date.now()
  const prompted = oc.prompt(session, words)
  const last = await model.waitFor(hasAll, 60_000)
  await prompted
  forget()
  const asked = model.requests.slice(before).filter(({ at }) => at <= last.at)
  await atRest(oc.pid)
  const cpuAfter = cpuTime(oc.pid)
  return {
    ms: (last.endedAt ?? last.at) - began,
    ownerCalls: asked.filter((request) => request.session === session).length,
    bytes: asked.reduce((sum, request) => sum + request.bytes, 0),
    cpu: cpuBefore !== undefined && cpuAfter !== undefined ? cpuAfter - cpuBefore : undefined,
  }
}

const of = (key: keyof Turn, turns: readonly Turn[]) => turns.flatMap((each) => each[key] ?? [])

function rowsOf(who: string, turns: readonly Turn[]): Row[] {
  const name = `${jobs} jobs of 0.3 to 2.4 s, ${who}`
  return [
    medianRow(`${name}: wall time`, of("ms", turns), { unit: "ms" }),
    medianRow(`${name}: requests of the owner's model`, of("ownerCalls", turns), { unit: "calls" }),
    medianRow(
      `${name}: sent to the models`,
      of("bytes", turns).map((bytes) => bytes / 1000),
      { unit: "kB" },
    ),
  ]
}

/** @param bound of the wall time */
function ratioRows(what: string, ours: readonly Turn[], theirs: readonly Turn[], bound?: number): Row[] {
  return [
    medianRow(`${what}: wall time`, ratios(of("ms", ours), of("ms", theirs)), {
      unit: "×",
      ...(bound !== undefined && { bound }),
    }),
    medianRow(`${what}: sent to the models`, ratios(of("bytes", ours), of("bytes", theirs)), { unit: "×" }),
    ...(of("cpu", ours).length > 0
      ? [
          medianRow(`${what}: CPU time of opencode`, ratios(of("cpu", ours), of("cpu", theirs)), {
            unit: "×",
          }),
        ]
      : []),
  ]
}
