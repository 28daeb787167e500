import { readFile } from "node:fs/promises"
import { holdingsWords } from "../../plugin/worktrees/holdings.ts"
import { isUnderWay, type Listed } from "../../plugin/worktrees/list.ts"
import { visibleLine } from "../../util/visible.ts"

/** `just now`, `5 m ago`. */
export function sinceOf(at: number, now: number): string {
  const age = ageOf(at, now)
  return age === "just now" ? age : `${age} ago`
}

/** `just now`, `5 m`, `3 h`, `12 d`. */
export function ageOf(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return "just now"
  if (minutes < 60) return `${minutes} m`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`
}

/** `512 B`, `1.2 kB`, `14 MB`: a kB is 1000 bytes. */
export function sizeOf(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"]
  let [size, unit] = [bytes, 0]
  // What would be rounded to 1000 is the next unit's.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit > 0 && size < 9.95 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`
}

/** What it holds. */
export function stateOf(worktree: Listed): string {
  const { state } = worktree
  switch (state.type) {
    case "clean":
      return "clean"
    case "holding":
      return holdingsWords(state.holdings)
    case "halfMade":
      return isUnderWay(worktree) ? "just being made" : "half made: nobody has worked in it"
    case "forgotten":
      return `unknown to git: ${visibleLine(state.why)}`
    case "unreadable":
      return `cannot be read: ${visibleLine(state.why)}`
  }
}

export const isInUse = (worktree: Listed): boolean => worktree.processes.length > 0 || isUnderWay(worktree)

/** Who is in it: one line each. */
export const insidersOf = ({ processes }: Listed): Promise<string[]> =>
  Promise.all(processes.map(async (pid) => `${await processName(pid)} is in it`))

/** The opencode whose job is under way in it, if any. */
export async function runnerOf(worktree: Listed): Promise<string | undefined> {
  const { maker } = worktree
  if (maker === undefined || !isUnderWay(worktree)) return undefined
  return `its job is under way in ${await processName(maker)}`
}

/** With its program, where the system tells. */
async function processName(pid: number): Promise<string> {
  const program = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")
  return program === "" ? `process ${pid}` : `process ${pid} (${visibleLine(program)})`
}
