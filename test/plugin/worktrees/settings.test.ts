import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"
import { roundTrip } from "./support/round-trip.ts"

const owner = "ses_0123456789abcdef"

const hooks = [
  ...["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge"],
  ...["post-checkout", "reference-transaction", "post-index-change", "post-rewrite", "pre-auto-gc"],
  ...["fsmonitor-watchman", "pre-rebase", "pre-applypatch", "post-applypatch", "applypatch-msg"],
]

function plant(repo: TestRepository, folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const hook of hooks) {
    writeFileSync(join(folder, hook), `#!/bin/sh\ntouch "${repo.folder}-ran-${hook}"\n`)
    chmodSync(join(folder, hook), 0o755)
  }
}

const ran = (repo: TestRepository) => hooks.filter((hook) => existsSync(`${repo.folder}-ran-${hook}`))

describe("A user's hooks do not run", () => {
  it.each(["hooks", "core.hooksPath"])(
    "while work goes there and back, is built on or thrown away: %s",
    async (how) => {
      const repo = testRepository()
      repo.commit({ "a.txt": "1\n" })
      const folder = join(repo.path, how === "hooks" ? ".git/hooks" : ".git/own-hooks")
      if (how !== "hooks") repo.git("config", how, folder)
      plant(repo, folder)
      repo.write({ "a.txt": "dirty\n" })
      mkdirSync(join(repo.folder, ".."), { recursive: true })
      repo.git("update-ref", "refs/heads/other", "HEAD")
      expect(ran(repo)).toEqual(["reference-transaction"])
      rmSync(`${repo.folder}-ran-reference-transaction`)

      const directory = await roundTrip(repo)
      const { commit } = await repo.worktrees.seal(directory, "the end")
      const next = await repo.worktrees.make({ directory: repo.path, owner, job: "b" })
      await repo.worktrees.startFrom(next.directory, commit)
      await repo.worktrees.diffs(next.directory)
      await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
      await repo.worktrees.tidy(() => false)
      expect(ran(repo)).toEqual([])
    },
  )
})

