import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesIn, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

async function withWorktree(files: Record<string, string> = { "a.txt": "1\n2\n3\n" }) {
  const repo = testRepository()
  repo.commit(files)
  const { directory, branch, base } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
  const diffs = () => repo.worktrees.diffs(directory)
  const byPath = async () => Object.fromEntries((await diffs()).map((file) => [file.path, file]))
  return {
    repo,
    directory,
    branch,
    base,
    diffs,
    byPath,
    in: (...args: string[]) => repo.gitIn(directory, ...args),
  }
}

describe("What a job has changed in its worktree", () => {
  it("is told of each file, committed or not, tracked or new, as git shows it", async () => {
    const job = await withWorktree({ "a.txt": "1\n2\n3\n", "gone.txt": "x\n", "same.txt": "s\n" })
    writeAll(job.directory, { "a.txt": "1\nzwei\n3\n" })
    job.in("commit", "--quiet", "--all", "-m", "the child's own")
    rmSync(join(job.directory, "gone.txt"))
    writeAll(job.directory, { "new/b.txt": "new\n", "empty.txt": "" })
    const files = await job.byPath()
    expect(Object.keys(files).sort()).toEqual(["a.txt", "empty.txt", "gone.txt", "new/b.txt"])
    expect(files["a.txt"]).toMatchObject({ insertions: 1, deletions: 1 })
    expect(files["a.txt"]?.diff).toContain("@@ -1,3 +1,3 @@\n 1\n-2\n+zwei\n 3\n")
    expect(files["new/b.txt"]?.diff).toMatch(
      /^diff --git a\/new\/b.txt b\/new\/b.txt\nnew file[\s\S]*\n\+new\n$/,
    )
    expect(files["gone.txt"]).toMatchObject({ insertions: 0, deletions: 1 })
    expect(files["empty.txt"]).toMatchObject({ insertions: 0, deletions: 0 })
  })

  it("is counted as at the job's end, a renamed file once", async () => {
    const lines = "1\n2\n3\n4\n5\n6\n7\n8\n"
    const job = await withWorktree({ "old.txt": lines, "b.txt": "b\n" })
    job.in("mv", "old.txt", "renamed.txt")
    writeAll(job.directory, { "renamed.txt": `${lines}9\n`, "b.txt": "B\n" })
    const before = await job.diffs()
    const sealed = await job.repo.worktrees.seal(job.directory, "the end")
    expect(before.map(({ path }) => path)).toEqual(["b.txt", "renamed.txt"])
    const sum = (of: "insertions" | "deletions") => before.reduce((all, each) => all + (each[of] ?? 0), 0)
    expect(sealed).toMatchObject({ files: 2, insertions: sum("insertions"), deletions: sum("deletions") })
    expect(await job.diffs()).toEqual(before)
  })

  it("is what its branch has once its folder is gone, and none of ours once that is gone as well", async () => {
    const job = await withWorktree()
    writeAll(job.directory, { "a.txt": "changed\n" })
    await job.repo.worktrees.seal(job.directory, "the end")
    const before = await job.diffs()
    rmSync(job.directory, { recursive: true })
    expect(await job.diffs()).toEqual(before)
    expect(before).toHaveLength(1)
    job.repo.git("worktree", "prune")
    job.repo.git("branch", "--quiet", "-D", job.branch)
    await expect(job.diffs()).rejects.toMatchObject({ kind: "notOurs" })
  })

  it("changes nothing of the worktree nor of the project", async () => {
    const job = await withWorktree()
    writeAll(job.directory, { "a.txt": "changed\n", "new.txt": "new\n" })
    const [files, status, before] = [
      filesIn(job.directory),
      job.in("status", "--porcelain"),
      userSide(job.repo.path),
    ]
    await job.diffs()
    expect(filesIn(job.directory)).toEqual(files)
    expect(job.in("status", "--porcelain")).toBe(status)
    expect(userSide(job.repo.path)).toEqual(before)
  })

  it("names files of any name, none of which passes for another or for a diff", async () => {
    const job = await withWorktree()
    const names = [
      "x\ndiff --git a/a.txt b/a.txt",
      'quo"te\\',
      "\ttab",
      "-dash",
      "ü \u202Etxt",
      ":(exclude)a.txt",
    ]
    writeAll(job.directory, {
      ...Object.fromEntries(names.map((name) => [name, `in ${name}\n`])),
      "a.txt": "1\n2\ndiff --git a/b b/b\n",
    })
    const bytes = Buffer.concat([Buffer.from(`${job.directory}/`), Buffer.from([0xff, 0x62])])
    writeFileSync(bytes, "bytes\n")
    const files = await job.byPath()
    expect(Object.keys(files).sort()).toEqual([...names, "a.txt", "\uFFFDb"].sort())
    for (const name of names) expect(files[name]?.diff).toContain(`\n+in ${name.split("\n")[0]}\n`)
    expect(files["a.txt"]).toMatchObject({ insertions: 1, deletions: 1 })
    expect(files["a.txt"]?.diff?.match(/diff --git/g)).toHaveLength(2)
  })

  it("has links as links, whatever they lead to, and no lines of what is not text or is very large", async () => {
    const job = await withWorktree({ "a.txt": "1\n", "b.txt": "b\n" })
    rmSync(join(job.directory, "b.txt"))
    symlinkSync("/etc/passwd", join(job.directory, "b.txt"))
    writeFileSync(join(job.directory, "binary"), Buffer.from([0, 1, 2]))
    writeFileSync(join(job.directory, "large.txt"), "line\n".repeat(300_000))
    const files = await job.byPath()
    expect(files["b.txt"]?.diff).toMatch(/deleted file[\s\S]*new file mode 120000[\s\S]*\+\/etc\/passwd\n/)
    expect(files.binary?.diff).toContain("Binary files /dev/null and b/binary differ")
    expect(files.binary?.insertions).toBeUndefined()
    expect(files["large.txt"]?.diff).toContain("Binary files")
  })

  it("is listed in full where the diffs of all are more than anybody reads", async () => {
    const job = await withWorktree()
    const line = `${"x".repeat(99)}\n`
    const many = Array.from({ length: 12 }, (_, index) => [`${100 + index}.txt`, line.repeat(10_000)])
    writeAll(job.directory, Object.fromEntries(many))
    const files = await job.diffs()
    expect(files.map(({ insertions }) => insertions)).toEqual(many.map(() => 10_000))
    expect(files[0]?.diff).toContain("@@ -0,0 +1,10000 @@")
    expect(files.at(-1)?.diff).toBeUndefined()
    const size = files.reduce((sum, { diff = "" }) => sum + diff.length, 0)
    expect(size).toBeLessThanOrEqual(8 * 1024 * 1024)
  })

  it("has files in conflict as they stand, and nothing of a repository that the child has made within", async () => {
    const job = await withWorktree()
    job.in("switch", "--quiet", "-c", "other")
    writeAll(job.directory, { "a.txt": "other\n" })
    job.in("commit", "--quiet", "--all", "-m", "other")
    job.in("switch", "--quiet", job.branch)
    writeAll(job.directory, { "a.txt": "ours\n" })
    job.in("commit", "--quiet", "--all", "-m", "ours")
    expect(() => job.in("merge", "--quiet", "other")).toThrow()
    mkdirSync(join(job.directory, "nested"))
    job.repo.gitIn(join(job.directory, "nested"), "init", "--quiet")
    writeAll(job.directory, { "nested/n.txt": "n\n" })
    const files = await job.diffs()
    expect(files.map(({ path }) => path)).toEqual(["a.txt"])
    expect(files[0]?.diff).toContain("+<<<<<<< HEAD\n+ours\n+=======\n+other\n")
  })

  it("runs none of the tools that are set for showing changes, and follows no taste", async () => {
    const job = await withWorktree()
    const ran = join(job.repo.path, "ran")
    for (const [key, value] of [
      ["diff.external", `touch '${ran}'; true`],
      ["diff.evil.command", `touch '${ran}'; true`],
      ["diff.evil.textconv", `touch '${ran}'; cat`],
      ["diff.noprefix", "true"],
      ["diff.mnemonicPrefix", "true"],
      ["diff.renames", "false"],
      ["diff.context", "0"],
      ["color.ui", "always"],
    ] as const)
      job.repo.git("config", key, value)
    writeAll(job.directory, { ".gitattributes": "*.txt diff=evil\n", "a.txt": "1\nzwei\n3\n" })
    const { "a.txt": file } = await job.byPath()
    expect(file?.diff).toMatch(
      /^diff --git a\/a.txt b\/a.txt\n[\s\S]*@@ -1,3 \+1,3 @@\n 1\n-2\n\+zwei\n 3\n$/,
    )
    expect(filesIn(job.repo.path)).not.toHaveProperty("ran")
  })
})
