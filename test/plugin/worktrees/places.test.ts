import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { createWorktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { noSmallDisk, smallDisk } from "../../support/small-disk.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"
import { roundTrip } from "./support/round-trip.ts"

const owner = "ses_0123456789abcdef"

const make = (repo: TestRepository, directory = repo.path, job = "a") =>
  repo.worktrees.make({ directory, owner, job })

async function refusal(repo: TestRepository, directory = repo.path): Promise<unknown> {
  const before = userSide(directory)
  const refused = await make(repo, directory).catch((error: unknown) => error)
  expect(userSide(directory)).toEqual(before)
  expect((await repo.worktrees.list()).worktrees).toEqual([])
  return refused
}

describe("A worktree is refused, with words and nothing left behind,", () => {
  it("where there is no git", async () => {
    const repo = testRepository()
    const worktrees = createWorktrees({
      folder: repo.folder,
      env: repo.env,
      binary: join(repo.path, "no-git"),
    })
    await expect(worktrees.make({ directory: repo.path, owner, job: "a" })).rejects.toMatchObject({
      kind: "noGit",
      message: "git is not installed; install git 2.38 or later",
    })
  })

  it("where there is no repository", async () => {
    const repo = testRepository()
    const folder = tempFolder("no-repository")
    const refused = await refusal(repo, folder.path)
    folder.remove()
    expect(refused).toMatchObject({ kind: "noRepository", todo: expect.stringContaining("git init") })
  })

  it("in a bare repository", async () => {
    expect(await refusal(testRepository({ bare: true }))).toMatchObject({ kind: "bare" })
  })

  it("where nothing was committed yet", async () => {
    expect(await refusal(testRepository({ commits: false }))).toMatchObject({ kind: "noCommit" })
  })

  it("where files are in conflict, by name", async () => {
    const repo = testRepository()
    repo.commit({ "a b.txt": "1\n" })
    repo.git("switch", "--quiet", "-c", "other")
    repo.commit({ "a b.txt": "theirs\n" })
    repo.git("switch", "--quiet", "main")
    repo.commit({ "a b.txt": "ours\n" })
    expect(() => repo.git("merge", "other")).toThrow()
    expect(await refusal(repo)).toMatchObject({ kind: "unmerged", what: 'files are in conflict: "a b.txt"' })
  })

  it("where there are submodules, by name", async () => {
    const [repo, other] = [testRepository(), testRepository()]
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.path, "sub")
    repo.git("commit", "--quiet", "-m", "with a submodule")
    expect(await refusal(repo)).toMatchObject({ kind: "submodules", what: expect.stringContaining('"sub"') })
  })

  it("where a filter of the repository fails", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", ".gitattributes": "*.txt filter=broken\n" })
    repo.git("config", "filter.broken.smudge", "false")
    repo.git("config", "filter.broken.required", "true")
    expect(await refusal(repo)).toMatchObject({ kind: "filter" })
  })

  it("where a branch of its user stands in the way", async () => {
    const repo = testRepository()
    repo.git("branch", "troupe")
    expect(await refusal(repo)).toMatchObject({
      kind: "branchInTheWay",
      what: expect.stringContaining("'refs/heads/troupe' exists"),
      todo: "rename that branch",
    })
  })

  it.runIf(process.getuid?.() === 0)(
    "where the folder above is another user's, who could move all away",
    async () => {
      const repo = testRepository()
      const above = join(repo.folder, "..")
      mkdirSync(above)
      chownSync(above, 12_345, 12_345)
      await expect(make(repo)).rejects.toMatchObject({
        kind: "notWritable",
        message: `${above} is not a folder of this user; remove it, or set XDG_DATA_HOME to another folder`,
      })
      expect(repo.git("branch", "--list", "troupe/*")).toBe("")
      expect(existsSync(repo.folder)).toBe(false)
    },
  )

  it.runIf(process.getuid?.() === 0)(
    "where the folder above is another user's link, who could have it lead elsewhere",
    async () => {
      const repo = testRepository()
      const [above, elsewhere] = [join(repo.folder, ".."), join(repo.path, "../elsewhere")]
      mkdirSync(elsewhere)
      symlinkSync(elsewhere, above)
      lchownSync(above, 12_345, 12_345)
      await expect(make(repo)).rejects.toMatchObject({
        kind: "notWritable",
        what: `${above} is not a folder of this user`,
      })
      expect(filesIn(elsewhere)).toEqual({})
      lchownSync(above, 0, 0)
      await make(repo)
    },
  )

  const whyNoDisk = noSmallDisk()
  const skipped = whyNoDisk ? ` (skipped: ${whyNoDisk})` : ""

  it.skipIf(whyNoDisk)(`where the disk is full${skipped}`, async () => {
    const repo = testRepository()
    repo.commit({ "a.bin": "x".repeat(2 ** 20) })
    await roundTrip(repo)
    const disk = smallDisk(repo.folder)
    disk.fill()
    try {
      await expect(make(repo, repo.path, "b")).rejects.toMatchObject({ kind: "noSpace" })
      disk.free()
      const { directory } = await make(repo, repo.path, "b")
      expect(filesIn(directory)).toEqual(filesIn(repo.path))
    } finally {
      disk.remove()
    }
  })

  it.skipIf(whyNoDisk)(`where it is full before all of many files are written${skipped}`, async () => {
    const repo = testRepository()
    repo.commit(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`${index}.txt`, `${index}\n`])))
    await (await repo.worktrees.prepareDiscard({ ...(await make(repo)), owner })).remove()
    const disk = smallDisk(repo.folder)
    try {
      for (const pages of [20, 150, 290]) {
        disk.fill(pages * 4096)
        await expect(make(repo), `${pages} pages of room`).rejects.toMatchObject({ kind: "noSpace" })
        expect([(await repo.worktrees.list()).worktrees, repo.git("branch", "--list", "troupe/*")]).toEqual([
          [],
          "",
        ])
      }
      disk.free()
      const { directory } = await make(repo)
      expect(filesIn(directory)).toEqual(filesIn(repo.path))
    } finally {
      disk.remove()
    }
  })
})

