import { readdir, readlink } from "node:fs/promises"
import { sep } from "node:path"
import { createProcesses } from "../util/process-identity.ts"

/** A process. Its pid may be another one's by now, which its start tells; absent where the system does not say it. */
export type Inhabitant = { pid: number; start?: string | undefined }

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

/** The processes that are in one of these folders or below. Linux alone can tell. */
export async function processesIn(folders: readonly string[]): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  if (process.platform !== "linux") return found
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    const at = await readlink(`/proc/${entry}/cwd`).catch(() => "")
    const folder = folders.find((each) => at === each || at.startsWith(each + sep))
    if (folder !== undefined) found.set(folder, [...(found.get(folder) ?? []), Number(entry)])
  }
  return found
}
