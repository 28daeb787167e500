import { lstat, rm } from "node:fs/promises"
import { hasChanged } from "./discard.ts"
import { codeOf } from "./errors.ts"
import { isThere, noteFile, notOurs } from "./folder.ts"
import { measured } from "./measured.ts"
import { madeNote, type Note } from "./note.ts"

export type ForgottenDiscard = {
  /** How many are in it. Nobody can tell which of them are a job's work. */
  files: number
  /**
   * Removes the folder. A branch that is still there stays.
   * @throws WorktreeError, `changed` where it holds another number of files by now
   */
  remove(): Promise<void>
}

/** Why git knows nothing of a worktree that is made, where that is so. */
export async function whyForgotten({
  commonDir,
  gitDir,
  project,
}: Pick<Note, "commonDir" | "gitDir" | "project">): Promise<string | undefined> {
  if (gitDir === undefined || (await isSomething(gitDir))) return undefined
  return (await isSomething(commonDir))
    ? `the repository in ${project} has no such worktree: it was created anew, or has dropped it`
    : `its repository (${commonDir}) is not there: it was removed or moved, or is on a disk that is not mounted`
}

/**
 * Prepares to remove a worktree of which git knows nothing.
 * @throws WorktreeError, `notOurs` where it is none
 */
export async function prepareForgotten(root: string): Promise<ForgottenDiscard> {
  await requireForgotten(root)
  const { files } = await measured(root)
  return {
    files,
    async remove() {
      await requireForgotten(root)
      if ((await measured(root)).files !== files) throw hasChanged(root)
      await rm(root, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
      await rm(noteFile(root), { force: true })
    },
  }
}

async function requireForgotten(root: string): Promise<void> {
  const note = await madeNote(root)
  if (!(await isThere(root)) || (await whyForgotten(note)) === undefined) throw notOurs(root)
}

const isSomething = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error) => {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return false
      throw error
    },
  )
