import { lstat, readdir } from "node:fs/promises"
import { codeOf } from "../errors.ts"
import { foldersOf, type Name, pathOf } from "../names.ts"
import type { Change } from "./plan.ts"

/**
 * The files to write where something is that git does not track: an ignored file, a link in place of a folder. Nobody
 * would have it any more.
 */
export async function inTheWay(
  root: string,
  changes: readonly Change[],
  tracked: ReadonlySet<Name>,
): Promise<Name[]> {
  const removed = new Set(changes.filter(({ isRemoved }) => isRemoved).map(({ name }) => name))
  const found: Name[] = []
  for (const { name, isRemoved } of changes) {
    if (isRemoved || (await isFree(root, name, { tracked, removed }))) continue
    found.push(name)
  }
  return found
}

type Known = { tracked: ReadonlySet<Name>; removed: ReadonlySet<Name> }

async function isFree(root: string, name: Name, { tracked, removed }: Known): Promise<boolean> {
  for (const folder of foldersOf(name)) {
    const found = await look(root, folder)
    if (found === "none") return true
    if (found === "other") return removed.has(folder)
  }
  const found = await look(root, name)
  if (found === "none") return true
  if (found === "other") return tracked.has(name)
  return (await filesBelow(root, name)).every((each) => removed.has(each))
}

/** Links are not followed. */
async function look(root: string, name: Name): Promise<"none" | "folder" | "other"> {
  try {
    return (await lstat(pathOf(root, name))).isDirectory() ? "folder" : "other"
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return "none"
    throw error
  }
}

async function filesBelow(root: string, folder: Name): Promise<Name[]> {
  const entries = await readdir(pathOf(root, folder), { encoding: "buffer" })
  const names = entries.map((entry) => `${folder}/${entry.toString("latin1")}`)
  const found = await Promise.all(
    names.map(async (name) => ((await look(root, name)) === "folder" ? filesBelow(root, name) : [name])),
  )
  return found.flat()
}