it("A folder above the worktrees to which others can write is closed to them", async () => {
  const repo = testRepository()
  const above = join(repo.folder, "..")
  mkdirSync(above)
  chmodSync(above, 0o777)
  await make(repo)
  expect((statSync(above).mode & 0o777).toString(8)).toBe("755")
})

describe("Work goes there and back", () => {
  it("in a folder of any name, with files of any name", async () => {
    const repo = testRepository({ name: `-a "b" 'c' ü\n$(touch x)` })
    repo.commit({ "-dash": "1\n", "new\nline": "1\n", 'quo"te': "1\n", "\ttab": "1\n" })
    writeFileSync(Buffer.concat([Buffer.from(`${repo.path}/`), Buffer.from([0xff, 0x62])]), "bytes\n")
    const directory = await roundTrip(repo)
    expect(filesIn(directory)).toEqual(filesIn(repo.path))
    expect(filesIn(repo.path)).toHaveProperty("by a job.txt")
    expect(await repo.worktrees.changedFiles(directory)).toEqual(["by a job.txt"])
  })

  it("with a locked index, a detached HEAD, or a rebase under way without conflicts", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    repo.commit({ "a.txt": "2\n" })
    repo.write({ ".git/index.lock": "" })
    await roundTrip(repo)
    rmSync(join(repo.path, ".git", "index.lock"))
    repo.git("checkout", "--quiet", "--detach")
    await roundTrip(repo)
    repo.git("config", "sequence.editor", "sed -i s/pick/edit/")
    rmSync(join(repo.path, "by a job.txt"))
    repo.git("rebase", "--quiet", "-i", "HEAD^")
    expect(repo.git("status")).toContain("rebase in progress")
    const before = userSide(join(repo.path, ".git"))
    await roundTrip(repo)
    expect(Object.keys(before)).toContain("rebase-merge/git-rebase-todo")
    expect(repo.git("status")).toContain("rebase in progress")
  })

  it("where the owner works in a linked worktree, in a folder below its top", async () => {
    const repo = testRepository()
    repo.commit({ "deep/er/a.txt": "1\n" })
    const linked = join(repo.path, "..", "linked")
    repo.git("worktree", "add", "--quiet", linked)
    const directory = await roundTrip(repo, { directory: join(linked, "deep", "er") })
    expect(directory).toMatch(/deep.er$/)
    expect(filesIn(linked)).toHaveProperty("deep/er/by a job.txt")
    expect(repo.git("status", "--porcelain")).toBe("")
  })

  it("in a sparse checkout, whose other files stay where they are", async () => {
    const repo = testRepository()
    repo.commit({ "in/a.txt": "1\n", "out/b.txt": "1\n" })
    repo.git("sparse-checkout", "set", "--cone", "in")
    repo.write({ "in/a.txt": "dirty\n" })
    const directory = await roundTrip(repo)
    expect(Object.keys(filesIn(directory))).toEqual(["by a job.txt", "in/a.txt"])
    expect(Object.keys(filesIn(repo.path))).toEqual(["by a job.txt", "in/a.txt"])
    expect(repo.gitIn(directory, "ls-tree", "-r", "--name-only", "HEAD")).toContain("out/b.txt")
  })

  it("with line ends that git converts, and is strict about", async () => {
    const repo = testRepository()
    repo.git("config", "core.autocrlf", "true")
    repo.git("config", "core.safecrlf", "true")
    writeFileSync(join(repo.path, "mixed.txt"), "1\r\n2\n")
    const directory = await roundTrip(repo)
    expect(readFileSync(join(directory, "mixed.txt"), "utf8")).toBe("1\r\n2\r\n")
    expect(readFileSync(join(repo.path, "mixed.txt"), "utf8")).toBe("1\r\n2\n")
    expect(readFileSync(join(repo.path, "by a job.txt"), "utf8")).toBe("done\r\n")
  })

  it("with pointers of LFS where there is no LFS", async () => {
    const repo = testRepository()
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    repo.commit({ "a.bin": pointer, ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n" })
    const directory = await roundTrip(repo)
    expect(readFileSync(join(directory, "a.bin"), "utf8")).toBe(pointer)
  })

  it("with a repository that lies within, which stays behind as it is", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    mkdirSync(join(repo.path, "nested"))
    repo.gitIn(join(repo.path, "nested"), "init", "--quiet")
    repo.write({ "nested/x.txt": "x\n", "b.txt": "b\n" })
    const made = await make(repo)
    expect(Object.keys(filesIn(made.directory))).toEqual(["a.txt", "b.txt"])
  })

  it("with a file that is larger than what is read at once", async () => {
    const repo = testRepository()
    repo.write({ huge: "" })
    truncateSync(join(repo.path, "huge"), 20 * 2 ** 20)
    const made = await make(repo)
    expect(execFileSync("cmp", [join(repo.path, "huge"), join(made.directory, "huge")]).length).toBe(0)
  })

  it("without anything of the configuration being run", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", ".gitattributes": "*.txt diff=planted\n" })
    const planted = join(repo.path, "planted.sh")
    writeFileSync(planted, `#!/bin/sh\ntouch "${repo.path}/ran"\n`)
    chmodSync(planted, 0o755)
    for (const key of [
      ...["core.fsmonitor", "core.sshCommand", "core.editor", "core.pager", "gpg.program", "diff.external"],
      ...["diff.planted.textconv", "diff.planted.command", "sequence.editor", "credential.helper"],
    ]) {
      repo.git("config", key, planted)
    }
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "log.showSignature", "true")
    const directory = await roundTrip(repo)
    await repo.worktrees.changedFiles(directory)
    await repo.worktrees.list()
    expect(Object.keys(filesIn(repo.path))).not.toContain("ran")
  })
})

