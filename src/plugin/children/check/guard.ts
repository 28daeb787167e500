import { spawn } from "node:child_process"
import { shell } from "./shell.ts"

/**
 * Reads the process group that it answers for, then waits: a line means that the group has ended, and the end of the
 * input that opencode has ended first, however that came about.
 */
const watch = [
  "read -r group || exit",
  "read -r over && exit",
  'kill -s TERM -- "-$group"',
  "sleep 2",
  'kill -s KILL -- "-$group"',
].join("\n")

/** What ends a command where opencode itself dies and cannot: a small process of its own, in a group of its own. */
export type Guard = {
  /** Resolves once the guard has been told. Rejects where it cannot be: then nothing may be started. */
  answerFor(group: number): Promise<void>
  /** The group has ended. */
  release(): void
}

export function startGuard(): Guard {
  const guard = spawn(shell, ["-c", watch], {
    cwd: "/",
    env: { PATH: process.env.PATH },
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  })
  // It waits for opencode, not the other way round.
  guard.unref()
  const failed = new Promise<never>((_, reject) => {
    guard.once("error", reject)
    guard.stdin.once("error", reject)
  })
  failed.catch(() => {})
  return {
    answerFor: (group) =>
      Promise.race([
        failed,
        new Promise<void>((resolve) => guard.stdin.write(`${group}\n`, () => resolve())),
      ]),
    release: () => void guard.stdin.end("over\n"),
  }
}
