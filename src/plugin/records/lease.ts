import { randomUUID } from "node:crypto"
import { createProcesses, type Processes } from "../util/process-identity.ts"
import { shared } from "../util/process-wide.ts"
import type { Lease } from "./stored-job.ts"

/**
 * Who runs a job. Nobody has to renew a lease: whether its holder lives is asked of the operating system, which knows
 * a process by its pid and its start, and of this process's own list of plugin instances (opencode has one for each
 * directory, and makes new ones when its configuration changes).
 */
export type Holder = {
  /** The name of this plugin instance, known at once. */
  readonly instance: string
  /** What is stored with a job. It may take the operating system a moment to say when this process was started. */
  readonly lease: Promise<Lease>
  isOurs(lease: Lease): boolean
  /** Whether the holder of this lease lives. In doubt it does: nobody may run what somebody else runs. */
  isHeld(lease: Lease): Promise<boolean>
  /** From now on nothing is held by it. */
  drop(): void
}

export function takeLease(processes: Processes = createProcesses(), pid = process.pid): Holder {
  const instance = randomUUID()
  livingInstances.add(instance)
  earlierInstances.add(instance)
  const lease = processes
    .see(pid)
    .then((own): Lease => ({ pid, process: own.isThere ? (own.start ?? unknown) : unknown, instance }))

  async function isHeld({ pid: holder, process: start, instance: held }: Lease): Promise<boolean> {
    if (livingInstances.has(held)) return true
    // An instance that was closed, or a process that had this one's pid before it.
    if (holder === pid) return false
    const seen = await processes.see(holder)
    return seen.isThere && (start === unknown || seen.start === undefined || seen.start === start)
  }

  return {
    instance,
    lease,
    isOurs: (given) => given.instance === instance,
    isHeld,
    drop: () => void livingInstances.delete(instance),
  }
}

/** The start of a process whose start could not be read. */
const unknown = ""

/** Whether its holder is, or was, one of this process's own instances of the plugin. */
export const isOfThisProcess = ({ instance }: Lease): boolean => earlierInstances.has(instance)

const earlierInstances = shared("all instances there were", () => new Set<string>())

const livingInstances = shared("instances", () => new Set<string>())
