import { randomUUID } from "node:crypto"
import { copyFile, mkdir, readdir, rm, stat, utimes } from "node:fs/promises"
import { join } from "node:path"
import { codeOf } from "./errors.ts"
import { scratchOf } from "./folder.ts"
import type { Call } from "./git.ts"
import { lives } from "./inhabitants.ts"

/**
 * A folder for `act` alone, gone afterwards. What a process that was killed has left goes with the next one.
 * @param ours the folder of the repository's worktrees
 */
export async function withScratch<T>(ours: string, act: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = scratchOf(ours)
  const own = join(scratch, `${process.pid}-${randomUUID()}`)
  await mkdir(own, { recursive: true, mode: 0o700 })
  try {
    await removeLeft(scratch)
    return await act(own)
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

async function removeLeft(scratch: string): Promise<void> {
  for (const name of await readdir(scratch)) {
    if (!(await lives({ pid: Number.parseInt(name, 10) })))
      await rm(join(scratch, name), { recursive: true, force: true })
  }
}

/** Has git work on a copy of an index, which may change: the index itself stays as it is, whoever has it locked. */
export const withIndexCopy = <T>(
  ours: string,
  gitDir: string,
  call: Call,
  act: (withCopy: Call) => Promise<T>,
): Promise<T> =>
  withScratch(ours, async (scratch) => {
    const index = join(scratch, "index")
    await copyIndex(join(gitDir, "index"), index)
    return act({ ...call, env: { ...call.env, GIT_INDEX_FILE: index } })
  })

/**
 * A copy that git may trust as much as the index itself: what was changed since the index was written is told by its
 * time, so the copy must not be younger.
 */
export async function copyIndex(from: string, to: string): Promise<void> {
  try {
    const { atimeMs, mtimeMs } = await stat(from)
    await copyFile(from, to)
    // A number of seconds is not as exact as the file system. An older index only has git look at more files.
    await utimes(to, atimeMs / 1000, (Math.floor(mtimeMs) - 1) / 1000)
  } catch (error) {
    // Without one, nothing is tracked yet.
    if (codeOf(error) !== "ENOENT") throw error
  }
}
