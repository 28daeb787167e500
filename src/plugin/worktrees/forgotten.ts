import { lstat, rm } from "node:fs/promises"
import { tipOf } from "./branch.ts"
import { codeOf } from "./errors.ts"
import { hasChanged, isThere, noteFile, notOurs } from "./folder.ts"
import type { Call, Git } from "./git.ts"
import { measured } from "./measured.ts"
import { madeNote, type Note } from "./note.ts"
import { moveAside, type Remains } from "./removal.ts"
import { inTurn } from "./turns.ts"

export type ForgottenDiscard = {
  /** How many are in it. Nobody can tell which of them are a job's work. */
  files: number
  /**
   * Removes the folder and what is known of it; git is told nothing.
   * @throws WorktreeError, `changed` where it holds another number of files by now
   */
  remove(): Promise<Remains | undefined>
}

/** Why git knows nothing of a worktree that is made, where that is so: neither the worktree, nor where its job started. */
export async function whyForgotten(git: Git, note: Note, call: Call = {}): Promise<string | undefined> {
  const { commonDir, gitDir, project, branch, base } = note
  if (gitDir === undefined || (await isSomething(gitDir))) return undefined
  if (!(await isSomething(commonDir)))
    return `its repository (${commonDir}) is not there: it was removed or moved, or is on a disk that is not mounted`
  const store = { store: commonDir }
  if ((await tipOf(git, store, branch, call)) !== undefined) return undefined
  const { code } = await git(store, ["cat-file", "-e", `${base}^{commit}`], { ...call, codes: [0, 1, 128] })
  if (code === 0) return undefined
  return `the repository in ${project} has neither its branch nor the commit that it started from: it is another one by now`
}

/** The same for a list or a discard: where only the folder is gone, what the repository has of its branch is all there is. */
export async function whyLost(git: Git, root: string, note: Note, call?: Call): Promise<string | undefined> {
  const isLost = (await isThere(root)) || !(await isSomething(note.commonDir))
  return isLost ? whyForgotten(git, note, call) : undefined
}

/**
 * Prepares to remove a worktree of which git knows nothing.
 * @throws WorktreeError, `notOurs` where it is none
 */
export async function prepareForgotten(git: Git, root: string): Promise<ForgottenDiscard> {
  await requireForgotten(git, root)
  const { files } = await measured(root)
  return {
    files,
    remove: () =>
      inTurn(root, async () => {
        await requireForgotten(git, root)
        if ((await measured(root)).files !== files) throw hasChanged(root)
        const removeFiles = (await isThere(root)) ? await moveAside(root) : undefined
        let remains: Remains | undefined
        try {
          await rm(noteFile(root), { force: true })
        } finally {
          remains = await removeFiles?.()
        }
        return remains
      }),
  }
}

async function requireForgotten(git: Git, root: string): Promise<void> {
  const note = await madeNote(root)
  if ((await whyLost(git, root, note)) === undefined) throw notOurs(root)
}

const isSomething = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error) => {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return false
      throw error
    },
  )
