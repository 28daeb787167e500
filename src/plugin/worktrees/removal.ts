import { readdir, readFile, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { tipOf } from "./branch.ts"
import { codeOf } from "./errors.ts"
import { isThere, noteFile } from "./folder.ts"
import type { Git } from "./git.ts"
import { Note, writeNote } from "./note.ts"
import { requireNobodyElse } from "./standing.ts"

/**
 * Removes a worktree, its branch and last its note. What a crash leaves of it is known as that: nobody goes on in it, nor
 * takes the files that are missing for the work of its job. Whether anything is lost with it is for the caller to know.
 * @param tip where the branch was seen; one that has moved since stays
 */
export async function removeWorktree(
  git: Git,
  root: string,
  note: Note,
  tip: string | undefined,
): Promise<void> {
  await isThere(root)
  const removing: Note = { ...Note.parse(note), state: "removing", tip }
  // A full disk, which has no room for it, is a reason to remove something.
  await writeNote(root, removing).catch(() => {})
  await removeAll(git, root, removing)
}

/**
 * Removes what a crash has left of a worktree that was being removed.
 * @throws WorktreeError, `locked` where somebody stands on its branch by now
 */
export async function removeRest(git: Git, root: string, removing: Note): Promise<void> {
  await requireNobodyElse(git, removing, root)
  await removeAll(git, root, removing)
}

async function removeAll(git: Git, root: string, note: Note): Promise<void> {
  const { commonDir, branch, tip } = note
  // A file that somebody is just writing is there again at once.
  if (await isThere(root)) await rm(root, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
  const store = { store: commonDir }
  for (const gitDir of await gitDirsOf(root, note)) await rm(gitDir, { recursive: true, force: true })
  if (tip !== undefined && (await tipOf(git, store, branch)) === tip) {
    await git(store, ["update-ref", "-d", `refs/heads/${branch}`, tip])
  }
  await rm(noteFile(root), { force: true })
}

/** The folders in which git keeps what it knows of a worktree. One that git has only begun does not say whose it is. */
async function gitDirsOf(root: string, { commonDir, gitDir }: Note): Promise<string[]> {
  const folder = join(commonDir, "worktrees")
  const names = await readdir(folder).catch((error): string[] => {
    if (codeOf(error) === "ENOENT") return []
    throw error
  })
  const found: string[] = []
  for (const name of names) {
    const worktree = await readFile(join(folder, name, "gitdir"), "utf8").catch(() => "")
    const isBegun = gitDir === undefined && worktree.trim() === "" && name === begunAs(root)
    if (worktree.replace(/\n$/, "") === join(root, ".git") || isBegun) found.push(join(folder, name))
  }
  return found
}

/** git calls it as the folder is called. */
const begunAs = (root: string) => root.slice(dirname(root).length + 1)
