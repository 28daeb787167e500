import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import { shared } from "../util/process-wide.ts"
import type { Lease } from "./stored-job.ts"

/**
 * Who runs a job. Nobody has to renew a lease: whether its holder lives is asked of the operating system, which knows
 * a process by its pid and start time, and of this process's own list of plugin instances (opencode has one for each
 * directory, and makes new ones when its configuration changes).
 */
export function takeLease(): { lease: Lease; drop: () => void } {
  const instance = randomUUID()
  livingInstances.add(instance)
  const lease = { host: hostname(), pid: process.pid, process: startOf(process.pid) ?? "", instance }
  return { lease, drop: () => void livingInstances.delete(instance) }
}

/** A holder on another host counts as dead: opencode's store is a local file, so that host was this one once. */
export function isHeld({ host, pid, process: start, instance }: Lease): boolean {
  if (host !== hostname()) return false
  if (pid === process.pid && start === startOf(pid)) return livingInstances.has(instance)
  return startOf(pid) === start
}

const livingInstances = shared("instances", () => new Set<string>())

const starts = new Map<number, string | undefined>()

/** When a process was started, in words that no later process of the same pid shares; nothing for one that is gone. */
function startOf(pid: number): string | undefined {
  if (pid !== process.pid) return readStart(pid)
  if (!starts.has(pid)) starts.set(pid, readStart(pid))
  return starts.get(pid)
}

function readStart(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Somebody else's process, which may not be signalled, lives all the same.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return undefined
  }
  if (process.platform === "linux") return linuxStart(pid)
  if (process.platform === "win32") return "unknown"
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", `${pid}`], { encoding: "utf8" }).trim() || undefined
  } catch {
    return undefined
  }
}

function linuxStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // Behind the name, which may hold anything, in parentheses: state is field 3, the start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    // A zombie is dead, though its pid is still taken.
    if (fields[0] === "Z" || fields[0] === "X") return undefined
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    return `${boot} ${fields[19]}`
  } catch {
    return undefined
  }
}
