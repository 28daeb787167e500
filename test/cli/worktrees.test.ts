import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import * as z from "zod"
import { createWorktrees, type Worktrees } from "../../src/plugin/worktrees/worktrees.ts"
import { type TestRepository, testRepository, writeAll } from "../plugin/worktrees/support/repository.ts"
import { noSmallDisk, smallDisk } from "../support/small-disk.ts"
import { type Answered, cli } from "./support/cli.ts"

const owner = "ses_0123456789abcdef"
const hour = 3_600_000
const whyNoDisk = noSmallDisk()
const skipped = whyNoDisk ? ` (skipped: ${whyNoDisk})` : ""

/** Of no process. */
const gone = 2 ** 22 + 1

type Person = {
  /** Where worktrees are kept. */
  folder: string
  env: NodeJS.ProcessEnv
  worktrees: Worktrees
  /** Makes a worktree whose opencode has ended since, unless it is said to run. */
  make(job: string, given?: Given): Promise<Job>
  /** What the command prints for this person. */
  run(args?: string[], answered?: Answered): ReturnType<typeof cli>
}
type Given = { repo?: TestRepository; hours?: number; isRunning?: boolean; description?: string }
type Job = { directory: string; branch: string; base: string }

function person(repo: TestRepository): Person {
  const data = dirname(repo.folder)
  const env = { ...repo.env, XDG_DATA_HOME: data }
  const worktrees = createWorktrees({ env })
  return {
    folder: join(data, "opencode-troupe", "worktrees"),
    env,
    worktrees,
    async make(job, { repo: at = repo, hours = 0, isRunning = false, description } = {}) {
      const made = await worktrees.make({ directory: at.path, owner, job, description })
      note(made, { madeAt: Date.now() - hours * hour, ...(!isRunning && { pid: gone }) })
      return made
    },
    run: (args = [], answered = {}) => cli({ env, ...answered }, "worktrees", ...args),
  }
}

/** Changes what is known of a worktree. */
function note({ directory }: Job, change: Record<string, unknown>): void {
  const file = `${directory}.json`
  const known = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, "utf8")))
  writeFileSync(file, JSON.stringify({ ...known, ...change }))
}

/** Commits what is in a worktree, with these files. */
async function work({ worktrees }: Person, { directory }: Job, files: Record<string, string>): Promise<void> {
  writeAll(directory, files)
  await worktrees.seal(directory, "the end")
}

/** A shell that stays in a folder until the test is over. */
async function shellIn(cwd: string): Promise<{ pid: number | undefined; end(): Promise<void> }> {
  const shell = spawn("sh", ["-c", "echo there; read line"], { cwd })
  await once(shell.stdout, "data")
  const end = async () => {
    if (shell.exitCode !== null) return
    shell.stdin.end()
    await once(shell, "close")
  }
  onTestFinished(end)
  return { pid: shell.pid, end }
}

