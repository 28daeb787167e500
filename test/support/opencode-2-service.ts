import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import { atExit } from "./cleanup.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"
import { opencodeEnv } from "./opencode-env.ts"
import { startGroup } from "./process-group.ts"
import { poll } from "./waiters.ts"

/** `opencode run` of opencode 2 as a person uses it, with the background service that it starts where none runs. */
export interface Service {
  /** Returns what it printed, when it has ended. */
  run(...args: string[]): Promise<string>
  /** Ends the service itself. Resolves when it has ended. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>
}

export function service({ home, project }: { home: string; project: string }): Service {
  const env = opencodeEnv(home, { PWD: project })
  const file = join(home, ".local", "state", "opencode", "service.json")
  const pid = () =>
    existsSync(file) ? Registered.parse(JSON.parse(readFileSync(file, "utf8"))).pid : undefined
  // It is no child of ours: nothing else would end it.
  atExit(() => {
    const left = pid()
    if (left !== undefined && isAlive(left)) process.kill(left, "SIGKILL")
  })
  return {
    async run(...args) {
      const binary = opencode2Binary()
      if (binary === undefined) throw new Error("There is no opencode 2 for this machine: set OPENCODE2")
      const group = await startGroup(binary, ["run", ...args], { cwd: project, env })
      await poll("the end of opencode run", () => !group.running() || undefined, { timeoutMs: 40_000 })
      return group.output()
    },
    async end(signal) {
      const running = pid()
      if (running === undefined || !isAlive(running)) return
      process.kill(running, signal)
      await poll("the end of the service", () => !isAlive(running) || undefined)
    },
  }
}

const Registered = z.object({ pid: z.number() })

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
