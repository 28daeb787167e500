import { readdir, readFile, readlink } from "node:fs/promises"
import { sep } from "node:path"
import { createProcesses } from "../util/process-identity.ts"
import { codeOf } from "./errors.ts"

/** A process. Its pid may be another one's by now, which its start tells; absent where the system does not say it. */
export type Inhabitant = { pid: number; start?: string | undefined }

/**
 * In the environment of a git that looks at worktrees of all jobs, for a list or to tidy: it is gone in a moment, and
 * nobody's work.
 */
export const visitorMark = { OPENCODE_TROUPE_VISITOR: "1" }

const processes = createProcesses()

export async function thisProcess(): Promise<Inhabitant> {
  const { pid } = process
  const seen = await processes.see(pid)
  return seen.isThere && seen.start !== undefined ? { pid, start: seen.start } : { pid }
}

/** In doubt it does, and something is left lying a while longer. */
export async function lives({ pid, start }: Inhabitant): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  const seen = await processes.see(pid)
  return seen.isThere && (start === undefined || seen.start === undefined || seen.start === start)
}

/** The processes that are in one of these folders or below, but for visitors. Linux alone can tell. */
export async function processesIn(folders: readonly string[]): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  if (process.platform !== "linux") return found
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue
    const at = await readlink(`/proc/${pid}/cwd`).catch(() => "")
    const folder = folders.find((each) => at === each || at.startsWith(each + sep))
    if (folder === undefined || (await isPassing(pid))) continue
    found.set(folder, [...(found.get(folder) ?? []), Number(pid)])
  }
  return found
}

/** A visitor, or a process that is just ending: that has lost its environment and its arguments before its folder. */
async function isPassing(pid: string): Promise<boolean> {
  // In the moment in which a process becomes another program, it seems to have none.
  const environment = (await textOf(pid, "environ")) || (await textOf(pid, "environ"))
  const command = await textOf(pid, "cmdline")
  return command === "" || environment?.split("\0").some((each) => marks.has(each)) === true
}

const marks = new Set(Object.entries(visitorMark).map(([name, value]) => `${name}=${value}`))

/** Nothing where it cannot be told: only what is known to be gone has no text. */
const textOf = (pid: string, file: string): Promise<string | undefined> =>
  readFile(`/proc/${pid}/${file}`, "utf8").catch((error) =>
    codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH" ? "" : undefined,
  )
