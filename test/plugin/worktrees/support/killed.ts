import { spawn } from "node:child_process"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { processesWith } from "../../../support/processes.ts"
import { type TempFolder, tempFolder } from "../../../support/temp-folder.ts"
import type { TestRepository } from "./repository.ts"

/**
 * Counts all that changes something outside of the process, git's calls too, and kills the process (-9) right before
 * the one of the given number, of all or of one kind. What git is doing by then goes on.
 */
const killer = `
import childProcess from "node:child_process"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
let left = Number(process.env.KILL_AT)
const only = process.env.KILL_ON
const counted = (name, act) => function (...args) {
  if ((!only || only === name) && left-- === 0) process.kill(process.pid, "SIGKILL")
  return act.apply(this, args)
}
childProcess.spawn = counted("spawn", childProcess.spawn)
for (const name of ["chmod", "copyFile", "link", "mkdir", "open", "rename", "rm", "rmdir", "symlink", "utimes", "writeFile"])
  fs.promises[name] = counted(name, fs.promises[name])
syncBuiltinESMExports()
`

/** Runs calls of the worktrees in processes that are killed. */
export type Killed = {
  /** @returns whether it came to its end before it was killed */
  run(repository: TestRepository, script: string, killAt: number, only?: string): Promise<boolean>
  remove(): void
}

export async function killedRuns(): Promise<Killed> {
  const temp = tempFolder("killed")
  const module = join(temp.path, "worktrees.mjs")
  const source = join(import.meta.dirname, "../../../../src/plugin/worktrees/worktrees.ts")
  await build({ entryPoints: [source], outfile: module, bundle: true, format: "esm", platform: "node" })
  return {
    run: (repository, script, at, only = "") => run({ temp, module, repository, script, at, only }),
    remove: temp.remove,
  }
}

type Run = {
  temp: TempFolder
  module: string
  repository: TestRepository
  script: string
  at: number
  only: string
}

async function run({ temp, module, repository, script, at, only }: Run): Promise<boolean> {
  const { env, folder } = repository
  const url = JSON.stringify(pathToFileURL(module).href)
  // Killed only once all is loaded.
  const source = `
    const { createWorktrees } = await import(${url})
    const worktrees = createWorktrees({ folder: ${JSON.stringify(folder)} })
    await import(${JSON.stringify(`data:text/javascript,${encodeURIComponent(killer)}`)})
    ${script}
  `
  const mark = `${temp.path}/${at}`
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    env: { ...env, KILL_AT: `${at}`, KILL_ON: only, KILLED_RUN: mark },
    stdio: ["ignore", "inherit", "pipe"],
  })
  let words = ""
  child.stderr.on("data", (piece) => {
    words += piece
  })
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal })),
  )
  if (code !== 0 && signal !== "SIGKILL") throw new Error(words)
  // git, which is not killed, ends by itself.
  while (processesWith(mark).length > 0) await new Promise((resolve) => setImmediate(resolve))
  return code === 0
}
