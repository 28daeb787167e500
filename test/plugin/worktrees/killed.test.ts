import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createWorktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { isDeep } from "../../support/depth.ts"
import { type Killed, killedRuns } from "./support/killed.ts"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"
/** In a deep run at each one; else the points move on by so many. */
const step = isDeep ? 1 : 11
/** Milliseconds of one test. */
const limit = isDeep ? 1_800_000 : 300_000

let killed: Killed

beforeAll(async () => {
  killed = await killedRuns()
})
afterAll(() => killed.remove())

/** Every commit, branch and file of git's store that was there still is, and is whole. */
function requireWhole(repo: TestRepository): void {
  expect(repo.git("fsck", "--full", "--strict", "--no-dangling")).toBe("")
}

function dirtyRepository(): TestRepository {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n", "b/c.txt": "1\n", "gone/d.txt": "1\n", "run.sh": "x\n" })
  repo.write({ "a.txt": "dirty\n", "untracked.txt": "untracked\n" })
  return repo
}

/** Runs `prove` after each point at which the process could be killed, until one comes to its end. */
async function atEachPoint(
  make: () => Promise<{ repo: TestRepository; script: string; prove: () => Promise<void> }>,
  first = 0,
): Promise<void> {
  for (let at = first; ; at += step) {
    const { repo, script, prove } = await make()
    const isDone = await killed.run(repo, script, at)
    try {
      await prove()
      requireWhole(repo)
    } catch (error) {
      throw new Error(`killed before its ${at}. change`, { cause: error })
    }
    if (isDone) return
  }
}

