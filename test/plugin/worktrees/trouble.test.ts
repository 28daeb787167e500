import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { isDeep } from "../../support/depth.ts"
import { noSmallDisk, type SmallDisk, smallDisk } from "../../support/small-disk.ts"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"
const branch = "troupe/89abcdef/a"

const make = (repo: TestRepository) => repo.worktrees.make({ directory: repo.path, owner, job: "a" })

/** A repository in which something is changed and something is new, none of it committed. */
function dirtyRepository(): TestRepository {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n", "b/c.txt": "1\n", "large.bin": "x".repeat(40_000) })
  repo.write({ "a.txt": "dirty\n", "untracked.txt": "untracked\n" })
  return repo
}

/** Changed, new and committed files, as a child leaves them. */
function work(repo: TestRepository, directory: string): void {
  writeAll(directory, { "own.txt": "committed by the child\n" })
  repo.gitIn(directory, "add", "own.txt")
  repo.gitIn(directory, "commit", "--quiet", "-m", "the child's own")
  writeAll(directory, { "a.txt": "done\n", "new/d.txt": "new\n", "large.bin": "y".repeat(40_000) })
}

/** Has everything that git can have of the repository's commits and branches. */
const isWhole = (repo: TestRepository) => repo.git("fsck", "--full", "--strict", "--no-dangling")

/** Nothing of a worktree is left that could not be made. */
async function requireNothing(repo: TestRepository): Promise<void> {
  expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [] })
  expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
  expect(repo.git("branch", "--list", "troupe/*")).toBe("")
  expect(isWhole(repo)).toBe("")
}

/** Another git process has it locked. */
function lock(file: string): () => void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, "", { flag: "wx" })
  return () => rmSync(file)
}

describe("While something of the repository is locked,", () => {
  it("a worktree is refused whose branch that is, and is made by the same call once it is free", async () => {
    const repo = dirtyRepository()
    const before = userSide(repo.path)
    const free = lock(join(repo.path, `.git/refs/heads/${branch}.lock`))
    await expect(make(repo)).rejects.toMatchObject({
      kind: "locked",
      todo: "wait until it has ended; remove the lock file where none runs",
    })
    free()
    await requireNothing(repo)
    const made = await make(repo)
    expect(made.branch).toBe(branch)
    expect(filesIn(made.directory)).toEqual(filesIn(repo.path))
    expect(userSide(repo.path)).toEqual(before)
  })

  it.each(["index.lock", "packed-refs.lock", "HEAD.lock", "config.lock", "shallow.lock"])(
    "a worktree is made all the same where that is its user's %s",
    async (name) => {
      const repo = dirtyRepository()
      const free = lock(join(repo.path, ".git", name))
      const before = userSide(repo.path)
      const { directory } = await make(repo)
      expect(filesIn(directory)).toEqual(filesIn(repo.path))
      expect(userSide(repo.path)).toEqual(before)
      free()
    },
  )

  it.each([
    ["the branch of its job", `refs/heads/${branch}.lock`],
    ["where its worktree stands", "worktrees/89abcdef-a/HEAD.lock"],
  ])("a job is not sealed where that is %s, and is by the same call once it is free", async (_, name) => {
    const repo = dirtyRepository()
    const made = await make(repo)
    work(repo, made.directory)
    // So that the worktree has to go back to its branch.
    repo.gitIn(made.directory, "checkout", "--quiet", "--detach")
    const [files, before] = [filesIn(made.directory), userSide(repo.path)]
    const free = lock(join(repo.path, ".git", name))
    await expect(repo.worktrees.seal(made.directory, "the end")).rejects.toMatchObject({
      kind: "locked",
      todo: "wait until it has ended; remove the lock file where none runs",
    })
    expect(filesIn(made.directory)).toEqual(files)
    expect(isWhole(repo)).toBe("")
    free()
    await requireSealed(repo, made)
    expect(filesIn(made.directory)).toEqual(files)
    expect(userSide(repo.path)).toEqual(before)
  })

  it.each([
    ["the index of its worktree", "worktrees/89abcdef-a/index.lock"],
    ["the list of packed branches", "packed-refs.lock"],
    ["its user's index", "index.lock"],
  ])("a job is sealed all the same where that is %s", async (_, name) => {
    const repo = dirtyRepository()
    const made = await make(repo)
    work(repo, made.directory)
    repo.git("pack-refs", "--all")
    const free = lock(join(repo.path, ".git", name))
    const { commit } = await repo.worktrees.seal(made.directory, "the end")
    free()
    expect((await requireSealed(repo, made)).commit).toBe(commit)
  })

  it("a branch stays with all its work that cannot be removed, and is by the same call once it is free", async () => {
    const repo = dirtyRepository()
    const { directory } = await make(repo)
    work(repo, directory)
    await repo.worktrees.seal(directory, "the end")
    repo.git("pack-refs", "--all")
    const free = lock(join(repo.path, ".git", "packed-refs.lock"))
    await expect((await repo.worktrees.prepareDiscard({ directory, owner })).remove()).rejects.toMatchObject({
      kind: "locked",
    })
    expect(repo.git("show", `${branch}:new/d.txt`)).toBe("new")
    free()
    await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
    await requireNothing(repo)
  })

  it("a worktree cannot start from another job, and can by the same call once it is free", async () => {
    const repo = dirtyRepository()
    const first = await make(repo)
    work(repo, first.directory)
    const { commit } = await repo.worktrees.seal(first.directory, "the end")
    const second = await repo.worktrees.make({ directory: repo.path, owner, job: "b" })
    const free = lock(join(repo.path, ".git/worktrees/89abcdef-b/index.lock"))
    await expect(repo.worktrees.startFrom(second.directory, commit)).rejects.toMatchObject({ kind: "locked" })
    free()
    expect(await repo.worktrees.startFrom(second.directory, commit)).toEqual({ base: commit })
    expect(filesIn(second.directory)).toEqual(filesIn(first.directory))
  })

  it("a worktree that could not start from another job has done nothing, and can be sealed and discarded", async () => {
    const repo = dirtyRepository()
    const first = await make(repo)
    work(repo, first.directory)
    const { commit } = await repo.worktrees.seal(first.directory, "the end")
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "b" })
    lock(join(repo.path, ".git/worktrees/89abcdef-b/index.lock"))
    await expect(repo.worktrees.startFrom(directory, commit)).rejects.toMatchObject({ kind: "locked" })
    expect(await repo.worktrees.seal(directory, "the end")).toMatchObject({ commit, files: 0 })
    await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
    expect((await repo.worktrees.list()).worktrees.map(({ job }) => job)).toEqual(["a"])
  })
})

