import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { chmod, lstat, mkdir, readdir, realpath, stat, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, relative, sep } from "node:path"
import { worktreesCommand } from "./command.ts"
import { codeOf, WorktreeError } from "./errors.ts"

/** Where all worktrees of this user's jobs are, outside of every project. */
export const worktreesFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "opencode-troupe", "worktrees")

/**
 * The folder of one repository in it, with a folder and a note (`<name>.json`) for each worktree.
 * @param commonDir what all worktrees of the repository share
 */
export const folderOf = (folder: string, commonDir: string): string => join(folder, nameOf(commonDir))

/** Where an apply to a working tree keeps what it needs: beside the worktrees, none of which is called so. */
export const applyFolderOf = (ours: string, project: string): string =>
  join(ours, notWorktrees.applying, nameOf(project))

/**
 * Of applies to any working tree that a directory is in: those that have left something, the innermost first.
 * @param directory with its real path
 */
export async function applyFoldersFor(folder: string, directory: string): Promise<string[]> {
  const repositories = await readdir(folder).catch(() => [])
  const projects = [directory]
  for (let above = dirname(directory); above !== projects.at(-1); above = dirname(above)) projects.push(above)
  const folders = projects.flatMap((project) =>
    repositories.map((repository) => applyFolderOf(join(folder, repository), project)),
  )
  return folders.filter((each) => existsSync(each))
}

export const scratchOf = (ours: string): string => join(ours, notWorktrees.scratch)

const notWorktrees = { applying: "applying", scratch: "scratch" }

/** The names of the folders beside worktrees that are none. */
export const workFolders: readonly string[] = Object.values(notWorktrees)

const nameOf = (path: string) => createHash("sha256").update(path).digest("hex").slice(0, 16)

export const noteFile = (root: string): string => `${root}.json`

/** @returns its real path. @throws WorktreeError where others could put something else in its place */
export async function makeFolder(folder: string): Promise<string> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  await requireOwnAbove(dirname(folder))
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) => {
    // A file, as is found in a moment.
    if (codeOf(error) !== "EEXIST") throw error
  })
  const found = await lstat(folder)
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) throw notOwn(folder)
  // mkdir does not change the mode of a folder that exists.
  await chmod(folder, 0o700)
  // A home folder may be a repository: what is in here is no part of it.
  await writeFile(join(folder, ".gitignore"), "*\n", { flag: "wx", mode: 0o600 }).catch((error) => {
    if (codeOf(error) !== "EEXIST") throw error
  })
  return await realpath(folder)
}

/**
 * Whoever can write to the folder above can move this one away. It may be a link, of this user or of root, and others may
 * read it.
 */
async function requireOwnAbove(folder: string): Promise<void> {
  if (!process.getuid) return
  const [entry, { uid, mode }] = await Promise.all([lstat(folder), stat(folder)])
  if (uid !== process.getuid() || ![uid, 0].includes(entry.uid)) throw notOwn(folder)
  if ((mode & 0o022) !== 0) await chmod(folder, mode & 0o7755)
}

/** The same, but for one that is not there: whoever only looks leaves nothing behind. */
export async function findFolder(folder: string): Promise<string> {
  const isMissing = await lstat(folder).then(
    () => false,
    (error) => codeOf(error) === "ENOENT",
  )
  return isMissing ? folder : makeFolder(folder)
}

/** Whether a path is that of a folder or leads into it, by the path alone. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return !isAbsolute(way) && way.split(sep)[0] !== ".."
}

/**
 * The worktree that a path is in, by the path alone.
 * @param folder with its real path
 * @throws WorktreeError where the path is in none
 */
export function rootOf(folder: string, directory: string): string {
  const path = relative(folder, directory)
  const [repository, name] = path.split(sep)
  const isInside = !isAbsolute(path) && repository !== ".." && !path.split(sep).includes("..")
  const isWorktree = name !== undefined && !workFolders.includes(name)
  if (!isInside || !repository || !isWorktree) throw notOurs(directory)
  return join(folder, repository, name)
}

/** Whether a worktree is where its path says. A link in its place leads to what is not ours. */
export async function isThere(root: string): Promise<boolean> {
  const found = await lstat(root).catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  })
  if (!found) return false
  if (!found.isDirectory() || (await realpath(root)) !== root) throw notOurs(root)
  return true
}

export const notOurs = (directory: string) =>
  new WorktreeError(
    "notOurs",
    `${directory} is no worktree of a job`,
    `see which there are: ${worktreesCommand}`,
  )

const notOwn = (folder: string) =>
  new WorktreeError(
    "notWritable",
    `${folder} is not a folder of this user`,
    "remove it, or set XDG_DATA_HOME to another folder",
  )

export const hasChanged = (root: string) =>
  new WorktreeError("changed", `${root} holds something else than a moment ago`, "look at it again")