it("Twelve jobs that change the same file at once touch neither each other nor the project", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n" })
  repo.write({ "a.txt": "dirty\n" })
  symlinkSync("a.txt", join(repo.path, "link"))
  const before = userSide(repo.path)
  const ids = Array.from({ length: 12 }, (_, index) => `job ${index}`)
  const sealed = await Promise.all(
    ids.map(async (id) => {
      const { directory, branch, base } = await make(repo, repo.path, id)
      writeAll(directory, { "a.txt": `${id}\n`, [`${id}.txt`]: "own\n" })
      return { id, directory, branch, base, ...(await repo.worktrees.seal(directory, id)) }
    }),
  )
  for (const { id, commit, directory } of sealed) {
    expect(repo.git("show", `${commit}:a.txt`)).toBe(id)
    expect(Object.keys(filesIn(directory)).sort()).toEqual(["a.txt", `${id}.txt`, "link"].sort())
  }
  expect(new Set(sealed.map(({ branch }) => branch)).size).toBe(12)
  expect(new Set(sealed.map(({ base }) => base)).size).toBe(1)
  expect(userSide(repo.path)).toEqual(before)
  const [first, ...others] = sealed.map(({ id, directory, commit }) => ({ job: id, directory, commit }))
  const { directory = "", commit = "" } = first ?? {}
  expect(await repo.worktrees.overlaps({ directory, commit }, others)).toEqual(
    others.map(({ job }) => ({ job, files: ["a.txt"] })),
  )
})

it("Jobs of the same id have worktrees and branches of their own", async () => {
  const repo = testRepository()
  const made = [await make(repo), await make(repo), await make(repo)]
  expect(made.map(({ branch }) => branch)).toEqual([
    "troupe/89abcdef/a",
    "troupe/89abcdef/a-2",
    "troupe/89abcdef/a-3",
  ])
})

it("An id of any letters gives a name that is safe", async () => {
  const repo = testRepository()
  const made = await make(repo, repo.path, "../../../x; rm -rf ~ .lock")
  expect(made.branch).toBe("troupe/89abcdef/x-rm-rf-lock")
  expect(made.directory.startsWith(repo.folder)).toBe(true)
})

it("A worktree starts from another job's end where nobody has worked in it yet", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n" })
  const [first, second] = [await make(repo, repo.path, "a"), await make(repo, repo.path, "b")]
  writeAll(first.directory, { "a.txt": "2\n", "b.txt": "2\n" })
  const { commit } = await repo.worktrees.seal(first.directory, "the end of a")
  expect(await repo.worktrees.startFrom(second.directory, commit)).toEqual({ base: commit })
  expect(filesIn(second.directory)).toEqual(filesIn(first.directory))
  expect(await repo.worktrees.seal(second.directory, "b")).toMatchObject({ commit, files: 0 })
  writeAll(second.directory, { "a.txt": "3\n" })
  await expect(repo.worktrees.startFrom(second.directory, first.base)).rejects.toMatchObject({
    kind: "changed",
  })
  expect(filesIn(second.directory)["a.txt"]).toBe("644 3\n")
})
