import * as z from "zod"
import type { JobInput } from "../../machines/events.ts"
import {
  Check,
  CheckResult,
  Isolation,
  JobRecord,
  NO_USAGE,
  RECORD_VERSION,
  Subagent,
  Worktree,
  withAttempts,
} from "../../machines/record.ts"

/** Who runs a job: a dead process can hold nothing, and nobody has to renew anything. */
export const Lease = z.object({
  pid: z.number().int().positive(),
  /** Since when the process runs: tells it from a later one with the same pid. Empty where that could not be read. */
  process: z.string(),
  /** One of the plugin's instances in that process. */
  instance: z.string(),
})
export type Lease = z.infer<typeof Lease>

/** The record less what the child's messages say, and what nobody asks for once its process is gone. */
const StoredRecord = JobRecord.omit({
  session: true,
  text: true,
  subagents: true,
  activity: true,
  asks: true,
  retry: true,
  holdUntil: true,
})
/** Longer data is only in the child's messages: each list of sessions has all that is stored. Characters of JSON. */
const mostStructured = 16_000

export type StoredRecord = z.infer<typeof StoredRecord>

const Fields = z.object({
  version: z.literal(RECORD_VERSION),
  /** Made with the job: two sessions that have it are of one call that reached opencode twice. */
  key: z.string().optional(),
  record: StoredRecord,
  /**
   * opencode's own subagents of its child and what they have used, which changes while the record does not: opencode
   * tells no plugin which sessions there are. An earlier version stored none.
   */
  subagents: z.array(Subagent).optional(),
  /** What a group has come to, which is in no message of its session. */
  text: z.string().optional(),
  prompt: z.string(),
  variant: z.string().optional(),
  /** What is asked next where the model of its first run cannot be had. */
  fallbacks: z.array(z.object({ model: z.string(), variant: z.string().optional() })).optional(),
  /** The session in which the job has gone on, with another model: this one no longer has it. */
  movedTo: z.string().optional(),
  /** The JSON Schema that each of its answers has to fit. */
  schema: z.record(z.string(), z.unknown()).optional(),
  /** For one that stands for the items that another job finds: see `JobInput`. */
  each: z
    .object({
      from: z.string(),
      path: z.string().optional(),
      isolation: Isolation.optional(),
      startedBy: z.object({ message: z.string(), call: z.string().optional(), agent: z.string() }).optional(),
      description: z.string().optional(),
      timeoutMs: z.number().positive(),
      idleMs: z.number().positive(),
    })
    .optional(),
  /** Where it is to work, see `JobInput`. */
  isolation: Isolation.optional(),
  /** What has to pass before it is done. */
  hasToPass: Check.optional(),
  /**
   * The last check of its run: of which answer, by its message's id. Without `result` it was begun, and nobody knows how
   * it went: it does not run again for that answer.
   */
  checking: z
    .object({
      answer: z.string(),
      round: z.number().int().positive(),
      result: CheckResult.extend({ endedAt: z.number().int().positive() }).optional(),
      /** Where it runs, with the commit of what is checked. */
      worktree: Worktree.optional(),
    })
    .optional(),
  /** For one of the items that another job has found: see `JobInput`. */
  item: z.string().optional(),
  mayStartJobs: z.boolean(),
  /** The owner's agent that asked last: a new start may do no more than that. An earlier version stored none. */
  ownerAgent: z.string().optional(),
  askedAt: z.number().int().positive(),
  /** When the runs were asked whose results go with this one's: their owner had not been given them. Epoch milliseconds. */
  askedBefore: z.array(z.number().int().positive()).optional(),
  timeoutMs: z.number().positive(),
  idleMs: z.number().positive(),
  lease: Lease,
  /** The run whose result the owner's conversation holds; 0 for none. */
  deliveredRun: z.number().int().nonnegative(),
})

/** A job as it lies in opencode's store: its record, and what a new start needs. */
export const StoredJob = z.preprocess(withNewNames, Fields)
export type StoredJob = z.infer<typeof Fields>
export type Checking = NonNullable<StoredJob["checking"]>

/** A job as it lies there from the beginning of its child session on. */
export function newStoredJob(job: JobInput, lease: Lease, key?: string): StoredJob {
  return {
    version: RECORD_VERSION,
    key,
    record: newStoredRecord(job),
    subagents: job.subagents,
    prompt: job.prompt,
    variant: job.variant,
    fallbacks: job.fallbacks,
    schema: job.schema,
    each: job.each,
    isolation: job.isolation,
    hasToPass: job.hasToPass,
    item: job.item,
    mayStartJobs: job.mayStartJobs ?? false,
    ownerAgent: job.startedBy?.agent,
    askedAt: job.askedAt,
    timeoutMs: job.timeoutMs,
    idleMs: job.idleMs,
    lease,
    deliveredRun: 0,
  }
}

/** A run that has not begun. */
export function newStoredRecord(job: JobInput): StoredRecord {
  const { id, owner, batch, budget, description, agent, model, attempts, each, needs, wentOn, worktree } = job
  const { run, createdAt, earlier, hasToPass } = job
  const usage = earlier?.usage ?? withAttempts(NO_USAGE, attempts)
  return {
    id,
    owner,
    batch,
    budget,
    description,
    agent,
    model,
    attempts,
    ...(each && { isGroup: true }),
    needs,
    ...(hasToPass && !each && { check: { command: hasToPass.command, rounds: 0, output: "" } }),
    wentOn,
    worktree,
    state: "created",
    run,
    createdAt,
    usage,
  }
}

export function storedRecordOf(record: JobRecord): StoredRecord {
  const {
    session: _session,
    text: _text,
    subagents: _subagents,
    activity: _activity,
    asks: _asks,
    retry: _retry,
    holdUntil: _hold,
    structured,
    ...kept
  } = record
  const isShort = structured !== undefined && JSON.stringify(structured).length <= mostStructured
  return { ...kept, ...(isShort && { structured }) }
}

/** What the first version called otherwise. */
function withNewNames(found: unknown): unknown {
  if (typeof found !== "object" || found === null || !("toldRun" in found)) return found
  const { toldRun, ...rest } = found
  return { deliveredRun: toldRun, ...rest }
}
