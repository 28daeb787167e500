import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { atExit } from "./cleanup.ts"
import { Watched } from "./waiters.ts"

/** A program with all the processes it starts. */
export interface ProcessGroup {
  readonly pid: number
  /** Everything it wrote to stdout and stderr so far. */
  output(): string
  /** The first match in what it writes. Rejects when it ends before, or after `timeoutMs`. */
  waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  /** Whether the program itself still runs. */
  running(): boolean
  /** Asks it to end with `signal`, and kills it after `graceMs`. Then kills what it left in its group. */
  end(signal: NodeJS.Signals, graceMs: number): Promise<void>
}

export async function startGroup(
  command: string,
  args: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<ProcessGroup> {
  // Detached makes it the leader of a group of its own, so that one signal reaches its children too.
  const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] })
  const written = new Watched<string>("output")
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => written.add(text))
  }
  const pid = child.pid
  // At once, before anything is awaited: an interrupt may come in between.
  const forget = pid === undefined ? () => {} : atExit(() => killGroup(pid))
  await once(child, "spawn")
  if (pid === undefined) throw new Error(`${command} did not start`)
  // An empty piece makes those who wait look again, also when nothing was ever written.
  const exited = once(child, "exit").then(() => written.add(""))
  const output = () => written.items.join("")

  return {
    pid,
    output,
    running: () => isRunning(child),
    waitForOutput: async (pattern, timeoutMs = 30_000) => {
      await written
        .waitFor(() => {
          if (!isRunning(child))
            throw new Error(`${command} ended with ${child.exitCode ?? child.signalCode}`)
          return pattern.test(output())
        }, timeoutMs)
        .catch((error) => {
          throw new Error(`Waited for ${pattern} of ${command}, which wrote: ${output()}`, { cause: error })
        })
      const match = pattern.exec(output())
      if (!match) throw new Error(`${pattern} matches no more: it must have no state (flag g or y)`)
      return match
    },
    end: async (signal, graceMs) => {
      if (isRunning(child)) child.kill(signal)
      const tooLong = setTimeout(() => killGroup(pid), graceMs)
      await exited
      clearTimeout(tooLong)
      killGroup(pid)
      forget()
    },
  }
}

export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL")
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