/** All that the child has done is on its branch, and its worktree has nothing that is not. */
async function requireSealed(repo: TestRepository, { directory }: { directory: string }) {
  const sealed = await repo.worktrees.seal(directory, "the end")
  expect(sealed).toMatchObject({ files: 4 })
  expect(repo.git("rev-parse", branch)).toBe(sealed.commit)
  expect(repo.git("log", "--format=%s", "-2", branch)).toBe("the end\nthe child's own")
  expect(repo.gitIn(directory, "status", "--porcelain", "--branch")).toBe(`## ${branch}`)
  expect(repo.git("show", `${branch}:new/d.txt`)).toBe("new")
  expect(isWhole(repo)).toBe("")
  return sealed
}

const whyNoDisk = noSmallDisk()
const skipped = whyNoDisk ? ` (skipped: ${whyNoDisk})` : ""

/** Bytes of the smallest piece that a disk gives away. */
const page = 4096
/** In a deep run with each piece more; else with so many. */
const step = isDeep ? 1 : 3

/** Milliseconds of one test: git fails some ten times in each, or as often as there are pieces. */
const limit = { timeout: isDeep ? 600_000 : 120_000 }

describe.skipIf(whyNoDisk)(`On a disk that is full, with however little room on it${skipped},`, limit, () => {
  const disks = [
    ["of the worktrees", (repo: TestRepository) => repo.folder],
    ["of the repository", (repo: TestRepository) => join(repo.path, ".git")],
  ] as const

  /** Has `act` fail for want of room, with a bit more of it each time, until it does not. @returns how often it failed */
  async function untilThereIsRoom(disk: SmallDisk, act: () => Promise<unknown>, look: () => unknown) {
    for (let pages = 0; ; pages += step) {
      disk.fill(pages * page)
      const failure = await act().then(
        () => undefined,
        (error: unknown) => error,
      )
      if (failure === undefined) return pages
      expect(failure, `${pages} pages of room`).toMatchObject({
        kind: "noSpace",
        todo: "make room on it and try again",
      })
      await look()
    }
  }

  it.each(disks)(
    "the one %s: a worktree is refused, nothing is left of it, and it is made then",
    async (_, at) => {
      const repo = dirtyRepository()
      await repo.worktrees.list()
      const disk = smallDisk(at(repo))
      try {
        const before = userSide(repo.path)
        const failures = await untilThereIsRoom(
          disk,
          () => make(repo),
          () => requireNothing(repo),
        )
        disk.free()
        expect(failures).toBeGreaterThan(0)
        const [made] = (await repo.worktrees.list()).worktrees
        expect(filesIn(made?.directory ?? "")).toEqual(filesIn(repo.path))
        expect(userSide(repo.path)).toEqual(before)
      } finally {
        disk.remove()
      }
    },
  )

  it.each(disks)(
    "the one %s: a job is not sealed, keeps all that it did, and is sealed then",
    async (_, at) => {
      const repo = dirtyRepository()
      const disk = smallDisk(at(repo))
      try {
        const made = await make(repo)
        work(repo, made.directory)
        const [files, before, own] = [
          filesIn(made.directory),
          userSide(repo.path),
          repo.git("rev-parse", branch),
        ]
        await untilThereIsRoom(
          disk,
          () => repo.worktrees.seal(made.directory, "the end"),
          () => {
            expect(filesIn(made.directory)).toEqual(files)
            expect(isWhole(repo)).toBe("")
            expect(repo.git("merge-base", own, branch)).toBe(own)
          },
        )
        disk.free()
        await requireSealed(repo, made)
        expect(filesIn(made.directory)).toEqual(files)
        expect(userSide(repo.path)).toEqual(before)
      } finally {
        disk.remove()
      }
    },
  )

  it.each(disks)("the one %s: a worktree does not start from another job, and does then", async (_, at) => {
    const repo = dirtyRepository()
    const disk = smallDisk(at(repo))
    try {
      const first = await make(repo)
      work(repo, first.directory)
      const { commit } = await repo.worktrees.seal(first.directory, "the end")
      const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "b" })
      await untilThereIsRoom(
        disk,
        () => repo.worktrees.startFrom(directory, commit),
        () => expect(isWhole(repo)).toBe(""),
      )
      disk.free()
      expect(filesIn(directory)).toEqual(filesIn(first.directory))
      expect(await repo.worktrees.seal(directory, "the end")).toMatchObject({ commit, files: 0 })
    } finally {
      disk.remove()
    }
  })

  it.each([...disks, ["of the project", (repo: TestRepository) => repo.path] as const])(
    "the one %s: nothing of a job is applied, and all of it then",
    async (_, at) => {
      const repo = dirtyRepository()
      // What the disk is filled with is none of the owner's files.
      repo.write({ ".git/info/exclude": "ballast\n" })
      const made = await make(repo)
      work(repo, made.directory)
      const { base, commit } = { ...made, ...(await repo.worktrees.seal(made.directory, "the end")) }
      const disk = smallDisk(at(repo))
      const files = () => {
        const { ballast: _, ...rest } = filesIn(repo.path)
        return rest
      }
      try {
        const before = files()
        const apply = async () => {
          const jobs = [{ id: "a", base, commit }]
          const ready = await repo.worktrees.prepareApply({ directory: repo.path, owner, jobs })
          if (ready.type === "refused") throw new Error(JSON.stringify(ready.refusals))
          await ready.write()
        }
        await untilThereIsRoom(disk, apply, () => expect(files()).toEqual(before))
        disk.free()
        expect(files()).toEqual(filesIn(made.directory))
      } finally {
        disk.remove()
      }
    },
  )

  it.each(disks)("which is only to be read, %s: nothing is made or sealed, and is then", async (_, at) => {
    const repo = dirtyRepository()
    const disk = smallDisk(at(repo))
    try {
      await disk.whileReadOnly(() => expect(make(repo)).rejects.toMatchObject({ kind: "notWritable" }))
      const made = await make(repo)
      expect(made.branch).toBe(branch)
      work(repo, made.directory)
      await disk.whileReadOnly(() =>
        expect(repo.worktrees.seal(made.directory, "the end")).rejects.toMatchObject({ kind: "notWritable" }),
      )
      await requireSealed(repo, made)
    } finally {
      disk.remove()
    }
  })
})

it("A job is not sealed whose files a filter of the repository does not take, and is once it does", async () => {
  const repo = dirtyRepository()
  repo.commit({ ".gitattributes": "own.txt filter=picky\n" })
  const made = await make(repo)
  repo.git("config", "filter.picky.clean", "false")
  repo.git("config", "filter.picky.required", "true")
  writeAll(made.directory, { "own.txt": "own\n" })
  await expect(repo.worktrees.seal(made.directory, "the end")).rejects.toMatchObject({
    kind: "filter",
    todo: "install what its filter runs, or see .gitattributes and git config",
  })
  repo.git("config", "filter.picky.clean", "cat")
  const { commit } = await repo.worktrees.seal(made.directory, "the end")
  expect(repo.git("show", `${commit}:own.txt`)).toBe("own")
})
