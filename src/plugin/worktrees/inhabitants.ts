import { readdir, readlink } from "node:fs/promises"
import { sep } from "node:path"

/** In doubt it lives: a pid may be another process's by now, and then something is left lying a while longer. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
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
