import { randomUUID } from "node:crypto"
import { readdir, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { tipOf } from "./branch.ts"
import { codeOf } from "./errors.ts"
import { isThere, noteFile } from "./folder.ts"
import type { Git } from "./git.ts"
import { lives } from "./inhabitants.ts"
import type { Note } from "./note.ts"

/**
 * Removes a worktree, its branch and last its note: what a crash leaves of it is removed by the same call again.
 * Whether anything is lost with it is for the caller to know.
 * @param tip where the branch was seen; one that has moved since stays
 */
export async function removeWorktree(
  git: Git,
  root: string,
  note: Note,
  tip: string | undefined,
): Promise<void> {
  if (await isThere(root)) await (await moveAside(root))()
  const store = { store: note.commonDir }
  for (const gitDir of await gitDirsOf(root, note)) await rm(gitDir, { recursive: true, force: true })
  if (tip !== undefined && (await tipOf(git, store, note.branch)) === tip) {
    await git(store, ["update-ref", "-d", `refs/heads/${note.branch}`, tip])
  }
  await rm(noteFile(root), { force: true })
}

/**
 * Takes a worktree's folder out of the way: it is there whole or not at all, so that nobody ever takes files that are
 * missing for the work of its job. What a crash leaves of it aside goes with `removeRemains`.
 * @returns what removes it
 */
export async function moveAside(root: string): Promise<() => Promise<void>> {
  const aside = join(dirname(root), `.removing-${process.pid}-${randomUUID()}`)
  await rename(root, aside)
  return () => empty(aside)
}

/**
 * Removes what processes that are gone have left of what they were removing or writing.
 * @param ours the folder of a repository's worktrees
 */
export async function removeRemains(ours: string): Promise<void> {
  for (const name of await readdir(ours).catch((): string[] => [])) {
    const [, pid] = name.match(/^\.(?:removing-)?(\d+)-/) ?? []
    if (pid === undefined || (await lives({ pid: Number(pid) }))) continue
    // What cannot be removed is in nobody's way.
    await empty(join(ours, name)).catch(() => {})
  }
}

/** A file that somebody is just writing there may be there again at once. */
const empty = (path: string) => rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })

/** The folders in which git keeps what it knows of a worktree. One that git has only begun does not say whose it is. */
async function gitDirsOf(root: string, { commonDir, state }: Note): Promise<string[]> {
  const folder = join(commonDir, "worktrees")
  const names = await readdir(folder).catch((error): string[] => {
    if (codeOf(error) === "ENOENT") return []
    throw error
  })
  const found: string[] = []
  for (const name of names) {
    const worktree = await readFile(join(folder, name, "gitdir"), "utf8").catch(() => "")
    const isBegun = state === "making" && worktree.trim() === "" && name === begunAs(root)
    if (worktree.replace(/\n$/, "") === join(root, ".git") || isBegun) found.push(join(folder, name))
  }
  return found
}

/** git calls it as the folder is called. */
const begunAs = (root: string) => root.slice(dirname(root).length + 1)
