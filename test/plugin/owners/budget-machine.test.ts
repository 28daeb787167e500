import { describe, expect, it } from "vitest"
import { createActor } from "xstate"
import { rowsOf } from "../../../scripts/docs/transitions.ts"
import { NO_USAGE } from "../../../src/machines/record.ts"
import {
  budgetMachine,
  budgetReasons,
  isSpent,
  type Run,
  spentBy,
  totalOf,
} from "../../../src/plugin/owners/budget-machine.ts"
import { CountingClock } from "../../machines/support/counting-clock.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { transitionsOf } from "../../machines/support/transitions.ts"
import { drive, everyStep } from "./support/budget-walk.ts"

quietXState()

describe("Every event in every state of a budget", () => {
  // Once with a real actor, and once through the pure machine with a snapshot that goes through JSON after every step.
  it("is taken, the same in life and on paper; none runs that may not, and none is cancelled that may", {
    timeout: 60_000,
  }, () => {
    const taken = new Set<string>()
    for (const steps of everyStep()) for (const name of drive(steps)) taken.add(name)
    expect(transitionsOf(budgetMachine).filter((name) => !taken.has(name))).toEqual([])
  })
})

it("Two jobs of one id, a child's and its owner's, are told apart: both count, and both are cancelled", () => {
  const clock = new CountingClock()
  const cancelled: string[] = []
  const cancel = (_: unknown, { runs }: { runs: Run[] }) => {
    cancelled.push(...runs.map(({ owner, id }) => `${owner} ${id}`))
  }
  const machine = budgetMachine.provide({ actions: { cancel } })
  const actor = createActor(machine, { input: { limit: { tokens: 100 } }, clock }).start()
  expect(actor.getSnapshot().context).toEqual({ limit: { tokens: 100 }, byJob: {}, live: [], cancelled: [] })
  for (const owner of ["owner", "ses_a"]) {
    const spent = { tokens: 50, cost: 0 }
    actor.send({ type: "job.seen", run: { owner, id: "a", run: 1 }, stands: "asked", spent })
  }
  expect([actor.getSnapshot().value, cancelled]).toEqual(["closing", []])
  clock.increment(2_000)
  expect([actor.getSnapshot().value, cancelled]).toEqual(["stopping", ["owner a", "ses_a a"]])
})

it("Each transition of a budget has its reason, in a sentence", () => {
  for (const row of rowsOf(budgetMachine, budgetReasons)) expect(row.reason).toMatch(/^\S.+\.$/)
})

describe("What counts towards a budget", () => {
  it("are tokens but those that a provider reads from its cache, and what all of them cost", () => {
    const usage = { input: 1, output: 20, reasoning: 300, cacheRead: 4_000, cacheWrite: 50_000, cost: 0.5 }
    expect(spentBy(usage)).toEqual({ tokens: 50_321, cost: 0.5 })
    expect(spentBy(NO_USAGE)).toEqual({ tokens: 0, cost: 0 })
  })

  it("is spent at the limit, of tokens or of costs, whichever comes first", () => {
    const limit = { tokens: 100, cost: 2 }
    expect(isSpent(limit, { tokens: 99, cost: 1.99 })).toBe(false)
    expect(isSpent(limit, { tokens: 100, cost: 0 })).toBe(true)
    expect(isSpent(limit, { tokens: 0, cost: 2 })).toBe(true)
    expect(isSpent({ tokens: 100 }, { tokens: 0, cost: 1e9 })).toBe(false)
    expect(isSpent({ cost: 2 }, { tokens: 1e9, cost: 0 })).toBe(false)
    expect(isSpent({ cost: 1e-12 }, { tokens: 0, cost: 0 })).toBe(false)
  })

  it("adds up, fractions of dollars too", () => {
    const byJob = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`owner/${index}`, { tokens: 1, cost: 0.1 }]),
    )
    expect(totalOf({ byJob }).tokens).toBe(10)
    expect(totalOf({ byJob }).cost).toBeLessThan(1)
    expect(isSpent({ cost: 1 }, totalOf({ byJob }))).toBe(true)
  })
})