describe("The list of worktrees", () => {
  it("shows how old and large each is, whose it is, and what it holds", async () => {
    const [shop, site] = [testRepository({ name: "shop" }), testRepository({ name: "site" })]
    shop.commit({ "a.txt": "1\n", "b.bin": "x".repeat(1_500_000) })
    site.commit({ "a.txt": "x".repeat(10_000) })
    const ada = person(shop)
    const jobs = [
      await ada.make("auth", { hours: 80 }),
      await ada.make("clean", { hours: 3, description: `Fix ${"the parser ".repeat(10)}` }),
      await ada.make("a-very-long-name-of-a-job-for-a-terminal", { hours: 2 }),
      await ada.make("half", { hours: 0.2 }),
      await ada.make("site", { repo: site }),
    ]
    const [auth, clean, long, half, other] = jobs
    if (!auth || !clean || !long || !half || !other) throw new Error("they are made")
    await work(ada, auth, { "a.txt": "2\n" })
    writeAll(auth.directory, { "c.txt": "c\n", "d.txt": "d\n" })
    shop.gitIn(auth.directory, "init", "--quiet", "inner")
    writeAll(long.directory, { "new.txt": "new\n" })
    note(half, { state: "making" })
    rmSync(site.path, { recursive: true })
    const { code, out, err } = await ada.run()
    expect([code, err]).toEqual([0, ""])
    const shown = jobs
      .reduce((text, { directory }, index) => text.replace(directory, `<folder ${index}>`), out)
      .replaceAll(shop.path, "<shop>")
      .replaceAll(site.path, "<site>")
    expect(shown).toBe(`<shop>
  auth                           3 d  1.5 MB  1 commit with 1 changed file, 2
                                              uncommitted files, 1 repository
    branch  troupe/89abcdef/auth
    owner   ses_0123456789abcdef
    folder  <folder 0>
  clean                          3 h  1.5 MB  clean
    task    Fix the parser the parser the parser the parser the parser the pars…
    branch  troupe/89abcdef/clean
    owner   ses_0123456789abcdef
    folder  <folder 1>
  a-very-long-name-of-a-j…       2 h  1.5 MB  1 uncommitted file
    branch  troupe/89abcdef/a-very-long-name-of-a-job-for-a-terminal
    owner   ses_0123456789abcdef
    folder  <folder 2>
  half                          12 m  1.5 MB  half made: nobody has worked in it
    branch  troupe/89abcdef/half
    owner   ses_0123456789abcdef
    folder  <folder 3>

<site>
  site                      just now   10 kB  unknown to git: its repository
                                              (<site>/.git)
                                              is not there: it was removed or
                                              moved, or is on a disk that is not
                                              mounted
    branch  troupe/89abcdef/site
    owner   ses_0123456789abcdef
    folder  <folder 4>

2 worktrees can go without a loss: --tidy removes them. What holds something
stays until it is discarded: --discard BRANCH.
`)
  })

  it("is as wide as the terminal, and as for 80 columns where that does not say", async () => {
    const ada = person(testRepository())
    await ada.make("a")
    const advice = async (columns?: number) => {
      const { out } = await ada.run([], { columns })
      return out.slice(out.indexOf("1 worktree can go"))
    }
    expect(await advice(40)).toBe("1 worktree can go without a loss: --tidy\nremoves it.\n")
    const wide = "1 worktree can go without a loss: --tidy removes it.\n"
    expect([await advice(), await advice(0)]).toEqual([wide, wide])
  })

  it("has colours in a terminal alone", async () => {
    const ada = person(testRepository())
    await ada.make("a")
    const green = "\u001b[32mclean\u001b["
    expect((await ada.run()).out).not.toContain("\u001b")
    expect((await ada.run([], { hasColours: true })).out).toContain(green)
  })

  it.runIf(process.platform === "linux")("says who is in it, and whose job may be under way", async () => {
    const ada = person(testRepository())
    const { directory } = await ada.make("a", { isRunning: true })
    const { pid } = await shellIn(directory)
    const { out } = await ada.run()
    expect(out).toContain(`    used    process ${pid} (sh) is in it\n`)
    expect(out).toMatch(
      new RegExp(`^    used    its job is under way in process ${process.pid} \\(.+\\)$`, "m"),
    )
    expect(out).not.toContain("--tidy")
  })

  it("is JSON for scripts, and nothing else", async () => {
    const repo = testRepository()
    const ada = person(repo)
    const { directory, branch, base } = await ada.make("a", { hours: 1, description: "Do a" })
    note({ directory, branch, base }, { endedAt: 1 })
    writeAll(directory, { "ü.txt": "1\n" })
    mkdirSync(join(dirname(directory), "no-job"))
    const { code, out, err } = await ada.run(["--json"])
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/^[\x20-\x7e\n]+$/)
    expect(JSON.parse(out)).toEqual({
      worktrees: [
        {
          directory,
          owner,
          job: "a",
          description: "Do a",
          project: repo.path,
          branch,
          base,
          madeAt: expect.any(Number),
          endedAt: 1,
          bytes: expect.any(Number),
          processes: [],
          state: {
            type: "holding",
            holdings: {
              commit: base,
              commits: 0,
              files: 0,
              uncommitted: ["ü.txt"],
              repositories: [],
              ignored: [],
            },
          },
        },
      ],
      unknown: [join(dirname(directory), "no-job")],
      remains: [],
    })
  })

  it("tells what is in the folder and belongs to no job", async () => {
    const ada = person(testRepository())
    const { directory } = await ada.make("a")
    mkdirSync(join(dirname(directory), "no-job"))
    expect((await ada.run()).out).toContain(
      `Not of a job, and left alone:\n  ${join(dirname(directory), "no-job")}\n`,
    )
  })

  it.each([[[]], [["--tidy"]], [["--json"]]])("fails where one cannot be read: %s", async (args) => {
    const ada = person(testRepository())
    await ada.make("a")
    const { code, out } = await ada.run(args, { env: { ...ada.env, PATH: "" } })
    expect(code).toBe(1)
    expect(out).toContain("git is not installed")
  })

  it.each([[[]], [["--tidy"]]])("says where there is none what would make one: %s", async (args) => {
    const ada = person(testRepository())
    const { code, out, err } = await ada.run(args)
    expect([code, err]).toEqual([0, ""])
    expect(out).toContain("No job has a worktree.\n")
    expect(out).toContain('isolation: "worktree"')
    expect(out).toContain(ada.folder)
    expect(existsSync(ada.folder)).toBe(false)
  })

  it("is an empty one for scripts", async () => {
    const ada = person(testRepository())
    expect(JSON.parse((await ada.run(["--json"])).out)).toEqual({ worktrees: [], unknown: [], remains: [] })
    expect(JSON.parse((await ada.run(["--json", "--tidy"])).out)).toEqual({
      removed: [],
      kept: [],
      failed: [],
      remains: [],
    })
  })

  it("says what is wrong with the folder", async () => {
    const ada = person(testRepository())
    mkdirSync(dirname(ada.folder), { recursive: true })
    writeFileSync(ada.folder, "")
    const { code, out, err } = await ada.run()
    expect([code, out]).toEqual([1, ""])
    expect(err).toContain(`${ada.folder} is not a folder of this user`)
    expect(err).toContain("XDG_DATA_HOME")
  })
})

