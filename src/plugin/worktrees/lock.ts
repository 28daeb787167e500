import { readFile, rm } from "node:fs/promises"
import { shared } from "../util/process-wide.ts"
import { WorktreeError } from "./errors.ts"
import { type Inhabitant, lives, thisProcess } from "./inhabitants.ts"
import { claimWhole } from "./whole-file.ts"

/** Those of this process: one of its pid that is not among them was left by an earlier process. */
const held = shared("locks of worktrees", () => new Set<string>())

/** Between two looks whether a lock is free. Milliseconds. */
const pauseMs = 20
/** How long is waited for whoever removes a lock that was left behind. Milliseconds. */
const removalMs = 5_000

/**
 * Runs `act` while nobody else on this machine holds the lock. A process that is gone holds none.
 * @param waitMs how long to wait for it, milliseconds. Default: not at all
 * @throws WorktreeError, `locked`, where somebody else does
 */
export async function withLock<T>(file: string, act: () => Promise<T>, waitMs = 0): Promise<T> {
  for (const end = Date.now() + waitMs; !(await take(file)); ) {
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
  try {
    const own = await thisProcess()
    while (!(await claimWhole(file, written(own)))) {
      const holder = await holderIn(file)
      const { pid, start } = read(holder)
      if (pid !== own.pid && (await lives({ pid, start }))) {
        held.delete(file)
        return false
      }
      await removeLeft(file, holder)
    }
    return true
  } catch (error) {
    held.delete(file)
    throw error
  }
}

/**
 * Of all that find it left behind, one after the other looks once more: what is there by then may be another's, who has
 * taken it since.
 */
async function removeLeft(file: string, holder: string): Promise<void> {
  const remove = async () => {
    if ((await holderIn(file)) === holder) await rm(file, { force: true })
  }
  await withLock(`${file}.left`, remove, removalMs)
}

const written = ({ pid, start }: Inhabitant) => (start === undefined ? `${pid}` : `${pid} ${start}`)

function read(holder: string): Inhabitant {
  const [pid = "", ...start] = holder.split(" ")
  return { pid: Number(pid), ...(start.length > 0 && { start: start.join(" ") }) }
}

/** As it stands there, whatever it is where something else than `take` wrote it. */
const holderIn = (file: string) => readFile(file, "utf8").catch(() => "")

const isHeld = () =>
  new WorktreeError(
    "locked",
    "work of a job is just being made, applied or removed there",
    "try again once that has ended",
  )
