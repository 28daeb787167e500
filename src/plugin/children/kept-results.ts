import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"

/** How long results are kept: as long as opencode keeps the outputs of its tools. Milliseconds, a week. */
const keptMs = 7 * 24 * 3_600_000
const prefix = "troupe-"

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
  name: string,
  text: string,
  { folder = outputFolder(), now = Date.now }: { folder?: string; now?: () => number } = {},
): Promise<string | undefined> {
  const path = join(folder, `${prefix}${name}.txt`)
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

async function removeOld(folder: string, before: number): Promise<void> {
  const ours = (await readdir(folder)).filter((name) => name.startsWith(prefix))
  for (const name of ours) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found && found.mtimeMs < before) await rm(join(folder, name), { force: true })
  }
}
