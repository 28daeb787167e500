import { describe, expect, it } from "vitest"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { longestHold } from "../../src/machines/limits.ts"
import { ENDED_STATES } from "../../src/machines/record.ts"
import { supervisorMachine } from "../../src/machines/supervisor-machine.ts"
import { systemMachine } from "../../src/machines/system-machine.ts"
import { drive } from "./support/job-drive.ts"
import { everyStep as everyJobStep } from "./support/job-walk.ts"
import { usage } from "./support/jobs.ts"
import { quietXState } from "./support/quiet.ts"
import { driveSupervisor, everyStep as everySupervisorStep } from "./support/supervisor-walk.ts"
import { driveSystem, everyStep as everySystemStep } from "./support/system-walk.ts"
import { transitionsOf } from "./support/transitions.ts"

quietXState()

// A walk takes each way twice: once with a real actor, and once through the pure machine with a snapshot that goes
// through JSON after every step. Both must be in the state that the walk says, with the same context and record,
// the same effects asked for and in flight, and the same timers.
const jobs = {
  "a new job": everyJobStep(),
  "a job with a fallback": everyJobStep({ model: "p/m", fallbacks: [{ model: "q/n" }] }),
  "a job with two fallbacks whose providers come and go": everyJobStep(
    { model: "p/m", fallbacks: [{ model: "q/n" }, { model: "r/o" }] },
    [
      "its session opens",
      "its session fails",
      "it gets a slot",
      "its provider is put on hold for long",
      "its provider is on hold no longer",
      "it is cancelled",
      "its child answers",
      "its model cannot be had",
      "its child is left",
      "its end is stored",
      "its child stops",
    ],
  ),
  "a job that has to pass a check": everyJobStep({ hasToPass: { command: "npm test", attempts: 1 } }),
  "a job that has to pass a check and has a fallback": everyJobStep(
    { model: "p/m", fallbacks: [{ model: "q/n" }], hasToPass: { command: "npm test", attempts: 1 } },
    [
      "its session opens",
      "it gets a slot",
      "it is cancelled",
      "its child works",
      "its child answers",
      "its child asks for permission",
      "the permission is given",
      "its check passes",
      "its check does not pass",
      "its check cannot be run",
      "its total time runs out while it is checked",
      "its model cannot be had",
      "its child is left",
      "its end is stored",
      "its child stops",
    ],
  ),
  "a job whose child is to be told of a check of an earlier process": everyJobStep({
    session: "ses_1",
    hasToPass: { command: "npm test", attempts: 1 },
    checked: { exitCode: 1, output: "1 failed", round: 1, endedAt: 5 },
  }),
  "a job that needs others": everyJobStep({ needs: [{ id: "j0", on: "done" }] }),
  "a blocked job whose session is there": everyJobStep({
    session: "ses_1",
    needs: [{ id: "j0", on: "done" }],
  }),
  "a follow-up": everyJobStep({
    run: 2,
    session: "ses_1",
    earlier: { text: "of run 1", usage: usage(2) },
  }),
}
const taken = new Set<string>()

describe.each(Object.entries(jobs))(
  "Every event in every state of %s is the same in life and on paper",
  (_, steps) => {
    it.each([...new Set(steps.map(({ from }) => from))])("in %s", { timeout: 60_000 }, async (state) => {
      for (const step of steps.filter(({ from }) => from === state))
        for (const name of await drive(step)) taken.add(name)
    })
  },
)

describe("The walks of the job machine", () => {
  it.each(transitionsOf(jobMachine))("take %s", (name) => {
    expect(taken).toContain(name)
  })

  it("end in every state in which a job can end", () => {
    const ends = Object.values(jobs).flatMap((steps) => steps.map((step) => step.steps.at(-1)?.value))
    expect(new Set(ends)).toEqual(new Set(ENDED_STATES))
  })
})

describe("Every event in every state of the system", () => {
  const taken = new Set<string>()

  const a1 = { owner: "a", job: "a1" }
  const a2 = { owner: "a", job: "a2" }
  const b1 = { owner: "b", job: "b1" }

  it.each([1, 2])(
    "of two owners, three claims and concurrency %i is the same in life and on paper",
    { timeout: 60_000 },
    (concurrency) => {
      for (const step of everySystemStep({ concurrency, claims: [a1, a2, b1], mostStarts: 1 }))
        for (const name of driveSystem(step, concurrency)) taken.add(name)
    },
  )

  it("of one owner whose jobs are started while its supervisor tells that it is idle is the same", () => {
    for (const step of everySystemStep({ concurrency: 1, claims: [a1], mostStarts: 3 }))
      for (const name of driveSystem(step, 1)) taken.add(name)
  })

  it("of two providers and a model with limits, one of which is put on hold by two jobs, is the same", {
    timeout: 60_000,
  }, () => {
    const concurrency = { total: 2, providers: { p: 1 }, models: { "q/y": 1 } }
    const claims = [
      { ...a1, model: "p/x" },
      { ...a2, model: "q/y" },
      { ...b1, model: "p/x" },
      // It goes on with another model.
      { ...b1, model: "q/y" },
    ]
    const holds = [
      { ...a1, provider: "p", model: "p/x", until: 10 },
      { ...b1, provider: "p", model: "p/x", until: 2 * longestHold },
    ]
    for (const step of everySystemStep({ concurrency, claims, holds, mostStarts: 0 }))
      for (const name of driveSystem(step, concurrency)) taken.add(name)
  })

  it("takes every transition that there is", () => {
    expect(transitionsOf(systemMachine).filter((name) => !taken.has(name))).toEqual([])
  })
})

describe("Every event in every state of a supervisor", () => {
  it("of two jobs is the same in life and on paper", () => {
    const taken = new Set<string>()
    for (const step of everySupervisorStep()) {
      for (const name of driveSupervisor(step)) taken.add(name)
    }
    expect(transitionsOf(supervisorMachine).filter((name) => !taken.has(name))).toEqual([])
  })
})
