import type { Stats } from "node:fs"
import { chmod, lstat, mkdir, stat } from "node:fs/promises"
import { dirname } from "node:path"

/** Makes sure that only this user can read it. @throws Error with the words of `refusalOf`. */
export async function makeOwnFolder(folder: string): Promise<void> {
  for (const made of [dirname(folder), folder]) {
    await mkdir(made, { recursive: true, mode: 0o700 })
    const refusal = await refusalOf(folder)
    if (refusal) throw new Error(refusal)
  }
  // mkdir does not change the mode of a folder that exists.
  await chmod(folder, 0o700)
}

/**
 * Why this folder is not used, where it is somebody else's or leads elsewhere, or may soon. What is no note of ours may
 * be anything there: it must not be removed.
 */
export async function refusalOf(folder: string): Promise<string | undefined> {
  const found = await lstat(folder).catch(() => undefined)
  const isOurs = found === undefined || (found.isDirectory() && isOwn(found))
  if (isOurs && (await isKeptIn(dirname(folder)))) return undefined
  return `${folder} is not a folder of this user, or others can put another one in its place`
}

/** Whether what is ours stays where it is: others can rename it in a folder of theirs, or where everybody can write. */
async function isKeptIn(folder: string): Promise<boolean> {
  const entry = await lstat(folder).catch(() => undefined)
  if (entry === undefined || isWindows) return true
  const found = await stat(folder).catch(() => undefined)
  if (!found || ![entry, found].every((each) => isOwn(each) || each.uid === 0)) return false
  return (found.mode & othersWrite) === 0 || (found.mode & sticky) !== 0
}

const othersWrite = 0o022
/** Everybody can write there, and rename only what is their own. */
const sticky = 0o1000

/** There, nothing says whose a file is. */
export const isWindows = process.getuid === undefined

export const isOwn = ({ uid }: Stats) => isWindows || uid === process.getuid?.()
