import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "../test/support/free-port.ts"
import { opencodeBinary } from "../test/support/opencode-binary.ts"
import { startGroup } from "../test/support/process-group.ts"
import { startScriptedModel } from "../test/support/scripted-model.ts"
import { type Stage, setStage } from "../test/support/stage.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import { alternate } from "./alternate.ts"
import type { Part } from "./part.ts"
import { differences, medianRow } from "./statistics.ts"

/** Starts in each round: they differ by more than the plugin costs. */
const startsPerRound = 4

/**
 * From spawning `opencode serve` to its first answer that needed the plugins (the list of tools), with the plugin and
 * without, and with one that does nothing, to tell what is ours from what any plugin costs.
 */
export const startUp: Part = async (bench) => {
  const model = await startScriptedModel()
  const folder = tempFolder("start-up")
  const empty = join(folder.path, "empty.mjs")
  writeFileSync(empty, `export default { id: "empty", server: async () => ({}) }\n`)
  const probe = join(folder.path, "import.mjs")
  writeFileSync(probe, importProbe)
  const ours = await setStage({ model, plugin: { path: bench.plugin } })
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
        imported: async () => importTime(probe, bench.plugin) - importTime(probe, empty),
      },
    )
    const unit = "ms"
    return [
      medianRow("added to the start of opencode", differences(measured.ours, measured.without), {
        unit,
        bound: 60,
      }),
      medianRow(
        "… of which a plugin that does nothing costs",
        differences(measured.nothing, measured.without),
        {
          unit,
        },
      ),
      medianRow("import of dist/server.js alone, in opencode's Bun", measured.imported, { unit }),
      medianRow("start of opencode without plugins", measured.without, { unit }),
    ]
  } finally {
    for (const each of [ours, nothing, without, folder]) each.remove()
    await model.stop()
  }
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
