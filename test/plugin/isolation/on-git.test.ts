import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import type { JobRecord, Worktree } from "../../../src/machines/record.ts"
import { Isolation } from "../../../src/plugin/isolation/isolation.ts"
import { failed, okSession } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { filesIn, testRepository, writeAll } from "../worktrees/support/repository.ts"

const { signal } = new AbortController()

type Job = Pick<
  JobRecord,
  "owner" | "id" | "description" | "worktree" | "state" | "check" | "error" | "startedAt"
>

/** The worktrees of an owner who works in a repository. `session` is what opencode says of the owner. */
function isolated(session?: () => ReturnType<typeof okSession> | ReturnType<typeof failed>) {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
  const jobs: Job[] = []
  const isolation = new Isolation({
    host: {
      hasLoaded: () => false,
      session: async (id) => session?.() ?? okSession(sessionOf(id, { directory: repo.path })),
    },
    records: { of: (owner) => jobs.filter((job) => job.owner === owner) },
    worktrees: repo.worktrees,
  })
  return {
    repo,
    isolation,
    jobs,
    /** A job with a worktree, in which these files are changed. */
    async job(id: string, files: Record<string, string> = {}) {
      const worktree = await isolation.make({ owner: "ses_owner", id }, signal)
      writeAll(worktree.directory, files)
      const job = { owner: "ses_owner", id, description: `Do ${id}`, worktree, state: "done" as const }
      jobs.push(job)
      return job
    },
  }
}

const from = (id: string, worktree?: Worktree) => ({ owner: "ses_owner", isolation: { from: id }, worktree })

describe("A worktree for a job", () => {
  it("has what its owner has, on a branch of its own", async () => {
    const { job, repo, isolation } = isolated()
    repo.write({ "a.txt": "not committed\n" })
    const { worktree } = await job("one")
    expect(filesIn(worktree.directory)).toEqual(filesIn(repo.path))
    expect(repo.gitIn(worktree.directory, "branch", "--show-current")).toBe(worktree.branch)
    expect(isolation.isThere(worktree)).toBe(true)
    rmSync(worktree.directory, { recursive: true })
    expect(isolation.isThere(worktree)).toBe(false)
  })

  it("is not made where opencode does not say where the owner works", async () => {
    const { job } = isolated(() => failed("it is busy"))
    await expect(job("one")).rejects.toThrow("opencode does not say where its owner works: it is busy")
  })
})

describe("Sealing", () => {
  it("commits what was left uncommitted, names the job, counts it, and is harmless when it is done", async () => {
    const { job, repo, isolation } = isolated()
    const one = await job("one", { "a.txt": "of one\n", "new.txt": "1\n2\n" })
    const sealed = await isolation.seal(one, signal)
    expect(sealed).toEqual({ ...one.worktree, commit: sealed.commit, files: 2, insertions: 3, deletions: 1 })
    expect(repo.git("rev-parse", one.worktree.branch)).toBe(sealed.commit)
    expect(repo.git("log", "-1", "--format=%B", sealed.commit)).toMatch(/^Do one\n\nWork of job one,/)
    expect(await isolation.seal(one, signal)).toEqual(sealed)
  })

  it("says which other jobs of the owner have changed the same files", async () => {
    const { job, isolation } = isolated()
    await job("one", { "a.txt": "of one\n" })
    await job("two", { "b.txt": "of two\n" })
    const three = await job("three", { "a.txt": "of three\n" })
    const { overlaps } = await isolation.seal(three, signal)
    expect(overlaps).toEqual([{ job: "one", files: ["a.txt"] }])
  })
})

describe("The end of a job that has to pass a check", () => {
  const passed = { check: { command: "npm test", exitCode: 0, rounds: 1, output: "" } }
  const notPassed = {
    check: { ...passed.check, exitCode: 1 },
    state: "failed",
    error: { kind: "check", message: "no" },
  } as const

  /** One whose check has left files in its worktree that git does not ignore. */
  async function checked(how: Partial<Job>) {
    const stage = isolated()
    const one = await stage.job("one", { "a.txt": "of one\n" })
    const job = { ...one, ...how, worktree: await stage.isolation.seal(one, signal) }
    stage.jobs.splice(0, 1, job)
    writeAll(job.worktree.directory, { "coverage/report.txt": "87 %\n", "b.txt": "formatted\n" })
    return { ...stage, one: job }
  }

  it.each<[string, Partial<Job>]>([
    ["has passed", passed],
    ["has not passed", notPassed],
  ])("is what was checked where that %s: what the check has written stays where it is", async (_, how) => {
    const { one: job, isolation, repo } = await checked(how)
    expect(await isolation.endOf(job)).toEqual(job.worktree)
    expect(repo.git("rev-parse", job.worktree.branch)).toBe(job.worktree.commit)
    expect(filesIn(job.worktree.directory)).toMatchObject({ "coverage/report.txt": "644 87 %\n" })
  })

  it.each<[string, Partial<Job>]>([
    ["it was cancelled", { ...passed, state: "cancelled", error: { kind: "cancelled", message: "no" } }],
    ["it had none to pass", {}],
    ["none has run yet", { check: { command: "npm test", rounds: 0, output: "" } }],
  ])("is all that is there where %s", async (_, how) => {
    const { one: job, isolation } = await checked(how)
    expect(await isolation.endOf(job)).toMatchObject({ files: 3 })
  })

  it("is all that is there where somebody has gone on by hand", async () => {
    const { one: job, isolation, repo } = await checked(passed)
    repo.gitIn(job.worktree.directory, "commit", "--quiet", "--all", "-m", "by hand")
    expect(await isolation.endOf(job)).toMatchObject({ files: 3 })
  })

  it("is what others start from", async () => {
    const { one, job, isolation } = await checked(passed)
    const two = await job("two")
    const { base } = await isolation.enter(from("one", two.worktree), signal)
    expect(base).toBe(one.worktree.commit)
  })
})

