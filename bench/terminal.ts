import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import type { Generation } from "../test/support/any-opencode.ts"
import { processesWith } from "../test/support/processes.ts"
import { type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import { startTui, type Tui } from "../test/support/tui.ts"
import { alternate } from "./alternate.ts"
import { cpuTime } from "./cpu-time.ts"
import { pieceIn, tasks } from "./owner-turn.ts"
import type { Part } from "./part.ts"
import { differences, medianRow, ratios } from "./statistics.ts"

const jobs = 200
/** Most tasks of one call of agents_start. */
const ofOneCall = 50
/** How long each job streams its answer, and in how many pieces. */
const streaming = { pieces: 20, pauseMs: 500 }
/** After a terminal shows its prompt it is still at work. Milliseconds. */
const restMs = 2_000

/**
 * What the part in the terminal costs: its start beside a part that does nothing, which tells what is ours from what
 * any part costs; its work beside a terminal with the plugin's server part alone. Linux alone can tell.
 */
export const benchTerminal: Part = async (bench) => {
  const { generation, folder } = bench
  const model = await startScriptedModel()
  const copy = tempFolder("without-part")
  const empty = tempFolder("empty-part")
  for (const { path } of [copy, empty]) cpSync(folder, path, { recursive: true })
  // opencode 2 loads what is there; 1.18 is not told of it.
  for (const each of ["tui.js", join("dist", "tui.js")]) rmSync(join(copy.path, each), { force: true })
  writeFileSync(join(empty.path, "dist", "tui.js"), emptyPart)
  const place = { model, generation }
  try {
    const starts = await alternate(
      { ...bench, rounds: bench.rounds * 2 },
      {
        withPart: () => costOfStart({ ...place, folder, hasPart: true }),
        nothing: () => costOfStart({ ...place, folder: empty.path, hasPart: true }),
      },
    )
    const busy = await alternate(
      { ...bench, rounds: Math.min(bench.rounds, 3) },
      {
        withPart: () => costOfWork({ ...place, folder, hasPart: true }),
        without: () => costOfWork({ ...place, folder: copy.path, hasPart: false }),
      },
    )
    const between = (what: keyof Start, those: Start[], others: Start[]) =>
      differences(
        those.map((each) => each[what]),
        others.map((each) => each[what]),
      )
    const { withPart, nothing } = starts
    const beside = ", beside a part that does nothing"
    return [
      medianRow(`added to the start of the terminal${beside}, CPU time`, between("cpu", withPart, nothing), {
        unit: "ms",
        bound: 60,
      }),
      medianRow(`added to the start of the terminal${beside}`, between("wall", withPart, nothing), {
        unit: "ms",
      }),
      medianRow(
        "start of the terminal with a part that does nothing",
        nothing.map(({ wall }) => wall),
        { unit: "ms" },
      ),
      medianRow(
        "added to the memory of a terminal that has just started",
        between("memory", withPart, nothing),
        {
          unit: "kB",
        },
      ),
      medianRow(
        `${jobs} busy jobs in the sidebar / the same without it, CPU time`,
        ratios(busy.withPart, busy.without),
        {
          unit: "×",
          bound: 1.05,
        },
      ),
      medianRow(`${jobs} busy jobs without the part, CPU time`, busy.without, { unit: "ms" }),
    ]
  } finally {
    for (const each of [copy, empty]) each.remove()
    await model.stop()
  }
}

const emptyPart = `export default { id: "opencode-troupe", tui: async () => {}, setup: async () => {} }\n`

type Place = { model: ScriptedModel; generation: Generation; folder: string; hasPart: boolean }
type Start = { wall: number; cpu: number; memory: number }

async function costOfStart(place: Place): Promise<Start> {
  const began = performance.now()
  const tui = await open(place)
  try {
    const wall = performance.now() - began
    await setTimeout(restMs)
    return { wall, ...usedBy(tui) }
  } finally {
    await tui.stop()
  }
}

/** CPU time of a terminal, and of the opencode behind it, in which the jobs of one message stream their answers. Milliseconds. */
async function costOfWork(place: Place): Promise<number> {
  const { model } = place
  const tui = await open(place)
  try {
    await setTimeout(restMs)
    const { pieces, pauseMs } = streaming
    const isOfJob = (request: { text: string }) => pieceIn(request) !== undefined
    const forgetJobs = model.on(isOfJob, () => ({
      type: "text",
      text: "word after word ".repeat(pieces),
      chunks: pieces,
      delayMs: pauseMs,
    }))
    const words = "Have all of it done"
    const calls = Array.from({ length: jobs / ofOneCall }, () => ({
      name: "agents_start",
      args: { tasks: tasks(ofOneCall) },
    }))
    const forget = model.script(words, [
      { type: "tool", calls },
      { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      { type: "text", text: "All of it is done." },
    ])
    const before = usedBy(tui).cpu
    tui.type(words)
    await tui.waitForScreen(new RegExp(words))
    tui.press("Enter")
    await tui.waitForScreen(/All of it is done\./, 300_000, 500)
    await setTimeout(restMs)
    forget()
    forgetJobs()
    return usedBy(tui).cpu - before
  } finally {
    await tui.stop()
  }
}

async function open({ model, generation, folder, hasPart }: Place): Promise<Tui> {
  const plugin = { path: folder, options: { concurrency: jobs } }
  const tui = await startTui({ model, plugin, hasPart }, generation)
  // opencode 2 shows its prompt before its server is there to take one.
  await tui.waitForScreen(generation === 1 ? /Ask anything/ : /Ask anything[\s\S]*m1 fake/, 60_000, 20)
  return tui
}

/** All that runs in its home: the terminal, tmux, and the opencode behind it. Milliseconds and kB. */
function usedBy({ home }: Tui): { cpu: number; memory: number } {
  const pids = processesWith(home).map(Number)
  const sum = (values: number[]) => values.reduce((all, value) => all + value, 0)
  return { cpu: sum(pids.map((pid) => cpuTime(pid) ?? 0)), memory: sum(pids.map(residentMemory)) }
}

function residentMemory(pid: number): number {
  try {
    const [, size] = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m) ?? []
    return Number(size ?? 0)
  } catch {
    return 0
  }
}
