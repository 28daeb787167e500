import { beforeAll, describe, expect, it } from "vitest"
import { rowsOf } from "../../../scripts/docs/transitions.ts"
import { deliveryMachine, deliveryReasons } from "../../../src/plugin/owners/delivery-machine.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { transitionsOf } from "../../machines/support/transitions.ts"
import { drive, everyStep, type Step } from "./support/delivery-walk.ts"

quietXState()

describe("Every event in every state of a delivery", () => {
  const taken = new Set<string>()

  // Once with a real actor, and once through the pure machine with a snapshot that goes through JSON after every step.
  beforeAll(async () => {
    const fresh: Step = { from: "this process", steps: ["the window closes", "a message is composed"] }
    const stopped: Step = { from: "an interrupted turn", steps: ["a job ends", "a turn begins"] }
    for (const step of [fresh, stopped, ...everyStep("an earlier process")])
      for (const name of await drive(step)) taken.add(name)
  }, 60_000)

  it.each(transitionsOf(deliveryMachine))("takes %s, the same in life and on paper", (name) => {
    expect(taken).toContain(name)
  })
})

it("Each transition of a delivery has its reason, in a sentence", () => {
  for (const row of rowsOf(deliveryMachine, deliveryReasons)) expect(row.reason).toMatch(/^\S.+\.$/)
})
