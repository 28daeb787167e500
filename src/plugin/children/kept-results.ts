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
  const names = await readdir(folder).catch(() => [])
  await remove(
    folder,
    names.filter((name) => ours.exec(name)?.[1] === session),
    () => true,
  ).catch(() => {})
}

async function removeOld(folder: string, before: number): Promise<void> {
  await remove(
    folder,
    (await readdir(folder)).filter((name) => ours.test(name)),
    (mtimeMs) => mtimeMs < before,
  )
}

/** Files alone: whatever else has such a name is not ours. */
async function remove(
  folder: string,
  names: readonly string[],
  isDue: (mtimeMs: number) => boolean,
): Promise<void> {
  for (const name of names) {
    const found = await lstat(join(folder, name)).catch(() => undefined)
    if (found?.isFile() && isDue(found.mtimeMs)) await rm(join(folder, name), { force: true })
  }
}
