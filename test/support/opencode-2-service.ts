import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import { atExit } from "./cleanup.ts"
import { freePort } from "./free-port.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"
import { opencodeEnv } from "./opencode-env.ts"
import { type ProcessGroup, startGroup } from "./process-group.ts"
import { poll } from "./waiters.ts"

/** opencode 2's commands as a person uses them, with the background service that they start where none runs. */
export interface Service {
  /** Begins a command, which may be killed. */
  begin(...args: string[]): Promise<ProcessGroup>
  /** Runs a command. Returns what it printed, when it has ended. */
  command(...args: string[]): Promise<string>
  /** The command `run`. */
  run(...args: string[]): Promise<string>
  /** Ends the service itself. Resolves when it has ended. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>
  /** Ends the service for good, with the commands that would start it again. */
  stop(): Promise<void>
}

export async function service({ home, project }: { home: string; project: string }): Promise<Service> {
  const env = opencodeEnv(home, { PWD: project })
  const file = join(home, ".local", "state", "opencode", "service.json")
  const pid = () =>
    existsSync(file) ? Registered.parse(JSON.parse(readFileSync(file, "utf8"))).pid : undefined
  const configuration = join(home, ".config", "opencode")
  mkdirSync(configuration, { recursive: true })
  // Else all services of this machine have the same one, and the second waits for it for ever.
  writeFileSync(join(configuration, "service.json"), JSON.stringify({ port: await freePort() }))
  const commands = new Set<ProcessGroup>()
  // It is no child of ours: nothing else would end it.
  atExit(() => {
    const left = pid()
    if (left !== undefined && isAlive(left)) process.kill(left, "SIGKILL")
  })
  return {
    begin,
    command,
    run: (...args) => command("run", ...args),
    end,
    async stop() {
      await Promise.all([...commands].map((command) => command.end("SIGKILL", 0)))
      await end("SIGKILL")
    },
  }

  async function begin(...args: string[]): Promise<ProcessGroup> {
    const binary = opencode2Binary()
    if (binary === undefined) throw new Error("There is no opencode 2 for this machine: set OPENCODE2")
    const group = await startGroup(binary, args, { cwd: project, env })
    commands.add(group)
    return group
  }

  async function command(...args: string[]): Promise<string> {
    const group = await begin(...args)
    await poll(`the end of opencode ${args[0]}`, () => !group.running() || undefined, { timeoutMs: 40_000 })
    commands.delete(group)
    return group.output()
  }

  async function end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const running = pid()
    if (running === undefined || !isAlive(running)) return
    process.kill(running, signal)
    await poll("the end of the service", () => !isAlive(running) || undefined)
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
