import { randomUUID } from "node:crypto"
import { link, open, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { codeOf, WorktreeError } from "./errors.ts"

/** Nothing where there is none. @throws WorktreeError where a folder is in its place */
export async function readWhole(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    const code = codeOf(error)
    if (code === "ENOENT") return undefined
    if (code !== "EISDIR") throw error
    throw new WorktreeError(
      "failed",
      `${file} is a folder where opencode-troupe keeps a file`,
      "move it elsewhere and try again",
    )
  }
}

/** Replaces a file at once: nobody ever reads half of it. */
export const writeWhole = (file: string, text: string): Promise<void> =>
  withDraft(file, text, (draft) => rename(draft, file))

/** Writes a file that is not there yet. @returns whether it was not */
export const claimWhole = (file: string, text: string): Promise<boolean> =>
  withDraft(file, text, async (draft) => {
    try {
      await link(draft, file)
      return true
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false
      throw error
    }
  })

async function withDraft<T>(file: string, text: string, act: (draft: string) => Promise<T>): Promise<T> {
  const draft = join(dirname(file), `.${process.pid}-${randomUUID()}`)
  try {
    const handle = await open(draft, "wx", 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return await act(draft)
  } finally {
    await rm(draft, { force: true })
  }
}