describe("A job that starts from another's end", () => {
  it("has all that the other did, what it left uncommitted too", async () => {
    const { job, isolation } = isolated()
    const one = await job("one", { "a.txt": "of one\n" })
    const two = await job("two")
    const started = await isolation.enter(from("one", two.worktree), signal)
    expect(filesIn(two.worktree.directory)["a.txt"]).toBe("644 of one\n")
    const { commit } = await isolation.seal(one, signal)
    expect(started).toEqual({ ...two.worktree, base: commit })
    // What the other did is none of its own.
    expect(await isolation.seal({ ...two, worktree: started }, signal)).toMatchObject({ files: 0 })
  })

  describe("whose worktree was removed meanwhile", () => {
    /** A job that has ended in it, and one that is to start from there. */
    async function ended(files: Record<string, string> = {}) {
      const stage = isolated()
      const one = { ...(await stage.job("one", files)), startedAt: 1 }
      stage.repo.write({ "b.txt": "what its owner has since\n" })
      const two = await stage.job("two")
      const sealed = { ...one, worktree: await stage.isolation.seal(one, signal) }
      const remove = async () => (await stage.isolation.prepareDiscard(one, one.worktree)).remove()
      const enter = (other: Job) => {
        stage.jobs.splice(0, 1, other)
        return stage.isolation.enter(from("one", two.worktree), signal)
      }
      return { ...stage, one, sealed, two, remove, enter }
    }

    it("as it held nothing, starts from where the other did", async () => {
      const { sealed, two, remove, enter } = await ended()
      await remove()
      expect(await enter(sealed)).toEqual({ ...two.worktree, base: sealed.worktree.base })
      expect(filesIn(two.worktree.directory)).toEqual({ "a.txt": "644 1\n", "b.txt": "644 1\n" })
    })

    it("does so too where the other never began", async () => {
      const { one, two, remove, enter } = await ended()
      await remove()
      const { startedAt: _, ...unbegun } = one
      expect(await enter({ ...unbegun, state: "cancelled" })).toEqual({
        ...two.worktree,
        base: one.worktree.base,
      })
    })

    it.each(["sealed", "one"] as const)("does not begin where that is more than is known: %s", async (as) => {
      const { remove, enter, ...jobs } = await ended({ "a.txt": "of one\n" })
      await remove()
      await expect(enter(jobs[as])).rejects.toThrow("is no worktree")
    })
  })

  it("is told what is missing", async () => {
    const { job, isolation } = isolated()
    const { worktree } = await job("two")
    await expect(isolation.enter(from("one"), signal)).rejects.toThrow(
      "it has no worktree of its own: start it as a new job",
    )
    await expect(isolation.enter(from("one", worktree), signal)).rejects.toThrow(
      "one has no worktree to start from: start it with isolation",
    )
  })

  it("stays where it is if it is to start from nobody", async () => {
    const { job, isolation } = isolated()
    const { worktree } = await job("one")
    expect(await isolation.enter({ owner: "ses_owner", isolation: "worktree", worktree }, signal)).toEqual(
      worktree,
    )
  })
})

describe("Work", () => {
  it("is applied once the owner's files have all of it", async () => {
    const { job, isolation } = isolated()
    const one = await job("one", { "a.txt": "of one\n" })
    const { base, commit } = await isolation.seal(one, signal)
    const work = { id: "one", base, commit }
    expect(await isolation.isApplied("ses_owner", work)).toBe(false)
    const prepared = await isolation.prepareApply("ses_owner", [work])
    if (prepared.type === "ready") await prepared.write()
    expect(await isolation.isApplied("ses_owner", work)).toBe(true)
  })
})

describe("Tidying", () => {
  const gone = () => failed("no such session", 404)
  const silent = () => failed("no answer")
  const there = () => okSession(sessionOf("ses_owner"))

  it.each([
    ["removes what holds nothing and whose owner is gone", gone, {}, false],
    ["keeps what holds work", gone, { "a.txt": "of one\n" }, true],
    ["keeps what has an owner", there, {}, true],
    ["keeps what may have an owner, where opencode does not say", silent, {}, true],
  ])("%s", async (_, owner, files, isKept) => {
    const { repo, isolation } = isolated(owner)
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner: "ses_owner", job: "one" })
    // The process that made it is gone.
    const note = `${directory}.json`
    writeFileSync(note, readFileSync(note, "utf8").replace(/"pid":\d+/, `"pid":${2 ** 22 + 1}`))
    writeAll(directory, files)
    await isolation.tidy()
    expect(existsSync(directory)).toBe(isKept)
  })

  it("keeps what a running process has made, whose job may not be on record yet", async () => {
    const { repo, isolation } = isolated(gone)
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner: "ses_owner", job: "one" })
    await isolation.tidy()
    expect(existsSync(directory)).toBe(true)
  })
})
