import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { WorktreeError } from "./errors.ts"

/** What git reads in any folder, whatever it is. Where that is a pipe it waits for somebody to write to it, for ever. */
const read = [".gitignore", ".gitattributes"]

/** Looks for one in a working tree until `signal` aborts. */
export async function pipeIn(folder: string, signal: AbortSignal): Promise<string | undefined> {
  if (signal.aborted) return undefined
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const pipe = entries.find((entry) => entry.isFIFO() && read.includes(entry.name))
  if (pipe) return join(folder, pipe.name)
  for (const { name } of entries.filter((entry) => entry.isDirectory() && entry.name !== ".git")) {
    const found = await pipeIn(join(folder, name), signal)
    if (found !== undefined) return found
  }
  return undefined
}

export const waitsFor = (pipe: string) =>
  new WorktreeError(
    "timeout",
    `git waits for ever for what the pipe ${JSON.stringify(pipe)} says`,
    "remove it and try again",
  )