describe("Work goes there and back", () => {
  it("through filters that change what is committed", async () => {
    const repo = testRepository()
    repo.git("config", "filter.shift.clean", "tr a-y b-z")
    repo.git("config", "filter.shift.smudge", "tr b-z a-y")
    repo.git("config", "filter.shift.required", "true")
    repo.commit({ ".gitattributes": "*.txt filter=shift\n", "a.txt": "abc\n" })
    repo.write({ "dirty.txt": "dirty\n" })
    const directory = await roundTrip(repo, {
      work: (at) => writeAll(at, { "a.txt": "xyx\n", "new.txt": "hello\n" }),
    })
    expect(filesIn(repo.path)).toEqual(filesIn(directory))
    expect(filesIn(repo.path)).toMatchObject({ "a.txt": "644 xyx\n", "new.txt": "644 hello\n" })
    expect(repo.gitIn(directory, "show", "HEAD:new.txt")).toBe("ifmmp")
  })

  it("with line ends that .gitattributes asks for", async () => {
    const repo = testRepository()
    repo.commit({
      ".gitattributes": "*.bat text eol=crlf\n*.sh text eol=lf\n",
      "a.bat": "1\r\n",
      "a.sh": "1\n",
    })
    const directory = await roundTrip(repo, {
      work: (at) => writeAll(at, { "a.bat": "1\r\n2\r\n", "b.bat": "x\n", "a.sh": "2\n" }),
    })
    expect(filesIn(repo.path)).toMatchObject({
      "a.bat": "644 1\r\n2\r\n",
      "b.bat": "644 x\r\n",
      "a.sh": "644 2\n",
    })
    expect(repo.gitIn(directory, "status", "--porcelain")).toBe("")
  })

  it("with a pointer of LFS that a job has changed, or added", async () => {
    const repo = testRepository()
    const pointer = (size: number) =>
      `version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize ${size}\n`
    repo.commit({ "a.bin": pointer(1), ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n" })
    await roundTrip(repo, { work: (at) => writeAll(at, { "a.bin": pointer(2), "b.bin": pointer(3) }) })
    expect(filesIn(repo.path)).toMatchObject({ "a.bin": `644 ${pointer(2)}`, "b.bin": `644 ${pointer(3)}` })
  })

  it("with symlinks, wherever they lead, and where git is to make none", async () => {
    for (const symlinks of ["true", "false"]) {
      const repo = testRepository()
      repo.commit({ "a.txt": "1\n" })
      symlinkSync("a.txt", join(repo.path, "link"))
      repo.git("add", "link")
      repo.git("commit", "--quiet", "-m", "a link")
      if (symlinks === "false") {
        repo.git("config", "core.symlinks", "false")
        rmSync(join(repo.path, "link"))
        repo.git("checkout", "--", "link")
        expect(filesIn(repo.path).link).toBe("644 a.txt")
      } else symlinkSync("/nowhere", join(repo.path, "untracked-link"))
      const directory = await roundTrip(repo)
      expect(filesIn(repo.path)).toEqual(filesIn(directory))
      expect(repo.git("ls-tree", "HEAD", "link")).toMatch(/^120000 /)
      expect(repo.gitIn(directory, "ls-tree", "HEAD", "link")).toMatch(/^120000 /)
    }
  })

  it("where git does not look at modes: a mode that was changed stays the owner's", async () => {
    const repo = testRepository()
    repo.commit({ "run.sh": "1\n", "plain.txt": "1\n" })
    repo.git("config", "core.fileMode", "false")
    chmodSync(join(repo.path, "plain.txt"), 0o755)
    expect(repo.git("status", "--porcelain")).toBe("")
    await roundTrip(repo, {
      work: (at) => {
        chmodSync(join(at, "run.sh"), 0o755)
        writeAll(at, { "new.txt": "new\n" })
      },
    })
    expect(Object.keys(filesIn(repo.path)).sort()).toEqual(["new.txt", "plain.txt", "run.sh"])
    expect(statSync(join(repo.path, "plain.txt")).mode & 0o111).toBe(0o111)
    expect(repo.git("status", "--porcelain")).toBe("?? new.txt")
  })

  it("beside names that differ in nothing but their case", async () => {
    const repo = testRepository()
    repo.git("config", "core.ignoreCase", "true")
    repo.commit({ "a.txt": "1\n" })
    repo.write({ "B.txt": "B\n" })
    const directory = await roundTrip(repo, {
      work: (at) => writeAll(at, { "b.txt": "b\n", "c.txt": "c\n" }),
    })
    expect(filesIn(repo.path)).toMatchObject({ "B.txt": "644 B\n", "a.txt": "644 1\n", "c.txt": "644 c\n" })
    expect(filesIn(directory)).toMatchObject({ "B.txt": "644 B\n" })
  })

  it("with an index that is split, or of another version, and untracked files that git remembers", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    repo.git("config", "core.untrackedCache", "true")
    repo.git("update-index", "--split-index", "--untracked-cache", "--index-version", "4")
    repo.write({ "a.txt": "dirty\n", "new.txt": "new\n" })
    repo.git("status")
    const ofGit = () => Object.entries(userSide(repo.path)).filter(([name]) => name.startsWith(".git/"))
    const before = ofGit()
    const directory = await roundTrip(repo, {
      work: (at) => {
        repo.gitIn(at, "update-index", "--split-index")
        writeAll(at, { "by.txt": "by\n" })
      },
    })
    expect(filesIn(repo.path)).toEqual(filesIn(directory))
    expect(ofGit()).toEqual(before)
  })

  it("in a repository of longer commit ids, and in one whose history is cut off", async () => {
    const [longer, origin] = [testRepository(), testRepository()]
    rmSync(join(longer.path, ".git"), { recursive: true })
    longer.git("init", "--quiet", "--object-format=sha256")
    longer.commit({ "a.txt": "1\n" })
    longer.write({ "a.txt": "dirty\n" })
    const directory = await roundTrip(longer)
    expect(filesIn(longer.path)).toEqual(filesIn(directory))
    origin.commit({ "a.txt": "1\n" })
    origin.commit({ "a.txt": "2\n" })
    const shallow = testRepository()
    rmSync(shallow.path, { recursive: true })
    shallow.gitIn("/", "clone", "--quiet", "--depth=1", `file://${origin.path}`, shallow.path)
    shallow.write({ "a.txt": "dirty\n" })
    expect(filesIn(await roundTrip(shallow))).toEqual(filesIn(shallow.path))
  })

  it("with files that are only meant to be added, and what is staged otherwise than it is", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
    repo.write({ "meant.txt": "meant\n", "b.txt": "staged\n" })
    repo.git("add", "--intent-to-add", "meant.txt")
    repo.git("add", "b.txt")
    repo.write({ "b.txt": "and changed\n" })
    const staged = repo.git("diff", "--cached")
    const directory = await roundTrip(repo)
    expect(filesIn(directory)).toEqual(filesIn(repo.path))
    expect(repo.git("diff", "--cached")).toBe(staged)
  })

  it("beside repositories that lie within, and other worktrees of its own", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    repo.gitIn(repo.path, "init", "--quiet", "nested")
    repo.write({ "nested/x.txt": "x\n" })
    repo.git("worktree", "add", "--quiet", "below/linked")
    const nested = filesIn(join(repo.path, "nested"))
    const directory = await roundTrip(repo)
    expect(Object.keys(filesIn(directory))).toEqual(["a.txt", "by a job.txt"])
    expect(filesIn(join(repo.path, "nested"))).toEqual(nested)
    const names = Object.keys(filesIn(repo.path)).filter((name) => !name.includes(".git"))
    expect(names.sort()).toEqual(["a.txt", "below/linked/a.txt", "by a job.txt", "nested/x.txt"])
  })
})

