import type { JobEvent } from "../../../src/machines/events.ts"
import type { Activity, Ask, EndedState, Retry } from "../../../src/machines/record.ts"
import { dawn, usage } from "./jobs.ts"

/** What a job's machine hears, from outside, from its effects and from its timers alike. */
export type WalkEvent =
  | JobEvent
  | { type: `xstate.done.actor.${EffectName}`; actorId: string; output: object }
  | { type: `xstate.error.actor.${EffectName}`; actorId: string; error: object }
  | { type: `xstate.after.${string}` }

export type EffectName =
  | "openSession"
  | "promptChild"
  | "lookForAnswer"
  | "runCheck"
  | "recordEnd"
  | "leaveChild"
  | "stopChild"

const at = dawn
const activity: Activity = { tool: "bash", text: "ls", at }
const permission: Ask = { id: "p", kind: "permission", text: "bash: ls" }
const question: Ask = { id: "q", kind: "question", text: "Which one?" }
const retry: Retry = { attempt: 1, reason: "overloaded", next: at + 90_000 }
const soon: Retry = { attempt: 5, reason: "overloaded", next: at + 60_000 }
const active = "job.prompting.running.active"

/** All that can happen to a job, each with the payload that it has in life. */
export const happenings = {
  "its session opens": done("openSession", { session: "ses_1", at }),
  "its session fails": failed("openSession", { kind: "create", message: "no such agent", at }),
  "its session does not open in time": after("openLimit", "job.created.opening"),
  "it gets a slot": { type: "slot.granted", at },
  "its needs are met": { type: "needs.met", at },
  "a need of it is broken": { type: "need.broken", reason: "it needs j0, which failed", at },
  "its provider is put on hold": { type: "slot.held", until: at + 60_000, at },
  "its provider is put on hold for long": { type: "slot.held", until: at + 600_000, at },
  "its provider is on hold no longer": { type: "slot.held", at },
  "it is cancelled": { type: "job.cancel", reason: "no longer needed", at },
  "its child works": { type: "child.active", activity },
  "its child has spent": { type: "child.spent", usage: usage(3) },
  "a subagent of its child has spent": { type: "subagent.spent", session: "ses_task", usage: usage(2) },
  "a tool starts": { type: "tool.started", call: "t1", at },
  "a second tool starts": { type: "tool.started", call: "t2", at },
  "the tool ends": { type: "tool.ended", call: "t1", at },
  "the second tool ends": { type: "tool.ended", call: "t2", at },
  "opencode tries again": { type: "child.retrying", retry, at },
  "opencode tries again soon": { type: "child.retrying", retry: soon, at },
  "its child is idle": { type: "child.idle", at },
  "its child is idle for long": after("lullLimit", `${active}.working.lull`),
  "its messages are looked at": done("lookForAnswer", {}),
  "its messages cannot be looked at": failed("lookForAnswer", { message: "no answer" }),
  "its child asks for permission": { type: "child.asked", ask: permission, at },
  "its child asks a question": { type: "child.asked", ask: question, at },
  // Later than all else, so that a walk tells a job that has waited for people from one that has not.
  "the permission is given": { type: "child.answered", ask: "p", at: at + 1_000 },
  "the question is answered": { type: "child.answered", ask: "q", at: at + 1_000 },
  "its child answers": done("promptChild", { text: "the answer", usage: usage(7), at }),
  "its child answers with an error": done("promptChild", {
    text: "half",
    usage: usage(5),
    error: { kind: "provider", message: "401" },
    at,
  }),
  "its model cannot be had": done("promptChild", {
    text: "",
    usage: usage(6),
    error: { kind: "provider", message: "no such model" },
    isUnavailable: true,
    at,
  }),
  "its child is left": done("leaveChild", { prompt: "The same.", changed: [], usage: usage(6), at }),
  "its child has changed something": done("leaveChild", { prompt: "The same.", changed: ["bash"], at }),
  "its child cannot be left": failed("leaveChild", { kind: "prompt", message: "no abort", at }),
  "its child is not left in time": after("leaveLimit", "job.prompting.moving.leaving"),
  "its next session does not open in time": after("openLimit", "job.prompting.moving.opening"),
  "its check passes": done("runCheck", { exitCode: 0, output: "all well", endedAt: at + 1, at }),
  "its check does not pass": done("runCheck", { exitCode: 1, output: "1 failed", endedAt: at + 1, at }),
  "its check takes too long": done("runCheck", { output: "still running", endedAt: at + 1, at }),
  "its check cannot be run": failed("runCheck", { kind: "check", message: "disk full", at }),
  "its total time runs out while it is checked": after("total", "job.prompting.checking"),
  "its prompt fails": failed("promptChild", { kind: "prompt", message: "fetch failed", at }),
  "its total time runs out": after("total", active),
  "its child shows no activity": after("idle", `${active}.working`),
  "its child shows no activity after a retry": after("idleAfterRetry", `${active}.retrying`),
  "its end is stored": done("recordEnd", {}),
  "its end cannot be stored": failed("recordEnd", { message: "disk full" }),
  "its end is not stored in time": after("recordLimit", "job.prompting.stopping.recording"),
  "its end in the queue is not stored in time": after("recordLimit", "job.created.stopping"),
  "its child stops": done("stopChild", { text: "half", usage: usage(4) }),
  "its child cannot be stopped": failed("stopChild", { message: "abort failed" }),
  "its child does not stop in time": after("stopLimit", "job.prompting.stopping.aborting"),
} satisfies Record<string, WalkEvent>

