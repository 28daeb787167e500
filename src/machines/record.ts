import * as z from "zod"

/** Raised whenever a stored record of an older version could no longer be read as it stands. */
export const RECORD_VERSION = 1

export const JOB_STATES = ["created", "prompting", "done", "failed", "timedOut", "cancelled"] as const
export const JOB_PHASES = [
  "opening",
  "blocked",
  "queued",
  "working",
  "retrying",
  "permission",
  "question",
  "checking",
  "stopping",
] as const
export const ENDED_STATES = ["done", "failed", "timedOut", "cancelled"] as const

export type JobState = (typeof JOB_STATES)[number]
export type JobPhase = (typeof JOB_PHASES)[number]
export type EndedState = (typeof ENDED_STATES)[number]

/** What the ids of jobs are like: they stand in words, unquoted. */
export const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/
/** More than any job has, and few enough to be counted on. */
const mostRuns = 1_000_000
/** The last one that a `Date` can be. Milliseconds. */
const lastMs = 8_640_000_000_000_000

const epochMs = z.number().int().nonnegative().max(lastMs)
const count = z.number().nonnegative()

/** Why a job did not end as `done`. */
export const JobError = z.object({
  kind: z.enum([
    "create", // opencode did not make the child session
    "prompt", // the prompt was not taken, or its answer never came back
    "provider", // the model's provider refused or broke off
    "schema", // the answer did not have the asked shape
    "check", // the command that was to show that the work is done did not pass
    "dependency", // a job this one waited for did not end as `done`
    "isolation", // it could not be given a worktree of its own, or could not have worked in it
    "interrupted", // opencode stopped, or somebody aborted the child session
    "total", // timedOut: the job's total time ran out
    "idle", // timedOut: no activity of the child
    "cancelled", // cancelled: by a tool, the inspector, or the end of its owner
    "budget", // cancelled: its batch or its owner has spent what it may
  ]),
  message: z.string(),
})
export type JobError = z.infer<typeof JobError>

/** Characters of somebody else's words in the message of an error: it goes into every answer and into the store. */
const longestMessage = 2_000

/** Why something failed in somebody else's words: providers may answer with whole pages. */
export function boundedMessage(words: string): string {
  if (words.length <= longestMessage) return words
  // A character is there or it is not.
  const kept = words.slice(0, longestMessage).replace(/[\uD800-\uDBFF]$/, "")
  return `${kept}… (${words.length - kept.length} more characters)`
}

/** What the child session has used, over all its runs. Tokens, and cost in US dollars. */
export const Usage = z.object({
  input: count,
  output: count,
  reasoning: count,
  cacheRead: count,
  cacheWrite: count,
  cost: count,
})
export type Usage = z.infer<typeof Usage>

export const NO_USAGE: Usage = { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 }

/** The latest activity of the child: the tool it runs, or the end of what it writes. */
export const Activity = z.object({ tool: z.string().optional(), text: z.string().optional(), at: epochMs })
export type Activity = z.infer<typeof Activity>

/** What a child waits for: somebody's permission, or an answer. */
export const Ask = z.object({
  id: z.string(),
  kind: z.enum(["permission", "question"]),
  /** In words, for people: `bash: rm -rf dist`. */
  text: z.string(),
  /** The session that asks, where it is not the child but one below it. */
  session: z.string().optional(),
})
export type Ask = z.infer<typeof Ask>

/** opencode backs off after a provider error. `next` is when it tries again, epoch milliseconds. */
export const Retry = z.object({ attempt: z.number().int(), reason: z.string(), next: epochMs })
export type Retry = z.infer<typeof Retry>

/** Another job of the same owner that a job waits for before its child is prompted. */
export const Need = z.object({
  id: z.string().regex(JOB_ID),
  /** `done`: any other end fails the job that waits. `ended`: however it ends. */
  on: z.enum(["done", "ended"]),
})
export type Need = z.infer<typeof Need>

/**
 * That a job works in a git worktree of its own: one with all that its owner has, or one that starts from where another
 * job of the same owner has ended.
 */
