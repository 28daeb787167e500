import { beforeAll, describe, expect, it } from "vitest"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { ENDED_STATES } from "../../src/machines/record.ts"
import { supervisorMachine } from "../../src/machines/supervisor-machine.ts"
import { systemMachine } from "../../src/machines/system-machine.ts"
import { drive, type HappeningName, happenings, type Scenario, waysThrough } from "./support/job-walk.ts"
import { usage } from "./support/jobs.ts"
import { quietXState } from "./support/quiet.ts"
import { driveSupervisor, everyStep as everySupervisorStep } from "./support/supervisor-walk.ts"
import { driveSystem, everyStep as everySystemStep } from "./support/system-walk.ts"
import { transitionsOf } from "./support/transitions.ts"

const everything = Object.keys(happenings) as HappeningName[]
const spending: HappeningName = "its child has spent"
const people: HappeningName[] = [
  "its child asks for permission",
  "its child asks a question",
  "the permission is given",
  "the question is answered",
]
const without = (...left: HappeningName[]) => everything.filter((name) => !left.includes(name))
const earlier = { text: "of run 1", usage: usage(2) }

/** From the job machine itself: every way to an end on which no state comes twice. */
const walks: Record<string, Scenario[]> = {
  // However it is stopped, it has been decided how it ends: the other walks take every way of that.
  "a new job": waysThrough({
    alphabet: without(spending, "its child cannot be stopped", "its child does not stop in time"),
  }),
  "a follow-up": waysThrough({
    input: { run: 2, session: "ses_1", earlier },
    alphabet: without(
      spending,
      "its child asks a question",
      "the question is answered",
      "opencode tries again",
    ),
  }),
  "a job whose child works on while people are asked": waysThrough({
    alphabet: [
      "its session opens",
      "it gets a slot",
      "its child works",
      "its child asks for permission",
      "the permission is given",
      "its child answers",
      "it is cancelled",
      "its child stops",
    ],
    withNews: true,
  }),
  "a job whose child tells of its work": waysThrough({ alphabet: without(...people), withNews: true }),
}

quietXState()

// A walk takes each way twice: once with a real actor, and once through the pure machine with a snapshot that goes
// through JSON after every step. Both must be in the state that the walk says, with the same context and record,
// the same effects asked for and in flight, and as many timers.
for (const [who, scenarios] of Object.entries(walks)) {
  describe(`Every way of ${who}`, () => {
    for (const end of ENDED_STATES) {
      const ways = scenarios.filter((scenario) => scenario.end === end)
      if (ways.length === 0) continue
      it(`to ${end} (${ways.length}) is the same in life and on paper`, { timeout: 60_000 }, async () => {
        for (const way of ways) await drive(way)
      })
    }
  })
}

describe("The walks of the job machine", () => {
  const taken = new Set<string>()

  beforeAll(async () => {
    // As many ways as it needs to see every transition that any of them takes.
    const open = new Set(transitionsOf(jobMachine))
    for (const way of Object.values(walks)
      .flat()
      .sort((a, b) => a.steps.length - b.steps.length)) {
      if (open.size === 0) break
      for (const name of await drive(way)) {
        taken.add(name)
        open.delete(name)
      }
    }
  }, 60_000)

  it.each(transitionsOf(jobMachine))("take %s", (name) => {
    expect(taken).toContain(name)
  })

  it("end in every state in which a job can end", () => {
    const ends = Object.values(walks)
      .flat()
      .map(({ end }) => end)
    expect(new Set(ends)).toEqual(new Set(ENDED_STATES))
  })
})

describe("Every event in every state of the system", () => {
  const taken = new Set<string>()

  it.each([1, 2])(
    "of two owners, three claims and concurrency %i is the same in life and on paper",
    (concurrency) => {
      for (const step of everySystemStep(concurrency)) {
        for (const name of driveSystem(step, concurrency)) taken.add(name)
      }
      expect(transitionsOf(systemMachine).filter((name) => !taken.has(name))).toEqual([])
    },
  )
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
