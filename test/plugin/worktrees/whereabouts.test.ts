import { existsSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

const make = (repo: TestRepository, job = "a") => repo.worktrees.make({ directory: repo.path, owner, job })

describe("A worktree that git was made to forget while its folder was away", () => {
  async function forgotten() {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    repo.write({ "dirty.txt": "1\n" })
    const made = await make(repo)
    writeAll(made.directory, { "a.txt": "2\n", "new.txt": "new\n" })
    const away = join(repo.path, "..", "away")
    renameSync(made.directory, away)
    repo.git("worktree", "prune")
    return { repo, ...made, comeBack: () => renameSync(away, made.directory) }
  }

  it("can be sealed, gone on in, and discarded", async () => {
    const { repo, directory, branch, comeBack } = await forgotten()
    comeBack()
    const before = userSide(repo.path)
    expect((await repo.worktrees.list()).worktrees[0]?.state).toMatchObject({
      type: "holding",
      holdings: { commits: 0, uncommitted: ["a.txt", "new.txt"] },
    })
    const { commit, files } = await repo.worktrees.seal(directory, "the end")
    expect(files).toBe(2)
    expect(repo.gitIn(directory, "status", "--porcelain", "--branch")).toBe(`## ${branch}`)
    expect(repo.gitIn(directory, "rev-parse", "HEAD")).toBe(commit)
    await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
    expect(existsSync(directory)).toBe(false)
    expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
    expect(userSide(repo.path)).toEqual(before)
  })

  it("takes nothing of one that has its name there by now", async () => {
    const { repo, directory, comeBack } = await forgotten()
    const theirs = join(repo.path, "..", "89abcdef-a")
    repo.git("worktree", "add", "--quiet", "-b", "theirs", theirs)
    writeAll(theirs, { "theirs.txt": "1\n" })
    comeBack()
    expect(await repo.worktrees.seal(directory, "the end")).toMatchObject({ files: 2 })
    expect(repo.gitIn(directory, "status", "--porcelain")).toBe("")
    expect(repo.gitIn(theirs, "status", "--porcelain", "--branch")).toBe("## theirs\n?? theirs.txt")
    await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
    expect(repo.git("worktree", "list")).toContain(theirs)
  })
})

it("A worktree that somebody has moved is not taken for an empty one: what is in it is not told, but where it is", async () => {
  const repo = testRepository()
  const { directory } = await make(repo)
  writeAll(directory, { "new.txt": "new\n" })
  const elsewhere = join(repo.path, "..", "elsewhere")
  repo.git("worktree", "move", directory, elsewhere)
  const moved = {
    kind: "moved",
    what: expect.stringContaining(elsewhere),
    todo: `move it back: git -C ${repo.path} worktree move ${elsewhere} ${directory}`,
  }
  await expect(repo.worktrees.seal(directory, "the end")).rejects.toMatchObject(moved)
  await expect(repo.worktrees.prepareDiscard({ directory, owner })).rejects.toMatchObject(moved)
  expect((await repo.worktrees.tidy(() => false)).removed).toEqual([])
  expect(filesIn(elsewhere)).toEqual({ "new.txt": "644 new\n" })
  repo.git("worktree", "move", elsewhere, directory)
  expect(await repo.worktrees.seal(directory, "the end")).toMatchObject({ files: 1 })
})

it("A job whose start git has thrown away, once its child had left it, can be sealed and discarded", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n" })
  repo.write({ "dirty.txt": "1\n" })
  const { directory, base } = await make(repo)
  repo.gitIn(directory, "reset", "--quiet", "--hard", "main")
  repo.git("reflog", "expire", "--expire=now", "--all")
  repo.gitIn(directory, "reflog", "expire", "--expire=now", "--all")
  repo.git("gc", "--quiet", "--prune=now")
  writeAll(directory, { "new.txt": "new\n" })
  expect(() => repo.git("cat-file", "-e", base)).toThrow()
  expect(await repo.worktrees.changedFiles(directory)).toEqual(["new.txt"])
  expect((await repo.worktrees.diffs(directory)).map(({ path }) => path)).toEqual(["new.txt"])
  const { commit, files } = await repo.worktrees.seal(directory, "the end")
  expect(files).toBe(1)
  rmSync(join(repo.path, "dirty.txt"))
  const jobs = [{ id: "a", base, commit }]
  await expect(repo.worktrees.prepareApply({ directory: repo.path, owner, jobs })).rejects.toMatchObject({
    kind: "gone",
    todo: "bring in its branch by hand, or start the job again",
  })
  const discard = await repo.worktrees.prepareDiscard({ directory, owner })
  expect(discard.loss).toMatchObject({ commits: 1, files: 1 })
  await discard.remove()
  expect(existsSync(directory)).toBe(false)
})

it("A branch that somebody else moves in the same moment is no lock that could be removed", async () => {
  const repo = testRepository()
  const { directory, branch } = await make(repo)
  writeAll(directory, { "new.txt": "new\n" })
  const seals = await Promise.allSettled(
    Array.from({ length: 6 }, (_, index) => repo.worktrees.seal(directory, `the end ${index}`)),
  )
  const failures = seals.flatMap((each) => (each.status === "rejected" ? [each.reason] : []))
  for (const failure of failures) expect(failure).toMatchObject({ kind: "changed", todo: "try again" })
  expect(await repo.worktrees.seal(directory, "the end")).toMatchObject({ files: 1 })
  expect(repo.git("show", `${branch}:new.txt`)).toBe("new")
})

it("A conflict of a folder with a link is told by the name that both have", async () => {
  const repo = testRepository()
  repo.commit({ "d/a.txt": "1\n", "b.txt": "1\n" })
  const { directory, base } = await make(repo)
  rmSync(join(directory, "d"), { recursive: true })
  symlinkSync("elsewhere", join(directory, "d"))
  const { commit } = await repo.worktrees.seal(directory, "the end")
  repo.commit({ "d/new.txt": "1\n" })
  const refused = await repo.worktrees.prepareApply({
    owner,
    directory: repo.path,
    jobs: [{ id: "a", base, commit }],
  })
  expect(refused).toMatchObject({ type: "refused", refusals: [{ reason: "conflict", files: ["d"] }] })
  expect(readFileSync(join(repo.path, "d", "new.txt"), "utf8")).toBe("1\n")
})