describe("kill -9", () => {
  it(
    "while a worktree is made loses nothing, and it can be made again under the same name",
    async () => {
      await atEachPoint(async () => {
        const repo = dirtyRepository()
        const before = userSide(repo.path)
        const request = { directory: repo.path, owner, job: "a" }
        return {
          repo,
          script: `await worktrees.make(${JSON.stringify(request)})`,
          async prove() {
            expect(userSide(repo.path)).toEqual(before)
            const made = await repo.worktrees.make(request)
            expect(filesIn(made.directory)).toEqual(filesIn(repo.path))
            expect(userSide(repo.path)).toEqual(before)
            await repo.worktrees.tidy(() => false)
            expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
            expect(repo.git("branch", "--list", "troupe/*")).toBe("")
          },
        }
      })
    },
    limit,
  )

  it(
    "while a job is sealed loses nothing, and it is sealed by the next call",
    async () => {
      await atEachPoint(async () => {
        const repo = dirtyRepository()
        const { directory, branch } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
        writeAll(directory, { "a.txt": "done\n", "new/e.txt": "new\n" })
        rmSync(join(directory, "gone"), { recursive: true })
        const [files, before] = [filesIn(directory), userSide(repo.path)]
        return {
          repo,
          script: `await worktrees.seal(${JSON.stringify(directory)}, "the end")`,
          async prove() {
            const sealed = await repo.worktrees.seal(directory, "the end")
            expect(sealed.commit).toBe(repo.git("rev-parse", branch))
            expect(filesIn(directory)).toEqual(files)
            expect(repo.gitIn(directory, "status", "--porcelain")).toBe("")
            expect(repo.git("log", "--format=%s", "-2", branch).split("\n")[0]).toBe("the end")
            expect(userSide(repo.path)).toEqual(before)
          },
        }
      })
    },
    limit,
  )

  it(
    "while a worktree is to start from another job loses nothing of either, and it starts from there by the next call",
    async () => {
      await atEachPoint(async () => {
        const repo = dirtyRepository()
        const first = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
        writeAll(first.directory, { "a.txt": "done\n", "new/e.txt": "new\n" })
        rmSync(join(first.directory, "gone"), { recursive: true })
        const { commit } = await repo.worktrees.seal(first.directory, "the end")
        const { directory, branch } = await repo.worktrees.make({ directory: repo.path, owner, job: "b" })
        const before = userSide(repo.path)
        return {
          repo,
          script: `await worktrees.startFrom(${JSON.stringify(directory)}, ${JSON.stringify(commit)})`,
          async prove() {
            expect(await repo.worktrees.startFrom(directory, commit)).toEqual({ base: commit })
            expect(filesIn(directory)).toEqual(filesIn(first.directory))
            expect(repo.git("rev-parse", branch)).toBe(commit)
            expect(repo.gitIn(directory, "status", "--porcelain", "--branch")).toBe(`## ${branch}`)
            expect(userSide(repo.path)).toEqual(before)
          },
        }
      })
    },
    limit,
  )

  it(
    "while a job is applied leaves all of it or nothing, as soon as anybody looks",
    async () => {
      await atEachPoint(async () => {
        const repo = dirtyRepository()
        const { directory, base } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
        writeAll(directory, { "a.txt": "done\n", "new/e.txt": "new\n", "b/c.txt": "2\n" })
        rmSync(join(directory, "gone"), { recursive: true })
        chmodSync(join(directory, "run.sh"), 0o755)
        const { commit } = await repo.worktrees.seal(directory, "the end")
        const [before, after] = [filesIn(repo.path), filesIn(directory)]
        const request = { directory: repo.path, owner, jobs: [{ id: "a", base, commit }] }
        return {
          repo,
          script: `const ready = await worktrees.prepareApply(${JSON.stringify(request)}); await ready.write()`,
          async prove() {
            const recovered = await repo.worktrees.recover(repo.path)
            const now = filesIn(repo.path)
            const isDone = JSON.stringify(now) === JSON.stringify(after)
            expect(now).toEqual(isDone ? after : before)
            if (recovered.type === "undone") expect(recovered.changed).toEqual([])
            const ready = await repo.worktrees.prepareApply(request)
            if (ready.type === "refused") throw new Error(JSON.stringify(ready.refusals))
            await ready.write()
            expect(filesIn(repo.path)).toEqual(after)
          },
        }
      })
    },
    limit,
  )

  it(
    "while an interrupted apply is undone leaves it to the next call",
    async () => {
      await atEachPoint(async () => {
        const repo = dirtyRepository()
        const { directory, base } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
        writeAll(directory, { "a.txt": "done\n", "new/e.txt": "new\n", "b/c.txt": "2\n" })
        const { commit } = await repo.worktrees.seal(directory, "the end")
        const before = filesIn(repo.path)
        const request = { directory: repo.path, owner, jobs: [{ id: "a", base, commit }] }
        const write = `const ready = await worktrees.prepareApply(${JSON.stringify(request)}); await ready.write()`
        // Files are renamed into place: the journal first, then one after the other.
        await killed.run(repo, write, 2, "rename")
        expect(filesIn(repo.path)).toMatchObject({ "a.txt": "644 done\n", "b/c.txt": "644 1\n" })
        return {
          repo,
          script: `await worktrees.recover(${JSON.stringify(repo.path)})`,
          async prove() {
            await repo.worktrees.recover(repo.path)
            expect(filesIn(repo.path)).toEqual(before)
          },
        }
      })
    },
    limit,
  )

  it(
    "while a worktree is discarded leaves the rest to the next call",
    async () => {
      await atEachPoint(async () => {
        const repo = dirtyRepository()
        const { directory, branch } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
        writeAll(directory, { "a.txt": "done\n" })
        await repo.worktrees.seal(directory, "the end")
        const before = userSide(repo.path)
        const request = { directory, owner }
        return {
          repo,
          script: `await (await worktrees.prepareDiscard(${JSON.stringify(request)})).remove()`,
          async prove() {
            expect(userSide(repo.path)).toEqual(before)
            const isGone = (await repo.worktrees.list()).worktrees.length === 0
            if (!isGone) await (await repo.worktrees.prepareDiscard(request)).remove()
            expect(existsSync(directory)).toBe(false)
            expect(repo.git("branch", "--list", branch)).toBe("")
            expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
            expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [] })
          },
        }
      })
    },
    limit,
  )
})

