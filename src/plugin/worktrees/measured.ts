import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import { eachLimited } from "../util/each-limited.ts"

/** How many files of a folder are looked at together. */
const together = 4

/** How large a folder is, with all that is below it. What goes meanwhile counts nothing. */
export async function measured(folder: string): Promise<{ files: number; bytes: number }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const sizes = await eachLimited(entries, together, async (entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return measured(path)
    return { files: 1, bytes: (await lstat(path).catch(() => undefined))?.size ?? 0 }
  })
  return {
    files: sizes.reduce((sum, { files }) => sum + files, 0),
    bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
