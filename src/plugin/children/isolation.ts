import { execFile } from "node:child_process"
import { mkdtemp, realpath } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Worktree } from "../../machines/record.ts"

/** Makes the worktrees of jobs. */
export type Worktrees = {
  /**
   * @param directory of the owner's, in the repository
   * @param branch a new one
   * @throws Error that says what was wrong and what to do
   */
  make(
    wanted: { directory: string; branch: string },
    signal: AbortSignal,
  ): Promise<Pick<Worktree, "directory" | "branch" | "base">>
}

const run = promisify(execFile)

/** With plain `git worktree add`, of the owner's last commit. */
export const plainWorktrees: Worktrees = {
  async make({ directory, branch }, signal) {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "opencode-troupe-")))
    const made = join(folder, "worktree")
    await run("git", ["worktree", "add", "-q", "-b", branch, made], { cwd: directory, signal })
    const { stdout } = await run("git", ["rev-parse", "HEAD"], { cwd: made, signal })
    return { directory: made, branch, base: stdout.trim() }
  },
}
