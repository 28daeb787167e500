import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { tipOf } from "./branch.ts"
import { requireOwn } from "./discard.ts"
import { fileFailure } from "./errors.ts"
import { type Call, type Git, lookLimitMs, visiting } from "./git.ts"
import { holdingsOf, holdingsWords, isClean } from "./holdings.ts"
import { lives } from "./inhabitants.ts"
import { removeLeftovers } from "./leftovers.ts"
import { isUnderWay, type Listed, listWorktrees } from "./list.ts"
import { type Note, readNote } from "./note.ts"
import { type Remains, removeRemains, removeWorktree } from "./removal.ts"
import { inTurn } from "./turns.ts"
import { knownWorktree } from "./whereabouts.ts"

export type Tidied = {
  /** By this call, or by somebody else meanwhile. */
  removed: Listed[]
  kept: Kept[]
  /** What was to be removed and could not be. */
  failed: Kept[]
  /** What is left of these and of others that were removed before, and cannot be removed. */
  remains: Remains[]
}

type Kept = { worktree: Listed; why: string }

/** Whether somebody of whom the operating system knows nothing uses a worktree: a session, another job. */
export type IsUsed = (worktree: Listed) => boolean | Promise<boolean>

/**
 * Removes the worktrees with which nothing is lost, and which nobody uses. Without `isUsed`, one whose job is under way
 * counts as used. One that a follow-up would go on in is not: it says then that a new job is needed.
 * @param folder with its real path
 */
export async function tidyWorktrees(
  git: Git,
  folder: string,
  isUsed?: IsUsed,
  call: Call = {},
): Promise<Tidied> {
  const tidied: Tidied = { removed: [], kept: [], failed: [], remains: [] }
  for (const worktree of (await listWorktrees(git, folder, call)).worktrees) {
    try {
      const why = await whyStays(git, worktree, isUsed, call)
      if (why === undefined) tidied.removed.push(worktree)
      else tidied.kept.push({ worktree, why })
    } catch (error) {
      // With the last one, the folder goes in which a turn is waited for.
      if (await readNote(worktree.directory))
        tidied.failed.push({ worktree, why: fileFailure(error).message })
      else tidied.removed.push(worktree)
    }
  }
  for (const repository of await readdir(folder).catch((): string[] => []))
    tidied.remains.push(...(await removeRemains(join(folder, repository))))
  // Only where a person asks for it: as opencode starts, its first jobs may just be about to use them.
  if (!isUsed) await removeLeftovers(folder)
  return tidied
}

async function reasonToKeep(worktree: Listed, isUsed: IsUsed | undefined): Promise<string | undefined> {
  const { state, processes, maker } = worktree
  if (state.type === "unreadable") return `it cannot be read: ${state.why}`
  if (state.type === "forgotten") return `git no longer knows it: ${state.why}`
  if (state.type === "holding") return `it holds ${holdingsWords(state.holdings)}`
  if (processes.length > 0) return `somebody is in it: process ${processes.join(", ")}`
  // Whoever makes it has no job to show for it yet.
  if (isUnderWay(worktree) && (state.type === "halfMade" || !isUsed))
    return `its job is under way in process ${maker}`
  if (await isUsed?.(worktree)) return "it is in use"
  return undefined
}

/** Removes it where there is no reason to keep it. @returns why it stays */
async function whyStays(
  git: Git,
  worktree: Listed,
  isUsed: IsUsed | undefined,
  call: Call,
): Promise<string | undefined> {
  const { directory } = worktree
  const reason = await reasonToKeep(worktree, isUsed)
  // What stays anyway does not wait until somebody else has done with it.
  if (reason !== undefined) return (await readNote(directory)) && reason
  const waiting = { waitMs: lookLimitMs, signal: call.signal }
  return inTurn(directory, () => removeUnlessUsed(git, worktree, call), waiting)
}

/** Looks once more: time has passed. @returns why it stays */
async function removeUnlessUsed(git: Git, worktree: Listed, call: Call): Promise<string | undefined> {
  const { directory, base } = worktree
  const note = await readNote(directory)
  if (!note) return undefined
  if (await hasBegun(note, worktree)) return `process ${note.pid} has just begun to use it`
  if (note.state !== "made") {
    // One that was moving is at either end, and nobody has worked at any.
    const tip = note.state === "moving" ? await tipOf(git, { store: note.commonDir }, note.branch) : base
    await removeWorktree(git, directory, note, tip)
    return undefined
  }
  const made = await knownWorktree(git, directory, call)
  await requireOwn(git, made)
  if (!isClean(await holdingsOf(git, made, visiting(call)))) return "somebody has worked in it just now"
  await removeWorktree(git, directory, made, made.base)
  return undefined
}

/** Whether a job is under way in it that was not when it was listed. */
async function hasBegun(note: Note, { maker, endedAt }: Listed): Promise<boolean> {
  const isSame = note.pid === maker && endedAt === undefined
  return note.endedAt === undefined && !isSame && (await lives(note))
}
