import { rm } from "node:fs/promises"
import { shared } from "../util/process-wide.ts"
import { WorktreeError } from "./errors.ts"
import { type Inhabitant, lives, thisProcess } from "./inhabitants.ts"
import { claimWhole, readWhole, writeWhole } from "./whole-file.ts"

/** Those of this process: one of its pid that is not among them was left by an earlier process. */
const held = shared("locks of worktrees", () => new Set<string>())

/** Between two looks whether a lock is free. Milliseconds. */
const pauseMs = 20

type Waiting = {
  /** How long to wait for it, milliseconds. Default: not at all. */
  waitMs?: number
  /** Ends the waiting; what is done under the lock has to heed it itself. */
  signal?: AbortSignal | undefined
}

/**
 * Runs `act` while nobody else on this machine holds the lock. A process that is gone holds none.
 * @throws WorktreeError, `locked`, where somebody else does
 */
export async function withLock<T>(
  file: string,
  act: () => Promise<T>,
  { waitMs = 0, signal }: Waiting = {},
): Promise<T> {
  for (const end = Date.now() + waitMs; !(await take(file)); ) {
    if (signal?.aborted) throw isInterrupted()
    if (Date.now() >= end) throw isHeld()
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  try {
    return await act()
  } finally {
    await rm(file, { force: true }).finally(() => held.delete(file))
  }
}

async function take(file: string): Promise<boolean> {
  if (held.has(file)) return false
  held.add(file)
  let isTaken = false
  try {
    isTaken = await claim(file, await thisProcess())
    return isTaken
  } finally {
    if (!isTaken) held.delete(file)
  }
}

async function claim(file: string, own: Inhabitant): Promise<boolean> {
  while (!(await claimWhole(file, written(own)))) {
    const state = await stateOf(file, own)
    if (state !== "free") return state === "left" && takeOver(file, own)
  }
  return true
}

/**
 * Puts an own lock in the place of one that was left behind. Only who holds the lock beside it does that, and looks once
 * more then: what another one has just taken over is never taken away. That lock may have been left behind itself.
 */
async function takeOver(file: string, own: Inhabitant): Promise<boolean> {
  const beside = `${file}.takeover`
  if (!(await claim(beside, own))) return false
  try {
    if ((await stateOf(file, own)) === "left") {
      await writeWhole(file, written(own))
      return true
    }
  } finally {
    await rm(beside, { force: true })
  }
  return claim(file, own)
}

async function stateOf(file: string, own: Inhabitant): Promise<"free" | "held" | "left"> {
  const holder = await readWhole(file)
  if (holder === undefined) return "free"
  const { pid, start } = read(holder)
  return pid !== own.pid && (await lives({ pid, start })) ? "held" : "left"
}

const written = ({ pid, start }: Inhabitant) => (start === undefined ? `${pid}` : `${pid} ${start}`)

function read(holder: string): Inhabitant {
  const [pid = "", ...start] = holder.split(" ")
  return { pid: Number(pid), ...(start.length > 0 && { start: start.join(" ") }) }
}

const isHeld = () =>
  new WorktreeError(
    "locked",
    "work of a job is just being made, applied or removed there",
    "try again once that has ended",
  )

const isInterrupted = () =>
  new WorktreeError("interrupted", "the wait for another job's work was interrupted", "try again")
