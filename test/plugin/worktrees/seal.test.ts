import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

/** A repository with a worktree in it, as a job gets it. */
async function withWorktree(files: Record<string, string> = { "a.txt": "1\n2\n3\n" }) {
  const repo = testRepository()
  repo.commit(files)
  const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
  return { repo, made, in: (...args: string[]) => repo.gitIn(made.directory, ...args) }
}

const tree = (repo: TestRepository, commit: string) =>
  repo.git("ls-tree", "-r", "--name-only", commit).split("\n")

describe("The end of a job", () => {
  it("is one commit of its user with all that the child has left uncommitted, counted from where it started", async () => {
    const { repo, made, in: inside } = await withWorktree()
    const before = userSide(repo.path)
    writeAll(made.directory, { "a.txt": "1\nzwei\n3\n4\n", "new/b.txt": "new\n" })
    const sealed = await repo.worktrees.seal(made.directory, "Job a: what it was about")
    expect(sealed).toMatchObject({ files: 2, insertions: 3, deletions: 1 })
    expect(inside("log", "--format=%H %P %an <%ae> %s", "-1")).toBe(
      `${sealed.commit} ${made.base} Ada <ada@example.com> Job a: what it was about`,
    )
    expect(inside("status", "--porcelain")).toBe("")
    expect(userSide(repo.path)).toEqual(before)
  })

  it("is the same however often it is asked for", async () => {
    const { repo, made } = await withWorktree()
    writeAll(made.directory, { "a.txt": "changed\n" })
    const first = await repo.worktrees.seal(made.directory, "the end")
    expect(await repo.worktrees.seal(made.directory, "the end")).toEqual(first)
  })

  it("is the start where nothing was changed", async () => {
    const { repo, made } = await withWorktree()
    const sealed = await repo.worktrees.seal(made.directory, "the end")
    expect(sealed).toEqual({ commit: made.base, files: 0, insertions: 0, deletions: 0 })
  })

  it("has the commits of the child, also those of a branch of its own", async () => {
    const { repo, made, in: inside } = await withWorktree()
    inside("switch", "--quiet", "-c", "feature")
    writeAll(made.directory, { "b.txt": "b\n" })
    inside("add", "--all")
    inside("commit", "--quiet", "-m", "the child's own")
    const own = inside("rev-parse", "HEAD")
    writeAll(made.directory, { "c.txt": "c\n" })
    const { commit } = await repo.worktrees.seal(made.directory, "the end")
    expect(repo.git("rev-parse", `${commit}^`)).toBe(own)
    expect(tree(repo, commit)).toEqual(["a.txt", "b.txt", "c.txt"])
    expect(repo.git("rev-parse", made.branch)).toBe(commit)
  })

  it("joins what the child committed on its branch and elsewhere", async () => {
    const { repo, made, in: inside } = await withWorktree()
    writeAll(made.directory, { "b.txt": "b\n" })
    inside("add", "--all")
    inside("commit", "--quiet", "-m", "on the branch")
    const [onBranch, start] = [inside("rev-parse", "HEAD"), made.base]
    inside("checkout", "--quiet", "--detach", start)
    writeAll(made.directory, { "c.txt": "c\n" })
    inside("add", "--all")
    inside("commit", "--quiet", "-m", "elsewhere")
    const elsewhere = inside("rev-parse", "HEAD")
    const { commit } = await repo.worktrees.seal(made.directory, "the end")
    expect(repo.git("log", "-1", "--format=%P", commit)).toBe(`${onBranch} ${elsewhere}`)
    expect(tree(repo, commit)).toEqual(["a.txt", "c.txt"])
  })

  it("is the end of the branch for a child that only looks at an earlier commit", async () => {
    const { repo, made, in: inside } = await withWorktree()
    writeAll(made.directory, { "b.txt": "b\n" })
    const first = await repo.worktrees.seal(made.directory, "the end")
    inside("checkout", "--quiet", "--detach", made.base)
    expect(await repo.worktrees.seal(made.directory, "the end")).toEqual(first)
    expect(await repo.worktrees.seal(made.directory, "the end")).toEqual(first)
  })

  it("is as the child left it in the middle of a merge or a rebase, with both sides", async () => {
    for (const command of [["merge"], ["rebase"], ["rebase", "--apply"]]) {
      const { repo, made, in: inside } = await withWorktree()
      inside("switch", "--quiet", "-c", "other")
      writeAll(made.directory, { "a.txt": "theirs\n" })
      inside("commit", "--quiet", "-a", "-m", "theirs")
      const theirs = inside("rev-parse", "HEAD")
      inside("switch", "--quiet", made.branch)
      writeAll(made.directory, { "a.txt": "ours\n" })
      inside("commit", "--quiet", "-a", "-m", "ours")
      const ours = inside("rev-parse", "HEAD")
      expect(() => inside(...command, "other")).toThrow()
      const files = filesIn(made.directory)
      const { commit } = await repo.worktrees.seal(made.directory, "the end")
      expect(repo.git("log", "-1", "--format=%P", commit)).toBe(`${ours} ${theirs}`)
      expect(filesIn(made.directory)).toEqual(files)
      expect(inside("status")).toBe(`On branch ${made.branch}\nnothing to commit, working tree clean`)
    }
  })

  it("is as the child left it in the middle of picking or reverting several commits", async () => {
    for (const command of [
      ["cherry-pick", "other~2..other"],
      ["revert", "--no-edit", "HEAD~1", "HEAD~2"],
    ]) {
      const { repo, made, in: inside } = await withWorktree()
      const change = (text: string) => {
        writeAll(made.directory, { "a.txt": `${text}\n` })
        inside("commit", "--quiet", "-a", "-m", text)
      }
      inside("switch", "--quiet", "-c", "other")
      for (const text of ["one", "two"]) change(text)
      inside("switch", "--quiet", made.branch)
      for (const text of ["first", "second", "third"]) change(text)
      const last = inside("rev-parse", "HEAD")
      expect(() => inside(...command)).toThrow()
      const files = filesIn(made.directory)
      const { commit } = await repo.worktrees.seal(made.directory, "the end")
      expect(repo.git("log", "-1", "--format=%P", commit)).toBe(last)
      expect(filesIn(made.directory)).toEqual(files)
      expect(inside("status")).toBe(`On branch ${made.branch}\nnothing to commit, working tree clean`)
    }
  })

  it("is what its branch has where somebody has removed the worktree", async () => {
    const { repo, made } = await withWorktree()
    writeAll(made.directory, { "b.txt": "b\n" })
    const first = await repo.worktrees.seal(made.directory, "the end")
    rmSync(made.directory, { recursive: true })
    expect(await repo.worktrees.seal(made.directory, "the end")).toEqual(first)
  })

  it("leaves repositories that the child has made in its worktree, as no commit can hold what is in them", async () => {
    const { repo, made, in: inside } = await withWorktree()
    inside("init", "--quiet", "empty")
    inside("init", "--quiet", "full")
    writeAll(made.directory, { "full/x.txt": "x\n", "empty/y.txt": "y\n", "z.txt": "z\n" })
    repo.gitIn(join(made.directory, "full"), "add", "--all")
    repo.gitIn(join(made.directory, "full"), "commit", "--quiet", "-m", "inner")
    const sealed = await repo.worktrees.seal(made.directory, "the end")
    expect(tree(repo, sealed.commit)).toEqual(["a.txt", "z.txt"])
    const { loss } = await repo.worktrees.prepareDiscard({ directory: made.directory, owner })
    expect(loss.repositories).toEqual(["empty", "full"])
  })

  it("has an author where git knows no user", async () => {
    const repo = testRepository({ identity: false })
    const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    writeAll(made.directory, { "b.txt": "b\n" })
    const { commit } = await repo.worktrees.seal(made.directory, "the end")
    expect(repo.git("log", "-1", "--format=%an", commit)).toBe("opencode-troupe")
  })
})

