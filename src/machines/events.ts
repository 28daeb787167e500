import type {
  Activity,
  Ask,
  Attempt,
  Budget,
  Check,
  CheckResult,
  Isolation,
  Need,
  Retry,
  Subagent,
  Usage,
  Worktree,
} from "./record.ts"

/** Epoch milliseconds. Every event from outside says when it happened: machines have no clock of their own. */
type At = { at: number }

/** What a job is told while it lives. */
export type JobEvent =
  /** All that it needs has ended as it was to end. */
  | ({ type: "needs.met" } & At)
  /** A job that it needs ended otherwise, and so does it. */
  | ({ type: "need.broken"; reason: string } & At)
  /** `model`: the one that it claimed the slot for. */
  | ({ type: "slot.granted"; model?: string | undefined } & At)
  /** It waits for a slot, and its provider wants to be asked later: at `until`, or no longer where that is absent. */
  | ({ type: "slot.held"; until?: number | undefined } & At)
  /** The child works: a tool runs, text grows. At most one a second reaches a job. */
  | { type: "child.active"; activity: Activity }
  /** One of its tool calls runs, which may be silent for as long as it takes. */
  | ({ type: "tool.started"; call: string } & At)
  | ({ type: "tool.ended"; call: string } & At)
  /** opencode says that nothing of it runs, as for a moment between two steps. */
  | ({ type: "child.idle" } & At)
  | { type: "child.spent"; usage: Usage }
  /** All that a session has used that the child, or one below it, has started without the plugin. */
  | { type: "subagent.spent"; session: string; usage: Usage }
  /** `isSubagents`: it is not the child's own model that is tried again, but that of a session below it. */
  | ({ type: "child.retrying"; retry: Retry; isSubagents?: true } & At)
  | ({ type: "child.asked"; ask: Ask } & At)
  | ({ type: "child.answered"; ask: string } & At)
  /** Default: `cancelled`. */
  | ({ type: "job.cancel"; reason: string; kind?: CancelKind | undefined } & At)

export type EventOf<Type extends JobEvent["type"]> = Extract<JobEvent, { type: Type }>

/** Why a job is cancelled: somebody does it, or it may spend no more. */
export type CancelKind = "cancelled" | "budget"

/** `model`: `provider/model` */
export type ModelChoice = { model: string; variant?: string | undefined }

export type EachItem = {
  from: string
  path?: string | undefined
  isolation?: JobInput["isolation"]
  /** As of the job itself: a restart knows no more of that. */
  startedBy?: JobInput["startedBy"]
  description?: string | undefined
  timeoutMs: number
  idleMs: number
}

/** How the check of an answer went, the nth of its run. `endedAt`: what its child is asked next gets its id from that. */
export type CheckedAnswer = CheckResult & { round: number; endedAt: number }

/** A piece of work, checked and complete, as its supervisor is told of it. */
export type JobInput = {
  /** Unique among the owner's jobs. */
  id: string
  /** The owner's session id. */
  owner: string
  /** The same for all that one call starts. */
  batch?: string | undefined
  /** What that batch may spend, if it is limited. */
  budget?: Budget | undefined
  description: string
  prompt: string
  agent: string
  /** `provider/model`; absent where opencode chooses. */
  model?: string | undefined
  /** The model's variant, opencode's word for its effort or mode. */
  variant?: string | undefined
  /** What is asked next, in this order, where its model cannot be had. */
  fallbacks?: ModelChoice[] | undefined
  /** The models that were tried before, oldest first. */
  attempts?: Attempt[] | undefined
  /** opencode's own subagents of its child so far, of whatever run or model. */
  subagents?: Subagent[] | undefined
  /** The JSON Schema that its answer has to fit. */
  schema?: Record<string, unknown> | undefined
  /** The command that has to pass before it is done. Default: its child's word is good enough. */
  hasToPass?: Check | undefined
  /** The check of an earlier process that did not pass, and that its child is told of first. */
  checked?: CheckedAnswer | undefined
  /** Its child works in a git worktree of its own. Default: where its owner does. */
  isolation?: Isolation | undefined
  /** That worktree, once it is made. */
  worktree?: Worktree | undefined
  /** The host's permission rules for a new child session, handed on as they are. Default: none of its own. */
  rules?: { permission: string; pattern: string; action: "allow" | "ask" | "deny" }[] | undefined
  /** The tool call that asks for this run, and the agent that calls: what a new child session is made for. */
  startedBy?: { message: string; call?: string | undefined; agent: string } | undefined
  /** Whether the child may start jobs of its own. Default: no. */
  mayStartJobs?: boolean | undefined
  /** The jobs of its owner whose ends it waits for, and whose results its child is given. Default: none. */
  needs?: Need[] | undefined
  /**
   * It stands for the items that the job `from` finds: it is never prompted and takes no slot, but starts a job for
   * each of them and waits for all. `path`: where in that job's structured result they are. The times and the
   * description are those of the items' jobs.
   */
  each?: EachItem | undefined
  /** For one of the items that another job has found: what that is known by again. */
  item?: string | undefined
  /** This run begins by itself, once what the job needs is done after all. */
  wentOn?: true | undefined
  /** Its child was asked in an earlier process: whatever it needed had ended, and is not waited for again. */
  hasBegun?: true | undefined
  createdAt: number
  /** When this run was asked for, epoch milliseconds. The prompt's ids derive from it. */
  askedAt: number
  /** 1 for a new job; each follow-up counts up. */
  run: number
  /** The child session of an earlier run or process. */
  session?: string | undefined
  /** Nobody has asked anything in that session: the job can leave it for another model's. */
  isUnasked?: true | undefined
  /**
   * What earlier runs left: their text stays until this run has one of its own. What of it their owner has not been
   * given goes before that one.
   */
  earlier?: { text?: string | undefined; isUndelivered?: boolean; usage: Usage } | undefined
  /** Total time in `prompting`, without the time spent waiting for people. Milliseconds. */
  timeoutMs: number
  /** Longest time without activity of the child, while none of its tools runs. Milliseconds. */
  idleMs: number
}
