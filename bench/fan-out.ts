import { setTimeout } from "node:timers/promises"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { alternate } from "./alternate.ts"
import { cpuTime } from "./cpu-time.ts"
import { type BenchOpencode, startBench } from "./opencode.ts"
import { answerWork, modelMs, ownerTurn, startAndWait, tasks, work } from "./owner-turn.ts"
import type { Part } from "./part.ts"
import { differences, medianRow, ratios } from "./statistics.ts"

const jobs = 20
/** Jobs whose sessions must be there within a second. */
const fewJobs = 3

/**
 * What it costs to have 20 jobs done by the plugin, beside 20 sessions that a script makes and prompts in parallel
 * through the bare calls: in the same opencode, and in one that has never heard of the plugin.
 *
 * The plugin's time runs from the start of agents_start to the end of agents_wait, by opencode's own records of the
 * two calls, so it includes the step of the owner's model in between; the script's from its first call to its last
 * answer.
 */
export const fanOut: Part = async (bench) => {
  const { generation, folder } = bench
  const model = await startScriptedModel()
  answerWork(model)
  const withPlugin = await startBench(generation, {
    model,
    plugin: { folder, options: { concurrency: jobs } },
  })
  const byDefault = await startBench(generation, { model, plugin: { folder } })
  const without = await startBench(generation, { model, plugin: false })
  const throughPlugin = async (oc: BenchOpencode) => {
    const [start, wait] = await ownerTurn(oc, model, startAndWait(jobs))
    if (!start || !wait) throw new Error("the calls are missing")
    return wait.end - start.start
  }
  /** As many steps of the owner, without jobs. */
  const ownerAlone = async (oc: BenchOpencode) => {
    const [first, last] = await ownerTurn(oc, model, [
      [{ name: "agents_status", args: {} }],
      [{ name: "agents_wait", args: {} }],
    ])
    if (!first || !last) throw new Error("the calls are missing")
    return last.end - first.start
  }
  const startAlone = async () => {
    const [call] = await ownerTurn(withPlugin, model, startAndWait(fewJobs))
    if (!call) throw new Error("the call is missing")
    return call.end - call.start
  }

  try {
    const measured = await alternate(bench, {
      plugin: costOf(withPlugin, throughPlugin),
      bareBeside: costOf(withPlugin, throughBareCalls),
      bareAlone: costOf(without, throughBareCalls),
      byDefault: costOf(byDefault, throughPlugin),
      ownerAlone: costOf(withPlugin, ownerAlone),
      startAlone: async () => ({ wall: await startAlone(), cpu: undefined }),
    })
    const wall = (arm: keyof typeof measured) => measured[arm].map((cost) => cost.wall)
    const cpu = (arm: keyof typeof measured) => measured[arm].flatMap((cost) => cost.cpu ?? [])
    const [plugin, bareBeside, bareAlone] = [wall("plugin"), wall("bareBeside"), wall("bareAlone")]
    const what = `${jobs} jobs, ${modelMs} ms model`
    return [
      medianRow(`${what}: plugin / bare calls, same opencode`, ratios(plugin, bareBeside), {
        unit: "×",
        bound: 1.1,
      }),
      medianRow(`${what}: plugin / bare calls in an opencode without it`, ratios(plugin, bareAlone), {
        unit: "×",
        bound: 1.1,
      }),
      medianRow(
        `${what}: plugin at its default concurrency / bare calls`,
        ratios(wall("byDefault"), bareAlone),
        { unit: "×" },
      ),
      medianRow(
        `${what}: plugin less its owner's step / bare calls, same opencode`,
        ratios(differences(plugin, wall("ownerAlone")), bareBeside),
        { unit: "×", bound: 1.1 },
      ),
      ...(cpu("plugin").length > 0
        ? [
            medianRow(
              `${what}: plugin / bare calls, same opencode, CPU time of opencode`,
              ratios(cpu("plugin"), cpu("bareBeside")),
              { unit: "×", bound: 1.1 },
            ),
            medianRow(
              `${what}: plugin / bare calls in an opencode without it, CPU time of opencode`,
              ratios(cpu("plugin"), cpu("bareAlone")),
              { unit: "×", bound: 1.1 },
            ),
            medianRow(
              `${what}: plugin less its owner's turn / bare calls, same opencode, CPU time of opencode`,
              ratios(differences(cpu("plugin"), cpu("ownerAlone")), cpu("bareBeside")),
              { unit: "×" },
            ),
            medianRow(`${what}: through the plugin, CPU time of opencode`, cpu("plugin"), { unit: "ms" }),
            medianRow("… of which the owner's turn, which bare calls do without", cpu("ownerAlone"), {
              unit: "ms",
            }),
          ]
        : []),
      medianRow(`${what}: through the plugin`, plugin, { unit: "ms" }),
      medianRow("… of which the owner's step, which bare calls do without", wall("ownerAlone"), {
        unit: "ms",
      }),
      medianRow(`${what}: bare calls, same opencode`, bareBeside, { unit: "ms" }),
      medianRow(`${what}: bare calls in an opencode without it`, bareAlone, { unit: "ms" }),
      medianRow(`agents_start of ${fewJobs} jobs`, wall("startAlone"), { unit: "ms", bound: 1_000 }),
    ]
  } finally {
    await Promise.all([withPlugin.stop(), byDefault.stop(), without.stop()])
    await model.stop()
  }
}

/** The records of jobs are written some seconds after their end: that counts as well. Milliseconds. */
const lateMs = 4_000

/** Milliseconds. `cpu`: what opencode's process used, which other processes of the machine hardly change. */
type Cost = { wall: number; cpu: number | undefined }

function costOf(oc: BenchOpencode, run: (oc: BenchOpencode) => Promise<number>): () => Promise<Cost> {
  return async () => {
    const before = cpuTime(oc.pid)
    const wall = await run(oc)
    await setTimeout(lateMs)
    const after = cpuTime(oc.pid)
    return { wall, cpu: before !== undefined && after !== undefined ? after - before : undefined }
  }
}

/** As a person would write it who wants it fast: each session is prompted as soon as it is there. */
async function throughBareCalls(oc: BenchOpencode): Promise<number> {
  const owner = await oc.session()
  const began = performance.now()
  await Promise.all(tasks(jobs).map((_, piece) => oc.bareJob(owner, work(piece), work(piece))))
  return performance.now() - began
}
