import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { open, readdir, rename, rm, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import * as z from "zod"
import { isOwn, isWindows, makeOwnFolder, refusalOf } from "../../util/own-folder.ts"
import { isLoopback } from "../options.ts"

const isLocal = (url: string) => {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, origin } = new URL(url)
  return protocol === "http:" && isLoopback(hostname.replace(/^\[|\]$/g, "")) && origin === url
}

/** A running inspector, as the command line finds it. */
export const Entry = z.object({
  /** On this machine. */
  url: z.url().refine(isLocal),
  /** Only good for requesting a fresh link. */
  secret: z.string().min(32),
  pid: z.number().int().positive(),
  startedAt: z.number(),
  /** The folder of the project that started the inspector. */
  project: z.string(),
})
export type Entry = z.infer<typeof Entry>

/** Where running inspectors register themselves. Only this user can read it. */
export function defaultFolder(env: NodeJS.ProcessEnv = process.env): string {
  const state = env.XDG_STATE_HOME || join(homedir(), ".local", "state")
  return join(state, "opencode-troupe", "inspectors")
}

/** The registration of one inspector, which exists while it runs. */
export class Registration {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  static async write(entry: Entry, folder = defaultFolder()): Promise<Registration> {
    await makeOwnFolder(folder)
    await removeStale(folder)
    const file = join(folder, `${entry.pid}-${randomUUID()}.json`)
    // Renamed into place, so that no reader sees half a file.
    try {
      await writeFile(`${file}.new`, JSON.stringify(entry), { mode: 0o600, flag: "wx" })
      await rename(`${file}.new`, file)
    } catch (error) {
      // On a full disk the file is there, empty.
      await rm(`${file}.new`, { force: true }).catch(() => {})
      throw error
    }
    return new Registration(file)
  }

  remove(): Promise<void> {
    return rm(this.#file, { force: true })
  }
}

/** The running inspectors, newest first. Registrations of processes that are gone are removed. */
export async function runningInspectors(folder = defaultFolder()): Promise<Entry[]> {
  const entries = await removeStale(folder)
  return entries.sort((a, b) => b.startedAt - a.startedAt)
}

async function removeStale(folder: string): Promise<Entry[]> {
  const names = (await refusalOf(folder)) ? [] : await readdir(folder).catch(() => [])
  const entries = names.filter((name) => name.endsWith(".json")).map((name) => readEntry(join(folder, name)))
  return (await Promise.all(entries)).flatMap((entry) => (entry ? [entry] : []))
}

async function readEntry(file: string): Promise<Entry | undefined> {
  const parsed = Entry.safeParse(jsonOrNothing(await ownText(file)))
  if (parsed.success && isAlive(parsed.data.pid)) return parsed.data
  // What cannot be removed is somebody else's, or no file.
  await rm(file, { force: true }).catch(() => {})
  return undefined
}

/** Bytes of the largest entry: paths have at most some thousand. */
const largest = 16 * 1024

/** What this user alone can have written; anything else is empty. */
async function ownText(file: string): Promise<string> {
  // Nothing is followed or waited for: a link leads elsewhere, a pipe would not answer.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => {},
  )
  if (!handle) return ""
  try {
    const found = await handle.stat()
    const isOurs = isWindows || (isOwn(found) && (found.mode & 0o077) === 0)
    return found.isFile() && isOurs && found.size <= largest ? await handle.readFile("utf8") : ""
  } catch {
    return ""
  } finally {
    await handle.close()
  }
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Signal 0 only checks. A process that we may not signal belongs to another user, so it is not the one we look for. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
