import { setTimeout } from "node:timers/promises"
import { cpuTime } from "./cpu-time.ts"

/** The plugin writes what it has learned up to three seconds later. Milliseconds. */
const quietMs = 3_500
/** CPU time in that time of an opencode that has nothing to do, at most. Milliseconds. */
const idleMs = 50
const mostWaits = 10

/** Until a process has nothing left to do: what is measured next would pay for it, whatever that is. */
export async function atRest(pid: number): Promise<void> {
  for (let waits = 0; waits < mostWaits; waits++) {
    const before = cpuTime(pid) ?? 0
    await setTimeout(quietMs)
    if ((cpuTime(pid) ?? 0) - before <= idleMs) return
  }
}