export type HappeningName = keyof typeof happenings

function done(effect: EffectName, output: object): WalkEvent {
  return { type: `xstate.done.actor.${effect}`, actorId: effect, output }
}

function failed(effect: EffectName, error: object): WalkEvent {
  return { type: `xstate.error.actor.${effect}`, actorId: effect, error }
}

function after(delay: string, state: string): WalkEvent {
  return { type: `xstate.after.${delay}.${state}` }
}

/**
 * What decides how a job with so many fallbacks ends.
 * @param attempts of its check, where it has one
 */
export function decisionIn(
  names: readonly HappeningName[],
  fallbacks: number,
  attempts: number | undefined,
): HappeningName | undefined {
  const moves = (at: number) => names.slice(0, at).filter((name) => name === "its child is left").length
  // The next model starts afresh.
  const reds = (at: number) =>
    names
      .slice(names.slice(0, at).lastIndexOf("its child is left") + 1, at)
      .filter((name) => redChecks.has(name)).length
  const isOver = (name: HappeningName, at: number) => {
    if (name === "its model cannot be had") return moves(at) >= fallbacks
    if (name === "its child answers") return attempts === undefined
    return !redChecks.has(name) || reds(at) >= (attempts ?? 0)
  }
  return names.find((name, at) => decisions[name] && isOver(name, at))
}

const redChecks = new Set<HappeningName>(["its check does not pass", "its check takes too long"])

/** The first one stands. */
export const decisions: Partial<Record<HappeningName, EndedState>> = {
  "its session fails": "failed",
  "its session does not open in time": "failed",
  "a need of it is broken": "failed",
  "it is cancelled": "cancelled",
  "its child answers": "done",
  "its child answers with an error": "failed",
  // Where there is no other one: see `decisionIn`.
  "its model cannot be had": "failed",
  "its child has changed something": "failed",
  "its child cannot be left": "failed",
  "its child is not left in time": "failed",
  "its next session does not open in time": "failed",
  "its check passes": "done",
  "its check does not pass": "failed",
  "its check takes too long": "failed",
  "its check cannot be run": "failed",
  "its total time runs out while it is checked": "timedOut",
  "its prompt fails": "failed",
  "its total time runs out": "timedOut",
  "its child shows no activity": "timedOut",
  "its child shows no activity after a retry": "timedOut",
}
