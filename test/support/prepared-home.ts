import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { common } from "./common.ts"
import { opencodeBinary } from "./opencode-binary.ts"
import { opencodeEnv } from "./opencode-env.ts"
import { startGroup } from "./process-group.ts"
import { makeProject } from "./project.ts"
import { type TempFolder, tempFolder } from "./temp-folder.ts"

/** The prepared home of the tests. */
export async function makeTestHome(): Promise<TempFolder> {
  const home = await makeHome()
  // Else opencode runs git twice in every step of every session, which is half of what a turn costs.
  writeFileSync(join(home.path, ".config", "opencode", "config.json"), JSON.stringify({ snapshot: false }))
  return home
}

let ownHome: Promise<TempFolder> | undefined

/**
 * A home in which opencode has started once: that first start installs `@opencode-ai/plugin` from the registry
 * (4 to 6 s) and makes the database, and need not happen again. Copy it with `copyHome`, never run in it.
 */
export async function prepareHome(): Promise<string> {
  const shared = await common()
  if (shared) {
    if (shared.home === undefined)
      throw new Error("There is no home for opencode 1.18: OPENCODE names the other generation")
    return shared.home
  }
  ownHome ??= makeHome()
  return (await ownHome).path
}

/** Makes `target` a home like the prepared one. The installed packages, 64 MB, are shared by a link. */
export async function copyHome(target: string): Promise<void> {
  copyHomeOf(await prepareHome(), target)
}

export function copyHomeOf(prepared: string, target: string): void {
  const modules = join(".config", "opencode", "node_modules")
  mkdirSync(target, { recursive: true })
  cpSync(prepared, target, { recursive: true, filter: (path) => path !== join(prepared, modules) })
  symlinkSync(join(prepared, modules), join(target, modules), "junction")
}

async function makeHome(): Promise<TempFolder> {
  const home = tempFolder("prepared-home")
  const project = tempFolder("prepare")
  try {
    await startOnce(home.path, project.path)
    rmSync(join(home.path, ".npm"), { recursive: true, force: true })
    return home
  } catch (error) {
    home.remove()
    throw error
  } finally {
    project.remove()
  }
}

async function startOnce(home: string, project: string): Promise<void> {
  // It takes a plugin to make opencode install what plugins import.
  const plugin = join(project, "plugin.mjs")
  writeFileSync(plugin, `export default { id: "nothing", server: async () => ({}) }\n`)
  makeProject(project, { plugin: [`file://${plugin}`] })
  const opencode = await startGroup(opencodeBinary(), ["serve", "--port", "0"], {
    cwd: project,
    env: opencodeEnv(home),
  })
  try {
    const [, url] = await opencode.waitForOutput(/listening on (\S+)/)
    // Any request to the project's instance waits until the packages are there.
    const answer = await fetch(`${url}/agent?directory=${encodeURIComponent(project)}`)
    if (!answer.ok) throw new Error(`opencode answered ${answer.status}: ${await answer.text()}`)
  } finally {
    await opencode.end("SIGTERM", 5_000)
  }
}
