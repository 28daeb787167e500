import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { constants } from "node:os"
import { setTimeout as pause } from "node:timers/promises"
import type { CheckResult } from "../../../machines/record.ts"
import { wordsOf } from "../../util/error-words.ts"
import { within } from "../../util/within.ts"
import { startGuard } from "./guard.ts"
import { shell } from "./shell.ts"
import { Tail } from "./tail.ts"

/** How long what is to end may take to do so by itself, and how often it is looked whether it has. Milliseconds. */
const graceMs = 2_000
const lookMs = 50
/** How long output is waited for that the command itself no longer writes. Milliseconds. */
const drainMs = 500

export type RunOptions = {
  directory: string
  /** Milliseconds. */
  limitMs: number
  /** Aborted, it ends the command with all that this has started. */
  signal: AbortSignal
  /** Default: opencode's own. */
  env?: NodeJS.ProcessEnv
}

/** Waits until somebody answers for its group, and has no input of its own. */
const gate = 'read -r go || exit 1\nexec "$0" -c -- "$1" </dev/null'

/**
 * Runs a command for the user's shell in a process group of its own, which has ended when this returns: the command
 * itself, and whatever it has left running. What has left the group, as a daemon does with `setsid`, is not found again:
 * it goes on.
 * @returns without an exit code where the time was up
 * @throws Error where it could not be started, or `signal` aborted
 */
export async function runCommand(command: string, options: RunOptions): Promise<CheckResult> {
  const { directory, limitMs, signal, env = process.env } = options
  signal.throwIfAborted()
  const leader = spawn(shell, ["-c", gate, shell, command], {
    cwd: directory,
    env: withoutSecrets(env),
    detached: true,
  })
  const tail = new Tail()
  leader.stdout.on("data", (chunk) => tail.add(chunk))
  leader.stderr.on("data", (chunk) => tail.add(chunk))
  // It may end before it is let through.
  leader.stdin.on("error", () => {})
  const exited = exitOf(leader)
  const closed = once(leader, "close")
  closed.catch(() => {})
  const { pid: group } = leader
  if (group === undefined) throw await notStarted(exited, directory)
  const guard = startGuard()
  try {
    await guard.answerFor(group)
    signal.throwIfAborted()
    leader.stdin.end("go\n")
    const exitCode = await firstOf(exited, limitMs, signal)
    await endGroup(group)
    await within<unknown>(drainMs, closed, () => undefined)
    signal.throwIfAborted()
    return { ...(exitCode !== undefined && { exitCode }), output: tail.text() }
  } finally {
    await endGroup(group)
    guard.release()
    leader.stdout.destroy()
    leader.stderr.destroy()
  }
}

/** As shells have it: 128 and the signal where one has ended it. */
function exitOf(leader: ChildProcess): Promise<number> {
  const exited = new Promise<number>((resolve, reject) => {
    leader.once("error", reject)
    leader.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
  exited.catch(() => {})
  return exited
}

async function notStarted(exited: Promise<unknown>, directory: string): Promise<Error> {
  const why = await exited.catch(wordsOf)
  return new Error(`in ${directory} it could not be started: ${why}`)
}

/** Nothing where the time is up, or `signal` aborts. */
function firstOf(exited: Promise<number>, limitMs: number, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined)
    const timer = setTimeout(stop, limitMs).unref()
    signal.addEventListener("abort", stop)
    exited.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener("abort", stop)
    })
  })
}

/** First as any program may be ended, then for good. */
async function endGroup(group: number): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!send(group, signal)) return
    for (let waitedMs = 0; waitedMs < graceMs; waitedMs += lookMs) {
      if (!send(group, 0)) return
      await pause(lookMs)
    }
  }
}

/** Whether anything of it is there to hear that. */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal)
    return true
  } catch {
    return false
  }
}

/** What lets one into opencode's own server is no command's business. */
const secrets = new Set(["OPENCODE_SERVER_PASSWORD", "OPENCODE_SERVER_USERNAME", "OPENCODE_PASSWORD"])

const withoutSecrets = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !secrets.has(name)))
