import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { removeEmpty } from "./apply/files.ts"
import { workFolders } from "./folder.ts"

/** Removes what is left of repositories that have no worktree any more: folders in which nothing is. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue
    const ours = join(folder, entry.name)
    const names = await readdir(ours).catch(() => [])
    if (names.some((name) => !workFolders.includes(name))) continue
    for (const name of names) await removeEmpty(join(ours, name))
    await removeEmpty(ours)
  }
}