describe("Tidying up", () => {
  it("removes what holds nothing and nobody uses, and says why it keeps the others", async () => {
    const repo = testRepository()
    const ada = person(repo)
    const [clean, half] = [await ada.make("clean"), await ada.make("half")]
    const [holding, running] = [await ada.make("holding"), await ada.make("running", { isRunning: true })]
    note(half, { state: "making" })
    writeAll(holding.directory, { "b.txt": "b\n" })
    const { code, out, err } = await ada.run(["--tidy"])
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/^Removed 2 worktrees, \d+ B\.\n/)
    expect(out.split("\n").slice(1)).toEqual([
      `  ${clean.branch}`,
      `  ${half.branch}`,
      "",
      "Kept 2.",
      `  ${holding.branch}`,
      "    it holds 1 uncommitted file",
      `  ${running.branch}`,
      `    its job is under way in process ${process.pid}`,
      "",
    ])
    expect([clean, half, holding, running].map(({ directory }) => existsSync(directory))).toEqual([
      false,
      false,
      true,
      true,
    ])
    expect(repo.git("branch", "--list", "troupe/*", "--format=%(refname:short)").split("\n")).toEqual([
      holding.branch,
      running.branch,
    ])
  })

  it("keeps what a job goes on in that another opencode has made", async () => {
    const ada = person(testRepository())
    const { directory } = await ada.make("a")
    await ada.worktrees.enter(directory)
    expect((await ada.run(["--tidy"])).out).toContain(`its job is under way in process ${process.pid}`)
    expect(existsSync(directory)).toBe(true)
  })

  it("removes that of a job that has ended, whose opencode still runs, until the job goes on", async () => {
    const ada = person(testRepository())
    const [ended, goesOn] = [
      await ada.make("ended", { isRunning: true }),
      await ada.make("goes-on", { isRunning: true }),
    ]
    for (const { directory } of [ended, goesOn]) await ada.worktrees.leave(directory)
    await ada.worktrees.enter(goesOn.directory)
    expect((await ada.run()).out).toContain("1 worktree can go without a loss")
    const { code, out } = await ada.run(["--tidy"])
    expect(code).toBe(0)
    expect(out).toContain(`  ${ended.branch}\n`)
    expect([ended, goesOn].map(({ directory }) => existsSync(directory))).toEqual([false, true])
  })

  it("leaves no empty folders of a repository without worktrees", async () => {
    const [first, second] = [testRepository(), testRepository()]
    const ada = person(first)
    const [clean, holding] = [await ada.make("clean"), await ada.make("holding", { repo: second })]
    for (const { directory } of [clean, holding]) mkdirSync(join(dirname(directory), "applying"))
    writeAll(holding.directory, { "b.txt": "b\n" })
    await ada.run(["--tidy"])
    expect([clean, holding].map(({ directory }) => existsSync(dirname(directory)))).toEqual([false, true])
    await ada.make("again")
  })

  it("removes no folder in which an apply has left something", async () => {
    const ada = person(testRepository())
    const { directory } = await ada.make("clean")
    const journal = join(dirname(directory), "applying", "journal")
    writeAll(dirname(journal), { journal: "begun" })
    await ada.run(["--tidy"])
    expect([directory, journal].map(existsSync)).toEqual([false, true])
  })

  it("keeps what git has forgotten, and says so", async () => {
    const repo = testRepository()
    const ada = person(repo)
    const { directory } = await ada.make("a")
    rmSync(repo.path, { recursive: true })
    const { code, out } = await ada.run(["--tidy"])
    expect(code).toBe(0)
    expect(out.replace(/\s+/g, " ")).toContain(
      `git no longer knows it: its repository (${repo.path}/.git) is not there`,
    )
    expect(existsSync(directory)).toBe(true)
  })

  it.runIf(process.platform === "linux")("keeps what somebody is in", async () => {
    const ada = person(testRepository())
    const { directory } = await ada.make("a")
    const shell = await shellIn(directory)
    expect((await ada.run(["--tidy"])).out).toContain(`somebody is in it: process ${shell.pid}`)
    expect(existsSync(directory)).toBe(true)
    await shell.end()
    await ada.run(["--tidy"])
    expect(existsSync(directory)).toBe(false)
  })

  it("says what it cannot remove, and fails", async () => {
    const repo = testRepository()
    const ada = person(repo)
    const { directory, branch } = await ada.make("a")
    repo.gitIn(directory, "checkout", "--quiet", "--detach")
    repo.git("switch", "--quiet", branch)
    const { code, out } = await ada.run(["--tidy"])
    expect(code).toBe(1)
    expect(out).toContain("Removed 0 worktrees.\n")
    expect(out).toContain(`Could not remove 1.\n  ${branch}\n    the branch ${branch} is checked out`)
    expect(existsSync(directory)).toBe(true)
    expect(JSON.parse((await ada.run(["--tidy", "--json"])).out)).toMatchObject({
      removed: [],
      kept: [],
      failed: [{ worktree: { branch }, why: expect.stringContaining("is checked out") }],
    })
  })
})

