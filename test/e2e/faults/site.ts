import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { AnyProject, Generation } from "../../support/any-opencode.ts"
import type { OneGeneration } from "../../support/generations.ts"
import type { ScriptedModel } from "../../support/scripted-model.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { poll } from "../../support/waiters.ts"
import type { Call, Fault } from "./fault.ts"

/** A project whose plugin's calls to opencode can be spoiled. */
export type Site = {
  readonly project: AnyProject
  readonly model: ScriptedModel
  /** From now on these calls are spoiled. */
  spoil(...faults: Fault[]): void
  mend(): void
  /** Resolves once such a call was spoiled so many times since `spoil`. */
  spoiled(call: Call, times?: number): Promise<unknown>
  /** Has opencode end this project's instance, and make a new one with a new plugin. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/**
 * `idle`, `never`: whether owners are told of ended jobs, or have to ask. `reloading`: as `idle`, and the plugin may be
 * reloaded there.
 */
export type SiteKind = "idle" | "never" | "reloading"

export type SiteOptions = {
  opencode: OneGeneration
  model: ScriptedModel
  kind: SiteKind
}

const builtPlugin = pathToFileURL(join(import.meta.dirname, "..", "..", "..", "dist", "server.js")).href
const faultyPlugin = join(import.meta.dirname, "faulty-plugin.ts")

export async function openSite({ opencode, model, kind }: SiteOptions): Promise<Site> {
  const faulty = faultyBuild(opencode.generation, { notify: kind === "never" ? "never" : "each" })
  // opencode 2 reloads the plugins of all projects at once.
  const open = kind === "reloading" && opencode.generation === 2 ? opencode.start : opencode.open
  const project = await open({ model, plugin: faulty.plugin })
  return {
    ...faulty,
    project,
    model,
    async reload() {
      const before = faulty.count("loaded")
      await project.reload()
      // A request that comes at once may still be answered by the old one.
      await poll("a new instance", async () => {
        await project.session()
        return faulty.count("loaded") > before || undefined
      })
    },
    async stop() {
      await project.stop()
      faulty.remove()
    },
  }
}

/**
 * The built plugin with these options, whose calls to opencode can be spoiled; `plugin` is what opencode is to load in
 * its place.
 */
export function faultyBuild(generation: Generation, troupe: object) {
  const folder = tempFolder("faults")
  const file = join(folder.path, "faults.json")
  const log = join(folder.path, "spoiled.log")
  const options = { plugin: builtPlugin, troupe, faults: file, log }
  const path = generation === 1 ? faultyPlugin : pluginFolder(join(folder.path, "plugin"))
  writeFileSync(log, "")
  const count = (line: string) =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((each) => each === line).length
  return {
    plugin: { path, options },
    /** How often the log has this line. */
    count,
    spoil(...faults: Fault[]) {
      writeFileSync(log, "")
      // Renamed, so that nobody ever reads half of it.
      writeFileSync(`${file}.new`, JSON.stringify(faults))
      renameSync(`${file}.new`, file)
    },
    mend: () => rmSync(file, { force: true }),
    spoiled: (call: Call, times = 1) =>
      poll(`${times} spoiled ${call}`, () => count(call) >= times || undefined, { timeoutMs: 40_000 }),
    remove: () => folder.remove(),
  }
}

/** opencode 2 takes folders alone. */
function pluginFolder(folder: string): string {
  mkdirSync(folder)
  const source = `export { default } from ${JSON.stringify(faultyPlugin)}\n`
  writeFileSync(join(folder, "server.js"), source)
  return folder
}
