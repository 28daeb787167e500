import { basename, dirname, join } from "node:path"
import { fileLimitMs } from "./git.ts"
import { type Waiting, withLock } from "./lock.ts"

/**
 * Runs `act` while nobody else changes what there is of a worktree: what one process removes, no other takes for the
 * work of its job, enters or makes again meanwhile. What `act` knows of it must be read in there.
 * @throws WorktreeError, `locked` where its turn does not come within minutes, or as long as it is to be waited for
 */
export const inTurn = <T>(
  root: string,
  act: () => Promise<T>,
  { waitMs = fileLimitMs, signal }: Waiting = {},
): Promise<T> =>
  // A name that no worktree has.
  withLock(join(dirname(root), `.${basename(root)}.lock`), act, { waitMs, signal })
