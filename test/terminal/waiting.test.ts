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
    expect(withWaits(jobs, 100_000)[2]).toMatchObject({ phase: "blocked", waitsFor: ["b"] })
  })

  it("is found out where opencode's store does not say that it is blocked", () => {
    const jobs = [shownJob({ id: "a" }), shownJob({ id: "b", ...waiting, needs: needs("a") })]
    expect(withWaits(jobs, 100_000)[1]).toMatchObject({ phase: "blocked", waitsFor: ["a"] })
  })

  it("is no job of another owner", () => {
    const jobs = [
      shownJob({ id: "a", owner: "ses_other" }),
      shownJob({ id: "b", ...waiting, needs: needs("a") }),
    ]
    expect(withWaits(jobs, 100_000)[1]).toMatchObject({ phase: "queued", before: 0 })
  })

  it("is its turn after those before it, of which blocked ones are none", () => {
    const jobs = [
      shownJob({ id: "a" }),
      shownJob({ id: "b", ...waiting }),
      shownJob({ id: "c", ...waiting, needs: needs("a") }),
      shownJob({ id: "d", ...waiting }),
    ]
    expect(withWaits(jobs, 100_000).map(({ before }) => before)).toEqual([undefined, 0, undefined, 1])
  })

  it("is its provider, and no turn, while that is on hold: it keeps nobody waiting", () => {
    const jobs = [
      shownJob({ id: "a", ...waiting, holdUntil: 200_000 }),
      shownJob({ id: "b", ...waiting }),
      // Its time is over: it stands in line again.
      shownJob({ id: "c", ...waiting, holdUntil: 100_000 }),
      shownJob({ id: "d", ...waiting }),
    ]
    expect(withWaits(jobs, 100_000).map(({ before }) => before)).toEqual([undefined, 0, 1, 2])
  })

  it("is, for a group, its jobs, without those whose items its list no longer has", () => {
    const item = (index: number, changes = {}) => shownJob({ id: `g.${index}`, ...changes })
    const group = shownJob({ id: "g", isGroup: true, formerItems: ["g.1"] })
    const jobs = [group, item(1, { state: "failed", endedAt: 99_000 }), item(2, done), item(3), item(12)]
    const items = { all: 3, done: 1, failed: 0, cancelled: 0 }
    const others = [shownJob({ id: "g.x" }), shownJob({ id: "g.4", owner: "ses_other" })]
    expect(withWaits([...jobs, ...others], 100_000)[0]).toMatchObject({ items })
  })
})
