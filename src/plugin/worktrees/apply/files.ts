import { constants } from "node:fs"
import { chmod, copyFile, lstat, mkdir, open, readlink, rename, rm, rmdir, symlink } from "node:fs/promises"
import { codeOf } from "../errors.ts"
import { foldersOf, type Name, pathOf } from "../names.ts"

/** A file or a link as it is, on disk when this resolves. */
export async function copyEntry(from: Buffer, to: Buffer): Promise<void> {
  const found = await lstat(from)
  if (found.isSymbolicLink()) return symlink(await readlink(from, { encoding: "buffer" }), to)
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await chmod(to, found.mode & 0o777)
  const file = await open(to, constants.O_RDONLY)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Has a file be for those alone who may read and write another one; to run for them, where it is to run. */
export async function keepAccess(of: Buffer, to: Buffer): Promise<void> {
  const [mode, { mode: own }] = [(await lstat(of)).mode & 0o666, await lstat(to)]
  await chmod(to, (own & 0o100) === 0 ? mode : mode | ((mode & 0o444) >> 2))
}

/** Puts a file that is in the same file system in place of whatever has the name, at once. */
export const moveEntry = (root: string, from: Name, to: Name): Promise<void> =>
  rename(pathOf(root, from), pathOf(root, to))

export async function makeFolders(root: string, name: Name): Promise<void> {
  for (const folder of foldersOf(name)) await makeFolder(pathOf(root, folder))
}

export async function removeEntry(root: string, name: Name): Promise<void> {
  if (await hasRealFolders(root, name)) await rm(pathOf(root, name), { force: true })
}

/** Removes the folders of a file that has left them empty. */
export async function removeEmptied(root: string, name: Name): Promise<void> {
  for (const folder of foldersOf(name).reverse()) await removeEmpty(pathOf(root, folder))
}

/** Or not there, or no folder, or in use. */
const notEmpty = new Set(["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR", "EBUSY", "EINVAL"])

export async function removeEmpty(folder: string | Buffer): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!notEmpty.has(codeOf(error) ?? "")) throw error
  }
}

/** Nothing is read or written through a link: it may lead out of the project. */
export async function hasRealFolders(root: string, name: Name): Promise<boolean> {
  for (const folder of foldersOf(name)) {
    const found = await lstat(pathOf(root, folder)).catch(() => undefined)
    if (!found?.isDirectory()) return false
  }
  return true
}

/** Whether there is no folder where a file is to be, and nothing but folders on the way to it. */
export async function hasRoomFor(root: string, name: Name): Promise<boolean> {
  const at = (path: Name) => lstat(pathOf(root, path)).catch(() => undefined)
  for (const folder of foldersOf(name)) {
    const found = await at(folder)
    if (found && !found.isDirectory()) return false
  }
  return !(await at(name))?.isDirectory()
}

async function makeFolder(path: Buffer): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (codeOf(error) !== "EEXIST" || !(await lstat(path)).isDirectory()) throw error
  }
}
