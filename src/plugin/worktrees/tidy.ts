import { tipOf } from "./branch.ts"
import { requireOwn } from "./discard.ts"
import { fileFailure } from "./errors.ts"
import { type Call, type Git, lookLimitMs } from "./git.ts"
import { holdingsOf, inWords, isClean } from "./holdings.ts"
import { lives } from "./inhabitants.ts"
import { type Listed, listWorktrees } from "./list.ts"
import { readNote } from "./note.ts"
import { removeWorktree } from "./removal.ts"
import { knownWorktree } from "./whereabouts.ts"

export type Tidied = {
  removed: Listed[]
  kept: Kept[]
  /** What was to be removed and could not be. */
  failed: Kept[]
}

type Kept = { worktree: Listed; why: string }

/** Whether somebody of whom the operating system knows nothing uses a worktree: a session, another job. */
export type IsUsed = (worktree: Listed) => boolean | Promise<boolean>

/**
 * Removes the worktrees with which nothing is lost, and which nobody uses. Without `isUsed`, one whose maker still runs
 * counts as used.
 * @param folder with its real path
 */
export async function tidyWorktrees(
  git: Git,
  folder: string,
  isUsed?: IsUsed,
  call: Call = {},
): Promise<Tidied> {
  const tidied: Tidied = { removed: [], kept: [], failed: [] }
  for (const worktree of (await listWorktrees(git, folder, call)).worktrees) {
    try {
      const why = (await reasonToKeep(worktree, isUsed)) ?? (await remove(git, worktree, call))
      if (why === undefined) tidied.removed.push(worktree)
      else tidied.kept.push({ worktree, why })
    } catch (error) {
      tidied.failed.push({ worktree, why: fileFailure(error).message })
    }
  }
  return tidied
}

async function reasonToKeep(worktree: Listed, isUsed: IsUsed | undefined): Promise<string | undefined> {
  const { state, processes, maker } = worktree
  if (state.type === "unreadable") return `it cannot be looked at: ${state.why}`
  if (state.type === "holding") return `it holds ${inWords(state.holdings)}`
  if (processes.length > 0) return `somebody is in it: process ${processes.join(", ")}`
  // Whoever makes it has no job to show for it yet.
  if (maker !== undefined && (state.type === "halfMade" || !isUsed))
    return `process ${maker} made it and still runs`
  if (await isUsed?.(worktree)) return "it is in use"
  return undefined
}

/** Looks once more: time has passed. @returns why it stays */
async function remove(git: Git, { directory, base, maker }: Listed, call: Call): Promise<string | undefined> {
  const note = await readNote(directory)
  if (note && note.pid !== maker && (await lives(note))) return `process ${note.pid} has just begun to use it`
  if (note && note.state !== "made") {
    // One that was moving is at either end, and nobody has worked at any.
    const tip = note.state === "moving" ? await tipOf(git, { store: note.commonDir }, note.branch) : base
    await removeWorktree(git, directory, note, tip)
    return undefined
  }
  const made = await knownWorktree(git, directory, call)
  await requireOwn(git, made)
  if (!isClean(await holdingsOf(git, made, { limitMs: lookLimitMs, ...call })))
    return "somebody has worked in it just now"
  await removeWorktree(git, directory, made, made.base)
  return undefined
}
