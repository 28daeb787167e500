import { readFileSync } from "node:fs"

/** Linux counts in hundredths of a second, whatever its own clock does. */
const ticksPerSecond = 100

/** CPU time that a process has used, user and system. Milliseconds; nothing where the system does not say (not Linux). */
export function cpuTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // Behind the name in parentheses, which may hold anything: user time is field 14, system time field 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
  } catch {
    return undefined
  }
}
