import { lstat, mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"

/** How long results are kept: as long as opencode keeps the outputs of its tools. Milliseconds, a week. */
const keptMs = 7 * 24 * 3_600_000
/** Of which child, and of which job. */
const ours = /^troupe-(ses_[A-Za-z0-9]+)-[A-Za-z0-9][A-Za-z0-9_.-]*\.txt$/

/** The result of a job of this id, as it is handed to this child. */
export type KeptResult = { session: string; id: string }
type Where = { folder?: string; now?: () => number }

/**
 * Where opencode keeps outputs that are too long for a conversation. Its agents may read there without being asked, on
 * both generations.
 */
export const outputFolder = (env: NodeJS.ProcessEnv = process.env) =>
  join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "opencode", "tool-output")

/**
 * Writes a result to a file that this user alone can read, under a name that the same result gets again, and removes
 * those of earlier weeks. Returns its path; nothing where it could not be written.
 */
export async function keepResult(
  { session, id }: KeptResult,
  text: string,
  { folder = outputFolder(), now = Date.now }: Where = {},
): Promise<string | undefined> {
  const path = join(folder, `troupe-${session}-${id}.txt`)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // One that is there may be somebody's link.
    await rm(path, { force: true })
    await writeFile(path, text, { mode: 0o600, flag: "wx" })
  } catch {
    return undefined
  }
  // What cannot be removed keeps nobody from what is there now.
  await removeOld(folder, now() - keptMs).catch(() => {})
  return path
}

/** Removes what was kept for a child whose session is deleted. What cannot be removed is, with the old ones. */
export async function removeResults(session: string, { folder = outputFolder() }: Where = {}): Promise<void> {
  const isOfIt = (name: string) => ours.exec(name)?.[1] === session
  await remove(folder, isOfIt, () => true).catch(() => {})
}

const removeOld = (folder: string, before: number) =>
  remove(
    folder,
    (name) => ours.test(name),
    (mtimeMs) => mtimeMs < before,
  )

/** Files alone: whatever else has such a name is not ours. Where another opencode is at it too, the rest is left to it. */
async function remove(
  folder: string,
  isNamed: (name: string) => boolean,
  isDue: (mtimeMs: number) => boolean,
): Promise<void> {
  for (const name of (await readdir(folder)).filter(isNamed)) {
    const path = join(folder, name)
    const found = await lstat(path)
    if (found.isFile() && isDue(found.mtimeMs)) await rm(path)
  }
}