describe("Discarding one", () => {
  async function holding(repo = testRepository()) {
    const ada = person(repo)
    const job = await ada.make("auth", { hours: 5 })
    await work(ada, job, { "a.txt": "1\n", "b.txt": "1\n" })
    const commit = repo.git("rev-parse", job.branch)
    writeAll(job.directory, { "c.txt": "c\n" })
    repo.gitIn(job.directory, "init", "--quiet", "inner")
    repo.write({ ".git/info/exclude": "/out/\n" })
    writeAll(job.directory, { "out/report.md": "hours of work\n" })
    return { ...job, commit, repo, ada }
  }

  it("says what would be lost, and does it once that is confirmed", async () => {
    const { ada, repo, branch, directory, commit } = await holding()
    const { code, out, err, asked } = await ada.run(["--discard", branch], { typed: "discard" })
    expect([code, err, asked]).toEqual([0, "", ["Type discard to go on: "]])
    expect(out).toBe(`${branch}
  job auth of ${owner}, made 5 h ago
  of ${repo.path}
  in ${directory}

This would be lost:
  1 commit with 2 changed files
  1 uncommitted file:
    c.txt
  1 repository:
    inner
  1 ignored file or folder:
    out/

Discarded.
This restores its commits as long as git keeps them, by default two weeks from when they were made:
  git -C ${repo.path} branch ${branch} ${commit}
`)
    expect(existsSync(directory)).toBe(false)
    expect(repo.git("branch", "--list", "troupe/*")).toBe("")
    repo.git("branch", branch, commit)
    expect(repo.git("show", `${branch}:a.txt`)).toBe("1")
  })

  it.each([["no"], ["y"], ["discard it"], [""], [undefined]])(
    "discards nothing for anything else: %j",
    async (typed) => {
      const { ada, branch, directory } = await holding()
      const { code, err } = await ada.run(["--discard", branch], typed === undefined ? {} : { typed })
      expect([code, err]).toEqual([1, "Nothing was discarded.\n"])
      expect(existsSync(join(directory, "c.txt"))).toBe(true)
    },
  )

  it("asks nothing with --yes, and says all the same what is lost", async () => {
    const { ada, branch, directory } = await holding()
    const { code, out, asked } = await ada.run(["--discard", branch, "--yes"])
    expect([code, asked]).toEqual([0, []])
    expect(out).toContain("    c.txt\n")
    expect(existsSync(directory)).toBe(false)
  })

  it("tells scripts what is lost, and nothing else", async () => {
    const { ada, repo, branch, directory, commit } = await holding()
    const { code, out, err } = await ada.run([`--discard=${branch}`, "--yes", "--json"])
    expect([code, err]).toEqual([0, ""])
    expect(JSON.parse(out)).toEqual({
      discarded: {
        branch,
        directory,
        project: repo.path,
        loss: {
          commit,
          commits: 1,
          files: 2,
          uncommitted: ["c.txt"],
          repositories: ["inner"],
          ignored: ["out/"],
        },
      },
    })
  })

  it.each([
    ["its folder", (directory: string) => directory],
    ["a folder in it", (directory: string) => join(directory, "inner")],
    ["a path that leads there", (directory: string) => `${directory}/../${directory.split("/").at(-1)}/`],
  ])("takes %s, too", async (_what, which) => {
    const { ada, directory } = await holding()
    expect(await ada.run(["--discard", which(directory), "--yes"])).toMatchObject({ code: 0 })
    expect(existsSync(directory)).toBe(false)
  })

  it("takes a folder for no other one that is called alike", async () => {
    const { ada, directory } = await holding()
    const other = await ada.make("auth-2")
    expect(await ada.run(["--discard", other.directory, "--yes"])).toMatchObject({ code: 0 })
    expect([directory, other.directory].map(existsSync)).toEqual([true, false])
  })

  it("names no more files than one can read, and how many more there are", async () => {
    const ada = person(testRepository())
    const { branch, directory } = await ada.make("a")
    writeAll(
      directory,
      Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`${index + 10}.txt`, ""])),
    )
    const { out } = await ada.run(["--discard", branch])
    expect(out).toContain("  25 uncommitted files:\n    10.txt\n")
    expect(out).toContain("    29.txt\n    and 5 more\n")
  })

  it("says that nothing would be lost, and that its job is under way", async () => {
    const ada = person(testRepository())
    const { branch, directory } = await ada.make("a", { isRunning: true })
    const { code, out } = await ada.run(["--discard", branch], { typed: "discard" })
    expect(code).toBe(0)
    expect(out).toContain("Nothing would be lost.\n")
    expect(out).toMatch(/It is in use: its job is under way in process \d+/)
    expect(out).not.toContain("git -C")
    expect(existsSync(directory)).toBe(false)
  })

  it.each([["troupe/89abcdef/auht"], ["main"], ["aut"], ["/"], [".."]])(
    "says what it does not know: %s",
    async (which) => {
      const { ada, directory } = await holding()
      const { code, out, err } = await ada.run(["--discard", which, "--yes"])
      expect([code, out, err]).toEqual([
        1,
        "",
        `No worktree has the branch, the folder or the job ${which}.\n`,
      ])
      expect(existsSync(directory)).toBe(true)
    },
  )

  it("takes the id of a job, where one alone has it", async () => {
    const { ada, directory } = await holding()
    expect(await ada.run(["--discard", "auth", "--yes"])).toMatchObject({ code: 0 })
    expect(existsSync(directory)).toBe(false)
  })

  it("wants to know which, where several jobs have the same id", async () => {
    const { ada, branch } = await holding()
    const other = await ada.make("auth")
    const { code, err } = await ada.run(["--discard", "auth", "--yes"])
    expect(code).toBe(1)
    expect(err).toBe(
      `2 worktrees match auth. Give the branch of the one that you mean:\n  ${branch}\n  ${other.branch}\n`,
    )
  })

  it("wants to know which, where two repositories have the same branch", async () => {
    const first = testRepository()
    const ada = person(first)
    const jobs = [await ada.make("a"), await ada.make("a", { repo: testRepository() })]
    const { code, err } = await ada.run(["--discard", jobs[0]?.branch ?? "", "--yes"])
    expect(code).toBe(1)
    for (const { directory } of jobs) {
      expect(err).toContain(directory)
      expect(existsSync(directory)).toBe(true)
    }
  })

  it.runIf(process.platform === "linux")("is refused while somebody is in it", async () => {
    const { ada, branch, directory } = await holding()
    const shell = await shellIn(directory)
    const { code, out, err } = await ada.run(["--discard", branch, "--yes"])
    expect([code, out]).toEqual([1, ""])
    expect(err.replaceAll("\n", " ")).toContain(`${branch} is in use: process ${shell.pid} (sh) is in it.`)
    expect(existsSync(directory)).toBe(true)
  })

  it.skipIf(whyNoDisk)(`says where files are that could not be removed${skipped}`, async () => {
    const { ada, branch, directory } = await holding()
    const disk = smallDisk(join(directory, "mounted"))
    const ours = dirname(directory)
    const asides = () => readdirSync(ours).filter((name) => name.startsWith(".removing-"))
    try {
      const { code, out, err } = await ada.run(["--discard", branch, "--yes"])
      const words = new RegExp(
        `^Some of its files could not be removed and are still in ${join(ours, asides()[0] ?? "")}: EBUSY`,
      )
      expect([code, out.includes("Discarded.\n"), err.replaceAll("\n", " ")]).toEqual([
        1,
        true,
        expect.stringMatching(words),
      ])
      const tidied = await ada.run(["--tidy"])
      expect([tidied.code, tidied.out.replaceAll("\n", " ")]).toEqual([
        1,
        expect.stringMatching(/Some of its files .*EBUSY/),
      ])
      expect((await ada.run()).out).toContain(
        `Left over from removed worktrees; --tidy tries to remove them again:\n  ${join(ours, asides()[0] ?? "")}\n`,
      )
    } finally {
      disk.remove(join(ours, asides()[0] ?? basename(directory), "mounted"))
    }
    expect(await ada.run(["--tidy"])).toMatchObject({ code: 0 })
    expect(existsSync(ours)).toBe(false)
  })

  it("leaves what is half made to whoever makes it, or to --tidy", async () => {
    const ada = person(testRepository())
    const [half, being] = [await ada.make("half"), await ada.make("being", { isRunning: true })]
    for (const job of [half, being]) note(job, { state: "making" })
    const discard = async ({ branch }: Job) => (await ada.run(["--discard", branch, "--yes"])).err
    expect(await discard(half)).toBe(`${half.branch} is half made and holds nothing: --tidy removes it.\n`)
    expect(await discard(being)).toBe(`${being.branch} is just being made by process ${process.pid}.\n`)
    expect([half, being].every(({ directory }) => existsSync(directory))).toBe(true)
  })

  it("leaves what cannot be read, and says what to do", async () => {
    const { ada, branch, directory } = await holding()
    const { code, err } = await ada.run(["--discard", branch, "--yes"], { env: { ...ada.env, PATH: "" } })
    expect(code).toBe(1)
    const words = err.replaceAll("\n", " ")
    expect(words).toContain(
      "cannot be read: git is not installed. So nothing can be said about what would be lost.",
    )
    expect(words).toContain(`delete that folder and ${directory}.json yourself`)
    expect(existsSync(join(directory, "c.txt"))).toBe(true)
  })

  describe("of which its project knows nothing any more", () => {
    async function forgotten() {
      const { ada, repo, directory, branch } = await holding()
      rmSync(join(directory, "inner"), { recursive: true })
      rmSync(repo.path, { recursive: true })
      mkdirSync(repo.path)
      repo.git("init", "--quiet")
      return { ada, repo, directory, branch }
    }

    it("says that git cannot tell, and how many files there are, and removes it once that is confirmed", async () => {
      const { ada, repo, directory, branch } = await forgotten()
      const refused = await ada.run(["--discard", branch], { typed: "no" })
      expect([refused.code, existsSync(join(directory, "c.txt"))]).toEqual([1, true])
      const { code, out, err } = await ada.run(["--discard", branch], { typed: "discard" })
      expect([code, err]).toEqual([0, ""])
      const words = out.replace(/\s+/g, " ")
      expect(words).toContain(
        `git does not know this worktree: the repository in ${repo.path} has neither its branch nor the commit that it started from`,
      )
      expect(words).toContain("which of the 5 files in its folder would be lost")
      expect(out).not.toContain("git -C")
      expect([directory, `${directory}.json`].map(existsSync)).toEqual([false, false])
    })

    it("says that there is nothing to lose, and forgets it, where its folder and its repository are both gone", async () => {
      const { ada, repo, directory, branch } = await holding()
      for (const folder of [directory, repo.path]) rmSync(folder, { recursive: true })
      const { code, out, err } = await ada.run(["--discard", branch], { typed: "discard" })
      expect([code, err]).toEqual([0, ""])
      expect(out.replace(/\s+/g, " ")).toContain(
        "It has no files to lose, and nothing is changed in its repository.",
      )
      expect(existsSync(`${directory}.json`)).toBe(false)
    })

    it("tells scripts how many files were in it", async () => {
      const { ada, repo, directory, branch } = await forgotten()
      expect(JSON.parse((await ada.run(["--json"])).out)).toMatchObject({
        worktrees: [{ state: { type: "forgotten", why: expect.stringContaining(repo.path), files: 5 } }],
      })
      const { out } = await ada.run(["--discard", branch, "--yes", "--json"])
      expect(JSON.parse(out)).toEqual({
        discarded: { branch, directory, project: repo.path, loss: { files: 5 } },
      })
    })

    it("removes nothing where there are more files by now", async () => {
      const { ada, directory, branch } = await forgotten()
      const ask = async () => {
        writeAll(directory, { "late.txt": "late\n" })
        return "discard"
      }
      const { code, err } = await ada.run(["--discard", branch], { ask })
      expect([code, existsSync(join(directory, "late.txt"))]).toEqual([1, true])
      expect(err).toContain("holds something else than a moment ago")
    })

    it("removes nothing that git knows again by then", async () => {
      const { ada, repo, directory, branch } = await holding()
      const away = `${repo.path}-moved`
      renameSync(repo.path, away)
      const ask = async () => {
        renameSync(away, repo.path)
        return "discard"
      }
      const { code } = await ada.run(["--discard", branch], { ask })
      expect([code, existsSync(join(directory, "c.txt"))]).toEqual([1, true])
    })
  })

  it("removes nothing where more would be lost by now than was said", async () => {
    const { ada, branch, directory } = await holding()
    const ask = async () => {
      writeAll(directory, { "late.txt": "late\n" })
      return "discard"
    }
    const { code, err } = await ada.run(["--discard", branch], { ask })
    expect(code).toBe(1)
    expect(err).toContain("holds something else than a moment ago")
    expect(existsSync(join(directory, "late.txt"))).toBe(true)
  })
})

it("Nothing is printed that a terminal would carry out, or that hides, whoever named it", async () => {
  const hostile = "\u001b]0;owned\u0007\u202egpj.exe\u200b\r\nx"
  const written = "\\u{1b}]0;owned\\u{7}\\u{202e}gpj.exe\\u{200b} x"
  const repo = testRepository({ name: `p${hostile}` })
  const ada = person(repo)
  const job = await ada.make(hostile, { description: hostile })
  writeAll(job.directory, { [`f${hostile}`]: "1\n" })
  const [held, dry] = [await ada.run(), await ada.run(["--discard", job.branch])]
  expect(held.out).toContain(`/p${written}\n`)
  expect(held.out).toContain("  \\u{1b}]0;owned\\u{7}\\u{2…  ")
  expect(dry.out).toContain(`job ${written} of`)
  expect(dry.out).toContain(`    f${written}\n`)
  const unknown = await ada.run(["--discard", `${hostile}?`])
  note(job, { owner: hostile, branch: `troupe/${hostile}`, project: hostile })
  const forged = [await ada.run(), await ada.run(["--tidy"]), await ada.run(["--json"])]
  for (const { out, err } of [held, dry, unknown, ...forged]) expect(out + err).toMatch(/^[\x20-\x7e\n…]*$/)
  expect(unknown.err).toContain(written)
})
