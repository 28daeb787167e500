import { readdirSync, readFileSync } from "node:fs"

/**
 * The processes, of whatever name, in whose environment this text stands: a path that is theirs alone. Linux alone can
 * tell; elsewhere it is taken on trust.
 */
export function processesWith(text: string): string[] {
  if (process.platform !== "linux") return []
  return readdirSync("/proc").filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/environ`, "utf8").includes(text)
    } catch {
      return false
    }
  })
}
