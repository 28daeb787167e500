import { randomUUID } from "node:crypto"
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { z } from "zod"

/** A running inspector, as `opencode-troupe inspect` finds it. */
export const Entry = z.object({
  url: z.url(),
  /** Good for one thing: asking for a fresh link. */
  secret: z.string().min(32),
  pid: z.number().int().positive(),
  startedAt: z.number(),
  /** The folder of the project that started it. */
  project: z.string(),
})
export type Entry = z.infer<typeof Entry>

/** Where running inspectors leave a note, for this user alone. */
export function defaultFolder(env: NodeJS.ProcessEnv = process.env): string {
  const state = env.XDG_STATE_HOME || join(homedir(), ".local", "state")
  return join(state, "opencode-troupe", "inspectors")
}

/** The note of one inspector: there while it runs. */
export class Registration {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  static async write(entry: Entry, folder = defaultFolder()): Promise<Registration> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // mkdir leaves the mode of a folder that was there before as it was.
    await chmod(folder, 0o700)
    await removeStale(folder)
    const file = join(folder, `${entry.pid}-${randomUUID()}.json`)
    // A reader never sees half a note.
    await writeFile(`${file}.new`, JSON.stringify(entry), { mode: 0o600, flag: "wx" })
    await rename(`${file}.new`, file)
    return new Registration(file)
  }

  remove(): Promise<void> {
    return rm(this.#file, { force: true })
  }
}

/** The inspectors that run, newest first. Notes of processes that are gone are removed. */
export async function runningInspectors(folder = defaultFolder()): Promise<Entry[]> {
  const entries = await removeStale(folder)
  return entries.sort((a, b) => b.startedAt - a.startedAt)
}

async function removeStale(folder: string): Promise<Entry[]> {
  const names = await readdir(folder).catch(() => [])
  const entries = names.filter((name) => name.endsWith(".json")).map((name) => readEntry(join(folder, name)))
  return (await Promise.all(entries)).flatMap((entry) => (entry ? [entry] : []))
}

async function readEntry(file: string): Promise<Entry | undefined> {
  const text = await readFile(file, "utf8").catch(() => "")
  const parsed = Entry.safeParse(jsonOrNothing(text))
  if (parsed.success && isAlive(parsed.data.pid)) return parsed.data
  await rm(file, { force: true })
  return undefined
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Signal 0 asks without disturbing. A process that we may not signal is there, but not ours. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
