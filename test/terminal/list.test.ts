import { describe, expect, it } from "vitest"
import type { ShownJob } from "../../src/terminal/jobs.ts"
import { firstOf, type Line, linesOf, matching, moved, scrolledTo } from "../../src/terminal/view/list.ts"
import { shownJob } from "./support/shown-job.ts"

const now = 3_700_000

const titles = new Map([
  ["ses_review", "Review the modules"],
  ["ses_docs", "Write the docs"],
])
const titleOf = (owner: string) => titles.get(owner) ?? owner

const job = (owner: string, id: string, batch: string, createdAt: number, changes: Partial<ShownJob> = {}) =>
  shownJob({ id, session: `ses_${id}`, owner, batch, createdAt, ...changes })

const asks: Partial<ShownJob> = {
  phase: "permission",
  asks: [{ id: "r", kind: "permission", text: "bash" }],
}

const jobs = [
  job("ses_review", "auth", "1", 100_000, { state: "done", endedAt: 200_000 }),
  job("ses_review", "api", "1", 100_000),
  job("ses_review", "db", "1", 100_000, asks),
  job("ses_docs", "guide", "2", 3_600_000),
  job("ses_review", "tests", "3", 3_690_000, { description: "Run all tests" }),
]

const only = (jobs: readonly ShownJob[]) => ({ jobs, budgets: [] })

/** As a person reads them. */
const words = (lines: readonly Line[]) => lines.map(read)

function read(line: Line): string {
  switch (line.kind) {
    case "gap":
      return ""
    case "owner":
      return `${line.title}: ${line.counts}`
    case "batch":
      return `  ${line.words}`
    case "job":
      return `    ${line.job.id}`
  }
}

describe("The list of all jobs", () => {
  const lines = linesOf(only(jobs), titleOf, now)

  it("has them by owner and by the call that started them, the latest first, and those that need the person", () => {
    expect(words(lines)).toEqual([
      "Review the modules: 1 waiting for you, 2 running, 1 done",
      "  1 job, started just now",
      "    tests",
      "  3 jobs, started 1 h ago",
      "    db",
      "    api",
      "    auth",
      "",
      "Write the docs: 1 running",
      "    guide",
    ])
  })

  it("has those that were started one by one together", () => {
    const singles = ["1", "2", "3"].map((batch, index) => job("ses_docs", batch, batch, index))
    const pair = ["a", "b"].map((id) => job("ses_docs", id, "pair", 10))
    expect(words(linesOf(only(singles), titleOf, now)).slice(1)).toEqual(["    1", "    2", "    3"])
    expect(words(linesOf(only([...singles, ...pair]), titleOf, now)).slice(1)).toEqual([
      "  2 jobs, started 1 h ago",
      "    a",
      "    b",
      "  3 jobs, started one by one",
      "    1",
      "    2",
      "    3",
    ])
  })

  it("has jobs of an earlier version, which know no call, as those of one", () => {
    const { batch: _, ...early } = job("ses_docs", "early", "", 1)
    expect(words(linesOf(only([early, { ...early, id: "second", session: "s" }]), titleOf, now))).toEqual([
      "Write the docs: 2 running",
      "    early",
      "    second",
    ])
  })

  it("says at each heading what is spent of its budget", () => {
    const spending = (of: "batch" | "owner", name: string) => ({
      ...{ of, name, limit: { tokens: 4_000 }, spent: { tokens: 950, cost: 0 }, isSpent: false },
    })
    const budgets = [spending("batch", "1"), spending("batch", "2"), spending("owner", "ses_docs")]
    expect(words(linesOf({ jobs, budgets }, titleOf, now)).filter((line) => line.includes("budget"))).toEqual(
      [
        "  3 jobs, started 1 h ago · batch budget: 950 of 4k tokens",
        "Write the docs: 1 running · budget: 950 of 4k tokens",
        "  1 job, started 1 m ago · batch budget: 950 of 4k tokens",
      ],
    )
  })

  it("counts no group as a job", () => {
    const group = job("ses_review", "each", "3", 3_690_000, { isGroup: true })
    expect(words(linesOf(only([...jobs, group]), titleOf, now)).slice(0, 4)).toEqual([
      "Review the modules: 1 waiting for you, 2 running, 1 done",
      "  1 job, started just now",
      "    tests",
      "    each",
    ])
  })

  it("begins at the job that needs the person, else at the first", () => {
    expect(firstOf(lines)).toBe("ses_db")
    expect(firstOf(linesOf(only([job("ses_docs", "guide", "2", 1)]), titleOf, now))).toBe("ses_guide")
    expect(firstOf([])).toBeUndefined()
  })

  it("moves from job to job, over what is between them, and around its ends", () => {
    expect(moved(lines, "ses_tests", 1)).toBe("ses_db")
    expect(moved(lines, "ses_guide", 1)).toBe("ses_tests")
    expect(moved(lines, "ses_tests", -1)).toBe("ses_guide")
    expect(moved(lines, "ses_tests", 10)).toBe("ses_guide")
    expect(moved(lines, "ses_guide", -Infinity)).toBe("ses_tests")
    expect(moved(lines, "ses_tests", Infinity)).toBe("ses_guide")
    expect(moved([], undefined, 1)).toBeUndefined()
  })

  it("scrolls no further than it must to show a job, with the headings above it", () => {
    expect(scrolledTo(lines, "ses_guide", 0, 10)).toBe(0)
    expect(scrolledTo(lines, "ses_guide", 0, 4)).toBe(6)
    expect(scrolledTo(lines, "ses_db", 5, 4)).toBe(3)
    expect(scrolledTo(lines, "ses_tests", 5, 4)).toBe(0)
    expect(scrolledTo(lines, "gone", 5, 4)).toBe(5)
  })

  it.each([
    ["", ["auth", "api", "db", "guide", "tests"]],
    ["AP", ["api"]],
    ["all tests", ["tests"]],
    ["review done", ["auth"]],
    ["permission", ["db"]],
    ["docs", ["guide"]],
    ["waiting for you", ["db"]],
    ["running", ["api", "guide", "tests"]],
    ["bash", ["db"]],
    ["nothing like it", []],
  ])("is searched for all words that are typed: %j", (query, ids) => {
    expect(matching(jobs, query, titleOf, now).map(({ id }) => id)).toEqual(ids)
  })
})