describe("A worktree whose removal was cut off", () => {
  /** Killed once it is known that it is being removed, before all of its files are. */
  async function halfRemoved() {
    for (let at = 0; at < 20; at++) {
      const repo = dirtyRepository()
      const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
      const { directory } = made
      writeAll(directory, { "a.txt": "done\n" })
      const { commit } = await repo.worktrees.seal(directory, "the end")
      const remove = `await (await worktrees.prepareDiscard(${JSON.stringify({ directory, owner })})).remove()`
      await killed.run(repo, remove, at, "rm")
      const [left] = (await repo.worktrees.list()).worktrees
      if (left?.state.type !== "halfRemoved" || !existsSync(directory)) continue
      rmSync(join(directory, "b"), { recursive: true })
      return { ...made, repo, commit }
    }
    throw new Error("it was never seen half removed")
  }

  it("is nobody's any more: what is missing there is not taken for the work of its job", async () => {
    const { repo, directory, branch, commit } = await halfRemoved()
    const { worktrees } = repo
    const isNone = { kind: "notOurs" }
    await expect(worktrees.enter(directory)).rejects.toMatchObject(isNone)
    await expect(worktrees.seal(directory, "a follow-up")).rejects.toMatchObject(isNone)
    await expect(worktrees.diffs(directory)).rejects.toMatchObject(isNone)
    expect(await worktrees.fate(directory, { owner, job: "a", commit })).toBe("removed")
    expect(repo.git("rev-parse", branch)).toBe(commit)
  })

  it("goes with the next tidying, whoever owns it, and whichever opencode has made it", async () => {
    const { repo, directory } = await halfRemoved()
    const { removed, kept, failed } = await repo.worktrees.tidy(() => true)
    expect([removed.map(({ job }) => job), kept, failed]).toEqual([["a"], [], []])
    expect(existsSync(directory)).toBe(false)
    expect(repo.git("branch", "--list", "troupe/*")).toBe("")
    expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
  })

  it("is what its own owner alone discards, and nothing is lost by that", async () => {
    const { repo, directory, branch } = await halfRemoved()
    const prepare = (who: string) => repo.worktrees.prepareDiscard({ directory, owner: who })
    await expect(prepare("ses_other")).rejects.toMatchObject({ kind: "notOurs" })
    const { loss, files, remove } = await prepare(owner)
    expect([loss, files]).toEqual([
      { commits: 0, files: 0, uncommitted: [], repositories: [], ignored: [] },
      [],
    ])
    await remove()
    expect([existsSync(directory), repo.git("branch", "--list", branch)]).toEqual([false, ""])
    await expect(remove()).rejects.toMatchObject({ kind: "gone" })
  })

  it("makes room for one of the same name", async () => {
    const { repo, directory } = await halfRemoved()
    const again = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    expect(again.directory).toBe(directory)
    expect(filesIn(directory)).toEqual(filesIn(repo.path))
  })

  it("stays, with what is said of it, while a person stands on its branch", async () => {
    const { repo, directory, branch, commit } = await halfRemoved()
    rmSync(directory, { recursive: true })
    repo.git("worktree", "prune")
    repo.git("stash", "--quiet", "--include-untracked")
    repo.git("switch", "--quiet", branch)
    const { failed } = await repo.worktrees.tidy(() => false)
    expect(failed.map(({ why }) => why)).toEqual([
      expect.stringContaining(`the branch ${branch} is checked out elsewhere`),
    ])
    expect(repo.git("rev-parse", "HEAD")).toBe(commit)
  })

  it("leaves a branch that has moved since", async () => {
    const { repo, branch } = await halfRemoved()
    const moved = repo.git("commit-tree", "-m", "later", "-p", branch, `${branch}^{tree}`)
    repo.git("update-ref", `refs/heads/${branch}`, moved)
    expect((await repo.worktrees.tidy(() => false)).removed).toHaveLength(1)
    expect(repo.git("rev-parse", branch)).toBe(moved)
  })
})

