import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import {
  type Apply,
  type Ledger,
  leftIn,
  readLedger,
  wasApplied,
  withApply,
  writeLedger,
} from "../../../src/plugin/worktrees/apply/ledger.ts"
import { tempFolder } from "../../support/temp-folder.ts"

const nothing: Ledger = { left: [], jobs: [] }

/** An apply of one job to these files. `before` and `after`: how files differ from HEAD, by their names. */
function apply(
  ledger: Ledger,
  id: string,
  files: string[],
  { before = {}, after = {}, ...given }: Given = {},
): Ledger {
  return withApply(ledger, {
    owner: "ses_owner",
    jobs: [{ id, commit: `the end of ${id}` }],
    changedBy: new Map(files.map((name) => [name, id])),
    before: new Map(Object.entries(before)),
    after: new Map(Object.entries(after)),
    ...given,
  })
}

type Given = Partial<Pick<Apply, "owner" | "jobs">> & {
  before?: Record<string, string>
  after?: Record<string, string>
}

/** The files that are as an apply has left them, each with its job. */
const left = (ledger: Ledger, differences: Record<string, string>, owner = "ses_owner") =>
  Object.fromEntries(leftIn(ledger, owner, new Map(Object.entries(differences))))

describe("A file that an apply has changed", () => {
  const applied = apply(nothing, "one", ["a.txt", "b.txt"], { after: { "a.txt": "1", "b.txt": "1" } })

  it("is known with its job as long as it differs from HEAD as that has left it, to its owner alone", () => {
    expect(left(applied, { "a.txt": "1", "b.txt": "2", "c.txt": "1" })).toEqual({ "a.txt": "one" })
    expect(left(applied, {})).toEqual({})
    expect(left(applied, { "a.txt": "1" }, "ses_other")).toEqual({})
  })

  it("is that of the last job that has changed it", () => {
    const differences = { "a.txt": "1", "b.txt": "2" }
    const both = apply(applied, "two", ["b.txt"], {
      before: { "a.txt": "1", "b.txt": "1" },
      after: differences,
    })
    expect(left(both, differences)).toEqual({ "a.txt": "one", "b.txt": "two" })
    expect(both.left).toHaveLength(2)
  })

  it("is forgotten with the next apply once it was committed or changed, though it becomes the same again", () => {
    const next = apply(applied, "two", [], { before: { "b.txt": "2" } })
    expect(left(next, { "a.txt": "1", "b.txt": "1" })).toEqual({})
  })

  it("is none where it is as in HEAD afterwards", () => {
    expect(apply(nothing, "one", ["a.txt"]).left).toEqual([])
  })
})

describe("A job that was applied", () => {
  const isApplied = (ledger: Ledger, id: string, commit = `the end of ${id}`, owner = "ses_owner") =>
    wasApplied(ledger, { owner, id, commit })

  it("is known with its end and its owner", () => {
    const one = apply(nothing, "one", [])
    expect(isApplied(one, "one")).toBe(true)
    expect(isApplied(one, "two", "the end of one")).toBe(false)
    expect(isApplied(one, "one", "another end")).toBe(false)
    expect(isApplied(one, "one", "the end of one", "ses_other")).toBe(false)
  })

  it("has the end alone that was applied last; other jobs, and those of other owners, have theirs", () => {
    const two = apply(apply(nothing, "one", []), "two", [])
    const ledger = apply(two, "one", [], {
      owner: "ses_other",
      jobs: [{ id: "one", commit: "another end" }],
    })
    const again = apply(ledger, "one", [], { jobs: [{ id: "one", commit: "a later end" }] })
    expect(isApplied(again, "one")).toBe(false)
    expect(isApplied(again, "one", "a later end")).toBe(true)
    expect(isApplied(again, "two")).toBe(true)
    expect(isApplied(again, "one", "another end", "ses_other")).toBe(true)
  })

  it("is remembered while no thousand others have followed", () => {
    const jobs = Array.from({ length: 999 }, (_, index) => ({ id: `job-${index}`, commit: "1" }))
    const full = apply(apply(nothing, "one", []), "many", [], { jobs })
    expect(isApplied(full, "one")).toBe(true)
    const fuller = apply(full, "last", [])
    expect([isApplied(fuller, "one"), isApplied(fuller, "last")]).toEqual([false, true])
    expect(isApplied(fuller, "job-0", "1")).toBe(true)
  })
})

describe("What is known of applies to a working tree", () => {
  it("is there again for whoever reads it, and is nothing where it cannot be read", async () => {
    const temp = tempFolder("ledger")
    onTestFinished(temp.remove)
    const journal = join(temp.path, "journal")
    expect(await readLedger(journal)).toEqual(nothing)
    const ledger = apply(nothing, "one", ["a.txt"], { after: { "a.txt": "1" } })
    await writeLedger(journal, ledger)
    expect(await readLedger(journal)).toEqual(ledger)
    for (const text of ["", '{"left": []}']) {
      writeFileSync(`${journal}.json`, text)
      expect(await readLedger(journal)).toEqual(nothing)
    }
  })
})