export const Isolation = z.union([z.literal("worktree"), z.strictObject({ from: z.string().regex(JOB_ID) })])
export type Isolation = z.infer<typeof Isolation>

/** A git worktree of a job's own. The fields that may be absent are there once what the job did in it is committed. */
export const Worktree = z.object({
  /** Absolute, without symbolic links. */
  directory: z.string(),
  branch: z.string(),
  /** The commit that the branch started from. */
  base: z.string(),
  /** The last one of the branch. */
  commit: z.string().optional(),
  /** What changed from `base` to `commit`. */
  files: count.optional(),
  insertions: count.optional(),
  deletions: count.optional(),
  /** Files that other jobs of the same owner have changed as well, in worktrees of theirs. */
  overlaps: z.array(z.object({ job: z.string().regex(JOB_ID), files: z.array(z.string()) })).optional(),
})
export type Worktree = z.infer<typeof Worktree>

/** A model that was tried before the one that the job has now, and why it was left. */
export const Attempt = z.object({
  /** `provider/model`; absent where opencode chose. */
  model: z.string().optional(),
  error: JobError,
  /** The child session that it was tried in, which stays readable; absent where the job is to go on in it. */
  session: z.string().optional(),
  /** What that session had used. */
  usage: Usage.optional(),
})
export type Attempt = z.infer<typeof Attempt>

/** What a job has used, with the sessions of models that were tried before: `usage` is its last session's. */
export function withAttempts(usage: Usage, attempts: readonly Attempt[] = []): Usage {
  return attempts.reduce((all, { usage: left = NO_USAGE }) => mapUsage((key) => all[key] + left[key]), usage)
}

/** The other way round: its last session's own. */
export function withoutAttempts(usage: Usage, attempts: readonly Attempt[] = []): Usage {
  const left = withAttempts(NO_USAGE, attempts)
  return mapUsage((key) => Math.max(0, usage[key] - left[key]))
}

function mapUsage(of: (key: keyof Usage) => number): Usage {
  return {
    input: of("input"),
    output: of("output"),
    reasoning: of("reasoning"),
    cacheRead: of("cacheRead"),
    cacheWrite: of("cacheWrite"),
    cost: of("cost"),
  }
}

/** A session that a job's child, or a subagent below it, has started without the plugin, and what it has used. */
export const Subagent = z.object({
  /** Absent on one entry, which has what those used together that are no longer told apart. */
  session: z.string().optional(),
  usage: Usage,
})
export type Subagent = z.infer<typeof Subagent>

/** Subagents of one job that are told apart: its record goes wherever the job is shown or stored. */
const mostSubagents = 32

/**
 * What is known once opencode has told all that this session has used. Those that have been silent the longest are
 * added up: one of them that goes on after all counts twice, so that a budget is reached too early rather than late.
 */
export function withSubagent(
  known: readonly Subagent[] = [],
  told: Subagent & { session: string },
): Subagent[] {
  const { session, usage } = told
  const apart = known.filter((each) => each.session !== undefined && each.session !== session)
  const left = apart.slice(0, Math.max(0, apart.length + 1 - mostSubagents))
  const together = [...known.filter((each) => each.session === undefined), ...left]
  return [
    ...(together.length > 0 ? [{ usage: sumOf(together.map((each) => each.usage)) }] : []),
    ...apart.slice(left.length),
    { session, usage },
  ]
}

/** What a job has used with those subagents. */
export function withSubagents({ usage, subagents = [] }: Pick<JobRecord, "usage" | "subagents">): Usage {
  return sumOf([usage, ...subagents.map((each) => each.usage)])
}

const sumOf = (usages: readonly Usage[]) =>
  mapUsage((key) => usages.reduce((sum, usage) => sum + usage[key], 0))

/** What has to pass before a job is done. */
export const Check = z.object({
  /** For the user's shell. */
  command: z.string(),
  /** How often its child is told that it did not pass, before the job fails. */
  attempts: z.number().int().nonnegative(),
})
export type Check = z.infer<typeof Check>

