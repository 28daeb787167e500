import { basename, dirname, join } from "node:path"
import { fileLimitMs } from "./git.ts"
import { withLock } from "./lock.ts"

/**
 * Runs `act` while nobody else changes what there is of a worktree: what one process removes, no other takes for the
 * work of its job, enters or makes again meanwhile. What `act` knows of it must be read in there.
 * @param waitMs how long its turn is waited for, milliseconds
 * @throws WorktreeError, `locked` where that does not come
 */
export const inTurn = <T>(root: string, act: () => Promise<T>, waitMs = fileLimitMs): Promise<T> =>
  // A name that no worktree has.
  withLock(join(dirname(root), `.${basename(root)}.lock`), act, { waitMs })
