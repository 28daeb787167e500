import { describe, expect, it } from "vitest"
import { obstacleWords } from "../../../src/plugin/tools/obstacle-words.ts"
import type { Refusal } from "../../../src/plugin/worktrees/apply/apply.ts"

const files = ["a.txt", "b c.txt"]

describe("Why a job is not applied is said with what to do where it is", () => {
  it.each<[Omit<Refusal, "id">, string]>([
    [
      { reason: "conflict", files },
      "in conflict: a.txt, b c.txt; the project has changed there too: merge troupe/x/one by hand, or discard the job",
    ],
    [
      { reason: "conflictWithJobs", files, others: ["two", "three"] },
      "in conflict with what two, three changes in a.txt, b c.txt: apply only one of them, or apply and commit two, " +
        "three first and then merge troupe/x/one by hand",
    ],
    [
      { reason: "conflictWithApplied", files, others: ["two"] },
      "in conflict: a.txt, b c.txt, to which two was applied before: commit that and then merge troupe/x/one by hand",
    ],
    [
      { reason: "dirty", files },
      "changed here and not committed: a.txt, b c.txt; commit or stash that first",
    ],
    [
      { reason: "hidden", files },
      "changed here where git does not see it: a.txt, b c.txt; keep a copy, have git look again (git update-index " +
        "--no-skip-worktree, or --no-assume-unchanged), then commit or stash it",
    ],
    [
      { reason: "inTheWay", files },
      "in the way: a.txt, b c.txt; something that git does not track is there: move it away",
    ],
    [
      { reason: "submodule", files },
      "repositories of their own: a.txt, b c.txt; git merges no such thing: do it by hand",
    ],
  ])("%o", (refusal, words) => {
    expect(obstacleWords({ id: "one", ...refusal }, "troupe/x/one")).toBe(words)
  })

  it("with the first twenty of many files", () => {
    const many = Array.from({ length: 23 }, (_, index) => `${index}.txt`)
    expect(obstacleWords({ id: "one", reason: "dirty", files: many }, "troupe/x/one")).toContain(
      "18.txt, 19.txt and 3 more; commit",
    )
  })
})
