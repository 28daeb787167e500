import type { Call, Way } from "./fault.ts"
import {
  cancelling,
  notifying,
  restarting,
  type Scenario,
  starting,
  startingLate,
  telling,
  working,
} from "./scenarios.ts"

/** What the owner sees of a job when one kind of call is spoiled. */
export type Case = {
  call: Call
  /** What is going on, in words. */
  when: string
  scenario: Scenario
  outcomes: Record<Way, string>
}

const inAllWays = (outcome: string): Record<Way, string> => ({
  rejects: outcome,
  error: outcome,
  hangs: outcome,
  late: outcome,
  twice: outcome,
})

const refused = { ...inAllWays("refused"), twice: "done" }
const done = inAllWays("done")
const cancelled = inAllWays("cancelled, text kept")
const told = inAllWays("told once")

export const cases: Case[] = [
  { call: "session", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "agents", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "models", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "message", when: "a job is started", scenario: starting, outcomes: refused },
  {
    call: "createSession",
    when: "a job is started",
    scenario: starting,
    outcomes: { ...inAllWays("failed (create)"), twice: "done" },
  },
  {
    call: "deleteSession",
    when: "a session came too late",
    scenario: startingLate,
    outcomes: inAllWays("failed (create)"),
  },
  {
    call: "prompt",
    when: "a job is started",
    scenario: starting,
    outcomes: {
      rejects: "failed (prompt)",
      error: "failed (prompt)",
      hangs: "timedOut (total)",
      late: "done",
      twice: "done",
    },
  },
  { call: "toast", when: "a job is started", scenario: starting, outcomes: done },
  { call: "session", when: "a job works", scenario: working, outcomes: done },
  { call: "writeMetadata", when: "a job works", scenario: working, outcomes: done },
  { call: "message", when: "a job works", scenario: working, outcomes: done },
  { call: "updatePart", when: "a job works", scenario: working, outcomes: done },
  { call: "abort", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "messages", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "session", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "writeMetadata", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  {
    call: "send",
    when: "a job is told more",
    scenario: telling,
    outcomes: { ...inAllWays("error: not told"), late: "told", twice: "told" },
  },
  { call: "messages", when: "its owner is told of its end", scenario: notifying, outcomes: told },
  { call: "statuses", when: "its owner is told of its end", scenario: notifying, outcomes: told },
  { call: "post", when: "its owner is told of its end", scenario: notifying, outcomes: told },
  { call: "send", when: "its owner is told of its end", scenario: notifying, outcomes: told },
  { call: "sessionsSince", when: "opencode starts again", scenario: restarting, outcomes: told },
  { call: "children", when: "opencode starts again", scenario: restarting, outcomes: told },
  { call: "messages", when: "opencode starts again", scenario: restarting, outcomes: told },
  { call: "log", when: "opencode starts again", scenario: restarting, outcomes: told },
]
