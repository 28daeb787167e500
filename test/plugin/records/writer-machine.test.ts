import { describe, expect, it } from "vitest"
import { rowsOf } from "../../../scripts/docs/transitions.ts"
import { writerMachine } from "../../../src/plugin/records/writer-machine.ts"
import { writerReasons } from "../../../src/plugin/records/writer-reasons.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { transitionsOf } from "../../machines/support/transitions.ts"
import { drive, everyWay } from "./support/writer-walk.ts"

quietXState()

describe("Every way of a writer", () => {
  const ways = [
    ...everyWay({}),
    ...everyWay({ isUrgent: true }),
    ...everyWay({
      alphabet: [
        "the job changes",
        "the job changes urgently",
        "it has waited for others",
        "its pause is over",
        "the write succeeds",
        "the write fails",
      ],
      withFailures: true,
    }),
  ]
  const taken = new Set<string>()

  // Once with a real actor, and once through the pure machine with a snapshot that goes through JSON after every step.
  it.each(["clean", "drained", "refused"])("to %s is the same in life and on paper", async (end) => {
    const there = ways.filter((way) => way.end === end)
    expect(there.length).toBeGreaterThan(10)
    for (const way of there) for (const name of await drive(way)) taken.add(name)
  })

  it.each(transitionsOf(writerMachine))("takes %s", (name) => {
    expect(taken).toContain(name)
  })
})

it("Each transition of a writer has its reason, in a sentence", () => {
  for (const row of rowsOf(writerMachine, writerReasons)) expect(row.reason).toMatch(/^\S.+\.$/)
})
