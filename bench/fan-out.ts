import { answered } from "../test/support/answered.ts"
import { type Opencode, startOpencode } from "../test/support/opencode.ts"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { alternate } from "./alternate.ts"
import { cpuTime } from "./cpu-time.ts"
import { answerWork, modelMs, ownerTurn, tasks, timeOf, work } from "./owner-turn.ts"
import type { Part } from "./part.ts"
import { medianRow, ratios } from "./statistics.ts"

const jobs = 20
/** Jobs whose sessions must be there within a second. */
const fewJobs = 3

/**
 * What it costs to have 20 jobs done by the plugin, beside 20 sessions that a script makes and prompts in parallel
 * through the bare SDK: in the same opencode, and in one that has never heard of the plugin.
 *
 * The plugin's time runs from the start of agents_start to the end of agents_wait, by opencode's own records of the
 * two calls, so it includes the step of the owner's model in between; the script's from its first call to its last
 * answer.
 */
export const fanOut: Part = async (bench) => {
  const model = await startScriptedModel()
  answerWork(model)
  const plugin = { path: bench.plugin, options: { concurrency: jobs } }
  const withPlugin = await startOpencode({ model, plugin })
  const byDefault = await startOpencode({ model, plugin: { path: bench.plugin } })
  const without = await startOpencode({ model, plugin: false })
  const throughPlugin = async (oc: Opencode) => {
    const calls = await ownerTurn(oc, model, [
      [{ name: "agents_start", args: { tasks: tasks(jobs) } }],
      [{ name: "agents_wait", args: {} }],
    ])
    const [start, wait] = calls.map(timeOf)
    if (!start || !wait) throw new Error("the calls are missing")
    return wait.end - start.start
  }
  const startAlone = async () => {
    const [call] = await ownerTurn(withPlugin, model, [
      [{ name: "agents_start", args: { tasks: tasks(fewJobs) } }],
      [{ name: "agents_wait", args: {} }],
    ])
    if (!call) throw new Error("the call is missing")
    return timeOf(call).end - timeOf(call).start
  }

  try {
    const measured = await alternate(bench, {
      plugin: costOf(withPlugin, throughPlugin),
      bareBeside: costOf(withPlugin, throughSdk),
      bareAlone: costOf(without, throughSdk),
      byDefault: costOf(byDefault, throughPlugin),
      startAlone: async () => ({ wall: await startAlone(), cpu: undefined }),
    })
    const wall = (arm: keyof typeof measured) => measured[arm].map((cost) => cost.wall)
    const cpu = (arm: keyof typeof measured) => measured[arm].flatMap((cost) => cost.cpu ?? [])
    const [plugin, bareBeside, bareAlone] = [wall("plugin"), wall("bareBeside"), wall("bareAlone")]
    const what = `${jobs} jobs, ${modelMs} ms model`
    return [
      medianRow(`${what}: plugin / bare SDK, same opencode`, ratios(plugin, bareBeside), {
        unit: "×",
        bound: 1.1,
      }),
      medianRow(`${what}: plugin / bare SDK in an opencode without it`, ratios(plugin, bareAlone), {
        unit: "×",
        bound: 1.1,
      }),
      medianRow(
        `${what}: plugin at its default concurrency / bare SDK`,
        ratios(wall("byDefault"), bareAlone),
        { unit: "×" },
      ),
      ...(cpu("plugin").length > 0
        ? [
            medianRow(
              `${what}: plugin / bare SDK, same opencode, CPU time of opencode`,
              ratios(cpu("plugin"), cpu("bareBeside")),
              { unit: "×", bound: 1.1 },
            ),
            medianRow(
              `${what}: plugin / bare SDK in an opencode without it, CPU time of opencode`,
              ratios(cpu("plugin"), cpu("bareAlone")),
              { unit: "×", bound: 1.1 },
            ),
            medianRow(`${what}: through the plugin, CPU time of opencode`, cpu("plugin"), { unit: "ms" }),
          ]
        : []),
      medianRow(`${what}: through the plugin`, plugin, { unit: "ms" }),
      medianRow(`${what}: bare SDK, same opencode`, bareBeside, { unit: "ms" }),
      medianRow(`${what}: bare SDK in an opencode without it`, bareAlone, { unit: "ms" }),
      medianRow(`agents_start of ${fewJobs} jobs`, wall("startAlone"), { unit: "ms", bound: 1_000 }),
    ]
  } finally {
    await Promise.all([withPlugin.stop(), byDefault.stop(), without.stop()])
    await model.stop()
  }
}

/** Milliseconds. `cpu`: what opencode's process used, which other processes of the machine hardly change. */
type Cost = { wall: number; cpu: number | undefined }

function costOf(oc: Opencode, run: (oc: Opencode) => Promise<number>): () => Promise<Cost> {
  return async () => {
    const before = cpuTime(oc.pid)
    const wall = await run(oc)
    const after = cpuTime(oc.pid)
    return { wall, cpu: before !== undefined && after !== undefined ? after - before : undefined }
  }
}

/** What the children of the plugin do without, too. */
const withoutJobTools = Object.fromEntries(
  ["start", "status", "wait", "cancel", "send"].map((name) => [`agents_${name}`, false]),
)

/** As a person would write it who wants it fast: each session is prompted as soon as it is there. */
async function throughSdk(oc: Opencode): Promise<number> {
  const parentID = await oc.session({ title: "bench" })
  const began = performance.now()
  await Promise.all(
    tasks(jobs).map(async (_, piece) => {
      const child = await oc.session({ parentID, title: work(piece), agent: "general" })
      const prompt = {
        sessionID: child,
        agent: "general",
        tools: withoutJobTools,
        parts: [{ type: "text" as const, text: work(piece) }],
      }
      const { info } = await answered("a prompt", oc.client.session.prompt(prompt))
      if (info.error) throw new Error(`a prompt failed: ${JSON.stringify(info.error)}`)
    }),
  )
  return performance.now() - began
}
