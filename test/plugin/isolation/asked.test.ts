import { describe, expect, it } from "vitest"
import { Isolation } from "../../../src/plugin/isolation/isolation.ts"
import { WorktreeError } from "../../../src/plugin/worktrees/errors.ts"
import { createWorktrees, type Worktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { gate } from "../../support/gate.ts"
import { okSession } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"

const worktree = { directory: "/worktrees/one", branch: "troupe/owner/one", base: "0123456789" }
const job = { owner: "ses_owner", id: "one", worktree }
const work = { id: "one", base: worktree.base, commit: "abcdef0123" }
const { signal } = new AbortController()

/** `worktrees` is what they answer; nothing else of them is asked. */
const isolationOn = (worktrees: Partial<Worktrees>, loaded: string[] = []) =>
  new Isolation({
    host: {
      hasLoaded: (directory) => loaded.includes(directory),
      session: async (id) => okSession(sessionOf(id, { directory: `/projects/${id}` })),
    },
    records: { of: () => [] },
    worktrees: { ...createWorktrees({ folder: "/nowhere", binary: "/nowhere/git" }), ...worktrees },
  })

const fails = (kind: "locked" | "interrupted" | "notOurs") => () =>
  Promise.reject(new WorktreeError(kind, kind, "see"))

describe("Whether a job's work is applied", () => {
  it("is asked where its owner works", async () => {
    const asked: string[] = []
    const isolation = isolationOn({
      async prepareApply({ directory }) {
        asked.push(directory)
        return { type: "refused", refusals: [] }
      },
    })
    expect(await isolation.isApplied("ses_owner", work)).toBe(false)
    expect(asked).toEqual(["/projects/ses_owner"])
  })

  it("is not so where git cannot tell", async () => {
    expect(await isolationOn({ prepareApply: fails("locked") }).isApplied("ses_owner", work)).toBe(false)
  })

  it.each<[string, Worktrees["prepareApply"]]>([
    ["was interrupted", fails("interrupted")],
    ["has failed for another reason", () => Promise.reject(new Error("a defect"))],
  ])("is not said where the look %s", async (_, prepareApply) => {
    await expect(isolationOn({ prepareApply }).isApplied("ses_owner", work)).rejects.toThrow()
  })
})

describe("What a job has changed so far", () => {
  it("is not known where its worktree and its branch are gone", async () => {
    expect(await isolationOn({ diffs: fails("notOurs") }).diffs(worktree)).toBeUndefined()
  })

  it("is not taken for nothing where git cannot tell", async () => {
    await expect(isolationOn({ diffs: fails("locked") }).diffs(worktree)).rejects.toThrow("locked")
  })
})

describe("What has become of a job's worktree", () => {
  it("is not said where it has none, or where that cannot be told", async () => {
    const isolation = isolationOn({ fate: fails("locked") })
    expect(await isolation.fateOf({ owner: "ses_owner", id: "one" })).toBeUndefined()
    expect(await isolation.fateOf(job)).toBeUndefined()
    expect(await isolationOn({ fate: async () => "applied" }).fateOf(job)).toBe("applied")
  })
})

describe("A job that goes on in its worktree", () => {
  it("has its configuration looked at as long as opencode has not loaded it", async () => {
    const asked: string[] = []
    const assureConfiguration: Worktrees["assureConfiguration"] = async (directory) => {
      asked.push(directory)
      return worktree.base
    }
    await isolationOn({ assureConfiguration }, [worktree.directory]).assureLoadable(worktree)
    expect(asked).toEqual([])
    await isolationOn({ assureConfiguration }).assureLoadable(worktree)
    expect(asked).toEqual([worktree.directory])
  })

  it.each([
    ["once that is noted", () => {}],
    ["even if that could not be noted", () => Promise.reject(new Error("the disk is full"))],
  ])("does so after the end of its last run, %s", async (_, end) => {
    const happened: string[] = []
    const noted = gate()
    const isolation = isolationOn(
      {
        async leave() {
          await noted.passed
          happened.push("left")
          await end()
        },
        async enter() {
          happened.push("entered")
        },
      },
      [worktree.directory],
    )
    const left = isolation.leave(worktree).catch(() => happened.push("was told"))
    const entered = isolation.enter({ owner: "ses_owner", isolation: "worktree", worktree }, signal)
    await new Promise((resolve) => setImmediate(resolve))
    expect(happened).toEqual([])
    noted.open("now")
    expect(await entered).toEqual(worktree)
    await left
    expect(happened.filter((each) => each !== "was told")).toEqual(["left", "entered"])
  })
})
