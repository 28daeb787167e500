import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it, vi } from "vitest"
import type { Prepared } from "../../../src/plugin/worktrees/apply/apply.ts"
import { applyFolderOf, folderOf } from "../../../src/plugin/worktrees/folder.ts"
import { createWorktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import {
  contents,
  filesIn,
  type TestRepository,
  testRepository,
  userSide,
  writeAll,
} from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

type Job = { id: string; base: string; commit: string; directory: string }

/** A job that has ended after `work` in its worktree. */
async function job(repo: TestRepository, id: string, work: (directory: string) => void): Promise<Job> {
  const { directory, base } = await repo.worktrees.make({ directory: repo.path, owner, job: id })
  work(directory)
  const { commit } = await repo.worktrees.seal(directory, `Job ${id}`)
  return { id, base, commit, directory }
}

const prepare = (repo: TestRepository, ...jobs: Job[]) =>
  repo.worktrees.prepareApply({ directory: repo.path, owner, jobs })

async function apply(repo: TestRepository, ...jobs: Job[]): Promise<string[]> {
  const prepared = await prepare(repo, ...jobs)
  if (prepared.type === "refused") throw new Error(JSON.stringify(prepared.refusals))
  await prepared.write()
  return prepared.files
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

const refusals = (prepared: Prepared) => (prepared.type === "refused" ? prepared.refusals : [])

describe("Applying a job", () => {
  it("leaves closed to others what the owner has closed to them", async () => {
    const repo = testRepository()
    repo.commit({ "secret.txt": "1\n", "secret.sh": "1\n", "open.txt": "1\n" })
    for (const name of ["secret.txt", "secret.sh"]) chmodSync(join(repo.path, name), 0o600)
    chmodSync(join(repo.path, "open.txt"), 0o644)
    const done = await job(repo, "a", (at) => {
      writeAll(at, { "secret.txt": "2\n", "secret.sh": "2\n", "open.txt": "2\n" })
      chmodSync(join(at, "secret.sh"), 0o755)
    })
    await apply(repo, done)
    expect(["secret.txt", "secret.sh", "open.txt"].map((name) => modeOf(join(repo.path, name)))).toEqual([
      "600",
      "700",
      "644",
    ])
  })

  it("gives the owner all that it did, and touches neither index, nor HEAD, nor stash, nor hooks", async () => {
    const repo = testRepository()
    repo.commit({
      "a.txt": "1\n",
      "gone/deep/b.txt": "1\n",
      "run.sh": "x\n",
      "file-or-folder": "x\n",
      "folder/x": "x\n",
    })
    const done = await job(repo, "a", (at) => {
      writeAll(at, { "a.txt": "2\n", "new/deep/c.txt": "new\n", "-dash": "d\n", 'quo"te\n': "q\n" })
      writeFileSync(Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0x62, 0xff, 0xfe])]), "bytes\n")
      rmSync(join(at, "gone"), { recursive: true })
      chmodSync(join(at, "run.sh"), 0o755)
      symlinkSync("a.txt", join(at, "link"))
      rmSync(join(at, "file-or-folder"))
      rmSync(join(at, "folder"), { recursive: true })
      writeAll(at, { "file-or-folder/y": "y\n", folder: "a file\n" })
    })
    const before = contents(
      repo.path,
      (name) => !name.startsWith(".git") || /^\.git\/objects(\/|$)/.test(name),
    )
    const files = await apply(repo, done)
    expect(filesIn(repo.path)).toEqual(filesIn(done.directory))
    expect(existsSync(join(repo.path, "gone"))).toBe(false)
    expect(
      contents(repo.path, (name) => !name.startsWith(".git") || /^\.git\/objects(\/|$)/.test(name)),
    ).toEqual(before)
    expect(files).toContain("new/deep/c.txt")
    expect(refusals(await prepare(repo, done))).toEqual([])
    expect(await apply(repo, done)).toEqual([])
  })

  it("brings together what several jobs did to the same file", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n2\n3\n4\n5\n6\n7\n8\n9\n" })
    const first = await job(repo, "a", (at) => writeAll(at, { "a.txt": "one\n2\n3\n4\n5\n6\n7\n8\n9\n" }))
    const second = await job(repo, "b", (at) => writeAll(at, { "a.txt": "1\n2\n3\n4\n5\n6\n7\n8\nnine\n" }))
    await apply(repo, first, second)
    expect(filesIn(repo.path)["a.txt"]).toBe("644 one\n2\n3\n4\n5\n6\n7\n8\nnine\n")
  })

  it("brings it together with what was committed since", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n2\n3\n4\n5\n6\n7\n8\n9\n" })
    const done = await job(repo, "a", (at) => writeAll(at, { "a.txt": "one\n2\n3\n4\n5\n6\n7\n8\n9\n" }))
    repo.commit({ "a.txt": "1\n2\n3\n4\n5\n6\n7\n8\nnine\n" })
    await apply(repo, done)
    expect(filesIn(repo.path)["a.txt"]).toBe("644 one\n2\n3\n4\n5\n6\n7\n8\nnine\n")
  })

  it("changes files that were dirty as the job started, and that still are the same", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    repo.write({ "a.txt": "dirty\n", "untracked.txt": "untracked\n" })
    const done = await job(repo, "a", (at) =>
      writeAll(at, { "a.txt": "dirty\nand done\n", "untracked.txt": "done\n" }),
    )
    await apply(repo, done)
    expect(filesIn(repo.path)).toEqual(filesIn(done.directory))
  })

  it("changes such files also with jobs each of which has started from the end of another one", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    repo.write({ "a.txt": "dirty\n" })
    const first = await job(repo, "a", (at) => writeAll(at, { "a.txt": "dirty\nfirst\n" }))
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "b" })
    const { base } = await repo.worktrees.startFrom(directory, first.commit)
    writeAll(directory, { "a.txt": "dirty\nfirst\nsecond\n" })
    const { commit } = await repo.worktrees.seal(directory, "Job b")
    const second = { id: "b", base, commit, directory }
    const next = await repo.worktrees.make({ directory: repo.path, owner, job: "c" })
    await repo.worktrees.startFrom(next.directory, commit)
    writeAll(next.directory, { "a.txt": "dirty\nfirst\nsecond\nthird\n" })
    const { commit: end } = await repo.worktrees.seal(next.directory, "Job c")
    await apply(repo, first, second, { id: "c", base: commit, commit: end, directory: next.directory })
    expect(filesIn(repo.path)["a.txt"]).toBe("644 dirty\nfirst\nsecond\nthird\n")
  })

  it("is refused where files are in conflict, dirty or in the way, each named; then nothing of any job is done", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n2\n3\n4\n5\n", "c.txt": "1\n", ".gitignore": "ignored\n" })
    const fine = await job(repo, "fine", (at) => writeAll(at, { "c.txt": "2\n" }))
    const dirty = await job(repo, "dirty", (at) => writeAll(at, { "b.txt": "1\n2\n3\n4\nfive\n" }))
    const conflict = await job(repo, "conflict", (at) => writeAll(at, { "a.txt": "theirs\n" }))
    const hidden = await job(repo, "hidden", (at) => {
      writeAll(at, { ".gitignore": "", ignored: "theirs\n" })
    })
    repo.commit({ "a.txt": "ours\n" })
    repo.write({ "b.txt": "one\n2\n3\n4\n5\n", ignored: "ours\n" })
    const before = userSide(repo.path)
    expect(refusals(await prepare(repo, fine, dirty, conflict, hidden))).toEqual([
      { id: "dirty", reason: "dirty", files: ["b.txt"] },
      { id: "conflict", reason: "conflict", files: ["a.txt"] },
      { id: "hidden", reason: "inTheWay", files: ["ignored"] },
    ])
    expect(userSide(repo.path)).toEqual(before)
  })

  it("is refused as a whole where a file changes between the trial and the writing", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
    const done = await job(repo, "a", (at) => writeAll(at, { "a.txt": "2\n", "b.txt": "2\n" }))
    const prepared = await prepare(repo, done)
    if (prepared.type === "refused") throw new Error("it should be ready")
    repo.write({ "b.txt": "changed\n" })
    await expect(prepared.write()).rejects.toMatchObject({
      kind: "changed",
      what: expect.stringContaining("b.txt"),
    })
    expect(filesIn(repo.path)).toEqual({ "a.txt": "644 1\n", "b.txt": "644 changed\n" })
  })

  it("is refused as a whole where a file changes in the very last moment, and leaves no folder behind", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "gone/b.txt": "1\n", "z.txt": "1\n" })
    const done = await job(repo, "a", (at) => {
      writeAll(at, { "a.txt": "2\n", "empty/c.txt": "new\n", "new/deep/d.txt": "new\n", "z.txt": "2\n" })
      rmSync(join(at, "gone"), { recursive: true })
    })
    mkdirSync(join(repo.path, "empty"))
    // Once git has looked at all files, it compares what it has seen.
    const binary = join(repo.path, "../git")
    const [now, project] = [join(repo.path, "../now"), repo.path]
    const act = `case "$*" in *diff-tree*) [ -e '${now}' ] && echo "a person's" > '${project}/z.txt';; esac`
    writeFileSync(binary, `#!/bin/sh\n${act}\nexec git "$@"\n`, { mode: 0o755 })
    const { folder, env } = repo
    const prepared = await prepare({ ...repo, worktrees: createWorktrees({ folder, env, binary }) }, done)
    if (prepared.type === "refused") throw new Error("it should be ready")
    writeFileSync(now, "")
    await expect(prepared.write()).rejects.toMatchObject({
      kind: "changed",
      what: 'files were changed meanwhile: "z.txt"',
    })
    expect(filesIn(repo.path)).toEqual({
      "a.txt": "644 1\n",
      "gone/b.txt": "644 1\n",
      "z.txt": "644 a person's\n",
    })
    expect(["new", "empty"].map((name) => existsSync(join(repo.path, name)))).toEqual([false, true])
    expect(await repo.worktrees.recover(repo.path)).toEqual({ type: "nothing" })
  })

  it("names what it cannot take back, where files are changed while it writes: the first that it wrote, then one to come", async () => {
    const repo = testRepository()
    const middle = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`m${index}.txt`, "1\n"]))
    repo.commit({ "a.txt": "1\n", ...middle, "z.txt": "1\n" })
    const done = await job(repo, "a", (at) =>
      writeAll(
        at,
        Object.fromEntries(["a.txt", ...Object.keys(middle), "z.txt"].map((name) => [name, "2\n"])),
      ),
    )
    const prepared = await prepare(repo, done)
    if (prepared.type === "refused") throw new Error("it should be ready")
    const writing = prepared.write().catch((error: unknown) => error)
    const isWritten = () => readFileSync(join(repo.path, "a.txt"), "utf8") === "2\n"
    await vi.waitUntil(isWritten, { timeout: 20_000, interval: 1 })
    repo.write({ "a.txt": "a person's\n", "z.txt": "a person's\n" })
    expect(await writing).toMatchObject({
      kind: "changed",
      what:
        'files were changed meanwhile: "z.txt"; what was written until then has been taken back, ' +
        'but for files that somebody has changed since: "a.txt"',
    })
    const files = filesIn(repo.path)
    expect([files["a.txt"], files["z.txt"]]).toEqual(["644 a person's\n", "644 a person's\n"])
    expect(Object.keys(middle).map((name) => files[name])).toEqual(Object.keys(middle).map(() => "644 1\n"))
    expect(await repo.worktrees.recover(repo.path)).toEqual({ type: "nothing" })
  })

  const replacements = {
    "a file by a folder": { before: { a: "1\n" }, after: { "a/b": "2\n" } },
    "a folder by a file": { before: { "a/b": "1\n" }, after: { a: "2\n" } },
  }
  it.each(Object.entries(replacements))(
    "that replaces %s is taken back whole where a later file has changed, and where a person is in the way, that is named",
    async (_, { before, after }) => {
      const repo = testRepository()
      const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`m${index}.txt`, "1\n"]))
      repo.commit({ ...before, ...many, "z.txt": "1\n" })
      const done = await job(repo, "a", (at) => {
        rmSync(join(at, "a"), { recursive: true })
        const names = [...Object.keys(many), "z.txt"]
        writeAll(at, { ...after, ...Object.fromEntries(names.map((name) => [name, "2\n"])) })
      })
      const [[old = ""], [fresh = ""]] = [Object.keys(before), Object.keys(after)]
      const textOf = (name: string) => {
        const path = join(repo.path, name)
        return existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : undefined
      }
      for (const isInTheWay of [false, true]) {
        const prepared = await prepare(repo, done)
        if (prepared.type === "refused") throw new Error("it should be ready")
        const writing = prepared.write().catch((error: unknown) => error)
        await vi.waitUntil(() => textOf(fresh) === "2\n", { timeout: 20_000, interval: 1 })
        repo.write({ "z.txt": "a person's\n", ...(isInTheWay && { [fresh]: "a person's\n" }) })
        expect(await writing).toMatchObject({
          kind: "changed",
          what: isInTheWay
            ? expect.stringMatching(/"z\.txt"; what was written .+ has changed since: "a(\/b)?", "a(\/b)?"$/)
            : 'files were changed meanwhile: "z.txt"',
        })
        expect([textOf(old), textOf(fresh)]).toEqual(
          isInTheWay ? [undefined, "a person's\n"] : ["1\n", undefined],
        )
        expect(await repo.worktrees.recover(repo.path)).toEqual({ type: "nothing" })
        expect(readdirSync(repo.path).filter((name) => name.startsWith(".troupe"))).toEqual([])
        repo.git("checkout", "--quiet", "z.txt")
      }
    },
  )

  it("is refused where a job has committed a repository of its own, whose worktree somebody has removed", async () => {
    const repo = testRepository()
    const made = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    repo.gitIn(made.directory, "init", "--quiet", "sub")
    repo.gitIn(join(made.directory, "sub"), "commit", "--quiet", "--allow-empty", "-m", "its first")
    repo.gitIn(made.directory, "add", "sub")
    repo.gitIn(made.directory, "commit", "--quiet", "-m", "with a repository")
    rmSync(made.directory, { recursive: true })
    const { commit } = await repo.worktrees.seal(made.directory, "the end")
    expect(refusals(await prepare(repo, { ...made, id: "a", commit }))).toEqual([
      { id: "a", reason: "submodule", files: ["sub"] },
    ])
  })

  it("is refused as a whole where something that git ignores comes to be meanwhile where it would write", async () => {
    const repo = testRepository()
    repo.commit({ ".gitignore": "secret\nout\nlink\n", "a.txt": "1\n" })
    const done = await job(repo, "a", (at) =>
      writeAll(at, { ".gitignore": "", "a.txt": "2\n", secret: "of the job\n", "out/b.txt": "of the job\n" }),
    )
    const all = filesIn(repo.path)
    for (const [name, put] of [
      ["secret", () => repo.write({ secret: "a person's\n" })],
      ["out/b.txt", () => repo.write({ "out/b.txt": "a person's\n" })],
      ["secret", () => symlinkSync("a.txt", join(repo.path, "secret"))],
      ["secret", () => repo.write({ "secret/c.txt": "a person's\n" })],
    ] as const) {
      const prepared = await prepare(repo, done)
      if (prepared.type === "refused") throw new Error("it should be ready")
      put()
      const there = filesIn(repo.path)
      await expect(prepared.write()).rejects.toMatchObject({
        kind: "changed",
        what: expect.stringContaining(name),
      })
      expect(filesIn(repo.path)).toEqual(there)
      for (const each of ["secret", "out"]) rmSync(join(repo.path, each), { recursive: true, force: true })
      expect(filesIn(repo.path)).toEqual(all)
    }
  })

  it("writes through no link that the job has put in place of a folder, nor through one that is ignored", async () => {
    const repo = testRepository()
    const outside = testRepository()
    repo.commit({ "folder/a.txt": "1\n", ".gitignore": "/ignored\n" })
    const replaced = await job(repo, "replaced", (at) => {
      rmSync(join(at, "folder"), { recursive: true })
      symlinkSync(outside.path, join(at, "folder"))
    })
    const through = await job(repo, "through", (at) => {
      rmSync(join(at, ".gitignore"))
      writeAll(at, { "ignored/a.txt": "2\n" })
    })
    symlinkSync(outside.path, join(repo.path, "ignored"))
    expect(refusals(await prepare(repo, through))).toEqual([
      { id: "through", reason: "inTheWay", files: ["ignored/a.txt"] },
    ])
    await apply(repo, replaced)
    expect(filesIn(repo.path).folder).toBe(`link ${outside.path}`)
    const back = await job(repo, "back", (at) => {
      rmSync(join(at, "folder"))
      writeAll(at, { "folder/a.txt": "back\n" })
    })
    await apply(repo, back)
    expect(filesIn(repo.path)["folder/a.txt"]).toBe("644 back\n")
    expect(filesIn(outside.path)).toEqual({})
  })

  it("leaves alone a repository that lies where it would write", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    const done = await job(repo, "a", (at) => writeAll(at, { "nested/a.txt": "2\n" }))
    mkdirSync(join(repo.path, "nested"))
    repo.gitIn(join(repo.path, "nested"), "init", "--quiet")
    expect(refusals(await prepare(repo, done))).toEqual([
      { id: "a", reason: "inTheWay", files: ["nested/a.txt"] },
    ])
  })

  it("follows renames", async () => {
    const repo = testRepository()
    const lines = Array.from({ length: 20 }, (_, index) => `${index}\n`)
    repo.commit({ "old.txt": lines.join("") })
    const done = await job(repo, "a", (at) => {
      renameSync(join(at, "old.txt"), join(at, "new.txt"))
    })
    repo.commit({ "old.txt": ["zero\n", ...lines.slice(1)].join("") })
    await apply(repo, done)
    expect(filesIn(repo.path)).toEqual({ "new.txt": `644 ${["zero\n", ...lines.slice(1)].join("")}` })
  })

  it("counts a renamed file as one, as git does; both of its names are written", async () => {
    const repo = testRepository()
    repo.commit({ "old.txt": "1\n", "a.txt": "of a\n", "z.txt": "of z\n" })
    const done = await job(repo, "a", (at) => {
      renameSync(join(at, "old.txt"), join(at, "new.txt"))
      rmSync(join(at, "a.txt"))
      writeAll(at, { "z.txt": "changed\n" })
    })
    expect(await prepare(repo, done)).toMatchObject({
      files: ["a.txt", "old.txt", "new.txt", "z.txt"],
      changes: ["a.txt", "old.txt → new.txt", "z.txt"],
    })
    expect(await repo.worktrees.seal(done.directory, "the end")).toMatchObject({ files: 3 })
  })
})

