import * as z from "zod"
import type { JobInput } from "../../machines/events.ts"
import { JobRecord, NO_USAGE, RECORD_VERSION } from "../../machines/record.ts"

/** Who runs a job: a dead process can hold nothing, and nobody has to renew anything. */
export const Lease = z.object({
  host: z.string(),
  pid: z.number().int().positive(),
  /** When the process was started: tells it from a later one with the same pid. */
  process: z.string(),
  /** One of the plugin's instances in that process. */
  instance: z.string(),
})
export type Lease = z.infer<typeof Lease>

/** A job as it lies in opencode's store: the record less what the child's messages say, and what a new start needs. */
export const StoredJob = z.object({
  version: z.literal(RECORD_VERSION),
  record: JobRecord.omit({ session: true, text: true, activity: true, asks: true, retry: true }),
  prompt: z.string(),
  variant: z.string().optional(),
  mayStartJobs: z.boolean(),
  askedAt: z.number().int().positive(),
  timeoutMs: z.number().positive(),
  idleMs: z.number().positive(),
  lease: Lease,
  /** The run whose result the owner has read or was told; 0 for none. */
  toldRun: z.number().int().nonnegative(),
})
export type StoredJob = z.infer<typeof StoredJob>

/** A job as it lies there from the beginning of its child session on. */
export function newStoredJob(job: JobInput, lease: Lease): StoredJob {
  const { id, owner, description, agent, model, run, createdAt } = job
  return {
    version: RECORD_VERSION,
    record: { id, owner, description, agent, model, state: "created", run, createdAt, usage: NO_USAGE },
    prompt: job.prompt,
    variant: job.variant,
    mayStartJobs: job.mayStartJobs ?? false,
    askedAt: job.askedAt,
    timeoutMs: job.timeoutMs,
    idleMs: job.idleMs,
    lease,
    toldRun: 0,
  }
}
