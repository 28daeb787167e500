import { randomUUID } from "node:crypto"
import type { Dirent } from "node:fs"
import { readdir, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { shared } from "../util/process-wide.ts"
import { tipOf } from "./branch.ts"
import { codeOf, fileFailure } from "./errors.ts"
import { isThere, noteFile } from "./folder.ts"
import type { Git } from "./git.ts"
import { lives } from "./inhabitants.ts"
import type { Note } from "./note.ts"

/** Where files are left that could not be removed, and why. */
export type Remains = { folder: string; why: string }

export const remainsWords = ({ folder, why }: Remains): string =>
  `Some of its files could not be removed and are still in ${folder}: ${why}.`

/**
 * Removes a worktree, its branch and its note: the same call again does what a crash has left to do. Its files go last.
 * Whether anything is lost with it is for the caller to know.
 * @param tip where the branch was seen; one that has moved since stays
 */
export async function removeWorktree(
  git: Git,
  root: string,
  note: Note,
  tip: string | undefined,
): Promise<Remains | undefined> {
  const removeFiles = (await isThere(root)) ? await moveAside(root) : undefined
  let remains: Remains | undefined
  try {
    await forget(git, root, note, tip)
  } finally {
    remains = await removeFiles?.()
  }
  return remains
}

async function forget(git: Git, root: string, note: Note, tip: string | undefined): Promise<void> {
  const store = { store: note.commonDir }
  for (const gitDir of await gitDirsOf(root, note)) await rm(gitDir, { recursive: true, force: true })
  if (tip !== undefined && (await tipOf(git, store, note.branch)) === tip) {
    await git(store, ["update-ref", "-d", `refs/heads/${note.branch}`, tip])
  }
  await rm(noteFile(root), { force: true })
}

/**
 * Takes a worktree's folder out of the way: it is there whole or not at all, so that files that are missing are not taken
 * for the work of its job.
 * @returns what removes it
 */
export async function moveAside(root: string): Promise<() => Promise<Remains | undefined>> {
  const aside = join(dirname(root), `.removing-${process.pid}-${randomUUID()}`)
  emptying.add(aside)
  try {
    await rename(root, aside)
  } catch (error) {
    emptying.delete(aside)
    // Somebody else has taken it away.
    if (codeOf(error) === "ENOENT") return async () => undefined
    // A folder of a lower layer of an overlay cannot be renamed. There, a crash may leave some of its files.
    if (codeOf(error) === "EXDEV") {
      const remains = await emptied(root)
      return async () => remains
    }
    throw error
  }
  return async () => {
    const remains = await emptied(aside)
    const left = remains && (await abandoned(remains))
    emptying.delete(aside)
    return left
  }
}

async function emptied(folder: string): Promise<Remains | undefined> {
  try {
    // A file that somebody is just writing may be there again at once.
    await rm(folder, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
    return undefined
  } catch (error) {
    return { folder, why: fileFailure(error).what }
  }
}

/** Whoever tidies may try again, though this process runs on. */
async function abandoned(remains: Remains): Promise<Remains> {
  const { folder, why } = remains
  const free = join(dirname(folder), `.removing-0-${randomUUID()}`)
  return rename(folder, free).then(
    () => ({ folder: free, why: why.replaceAll(folder, free) }),
    () => remains,
  )
}

/**
 * What was moved aside, and nobody is removing any more: a process that did has ended, or could not.
 * @param ours the folder of a repository's worktrees
 */
export async function remainsIn(ours: string): Promise<string[]> {
  const entries = await readdir(ours, { withFileTypes: true }).catch((): Dirent[] => [])
  const remains: string[] = []
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const [, pid] = name.match(asideName) ?? []
    if (pid === undefined) continue
    const path = join(ours, name)
    const isOwn = Number(pid) === process.pid
    if (isOwn ? !emptying.has(path) : !(await lives({ pid: Number(pid) }))) remains.push(path)
  }
  return remains
}

/** @returns what cannot be removed */
export async function removeRemains(ours: string): Promise<Remains[]> {
  const tried = (await remainsIn(ours)).map(emptied)
  return (await Promise.all(tried)).filter((each) => each !== undefined)
}

/** No worktree is called so. */
const asideName = /^\.removing-(\d+)-[0-9a-f-]{36}$/

/** Those of this process. */
const emptying = shared("worktrees that are being removed", () => new Set<string>())

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