it("Nothing is applied where the journal of an interrupted apply is damaged, until its user has removed it", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n" })
  const done = await job(repo, "a", (at) => writeAll(at, { "a.txt": "2\n" }))
  await apply(repo, done)
  const [ours] = await readdir(repo.folder).then((names) => names.filter((name) => name !== ".gitignore"))
  const applying = join(repo.folder, ours ?? "", "applying")
  const [ledger = ""] = await readdir(applying)
  const folder = join(applying, ledger.replace(/\.json$/, ""))
  for (const text of ["", '{"root": "/"}']) {
    writeAll(folder, { "journal.json": text })
    await expect(prepare(repo, done)).rejects.toMatchObject({
      what: `an earlier apply was interrupted, and its journal ${folder}/journal.json is damaged`,
      todo: `compare your files with their copies in ${folder}/old, then remove ${folder}`,
    })
    rmSync(folder, { recursive: true })
    expect((await prepare(repo, done)).type).toBe("ready")
  }
})

it("Nothing is applied with a git that cannot try a merge: it is said which it takes", async () => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n" })
  const done = await job(repo, "a", (at) => writeAll(at, { "a.txt": "2\n" }))
  const binary = join(repo.folder, "..", "git-of-old")
  const calls = 'case " $* " in *" version "*) echo "git version $SAID" ;; *) exec git "$@" ;; esac'
  writeFileSync(binary, `#!/bin/sh\n${calls}\n`, { mode: 0o755 })
  const prepareWith = (version: string) =>
    createWorktrees({ folder: repo.folder, env: { ...repo.env, SAID: version }, binary }).prepareApply({
      directory: repo.path,
      owner,
      jobs: [done],
    })
  for (const old of ["2.37.7", "1.99.0"])
    await expect(prepareWith(old)).rejects.toMatchObject({
      what: `this is git version ${old}, which cannot try a merge`,
      todo: "install git 2.38 or later",
    })
  for (const fit of ["2.38.0", "3.0.1"]) expect((await prepareWith(fit)).type).toBe("ready")
})

