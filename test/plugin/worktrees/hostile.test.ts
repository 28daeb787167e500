import { execFileSync } from "node:child_process"
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { processesWith } from "../../support/processes.ts"
import { filesIn, type TestRepository, testRepository, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

const make = (repo: TestRepository, job = "a", directory = repo.path) =>
  repo.worktrees.make({ directory, owner, job })

/** There once something was run that a child has set. */
const mark = (repo: TestRepository) => join(repo.path, "..", "ran")

/** A repository, all of it text, that has git run something as soon as git looks for the commit that it is at. */
function plant(repo: TestRepository, at: string): void {
  writeAll(join(at, ".git"), {
    HEAD: `${"1234567890".repeat(4)}\n`,
    "refs/keep": "",
    "objects/keep": "",
    config: [
      "[core]\n\trepositoryformatversion = 1",
      "[extensions]\n\tpartialClone = origin",
      '[protocol "file"]\n\tallow = always',
      `[remote "origin"]\n\turl = /nowhere\n\tpromisor = true\n\tuploadpack = touch '${mark(repo)}'; false\n`,
    ].join("\n"),
  })
}

describe("A repository that a child has made in its worktree is not entered, and keeps nothing else from being used,", () => {
  const link = (repo: TestRepository, directory: string) => {
    plant(repo, join(directory, "sub"))
    repo.gitIn(directory, "add", "sub")
  }

  it.each<[string, string, (repo: TestRepository, directory: string) => void]>([
    [
      "in place of a file",
      "a.txt",
      (repo, directory) => {
        rmSync(join(directory, "a.txt"))
        plant(repo, join(directory, "a.txt"))
      },
    ],
    ["added as git takes it", "sub", link],
    [
      "committed as git takes it",
      "sub",
      (repo, directory) => {
        link(repo, directory)
        const tree = repo.gitIn(directory, "write-tree")
        const commit = repo.gitIn(directory, "commit-tree", tree, "-p", "HEAD", "-m", "the child's own")
        repo.gitIn(directory, "update-ref", "HEAD", commit)
      },
    ],
  ])("%s", async (_, name, act) => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
    const { directory, base } = await make(repo)
    const other = await make(repo, "other")
    writeAll(directory, { "b.txt": "2\n" })
    writeAll(other.directory, { "b.txt": "3\n" })
    act(repo, directory)

    const look = async () => {
      expect(await repo.worktrees.changedFiles(directory)).toContain("b.txt")
      expect((await repo.worktrees.diffs(directory)).map(({ path }) => path)).toContain("b.txt")
      expect((await repo.worktrees.list()).worktrees[0]?.state).toMatchObject({
        type: "holding",
        holdings: { repositories: [name] },
      })
    }
    await look()
    const sealed = await repo.worktrees.seal(directory, "the end")
    expect(repo.git("ls-tree", "-r", sealed.commit)).not.toContain("160000")
    expect(repo.gitIn(directory, "ls-files", "--stage")).not.toContain("160000")
    expect(await repo.worktrees.seal(directory, "the end")).toEqual(sealed)
    await look()
    const { commit } = await repo.worktrees.seal(other.directory, "the other's end")
    const others = [{ job: "a", directory }]
    expect(await repo.worktrees.overlaps({ directory: other.directory, commit }, others)).toEqual([
      { job: "a", files: ["b.txt"] },
    ])

    const jobs = [{ id: "a", base, commit: sealed.commit }]
    const ready = await repo.worktrees.prepareApply({ directory: repo.path, owner, jobs })
    if (ready.type === "refused") throw new Error(JSON.stringify(ready.refusals))
    await ready.write()
    expect(filesIn(repo.path)).toEqual(
      name === "a.txt" ? { "b.txt": "644 2\n" } : { "a.txt": "644 1\n", "b.txt": "644 2\n" },
    )
    const discard = await repo.worktrees.prepareDiscard({ directory, owner })
    expect(discard.loss.repositories).toEqual([name])
    await discard.remove()
    expect(existsSync(directory)).toBe(false)
    expect(existsSync(mark(repo))).toBe(false)
  })

  it("nor one that is in the owner's files, which are not looked at with it", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
    rmSync(join(repo.path, "a.txt"))
    plant(repo, join(repo.path, "a.txt"))
    const made = await make(repo)
    expect(filesIn(made.directory)).toEqual({ "b.txt": "644 1\n" })
    expect((await repo.worktrees.list()).worktrees[0]?.state).toEqual({ type: "clean" })
    expect(existsSync(mark(repo))).toBe(false)
  })
})