it("What a killed git had only begun to know of a worktree goes with what is left of that", async () => {
  const repo = testRepository()
  const request = { directory: repo.path, owner, job: "a" }
  const { directory } = await repo.worktrees.make(request)
  const known = join(repo.path, ".git", "worktrees")
  const [name = ""] = readdirSync(known)
  rmSync(directory, { recursive: true })
  writeFileSync(join(known, name, "gitdir"), "")
  const { gitDir: _, ...note } = JSON.parse(readFileSync(`${directory}.json`, "utf8"))
  writeFileSync(`${directory}.json`, JSON.stringify({ ...note, state: "making", pid: 2 ** 22 + 1 }))
  expect((await repo.worktrees.make(request)).directory).toBe(directory)
  expect(readdirSync(known)).toEqual([name])
})

it("An apply that was cut off is ended from any folder of the project, without git", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n", "b.txt": "1\n", "below/c.txt": "1\n" })
  const { directory, base } = await repo.worktrees.make({
    directory: repo.path,
    owner: "ses_owner",
    job: "a",
  })
  writeAll(directory, { "a.txt": "2\n", "b.txt": "2\n" })
  const { commit } = await repo.worktrees.seal(directory, "the end")
  const request = { directory: repo.path, owner, jobs: [{ id: "a", base, commit }] }
  const write = `const ready = await worktrees.prepareApply(${JSON.stringify(request)}); await ready.write()`
  const files = () => [filesIn(repo.path)["a.txt"], filesIn(repo.path)["b.txt"]]
  // The journal is renamed into place, then the first file.
  await killed.run(repo, write, 2, "rename")
  expect(files()).toEqual(["644 2\n", "644 1\n"])
  const withoutGit = createWorktrees({ folder: repo.folder, binary: "/nowhere/git" })
  expect(await withoutGit.recover(join(repo.path, "below"))).toEqual({ type: "undone", changed: [] })
  expect(files()).toEqual(["644 1\n", "644 1\n"])
})

it("A project whose folder is gone has no apply to end", async () => {
  const repo = testRepository()
  expect(await repo.worktrees.recover(join(repo.path, "gone"))).toEqual({ type: "nothing" })
})

it("kill -9 right after the last file was written leaves it known that a job was applied", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n2\n3\n" })
  const work = async (job: string, text: string) => {
    const { directory, base } = await repo.worktrees.make({ directory: repo.path, owner, job })
    writeAll(directory, { "a.txt": text })
    const { commit } = await repo.worktrees.seal(directory, "the end")
    return { directory: repo.path, owner, jobs: [{ id: job, base, commit }] }
  }
  const top = JSON.stringify(await work("top", "top\n2\n3\n"))
  const bottom = await work("bottom", "1\n2\nbottom\n")
  const write = `const ready = await worktrees.prepareApply(${top}); await ready.write()`
  // Renamed into place are the journal, the file, and what is known afterwards.
  expect(await killed.run(repo, write, 2, "rename")).toBe(false)
  const ready = await repo.worktrees.prepareApply(bottom)
  if (ready.type === "ready") await ready.write()
  expect(filesIn(repo.path)["a.txt"]).toBe("644 top\n2\nbottom\n")
})

it("kill -9 after all was written leaves it applied, whatever a person then does to one of the files", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
  const { directory, base } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
  writeAll(directory, { "a.txt": "2\n", "b.txt": "2\n" })
  const { commit } = await repo.worktrees.seal(directory, "the end")
  const request = { directory: repo.path, owner, jobs: [{ id: "a", base, commit }] }
  const write = `const ready = await worktrees.prepareApply(${JSON.stringify(request)}); await ready.write()`
  // Renamed into place are the journal, both files, and the journal that says so.
  expect(await killed.run(repo, write, 4, "rename")).toBe(false)
  writeAll(repo.path, { "a.txt": "3\n" })
  expect(await repo.worktrees.recover(repo.path)).toEqual({ type: "finished" })
  expect(filesIn(repo.path)).toMatchObject({ "a.txt": "644 3\n", "b.txt": "644 2\n" })
})
