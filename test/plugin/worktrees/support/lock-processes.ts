import { fork } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import * as z from "zod"
import { tempFolder } from "../../../support/temp-folder.ts"

/** `paused`: it is about to change something on the disk. */
const Report = z.enum(["paused", "taken", "refused", "released"])
type Report = z.infer<typeof Report>

const script = `
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { withLock } from "./lock.mjs"
let isStepped = false
let go, letGo
for (const name of ["link", "open", "rename", "rm"]) {
  const act = fs.promises[name]
  fs.promises[name] = async (...args) => {
    if (isStepped) {
      process.send("paused")
      await new Promise((resolve) => { go = resolve })
    }
    return act(...args)
  }
}
syncBuiltinESMExports()
const hold = () => new Promise((resolve) => {
  isStepped = false
  letGo = resolve
  process.send("taken")
})
process.on("message", (command) => {
  if (command.type === "step") return go()
  if (command.type === "release") return letGo()
  isStepped = command.isStepped
  withLock(command.file, hold).then(() => process.send("released"), () => process.send("refused"))
})
`

export type LockProcess = {
  /** Tries to take a lock, and keeps it; stepped, it stops before each of its changes. */
  take(file: string, how?: { isStepped: boolean }): Promise<Report>
  step(): Promise<Report>
  release(): Promise<Report>
}

/** Processes that take locks, each in its own time. */
export async function lockProcesses() {
  const temp = tempFolder("lock-processes")
  const source = join(import.meta.dirname, "../../../../src/plugin/worktrees/lock.ts")
  const outfile = join(temp.path, "lock.mjs")
  await build({ entryPoints: [source], outfile, bundle: true, format: "esm", platform: "node" })
  const main = join(temp.path, "main.mjs")
  writeFileSync(main, script)
  const ends: (() => void)[] = []

  function start(): LockProcess {
    const child = fork(main, { execArgv: [] })
    ends.push(() => child.kill("SIGKILL"))
    const say = async (command: object) => {
      const [report] = await Promise.all([once(child, "message"), child.send(command)])
      return Report.parse(report[0])
    }
    return {
      take: (file, { isStepped } = { isStepped: false }) => say({ type: "take", file, isStepped }),
      step: () => say({ type: "step" }),
      release: () => say({ type: "release" }),
    }
  }

  return {
    start,
    remove() {
      for (const end of ends) end()
      temp.remove()
    },
  }
}
