import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import { freePort } from "../test/support/free-port.ts"
import { Api, serve2 } from "../test/support/opencode-2-server.ts"
import { opencodeBinary } from "../test/support/opencode-binary.ts"
import { startGroup } from "../test/support/process-group.ts"
import { makeProject } from "../test/support/project.ts"
import { type ScriptedModel, startScriptedModel } from "../test/support/scripted-model.ts"
import { type Stage, scriptedProvider, setStage } from "../test/support/stage.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import { alternate } from "./alternate.ts"
import { entryOf } from "./opencode.ts"
import type { Part, Row } from "./part.ts"
import { differences, medianRow } from "./statistics.ts"

/** Starts in each round: they differ by more than the plugin costs. */
const startsPerRound = 4

/**
 * What the plugin adds to the start of opencode, beside one that does nothing, to tell what is ours from what any plugin
 * costs.
 */
export const startUp: Part = (bench) => (bench.generation === 1 ? startUpOfOne(bench) : startUpOfTwo(bench))

/** From spawning `opencode serve` to its first answer that needed the plugins: the list of tools. */
const startUpOfOne: Part = async (bench) => {
  const plugin = entryOf(1, bench.folder)
  const model = await startScriptedModel()
  const folder = tempFolder("start-up")
  const empty = join(folder.path, "empty.mjs")
  writeFileSync(empty, `export default { id: "empty", server: async () => ({}) }\n`)
  const probe = join(folder.path, "import.mjs")
  writeFileSync(probe, importProbe)
  const ours = await setStage({ model, plugin: { path: plugin } })
  const nothing = await setStage({ model, plugin: { path: empty } })
  const without = await setStage({ model, plugin: false })
  try {
    const rounds = bench.rounds * startsPerRound
    const measured = await alternate(
      { ...bench, rounds },
      {
        ours: () => timeToTools(ours, true),
        without: () => timeToTools(without, false),
        nothing: () => timeToTools(nothing, false),
        imported: async () => importTime(probe, plugin) - importTime(probe, empty),
      },
    )
    return [
      ...rowsOf(measured),
      medianRow("import of dist/server.js alone, in opencode's Bun", measured.imported, { unit: "ms" }),
    ]
  } finally {
    for (const each of [ours, nothing, without, folder]) each.remove()
    await model.stop()
  }
}

type Starts = { ours: number[]; nothing: number[]; without: number[] }

function rowsOf({ ours, nothing, without }: Starts): Row[] {
  const unit = "ms"
  return [
    medianRow("added to the start of opencode", differences(ours, without), { unit, bound: 60 }),
    medianRow("… of which a plugin that does nothing costs", differences(nothing, without), { unit }),
    medianRow("start of opencode without plugins", without, { unit }),
  ]
}

async function timeToTools({ project, env }: Stage, isOurs: boolean): Promise<number> {
  const port = `${await freePort()}`
  const began = performance.now()
  const opencode = await startGroup(opencodeBinary(), ["serve", "--port", port], { cwd: project, env })
  try {
    const [, url] = await opencode.waitForOutput(/listening on (\S+)/)
    const answer = await fetch(`${url}/experimental/tool/ids?directory=${encodeURIComponent(project)}`)
    const tools = await answer.text()
    const took = performance.now() - began
    if (tools.includes("agents_start") !== isOurs)
      throw new Error(`not the plugins that were asked for: ${tools}`)
    return took
  } finally {
    await opencode.end("SIGKILL", 0)
  }
}

const importProbe = `
const began = performance.now()
await import(process.argv[2])
console.log(performance.now() - began)
`

/** In a process of its own. Milliseconds. */
function importTime(probe: string, module: string): number {
  const env = { ...process.env, BUN_BE_BUN: "1" }
  return Number(execFileSync(opencodeBinary(), [probe, module], { env, encoding: "utf8" }))
}

/**
 * From spawning `opencode serve` to the first request of a main agent's model: opencode 2 loads plugins with the first
 * request to a project, and answers others before they are there.
 */
const startUpOfTwo: Part = async (bench) => {
  const model = await startScriptedModel()
  const folder = tempFolder("start-up")
  const empty = join(folder.path, "empty")
  mkdirSync(empty)
  writeFileSync(join(empty, "server.js"), `export default { id: "empty", setup: async () => {} }\n`)
  writeFileSync(
    join(empty, "package.json"),
    `{ "name": "empty", "type": "module", "exports": { "./server": "./server.js" } }\n`,
  )
  const home = join(folder.path, "home")
  mkdirSync(home)
  const project = (name: string, plugins: string[]) => {
    const path = join(folder.path, name)
    makeProject(path, {
      provider: scriptedProvider(model),
      model: "fake/m1",
      snapshots: false,
      plugins: plugins.map((each) => ({ package: each })),
    })
    return { project: path, home }
  }
  const ours = project("ours", [bench.folder])
  const nothing = project("nothing", [empty])
  const without = project("without", [])
  try {
    const rounds = bench.rounds * startsPerRound
    return rowsOf(
      await alternate(
        { ...bench, rounds },
        {
          ours: () => timeToRequest(ours, model, true),
          without: () => timeToRequest(without, model, false),
          nothing: () => timeToRequest(nothing, model, false),
        },
      ),
    )
  } finally {
    folder.remove()
    await model.stop()
  }
}

type Place = { project: string; home: string }

async function timeToRequest(
  { project, home }: Place,
  model: ScriptedModel,
  isOurs: boolean,
): Promise<number> {
  const began = performance.now()
  const { group, url } = await serve2(project, home)
  try {
    const api = new Api(url)
    const made = await api.ask("POST", "session", { title: "bench", location: { directory: project } })
    const { id } = z.object({ id: z.string() }).parse(made)
    await api.ask("POST", `session/${id}/prompt`, { text: "hello" })
    const { tools } = await model.waitFor(({ session }) => session === id)
    const took = performance.now() - began
    if (tools.includes("agents_start") !== isOurs)
      throw new Error(`not the plugins that were asked for: ${tools}`)
    return took
  } finally {
    await group.end("SIGKILL", 0)
  }
}
