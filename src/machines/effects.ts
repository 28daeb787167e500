import { fromPromise, type PromiseActorLogic } from "xstate"
import * as z from "zod"
import type { CheckedAnswer, JobInput } from "./events.ts"
import {
  boundedMessage,
  type Check,
  type CheckResult,
  JobError,
  type JobRecord,
  type Usage,
  type Worktree,
} from "./record.ts"

/**
 * What a job has done in the world outside. Each effect is JSON in, JSON out, and heeds `signal`: it aborts when the
 * job no longer waits for the outcome. A failure is a thrown `JobError`.
 */
export type Effects = {
  /**
   * Makes the child session, with the record in its metadata, and before it the worktree of a job that is to have one
   * and has none yet. One that comes after its job has ended is removed.
   */
  openSession(job: JobInput, signal: AbortSignal): Promise<Opened>
  /**
   * Asks the child and waits for its final message. The prompt's ids derive from `session` and `job.askedAt`, so that
   * asking again after a crash costs no second model call.
   */
  promptChild(input: ChildInput, signal: AbortSignal): Promise<Answer>
  /**
   * Looks whether the child's messages have the answer that the prompt still waits for, and has `promptChild` return
   * it. For a child that is idle although its prompt has not returned: the answer may have got lost on its way.
   */
  lookForAnswer(input: ChildInput, signal: AbortSignal): Promise<void>
  /**
   * Runs the command that has to pass before the job is done, once for each answer: a restart finds that it was run.
   * Aborted, the command ends with all that it has started.
   */
  runCheck(input: CheckInput, signal: AbortSignal): Promise<CheckOutput>
  /** Stores how the job ends, before anybody is told. Resolves once it is stored. */
  recordEnd(record: JobRecord, signal: AbortSignal): Promise<void>
  /**
   * Aborts a child whose model cannot be had, so that the next one can be asked. A child that cannot be aborted, or of
   * which is not known what it has done, is not to be left: then it fails.
   */
  leaveChild(input: LeaveInput, signal: AbortSignal): Promise<LeaveChildOutput>
  /** Aborts the child for real and reads what it had written in this run. */
  stopChild(input: ChildInput, signal: AbortSignal): Promise<StopChildOutput>
}

/** `worktree`: the job's, where it has one. */
export type Opened = { session: string; worktree?: Worktree | undefined }

/** `red`: the check of its last answer, which did not pass: what its child is asked is to put that right. */
export type ChildInput = { job: JobInput; session: string; red?: CheckedAnswer | undefined }

/** `answer`: the message that is checked. `round`: 1 for the first check of a run. */
export type CheckInput = ChildInput & {
  check: Check
  round: number
  answer: { id: string; at: number }
}

/**
 * `endedAt`: later than the answer, and stored with the result, epoch milliseconds. `worktree`: the job's, with what
 * other jobs have done meanwhile.
 */
export type CheckOutput = CheckResult & { endedAt: number; worktree?: Worktree | undefined }

/** `error`: why its model cannot be had. */
export type LeaveInput = ChildInput & { error: JobError }

export type LeaveChildOutput = {
  /** For the next model: the same, with all that the child was told since, and why it is asked. */
  prompt: string
  /** The tools that the child has called and that may have changed something. */
  changed: string[]
  usage?: Usage | undefined
}

/**
 * The child's final message. With `error` the model or its provider failed, and `text` is what came before. Without
 * `usage` opencode did not say, and what was known before stands.
 */
export type Answer = {
  /** Where it was given, with all that its child has done there. */
  worktree?: Worktree | undefined
  text: string
  /** The message that it is, and when it was given, epoch milliseconds: present where opencode says so. */
  message?: { id: string; at: number } | undefined
  /** The model's output limit cut `text` off. */
  isTruncated?: true
  /** What `text` says as data, where the job has a schema. */
  structured?: JobRecord["structured"]
  /** Of a group. */
  formerItems?: JobRecord["formerItems"]
  usage?: Usage | undefined
  error?: JobError | undefined
  /** With `error`: the model cannot be had, for want of a key or a quota, for instance. Another one may do. */
  isUnavailable?: true | undefined
}

/** When an effect was over, epoch milliseconds: machines have no clock of their own. */
type At = { at: number }

export type OpenSessionOutput = Opened & At
export type PromptChildOutput = Answer & At
/** Without `text` opencode did not say what the child had written. */
export type StopChildOutput = {
  text?: string | undefined
  usage?: Usage | undefined
  worktree?: Worktree | undefined
}

export type OpenSession = PromiseActorLogic<OpenSessionOutput, JobInput>
export type PromptChild = PromiseActorLogic<PromptChildOutput, ChildInput>
export type RunCheck = PromiseActorLogic<CheckOutput & At, CheckInput>
export type LookForAnswer = PromiseActorLogic<void, ChildInput>
export type RecordEnd = PromiseActorLogic<void, JobRecord>
export type LeaveChild = PromiseActorLogic<LeaveChildOutput & At, LeaveInput>
export type StopChild = PromiseActorLogic<StopChildOutput, ChildInput>

/** How an effect's failure reaches the machine. */
export const EffectFailure = JobError.extend({ at: z.number() })

/** The effects as actors, each outcome stamped with its time. */
export function effectActors(effects: Effects, now: () => number) {
  const openSession: OpenSession = fromPromise(({ input, signal }) =>
    stamped("create", now, () => effects.openSession(input, signal)),
  )
  const promptChild: PromptChild = fromPromise(({ input, signal }) =>
    stamped("prompt", now, () => effects.promptChild(input, signal)),
  )
  const lookForAnswer: LookForAnswer = fromPromise(({ input, signal }) =>
    effects.lookForAnswer(input, signal),
  )
  const runCheck: RunCheck = fromPromise(({ input, signal }) =>
    stamped("check", now, () => effects.runCheck(input, signal)),
  )
  const recordEnd: RecordEnd = fromPromise(({ input, signal }) => effects.recordEnd(input, signal))
  const leaveChild: LeaveChild = fromPromise(({ input, signal }) =>
    stamped("prompt", now, () => effects.leaveChild(input, signal)),
  )
  const stopChild: StopChild = fromPromise(({ input, signal }) => effects.stopChild(input, signal))
  return { openSession, promptChild, lookForAnswer, runCheck, recordEnd, leaveChild, stopChild }
}

async function stamped<T>(kind: JobError["kind"], now: () => number, run: () => Promise<T>): Promise<T & At> {
  try {
    const output = await run()
    return { ...output, at: now() }
  } catch (thrown) {
    const known = JobError.safeParse(thrown)
    const error: JobError = known.success ? known.data : { kind, message: boundedMessage(messageOf(thrown)) }
    throw { ...error, at: now() }
  }
}

const messageOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown))

/** Stands in a machine for an actor that `createTroupe` provides. */
export const notProvided = fromPromise<never, never>(() =>
  Promise.reject(new Error("no effects were provided")),
)