describe("What git was told not to look at", () => {
  it.each(["assume-unchanged", "skip-worktree"])(
    "is not written over where it was changed all the same: %s",
    async (flag) => {
      const repo = testRepository()
      repo.commit({ "settings.json": "{}\n", "same.json": "{}\n" })
      repo.git("update-index", `--${flag}`, "settings.json", "same.json")
      repo.write({ "settings.json": "my own\n" })
      const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
      expect(filesIn(made.directory)["settings.json"]).toBe("644 {}\n")
      writeAll(made.directory, { "settings.json": "of the job\n", "same.json": "of the job\n" })
      const { commit } = await repo.worktrees.seal(made.directory, "the end")
      const jobs = [{ id: "a", base: made.base, commit }]
      const prepared = await repo.worktrees.prepareApply({ directory: repo.path, owner, jobs })
      expect(prepared).toMatchObject({
        type: "refused",
        refusals: [{ id: "a", reason: "hidden", files: ["settings.json"] }],
      })
      expect(filesIn(repo.path)["settings.json"]).toBe("644 my own\n")
    },
  )
})

describe("A job is sealed, and applied to what its owner has by then or refused with words,", () => {
  async function ended() {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    writeAll(made.directory, { "b.txt": "b\n" })
    const seal = () => repo.worktrees.seal(made.directory, "the end")
    const prepare = async () => {
      const { commit } = await seal()
      return repo.worktrees.prepareApply({
        directory: repo.path,
        owner,
        jobs: [{ id: "a", base: made.base, commit }],
      })
    }
    return { repo, ...made, seal, prepare }
  }

  it("in the middle of a merge with conflicts", async () => {
    const { repo, prepare } = await ended()
    repo.git("switch", "--quiet", "-c", "other")
    repo.commit({ "a.txt": "theirs\n" })
    repo.git("switch", "--quiet", "main")
    repo.commit({ "a.txt": "ours\n" })
    expect(() => repo.git("merge", "other")).toThrow()
    const before = userSide(repo.path)
    await expect(prepare()).rejects.toMatchObject({
      kind: "unmerged",
      what: expect.stringContaining('"a.txt"'),
    })
    expect(userSide(repo.path)).toEqual(before)
  })

  it("where the repository has become a bare one, or has submodules by now", async () => {
    const { repo, prepare, seal } = await ended()
    repo.git("config", "core.bare", "true")
    expect(await seal()).toMatchObject({ files: 1 })
    await expect(prepare()).rejects.toMatchObject({ kind: "bare" })
    repo.git("config", "core.bare", "false")
    const other = testRepository()
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.path, "sub")
    await expect(prepare()).rejects.toMatchObject({ kind: "submodules" })
  })

  it("where the repository is gone: the files stay", async () => {
    const { repo, seal, directory } = await ended()
    rmSync(join(repo.path, ".git"), { recursive: true })
    await expect(seal()).rejects.toMatchObject({ kind: "noRepository" })
    expect(filesIn(directory)["b.txt"]).toBe("644 b\n")
  })

  it("where the job has added a submodule: without that, which is for its user to add", async () => {
    const { repo, prepare, directory, seal } = await ended()
    const other = testRepository()
    other.commit({ "theirs.txt": "1\n" })
    const add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.path, "sub"]
    repo.gitIn(directory, ...add)
    const { commit } = await seal()
    expect(repo.git("ls-tree", commit, "sub")).toBe("")
    expect(await prepare()).toMatchObject({ type: "ready", files: [".gitmodules", "b.txt"] })
  })

  it.runIf(process.getuid?.() === 0)("where the repository is another user's", async () => {
    const repo = testRepository()
    for (const each of [repo.path, join(repo.path, ".git")]) chownSync(each, 12_345, 12_345)
    await expect(repo.worktrees.make({ directory: repo.path, owner, job: "a" })).rejects.toMatchObject({
      kind: "foreign",
      todo: expect.stringContaining("git config --global --add safe.directory"),
    })
  })
})
