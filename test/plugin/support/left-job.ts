import { type Lease, newStoredJob } from "../../../src/plugin/records/stored-job.ts"

/** What it was asked. */
export const job = {
  id: "a",
  owner: "owner",
  description: "Look",
  prompt: "Look around.",
  agent: "general",
  createdAt: 1,
  askedAt: 1,
  run: 1,
  timeoutMs: 1_000,
  idleMs: 1_000,
}

export const leaseOf = (instance: string): Lease => ({ pid: 7, process: "start", instance })

/** An unfinished job as its process, now dead, has stored it. */
export const left = newStoredJob(job, leaseOf("dead"))
