import { describe, expect, it } from "vitest"
import { withWaits } from "../../src/terminal/waiting.ts"
import { shownJob } from "./support/shown-job.ts"

const needs = (...ids: string[]) => ids.map((id) => ({ id, on: "done" as const }))
const waiting = { state: "created", phase: "queued" } as const
const done = { state: "done", endedAt: 99_000 } as const

describe("What a job waits for", () => {
  it("is what it needs and has not ended", () => {
    const jobs = [
      shownJob({ id: "a", ...done }),
      shownJob({ id: "b" }),
      shownJob({ id: "c", ...waiting, phase: "blocked", needs: needs("a", "b") }),
    ]
    expect(withWaits(jobs)[2]).toMatchObject({ phase: "blocked", waitsFor: ["b"] })
  })

  it("is found out where opencode's store does not say that it is blocked", () => {
    const jobs = [shownJob({ id: "a" }), shownJob({ id: "b", ...waiting, needs: needs("a") })]
    expect(withWaits(jobs)[1]).toMatchObject({ phase: "blocked", waitsFor: ["a"] })
  })

  it("is no job of another owner", () => {
    const jobs = [
      shownJob({ id: "a", owner: "ses_other" }),
      shownJob({ id: "b", ...waiting, needs: needs("a") }),
    ]
    expect(withWaits(jobs)[1]).toMatchObject({ phase: "queued", before: 0 })
  })

  it("is its turn after those before it, of which blocked ones are none", () => {
    const jobs = [
      shownJob({ id: "a" }),
      shownJob({ id: "b", ...waiting }),
      shownJob({ id: "c", ...waiting, needs: needs("a") }),
      shownJob({ id: "d", ...waiting }),
    ]
    expect(withWaits(jobs).map(({ before }) => before)).toEqual([undefined, 0, undefined, 1])
  })
})