describe.each([".gitignore", ".gitattributes", "sub/.gitignore"])(
  "A %s on which git waits for ever",
  (name) => {
    it("holds up nobody, and is named to whoever is to do something about it", async () => {
      const repo = testRepository()
      repo.commit({ "f.txt": "1\n" })
      const [strange, one, other] = [
        await make(repo, "strange"),
        await make(repo, "one"),
        await make(repo, "other"),
      ]
      for (const { directory } of [strange, one, other]) writeAll(directory, { "f.txt": "2\n" })
      writeAll(strange.directory, { "sub/f.txt": "2\n" })
      execFileSync("mkfifo", [join(strange.directory, name)])
      const others = [
        { job: "strange", directory: strange.directory },
        { job: "other", directory: other.directory },
      ]
      const { commit } = await repo.worktrees.seal(one.directory, "the end of one")
      const work = { directory: one.directory, commit }
      expect(await repo.worktrees.overlaps(work, others)).toEqual([{ job: "other", files: ["f.txt"] }])
      const pipe = JSON.stringify(join(strange.directory, name))
      const words = `git waits for ever for what the pipe ${pipe} says`
      const { kept } = await repo.worktrees.tidy(() => false)
      expect(kept.map(({ worktree, why }) => [worktree.job, why])).toEqual([
        ["strange", `it cannot be read: ${words}`],
        ["one", "it holds 1 commit with 1 changed file"],
        ["other", "it holds 1 uncommitted file"],
      ])
      const { directory } = strange
      const refused = `${words}; remove it and try again`
      await expect(repo.worktrees.seal(directory, "the end")).rejects.toThrow(refused)
      await expect(repo.worktrees.prepareDiscard({ directory, owner })).rejects.toThrow(refused)
      rmSync(join(directory, name))
      await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
      expect(existsSync(directory)).toBe(false)
    })
  },
)

describe("A filter that git waits for", () => {
  it.each([
    ["does not end when it is asked to", "trap '' TERM; sleep 600"],
    ["has left git's process group", "setsid sleep 600 & wait"],
  ])("holds up a job no longer than git may take, even where it %s", async (_, program) => {
    const repo = testRepository()
    repo.commit({ "f.txt": "1\n" })
    const { directory } = await make(repo)
    repo.git("config", "filter.stubborn.clean", program)
    writeAll(directory, { ".gitattributes": "*.txt filter=stubborn\n", "f.txt": "2\n" })
    onTestFinished(() => {
      for (const pid of processesWith(repo.env.HOME ?? "")) process.kill(Number(pid), "SIGKILL")
    })
    await expect(repo.worktrees.seal(directory, "the end", { limitMs: 2_000 })).rejects.toMatchObject({
      kind: "timeout",
    })
  })
})

describe("An owner that is a job itself", () => {
  it("has nothing run by what it says in its worktree to be its repository", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    const own = await make(repo)
    writeAll(own.directory, {
      ".git": "gitdir: ./evil\n",
      "evil/HEAD": `${own.base}\n`,
      "evil/refs/keep": "",
      "evil/objects/info/alternates": `${join(repo.path, ".git", "objects")}\n`,
      "evil/config": `[core]\n\trepositoryformatversion = 0\n[filter "x"]\n\tclean = touch '${mark(repo)}'; cat\n`,
      ".gitattributes": "* filter=x\n",
      "a.txt": "2\n",
    })
    const inner = await make(repo, "b", own.directory)
    expect(filesIn(inner.directory)).toMatchObject({ "a.txt": "644 2\n" })
    expect(repo.git("branch", "--list", inner.branch)).toContain(inner.branch)
    writeAll(inner.directory, { "b.txt": "1\n" })
    const { commit } = await repo.worktrees.seal(inner.directory, "the end")
    const jobs = [{ id: "b", base: inner.base, commit }]
    const ready = await repo.worktrees.prepareApply({ directory: own.directory, owner, jobs })
    if (ready.type === "refused") throw new Error(JSON.stringify(ready.refusals))
    await ready.write()
    expect(filesIn(own.directory)).toMatchObject({ "a.txt": "644 2\n", "b.txt": "644 1\n" })
    expect(existsSync(mark(repo))).toBe(false)
  })
})