it.each([
  ["what is known of a project's applies", (journal: string) => `${journal}.json`],
  ["the journal of an apply", (journal: string) => join(journal, "journal.json")],
  ["the lock of an apply", (journal: string) => `${journal}.lock`],
])("Nothing is applied where a folder is in the place of %s, which is named", async (_, fileIn) => {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n" })
  const done = await job(repo, "a", (at) => writeAll(at, { "a.txt": "2\n" }))
  const file = fileIn(applyFolderOf(folderOf(repo.folder, join(repo.path, ".git")), repo.path))
  mkdirSync(file, { recursive: true })
  await expect(prepare(repo, done)).rejects.toMatchObject({
    what: `${file} is a folder where opencode-troupe keeps a file`,
    todo: "move it elsewhere and try again",
  })
  rmSync(file, { recursive: true })
  expect((await prepare(repo, done)).type).toBe("ready")
})

describe("Jobs that are in conflict", () => {
  it("with jobs before them in the list are told from those that are with the project", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
    const one = await job(repo, "one", (at) => writeAll(at, { "a.txt": "of one\n" }))
    const two = await job(repo, "two", (at) => writeAll(at, { "a.txt": "of two\n", "b.txt": "of two\n" }))
    expect(refusals(await prepare(repo, one, two))).toEqual([
      { id: "two", reason: "conflictWithJobs", files: ["a.txt"], others: ["one"] },
    ])
    repo.commit({ "b.txt": "of a person\n" })
    expect(refusals(await prepare(repo, one, two))).toEqual([
      { id: "two", reason: "conflictWithJobs", files: ["a.txt"], others: ["one"] },
      { id: "two", reason: "conflict", files: ["b.txt"] },
    ])
  })

  it("with one that gives a file another name than they do, are told so of all its names", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n2\n3\n" })
    const renamed = (id: string, name: string) =>
      job(repo, id, (at) => renameSync(join(at, "a.txt"), join(at, name)))
    const [one, two] = [await renamed("one", "b.txt"), await renamed("two", "c.txt")]
    expect(refusals(await prepare(repo, one, two))).toEqual([
      { id: "two", reason: "conflictWithJobs", files: ["a.txt", "b.txt", "c.txt"], others: ["one"] },
    ])
  })

  it("with several that change the same file are told all; once those are applied, and not committed, the last", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n2\n3\n4\n5\n" })
    const [one, two, three] = [
      await job(repo, "one", (at) => writeAll(at, { "a.txt": "of one\n2\n3\n4\n5\n" })),
      await job(repo, "two", (at) => writeAll(at, { "a.txt": "1\n2\n3\n4\nof two\n" })),
      await job(repo, "three", (at) => writeAll(at, { "a.txt": "of three\n2\n3\n4\n5\n" })),
    ]
    expect(refusals(await prepare(repo, one, two, three))).toEqual([
      { id: "three", reason: "conflictWithJobs", files: ["a.txt"], others: ["one", "two"] },
    ])
    await apply(repo, one, two)
    expect(refusals(await prepare(repo, three))).toEqual([
      { id: "three", reason: "conflictWithApplied", files: ["a.txt"], others: ["two"] },
    ])
  })
})

