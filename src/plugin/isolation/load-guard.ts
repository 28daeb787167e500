import { realpathSync } from "node:fs"
import type { LoadGuard } from "../host/port.ts"
import { createWorktrees, type Worktrees } from "../worktrees/worktrees.ts"

/** Keeps opencode from what jobs have put into the configuration of their worktrees. All other directories are a person's. */
export function createLoadGuard(worktrees: Worktrees = createWorktrees()): LoadGuard {
  return async (directory) => {
    if (worktrees.has(directory) || worktrees.has(realOf(directory)))
      await worktrees.assureConfiguration(directory, {})
  }
}

function realOf(directory: string): string {
  try {
    return realpathSync(directory)
  } catch {
    return directory
  }
}
