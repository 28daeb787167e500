import type { StateValue } from "xstate"
import type { JobContext } from "./job-context.ts"
import {
  ENDED_STATES,
  JOB_PHASES,
  JOB_STATES,
  type JobPhase,
  type JobRecord,
  type JobState,
} from "./record.ts"

/** The job as others see it. */
export function recordOf({ value, context }: { value: StateValue; context: JobContext }): JobRecord {
  const { state, phase } = placeIn(value)
  return toRecord(context, state, phase)
}

export type Place = { state: JobState; phase?: JobPhase | undefined }

/** Where a job of this state value stands. */
export function placeIn(value: StateValue): Place {
  const path = pathOf(value)
  const state = JOB_STATES.find((name) => name === path[0]) ?? "failed"
  return { state, phase: path.flatMap((name) => phaseOf(name) ?? []).at(-1) }
}

/** The phase that records have for a state of this name. */
export function phaseOf(name: string): JobPhase | undefined {
  return insides.get(name) ?? JOB_PHASES.find((phase) => phase === name)
}

/** While a tool runs, the child works; one that is left has its next session opened. */
const insides = new Map<string, JobPhase>([
  ["runningTool", "working"],
  ["leaving", "opening"],
])

export function toRecord(context: JobContext, state: JobState, phase?: JobPhase): JobRecord {
  const { job, ending } = context
  return withoutUndefined({
    id: job.id,
    session: context.session,
    owner: job.owner,
    batch: job.batch,
    isGroup: job.each ? true : undefined,
    budget: job.budget,
    description: job.description,
    agent: job.agent,
    model: job.model,
    state,
    phase,
    run: job.run,
    createdAt: job.createdAt,
    startedAt: context.startedAt,
    endedAt: context.endedAt,
    deadlineAt: context.deadlineAt,
    waitedMs: context.waitedMs > 0 ? context.waitedMs : undefined,
    waitingSince: context.waitingSince,
    error: ending?.error,
    formerItems: context.formerItems,
    needs: job.needs,
    wentOn: job.wentOn,
    worktree: job.worktree,
    // Before that it waits for something else first.
    holdUntil: phase === "queued" ? context.holdUntil : undefined,
    attempts: job.attempts?.length ? job.attempts : undefined,
    // That of an earlier run is no text of a run that goes on.
    text: ENDED_STATES.some((ended) => ended === state) ? context.text : undefined,
    isTruncated: context.isTruncated,
    structured: context.structured,
    check: checkIn(context),
    usage: context.usage,
    subagents: job.subagents,
    activity: context.activity,
    asks: context.asks.length > 0 ? context.asks : undefined,
    retry: context.retry,
  })
}

/** One that stands for others is not checked itself: each of them is. */
function checkIn({ job, check }: JobContext): JobRecord["check"] {
  if (!job.hasToPass || job.each) return undefined
  const { round: rounds, exitCode, output } = check ?? noCheckYet
  const { command } = job.hasToPass
  return { command, ...(exitCode !== undefined && { exitCode }), rounds, output }
}

const noCheckYet = { round: 0, exitCode: undefined, output: "" }

/** A job has no parallel states: its value is one path. */
function pathOf(value: StateValue): string[] {
  if (typeof value === "string") return [value]
  return Object.entries(value).flatMap(([name, inner = {}]) => [name, ...pathOf(inner)])
}

/** Records are JSON: a field that has no value is not there. */
function withoutUndefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }
