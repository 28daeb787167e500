import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { inTurn } from "../../../src/plugin/worktrees/turns.ts"
import { createWorktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { layerOver, noLayer, noSmallDisk, smallDisk } from "../../support/small-disk.ts"
import { filesIn, type TestRepository, testRepository, userSide, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

const make = (repo: TestRepository, job = "a") => repo.worktrees.make({ directory: repo.path, owner, job })

const branches = (repo: TestRepository) =>
  repo.git("branch", "--list", "troupe/*", "--format=%(refname:short)")

describe("Discarding a worktree", () => {
  it("says first what would be lost, then removes it with its branch; its commit can be had back", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    const before = userSide(repo.path)
    const { directory } = await make(repo)
    writeAll(directory, { "a.txt": "2\n" })
    const { commit } = await repo.worktrees.seal(directory, "the end")
    writeAll(directory, { "b.txt": "later\n" })
    repo.gitIn(directory, "init", "--quiet", "inner")
    const discard = await repo.worktrees.prepareDiscard({ directory, owner })
    expect(discard.loss).toEqual({
      commit,
      commits: 1,
      files: 1,
      uncommitted: ["b.txt"],
      repositories: ["inner"],
      ignored: [],
    })
    expect(existsSync(directory)).toBe(true)
    await discard.remove()
    expect(existsSync(directory)).toBe(false)
    expect(branches(repo)).toBe("")
    expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
    expect(userSide(repo.path)).toEqual(before)
    expect(repo.git("show", `${commit}:a.txt`)).toBe("2")
  })

  it("says what git ignores, and which repositories are in there", async () => {
    const repo = testRepository()
    repo.commit({ ".gitignore": "/out/\n/vendor/\n*.log\n" })
    const { directory } = await make(repo)
    writeAll(directory, {
      "out/report.md": "hours of work\n",
      "x.log": "1\n",
      "notes/.gitignore": "*\n",
      "notes/n.md": "a note\n",
    })
    repo.gitIn(directory, "init", "--quiet", "vendor/deep/x")
    repo.gitIn(directory, "init", "--quiet", "notes/own")
    const { commit } = await repo.worktrees.seal(directory, "the end")
    expect((await repo.worktrees.prepareDiscard({ directory, owner })).loss).toEqual({
      commit,
      commits: 0,
      files: 0,
      uncommitted: [],
      repositories: ["notes/own", "vendor/deep/x"],
      ignored: ["notes/.gitignore", "notes/n.md", "out/", "vendor/", "x.log"],
    })
  })

  it("counts commits that the child made away from its branch", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    repo.gitIn(directory, "checkout", "--quiet", "--detach")
    repo.gitIn(directory, "commit", "--quiet", "--allow-empty", "-m", "detached")
    expect((await repo.worktrees.prepareDiscard({ directory, owner })).loss).toMatchObject({ commits: 1 })
  })

  it("removes nothing where more would be lost by now than was said", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    const discard = await repo.worktrees.prepareDiscard({ directory, owner })
    writeAll(directory, { "b.txt": "just now\n" })
    await expect(discard.remove()).rejects.toMatchObject({ kind: "changed" })
    expect(existsSync(join(directory, "b.txt"))).toBe(true)
  })

  it("is refused for what is another owner's, no worktree, the project, or anywhere else", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    const refused = { kind: "notOurs" }
    const prepare = (at: string, who = owner) => repo.worktrees.prepareDiscard({ directory: at, owner: who })
    await expect(prepare(directory, "ses_other")).rejects.toMatchObject(refused)
    const [ours = ""] = readdirSync(repo.folder).filter((name) => !name.startsWith("."))
    for (const at of [
      repo.path,
      repo.folder,
      join(repo.folder, ours),
      join(directory, "..", "..", ".."),
      "/",
    ]) {
      await expect(prepare(at)).rejects.toMatchObject(refused)
    }
    const plain = join(repo.folder, ours, "no-worktree")
    mkdirSync(plain)
    await expect(prepare(plain)).rejects.toMatchObject(refused)
    expect((await repo.worktrees.list()).unknown).toEqual([plain])
  })

  it("follows no link in place of the worktree, and nothing that its .git says", async () => {
    const repo = testRepository()
    const other = testRepository()
    other.commit({ "theirs.txt": "1\n" })
    const before = userSide(other.path)
    const [linked, led] = [await make(repo, "linked"), await make(repo, "led")]
    rmSync(linked.directory, { recursive: true })
    symlinkSync(other.path, linked.directory)
    await expect(repo.worktrees.prepareDiscard({ directory: linked.directory, owner })).rejects.toMatchObject(
      {
        kind: "notOurs",
      },
    )
    await expect(repo.worktrees.seal(linked.directory, "the end")).rejects.toMatchObject({ kind: "notOurs" })
    writeFileSync(join(led.directory, ".git"), `gitdir: ${join(other.path, ".git")}\n`)
    await (await repo.worktrees.prepareDiscard({ directory: led.directory, owner })).remove()
    expect(userSide(other.path)).toEqual(before)
    expect(branches(repo)).toBe(linked.branch)
  })

  it("leaves a branch on which somebody else stands", async () => {
    const repo = testRepository()
    const { directory, branch } = await make(repo)
    repo.gitIn(directory, "checkout", "--quiet", "--detach")
    repo.git("switch", "--quiet", branch)
    const isElsewhere = {
      kind: "locked",
      what: `the branch ${branch} is checked out elsewhere (worktree ${repo.path})`,
    }
    await expect(repo.worktrees.prepareDiscard({ directory, owner })).rejects.toMatchObject(isElsewhere)
    repo.git("switch", "--quiet", "main")
    const discard = await repo.worktrees.prepareDiscard({ directory, owner })
    repo.git("switch", "--quiet", branch)
    await expect(discard.remove()).rejects.toMatchObject(isElsewhere)
    expect([branches(repo), existsSync(directory)]).toEqual([branch, true])
  })
})

describe("Tidying", () => {
  it("removes what holds nothing, and keeps all else with the reason", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    await make(repo, "clean")
    repo.write({ ".git/info/exclude": "/out/\n" })
    const [committed, untracked, ignored, used] = [
      await make(repo, "c"),
      await make(repo, "u"),
      await make(repo, "i"),
      await make(repo, "used"),
    ]
    writeAll(ignored.directory, { "out/report.md": "hours of work\n", "out/more.md": "more\n" })
    writeAll(committed.directory, { "a.txt": "2\n" })
    await repo.worktrees.seal(committed.directory, "the end")
    writeAll(untracked.directory, { "b.txt": "b\n" })
    const { removed, kept } = await repo.worktrees.tidy(({ directory }) => directory === used.directory)
    expect(removed.map(({ job }) => job)).toEqual(["clean"])
    expect(kept.map(({ worktree: { job }, why }) => [job, why])).toEqual([
      ["c", "it holds 1 commit with 1 changed file"],
      ["u", "it holds 1 uncommitted file"],
      ["i", "it holds 1 ignored file or folder"],
      ["used", "it is in use"],
    ])
    expect(branches(repo).split("\n")).toEqual([
      committed.branch,
      ignored.branch,
      untracked.branch,
      used.branch,
    ])
    expect(filesIn(ignored.directory)).toHaveProperty("out/report.md")
  })

  it("takes what opencode installs in each folder of its own for nothing that a job has made", async () => {
    const repo = testRepository()
    const [plain, own] = [await make(repo, "plain"), await make(repo, "own")]
    for (const { directory } of [plain, own])
      writeAll(directory, {
        ".opencode/.gitignore": "node_modules\npackage.json\npackage-lock.json\nbun.lock\n.gitignore\n*.db\n",
        ".opencode/package.json": "{}\n",
        ".opencode/node_modules/zod/index.js": "1\n",
        "sub/.opencode/.gitignore": "*\n",
      })
    writeAll(own.directory, { ".opencode/notes.db": "hours of work\n" })
    const { removed, kept } = await repo.worktrees.tidy(() => false)
    expect(removed.map(({ job }) => job)).toEqual(["plain"])
    expect(kept.map(({ why }) => why)).toEqual(["it holds 1 ignored file or folder"])
  })

  it("keeps what the job of a process that still runs may be about to use", async () => {
    const repo = testRepository()
    await make(repo)
    const { removed, kept } = await repo.worktrees.tidy()
    expect(removed).toEqual([])
    expect(kept.map(({ why }) => why)).toEqual([`its job is under way in process ${process.pid}`])
  })

  it.runIf(process.platform === "linux")(
    "is not held up by a process that has its maker's pid by now",
    async () => {
      const repo = testRepository()
      const { directory } = await make(repo)
      const file = `${directory}.json`
      const note = JSON.parse(readFileSync(file, "utf8"))
      writeFileSync(file, JSON.stringify({ ...note, pid: process.ppid, start: "another start" }))
      const { removed } = await repo.worktrees.tidy()
      expect(removed.map(({ job }) => job)).toEqual(["a"])
    },
  )

  it("keeps what a job of another process has just gone on in", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    const file = `${directory}.json`
    writeFileSync(file, readFileSync(file, "utf8").replace(/"pid":\d+/, `"pid":${2 ** 22 + 1}`))
    const { kept } = await repo.worktrees.tidy(async () => {
      await repo.worktrees.enter(directory)
      return false
    })
    expect(kept.map(({ why }) => why)).toEqual([`process ${process.pid} has just begun to use it`])
    expect((await repo.worktrees.list()).worktrees).toMatchObject([{ maker: process.pid }])
    expect(existsSync(directory)).toBe(true)
  })

  it("keeps what an ended job has just gone on in", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    await repo.worktrees.leave(directory)
    const { kept } = await repo.worktrees.tidy(async () => {
      await repo.worktrees.enter(directory)
      return false
    })
    expect(kept.map(({ why }) => why)).toEqual([`process ${process.pid} has just begun to use it`])
    expect(existsSync(directory)).toBe(true)
  })

  it("keeps what somebody has worked in just now, and what somebody stands on the branch of", async () => {
    const repo = testRepository()
    const [worked, elsewhere] = [await make(repo, "worked"), await make(repo, "elsewhere")]
    repo.gitIn(elsewhere.directory, "checkout", "--quiet", "--detach")
    repo.git("switch", "--quiet", elsewhere.branch)
    const { removed, kept, failed } = await repo.worktrees.tidy(async ({ directory }) => {
      if (directory === worked.directory) writeAll(directory, { "b.txt": "just now\n" })
      return false
    })
    expect(removed).toEqual([])
    expect(kept.map(({ worktree, why }) => [worktree.job, why])).toEqual([
      ["worked", "somebody has worked in it just now"],
    ])
    expect(failed.map(({ worktree, why }) => [worktree.job, why])).toEqual([
      ["elsewhere", expect.stringContaining(`the branch ${elsewhere.branch} is checked out elsewhere`)],
    ])
    expect([worked, elsewhere].map(({ directory }) => existsSync(directory))).toEqual([true, true])
  })

  it("keeps what holds work at once, also while somebody else just changes it", async () => {
    const repo = testRepository()
    const { directory } = await make(repo, "worked")
    writeAll(directory, { "b.txt": "work\n" })
    const { kept, failed } = await inTurn(directory, () => repo.worktrees.tidy(() => false))
    expect(kept.map(({ worktree, why }) => [worktree.job, why])).toEqual([
      ["worked", "it holds 1 uncommitted file"],
    ])
    expect(failed).toEqual([])
  })

  it("keeps what is half made while its maker runs, then removes it with its branch, wherever that is", async () => {
    const repo = testRepository()
    const [making, moving] = [await make(repo, "making"), await make(repo, "moving")]
    const base = repo.commit({ "a.txt": "1\n" })
    const note = ({ directory }: { directory: string }, given: object) => {
      const file = `${directory}.json`
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...given }))
    }
    note(making, { state: "making" })
    note(moving, { state: "moving", base })
    const tidy = () => repo.worktrees.tidy(() => false)
    const underWay = `its job is under way in process ${process.pid}`
    expect((await tidy()).kept.map(({ why }) => why)).toEqual([underWay, underWay])
    for (const each of [making, moving]) note(each, { pid: 2 ** 22 + 1 })
    expect((await tidy()).removed.map(({ job }) => job)).toEqual(["making", "moving"])
    expect(branches(repo)).toBe("")
  })

  it("takes no word from a process that another one has taken the job over from", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    const file = `${directory}.json`
    const note = readFileSync(file, "utf8").replace(/,"start":"[^"]*"/, "")
    writeFileSync(file, note.replace(/"pid":\d+/, `"pid":${process.ppid}`))
    await repo.worktrees.leave(directory)
    expect((await repo.worktrees.tidy()).kept.map(({ why }) => why)).toEqual([
      `its job is under way in process ${process.ppid}`,
    ])
  })

  it.runIf(process.platform === "linux")("keeps what a process is in", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    const child = spawn("sh", ["-c", "echo there; read line"], { cwd: directory })
    await once(child.stdout, "data")
    const { kept } = await repo.worktrees.tidy(() => false)
    expect(kept.map(({ why }) => why)).toEqual([`somebody is in it: process ${child.pid}`])
    child.stdin.end()
    await once(child, "close")
    expect((await repo.worktrees.tidy(() => false)).removed).toHaveLength(1)
  })

  it("removes what is only a note any more, though its repository has forgotten where its job started", async () => {
    const repo = testRepository()
    repo.write({ "untracked.txt": "1\n" })
    const { directory, branch, base } = await make(repo)
    await repo.worktrees.leave(directory)
    repo.git("worktree", "remove", "--force", directory)
    repo.git("branch", "--quiet", "-D", branch)
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")
    expect(() => repo.git("cat-file", "-e", base)).toThrow()
    const { removed, kept, failed } = await repo.worktrees.tidy(() => false)
    expect([removed.map(({ job }) => job), kept, failed]).toEqual([["a"], [], []])
  })

  it("lists what there is of a repository that is gone, and leaves it", async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    writeAll(directory, { "b.txt": "b\n" })
    rmSync(repo.path, { recursive: true })
    const { worktrees } = await createWorktrees({ folder: repo.folder, env: repo.env }).list()
    expect(worktrees).toMatchObject([{ job: "a", owner, state: { type: "forgotten", files: 2 } }])
    expect((await repo.worktrees.tidy(() => false)).removed).toEqual([])
    expect(filesIn(directory)["b.txt"]).toBe("644 b\n")
  })
})

const whyNoDisk = noSmallDisk()
const skipped = whyNoDisk ? ` (skipped: ${whyNoDisk})` : ""

it.skipIf(whyNoDisk)(
  `Nothing of a job is applied where the disk of the project is full${skipped}`,
  async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
    const { directory, base } = await make(repo)
    writeAll(directory, { "a.txt": "2\n", "b.txt": "x".repeat(2 ** 20) })
    const { commit } = await repo.worktrees.seal(directory, "the end")
    const disk = smallDisk(repo.path)
    try {
      const ready = await repo.worktrees.prepareApply({
        directory: repo.path,
        owner,
        jobs: [{ id: "a", base, commit }],
      })
      if (ready.type === "refused") throw new Error("it should be ready")
      disk.fill()
      await expect(ready.write()).rejects.toMatchObject({ kind: "noSpace" })
      disk.free()
      expect(filesIn(repo.path)).toEqual({ "a.txt": "644 1\n", "b.txt": "644 1\n" })
      await ready.write()
      expect(filesIn(repo.path)).toEqual(filesIn(directory))
    } finally {
      disk.remove()
    }
  },
)

it.skipIf(whyNoDisk)(
  `What cannot be removed of a worktree keeps nobody from discarding it, and is listed until it can be${skipped}`,
  async () => {
    const repo = testRepository()
    const { directory, branch } = await make(repo)
    const disk = smallDisk(join(directory, "mounted"))
    writeAll(directory, { "a.txt": "1\n" })
    const ours = dirname(directory)
    const asides = () => readdirSync(ours).filter((name) => name.startsWith(".removing-"))
    try {
      const remains = await (await repo.worktrees.prepareDiscard({ directory, owner })).remove()
      const folder = join(ours, asides()[0] ?? "")
      expect(remains).toEqual({ folder, why: expect.stringMatching(/^EBUSY/) })
      // No process, so that any other one tries again as it tidies.
      expect(folder).toContain(".removing-0-")
      expect([existsSync(directory), repo.git("branch", "--list", branch)]).toEqual([false, ""])
      expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [folder] })
      expect(await repo.worktrees.tidy()).toEqual({ removed: [], kept: [], failed: [], remains: [remains] })
      expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [folder] })
    } finally {
      disk.remove(join(ours, asides()[0] ?? basename(directory), "mounted"))
    }
    expect(await repo.worktrees.tidy()).toEqual({ removed: [], kept: [], failed: [], remains: [] })
    expect(existsSync(ours)).toBe(false)
  },
)

const whyNoLayer = noLayer()

it.skipIf(whyNoLayer)(
  `A worktree that a container has from its image is removed, though it cannot be moved${whyNoLayer ? ` (skipped: ${whyNoLayer})` : ""}`,
  async () => {
    const repo = testRepository()
    const { directory } = await make(repo)
    await repo.worktrees.leave(directory)
    const removeLayer = layerOver(repo.folder)
    try {
      expect(() => renameSync(directory, `${directory}-moved`)).toThrow("EXDEV")
      expect((await repo.worktrees.tidy()).removed.map(({ job }) => job)).toEqual(["a"])
      expect(existsSync(directory)).toBe(false)
      expect(await repo.worktrees.list()).toEqual({ worktrees: [], unknown: [], remains: [] })
    } finally {
      removeLayer()
    }
  },
)