describe("The end of a job whose child is hostile", () => {
  it("reads no other repository that its .git leads to, and runs no hook", async () => {
    const { repo, made } = await withWorktree()
    const other = testRepository()
    const before = userSide(other.path)
    writeAll(made.directory, { "b.txt": "b\n", "hooks/reference-transaction": "#!/bin/sh\ntouch ../ran\n" })
    writeFileSync(join(made.directory, ".git"), `gitdir: ${join(other.path, ".git")}\n`)
    const { commit } = await repo.worktrees.seal(made.directory, "the end")
    expect(tree(repo, commit)).toEqual(["a.txt", "b.txt", "hooks/reference-transaction"])
    expect(userSide(other.path)).toEqual(before)
    rmSync(join(made.directory, ".git"))
    mkdirSync(join(made.directory, ".git"))
    writeAll(made.directory, { ".git/config": "[core]\n\tfsmonitor = touch ran\n", "c.txt": "c\n" })
    await repo.worktrees.seal(made.directory, "the end")
    expect(tree(repo, made.branch)).toEqual(["a.txt", "b.txt", "c.txt", "hooks/reference-transaction"])
  })

  it("has a message that git takes as it is, without what a terminal would carry out", async () => {
    const { repo, made } = await withWorktree()
    writeAll(made.directory, { "b.txt": "b\n" })
    const { commit } = await repo.worktrees.seal(
      made.directory,
      "--amend $(touch x) `y`\u0000\u001b[31m\n# not a comment",
    )
    expect(repo.git("log", "-1", "--format=%B", commit).trim()).toBe(
      "--amend $(touch x) `y`\n# not a comment",
    )
  })
})