describe("Jobs applied one after the other", () => {
  const text = (changed: Record<number, string> = {}) =>
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((line) => `${changed[line] ?? line}\n`).join("")

  /** Two jobs that change the same files at both ends. */
  async function topAndBottom(repo: TestRepository) {
    const top = await job(repo, "top", (at) =>
      writeAll(at, { "a.txt": text({ 1: "top" }), "new.txt": "new\n" }),
    )
    const bottom = await job(repo, "bottom", (at) => writeAll(at, { "a.txt": text({ 9: "bottom" }) }))
    return { top, bottom }
  }
  const dirty = [{ id: "bottom", reason: "dirty", files: ["a.txt"] }]

  it("come to the same as together, though the earlier one is not committed, also after a restart", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": text() })
    const { top, bottom } = await topAndBottom(repo)
    await apply(repo, top)
    const { folder, env } = repo
    await apply({ ...repo, worktrees: createWorktrees({ folder, env }) }, bottom)
    expect(filesIn(repo.path)).toEqual({
      "a.txt": `644 ${text({ 1: "top", 9: "bottom" })}`,
      "new.txt": "644 new\n",
    })
    // And once more on top of both.
    const middle = await job(repo, "middle", (at) =>
      writeAll(at, { "a.txt": text({ 1: "top", 5: "middle", 9: "bottom" }), "new.txt": "newer\n" }),
    )
    repo.write({ "a.txt": text({ 1: "top", 9: "bottom" }) })
    await apply(repo, middle)
    expect(filesIn(repo.path)["a.txt"]).toBe(`644 ${text({ 1: "top", 5: "middle", 9: "bottom" })}`)
  })

  it("also where the worktree and the branch of the earlier one are gone", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": text() })
    const { top, bottom } = await topAndBottom(repo)
    await apply(repo, top)
    await (await repo.worktrees.prepareDiscard({ directory: top.directory, owner })).remove()
    await apply(repo, bottom)
    expect(filesIn(repo.path)["a.txt"]).toBe(`644 ${text({ 1: "top", 9: "bottom" })}`)
  })

  it("are refused where a person has changed the file since", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": text() })
    const { top, bottom } = await topAndBottom(repo)
    await apply(repo, top)
    repo.write({ "a.txt": text({ 1: "top", 5: "mine" }) })
    expect(refusals(await prepare(repo, bottom))).toEqual(dirty)
  })

  it("are refused where a person has brought back what an apply had left, over what was committed since", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": text() })
    const { top, bottom } = await topAndBottom(repo)
    await apply(repo, top)
    repo.commit({ "a.txt": text({ 1: "committed" }) })
    repo.write({ "a.txt": text({ 1: "top" }) })
    expect(refusals(await prepare(repo, bottom))).toEqual(dirty)
  })

  it("are refused where another owner has applied the earlier one", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": text() })
    const { top, bottom } = await topAndBottom(repo)
    const theirs = await repo.worktrees.prepareApply({
      directory: repo.path,
      owner: "ses_other",
      jobs: [top],
    })
    if (theirs.type === "ready") await theirs.write()
    expect(refusals(await prepare(repo, bottom))).toEqual(dirty)
  })
})

describe("What has become of a worktree", () => {
  it("is known: whether its end was applied, and whether it was removed", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    const { directory, commit } = await job(repo, "a", (at) => writeAll(at, { "a.txt": "2\n" }))
    const done = { id: "a", base: repo.git("rev-parse", "HEAD"), commit, directory }
    const fate = (at = commit) => repo.worktrees.fate(directory, { owner, job: "a", commit: at })
    expect(await fate()).toBe("there")
    await apply(repo, done)
    expect(await fate()).toBe("applied")
    // It has gone on since.
    expect(await fate(done.base)).toBe("there")
    rmSync(directory, { recursive: true })
    expect(await fate()).toBe("applied")
    await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
    expect(await fate()).toBe("removed")
  })
})
