import { randomUUID } from "node:crypto"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
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
    "while a worktree is discarded leaves the rest to the next call, and to the next tidying",
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
            // Whoever tidies removes what was moved aside.
            await repo.worktrees.tidy(() => false)
            expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [] })
            expect(readdirSync(dirname(directory)).filter((name) => name.startsWith(".removing-"))).toEqual(
              [],
            )
          },
        }
      })
    },
    limit,
  )
})

describe("A worktree whose removal was cut off", () => {
  /** Killed as its files are aside, and all else is there. */
  async function cutOff(change: (repo: TestRepository, directory: string) => Promise<string>) {
    for (let at = 0; at < 20; at++) {
      const repo = dirtyRepository()
      const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
      const script = await change(repo, made.directory)
      await killed.run(repo, script, at, "rm")
      const ours = dirname(made.directory)
      const aside = readdirSync(ours).find((name) => name.startsWith(".removing-"))
      if (aside !== undefined) return { ...made, repo, ours, aside: join(ours, aside) }
    }
    throw new Error("it was never cut off there")
  }

  const discarded = () =>
    cutOff(async (repo, directory) => {
      writeAll(directory, { "a.txt": "done\n" })
      await repo.worktrees.seal(directory, "the end")
      return `await (await worktrees.prepareDiscard(${JSON.stringify({ directory, owner })})).remove()`
    })
  const tidied = () =>
    cutOff(async (repo, directory) => {
      await repo.worktrees.leave(directory)
      return "await worktrees.tidy(() => false)"
    })

  it("keeps the work of its job as that was committed: what is missing is no part of it", async () => {
    const { repo, directory, branch } = await discarded()
    const commit = repo.git("rev-parse", branch)
    expect(await repo.worktrees.seal(directory, "once more")).toMatchObject({ commit, files: 1 })
    expect(await repo.worktrees.changedFiles(directory)).toEqual(["a.txt"])
    expect((await repo.worktrees.list()).worktrees).toMatchObject([
      { job: "a", state: { type: "holding", holdings: { commits: 1, uncommitted: [] } } },
    ])
    expect((await repo.worktrees.tidy(() => false)).removed).toEqual([])
    expect(repo.git("rev-parse", branch)).toBe(commit)
  })

  it("is discarded by the same call again, and what lies beside it goes as anybody tidies", async () => {
    const { repo, directory, branch, ours, aside } = await discarded()
    await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
    expect(repo.git("branch", "--list", branch)).toBe("")
    expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [aside] })
    await repo.worktrees.tidy(() => false)
    expect(readdirSync(ours)).toEqual(["scratch"])
  })

  it("is tidied by the next call, with what lies beside it", async () => {
    const { repo, ours } = await tidied()
    const { removed, kept, failed } = await repo.worktrees.tidy(() => false)
    expect([removed.map(({ job }) => job), kept, failed]).toEqual([["a"], [], []])
    expect(readdirSync(ours)).toEqual(["scratch"])
    expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
  })

  it("leaves no folder, where a person tidies", async () => {
    const { repo, ours } = await tidied()
    await repo.worktrees.tidy()
    expect(existsSync(ours)).toBe(false)
  })

  describe("while its repository was away", () => {
    const away = (repo: TestRepository) => `${repo.path}-away`
    const forgotten = () =>
      cutOff(async (repo, directory) => {
        writeAll(directory, { "a.txt": "done\n" })
        await repo.worktrees.seal(directory, "the end")
        renameSync(repo.path, away(repo))
        return `await (await worktrees.prepareForgotten(${JSON.stringify(directory)})).remove()`
      })

    it("keeps that work, too, once that is back", async () => {
      const { repo, directory, branch } = await forgotten()
      renameSync(away(repo), repo.path)
      const commit = repo.git("rev-parse", branch)
      expect(await repo.worktrees.seal(directory, "once more")).toMatchObject({ commit, files: 1 })
    })

    it("is discarded by the same call again as well", async () => {
      const { repo, directory, aside } = await forgotten()
      expect((await repo.worktrees.list()).worktrees).toMatchObject([
        { state: { type: "forgotten", files: 0 } },
      ])
      await (await repo.worktrees.prepareForgotten(directory)).remove()
      expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [aside] })
    })
  })
})

it("What a process that runs is just removing is left to that; a link is left to whoever put it there", async () => {
  const repo = testRepository()
  const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
  const ours = dirname(directory)
  const aside = (pid: number) => join(ours, `.removing-${pid}-${randomUUID()}`)
  const [theirs, left, mine, link] = [
    aside(process.ppid),
    aside(2 ** 22 + 1),
    aside(process.pid),
    aside(2 ** 22 + 1),
  ]
  for (const folder of [theirs, left, mine]) mkdirSync(folder)
  symlinkSync(repo.path, link)
  expect((await repo.worktrees.list()).remains.sort()).toEqual([left, mine].sort())
  await repo.worktrees.tidy(() => true)
  expect([theirs, left, mine, link].map((each) => existsSync(each))).toEqual([true, false, false, true])
  expect(existsSync(join(repo.path, ".git"))).toBe(true)
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
