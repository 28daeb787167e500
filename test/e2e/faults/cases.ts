import type { Generation } from "../../support/any-opencode.ts"
import type { Call, Way } from "./fault.ts"
import {
  cancelling,
  notifying,
  restarting,
  type Scenario,
  shown,
  starting,
  startingLate,
  startingUnrecorded,
  telling,
  working,
} from "./scenarios.ts"

/** What a job's owner sees when one kind of call fails. */
export type Case = {
  call: Call
  /** What happens meanwhile, in words. */
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
const notCreated = { ...inAllWays("failed (create)"), twice: "done" }
const notPrompted = {
  rejects: "failed (prompt)",
  error: "failed (prompt)",
  hangs: "timedOut (total)",
  late: "done",
  twice: "done",
}
/** Without an answer, opencode may have it: it is asked by the same id once the turn is over, and so it is sent once. */
const notSent = { ...inAllWays("error: not sent"), hangs: "sent", late: "sent", twice: "sent" }
/** The turn is over, and nobody says what the answer is; what was streamed of it is kept. */
const notRead = { ...inAllWays("failed (prompt)"), twice: "done" }
const done = inAllWays("done")
const cancelled = inAllWays("cancelled, text kept")
const delivered = inAllWays("delivered once")

const ofOne: Case[] = [
  { call: "session", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "agents", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "models", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "message", when: "a job is started", scenario: starting, outcomes: refused },
  {
    call: "createSession",
    when: "a job is started",
    scenario: starting,
    outcomes: notCreated,
  },
  {
    call: "deleteSession",
    when: "a session is created after its timeout",
    scenario: startingLate,
    outcomes: inAllWays("failed (create)"),
  },
  {
    call: "prompt",
    when: "a job is started",
    scenario: starting,
    outcomes: notPrompted,
  },
  { call: "toast", when: "a job is started", scenario: starting, outcomes: done },
  { call: "session", when: "a job is running", scenario: working, outcomes: done },
  { call: "writeMetadata", when: "a job is running", scenario: working, outcomes: done },
  { call: "message", when: "a job is running", scenario: shown, outcomes: done },
  { call: "updatePart", when: "a job is running", scenario: shown, outcomes: done },
  { call: "abort", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "messages", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "session", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "writeMetadata", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  {
    call: "promptAsync",
    when: "a message is sent to a job",
    scenario: telling,
    outcomes: notSent,
  },
  { call: "messages", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "statuses", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "promptNoReply", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "promptAsync", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "sessionsSince", when: "opencode restarts", scenario: restarting, outcomes: delivered },
  { call: "children", when: "opencode restarts", scenario: restarting, outcomes: delivered },
  { call: "messages", when: "opencode restarts", scenario: restarting, outcomes: delivered },
  { call: "log", when: "opencode restarts", scenario: restarting, outcomes: delivered },
]

const ofTwo: Case[] = [
  { call: "session.get", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "agent.list", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "model.list", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "tool.list", when: "a job is started", scenario: starting, outcomes: refused },
  // It tells of the session long before it answers.
  { call: "subagent", when: "a job is started", scenario: starting, outcomes: { ...refused, late: "done" } },
  { call: "storage.get", when: "a job is started", scenario: starting, outcomes: refused },
  { call: "session.update", when: "a job is started", scenario: starting, outcomes: notCreated },
  { call: "session.switchModel", when: "a job is started", scenario: starting, outcomes: notCreated },
  { call: "storage.set", when: "a job is started", scenario: starting, outcomes: notCreated },
  {
    call: "storage.remove",
    when: "a record cannot be written",
    scenario: startingUnrecorded,
    outcomes: inAllWays("failed (create)"),
  },
  // What is not known to be admitted is waited for: nothing runs where it was not.
  {
    call: "session.prompt",
    when: "a job is started",
    scenario: starting,
    outcomes: { ...notPrompted, hangs: "failed (prompt)" },
  },
  // Its answer is found before the failure would be told.
  { call: "session.wait", when: "a job is started", scenario: starting, outcomes: done },
  { call: "session.get", when: "a job is running", scenario: working, outcomes: done },
  { call: "session.context", when: "a job is running", scenario: working, outcomes: notRead },
  { call: "storage.set", when: "a job is running", scenario: working, outcomes: done },
  { call: "progress", when: "a job is running", scenario: shown, outcomes: done },
  { call: "session.interrupt", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "session.context", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "session.get", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "storage.set", when: "a job is cancelled", scenario: cancelling, outcomes: cancelled },
  { call: "session.prompt", when: "a message is sent to a job", scenario: telling, outcomes: notSent },
  { call: "session.get", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "session.context", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "storage.set", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "storage.scan", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "session.synthetic", when: "its result is delivered", scenario: notifying, outcomes: delivered },
  { call: "storage.scan", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "storage.get", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "session.context", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "session.get", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "storage.set", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "agent.list", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "session.wait", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
  { call: "permission.list", when: "the plugin is reloaded", scenario: restarting, outcomes: delivered },
]

export const cases: Record<Generation, Case[]> = { 1: ofOne, 2: ofTwo }