/** How a check went. Without `exitCode` the command did not end by itself. */
export const CheckResult = z.object({
  exitCode: z.number().int().optional(),
  /** The end of what it wrote, as it wrote it: foreign text. */
  output: z.string(),
})
export type CheckResult = z.infer<typeof CheckResult>

/** What a batch or an owner may spend, with all that its jobs start. Cost in US dollars. */
export const Budget = z.object({ tokens: count.optional(), cost: count.optional() })
export type Budget = z.infer<typeof Budget>

/** A job as plain JSON: what tools return, what the inspector shows, what survives a restart. */
export const JobRecord = z.object({
  /** Short, unique within the owner. */
  id: z.string().regex(JOB_ID),
  /** The child session's id; empty until opencode has made it. */
  session: z.string(),
  owner: z.string(),
  /** Jobs of one call of `agents_start` have the same; those of an earlier version have none. */
  batch: z.string().optional(),
  /** What its batch may spend. */
  budget: Budget.optional(),
  description: z.string(),
  agent: z.string(),
  /** `provider/model`; absent where opencode chooses. */
  model: z.string().optional(),
  state: z.enum(JOB_STATES),
  phase: z.enum(JOB_PHASES).optional(),
  /** 1 for the first prompt, one more for each follow-up. */
  run: z.number().int().positive().max(mostRuns),
  createdAt: epochMs,
  startedAt: epochMs.optional(),
  endedAt: epochMs.optional(),
  /** When the total time runs out; absent while no clock runs. */
  deadlineAt: epochMs.optional(),
  /** How long it has waited for people, without the wait that is under way. Milliseconds. */
  waitedMs: count.optional(),
  /** Since when it waits for a person; present in the phases `permission` and `question`. */
  waitingSince: epochMs.optional(),
  error: JobError.optional(),
  /** It stands for the jobs of a list that another job has found, `id.1`, `id.2`, …, and is never prompted itself. */
  isGroup: z.literal(true).optional(),
  /** On a group whose list has changed since an earlier run: those of its jobs whose items are no longer there, by id. */
  formerItems: z.array(z.string().regex(JOB_ID)).optional(),
  /** What it waited or waits for, in the order in which it was asked for. */
  needs: z.array(Need).optional(),
  /** This run began by itself: what it needs had failed it before, and was done after all. */
  wentOn: z.literal(true).optional(),
  /** Where it works, where that is not its owner's directory. */
  worktree: Worktree.optional(),
  /** Until when no job of its provider starts, epoch milliseconds; present in the phase `queued` alone. */
  holdUntil: epochMs.optional(),
  /** The models that were tried before `model`, oldest first. */
  attempts: z.array(Attempt).optional(),
  /** The answer as JSON, checked against the schema that its task has; present on a job with one that is `done`. */
  structured: z.unknown().optional(),
  /** What has to pass before it is done, how often that was run in this run, and how it went last. */
  check: CheckResult.extend({ command: z.string(), rounds: z.number().int().nonnegative() }).optional(),
  /**
   * The child's final answer, or what it had written when it was stopped: empty where that was nothing. Absent while
   * the job runs, and on an ended one whose text is not in memory: the child's session has it.
   */
  text: z.string().optional(),
  /** The model's output limit cut the final answer off. */
  isTruncated: z.literal(true).optional(),
  usage: Usage,
  /** opencode's own subagents that its child has started, over all its runs: their use is not in `usage`. */
  subagents: z.array(Subagent).optional(),
  activity: Activity.optional(),
  /** Present in the phases `permission` and `question`. */
  asks: z.array(Ask).optional(),
  /** Present in the phase `retrying`. */
  retry: Retry.optional(),
})
export type JobRecord = z.infer<typeof JobRecord>

/** How a job is named among all owners. */
export type JobKey = Pick<JobRecord, "owner" | "id">

export function hasEnded(record: JobRecord): record is JobRecord & { state: EndedState } {
  return record.state !== "created" && record.state !== "prompting"
}
