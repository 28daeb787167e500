import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { poll } from "../../support/waiters.ts"
import { type Killed, killedRuns } from "./support/killed.ts"
import { type TestRepository, testRepository, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"
/** Each run has a number of its own, none of which it reaches. */
let never = 1_000_000_000

let processes: Killed

beforeAll(async () => {
  processes = await killedRuns()
})
afterAll(() => processes.remove())

/** What each of these comes to, or the error in its place, run in processes of their own at the same time. */
async function atOnce(repo: TestRepository, ...expressions: string[]): Promise<unknown[]> {
  return Promise.all(
    expressions.map(async (expression) => {
      const number = never++
      const file = join(repo.folder, "..", `${number}.json`)
      const script = `
        const { writeFileSync } = await import("node:fs")
        const come = async () => { ${expression} }
        const to = await come().catch(({ kind, message }) => ({ kind, message }))
        writeFileSync(${JSON.stringify(file)}, JSON.stringify(to))
      `
      await processes.run(repo, script, number)
      return JSON.parse(readFileSync(file, "utf8"))
    }),
  )
}

const filesNamed = (prefix: string, text: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}-${index}.txt`, text]))

async function jobIn(repo: TestRepository, job: string, files: Record<string, string>) {
  const { directory, base, branch } = await repo.worktrees.make({ directory: repo.path, owner, job })
  writeAll(directory, files)
  const { commit } = await repo.worktrees.seal(directory, "the work")
  return { directory, branch, work: { id: job, base, commit } }
}

const applyOf = (repo: TestRepository, work: object) => `
  const request = ${JSON.stringify({ directory: repo.path, owner, jobs: [work] })}
  const prepared = await worktrees.prepareApply(request)
  if (prepared.type === "refused") return "refused"
  await prepared.write()
  return "applied"
`
const discardOf = (directory: string) => `
  const { remove } = await worktrees.prepareDiscard(${JSON.stringify({ directory, owner })})
  await remove()
  return "discarded"
`

describe("Several opencodes at once", () => {
  it("tidy up without one of them failing at what another one has removed", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    for (const job of ["a", "b", "c", "d", "e", "f"]) {
      const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job })
      await repo.worktrees.leave(directory)
    }
    const tidy = "const { kept, failed } = await worktrees.tidy(); return { kept, failed }"
    const clean = { kept: [], failed: [] }
    expect(await atOnce(repo, tidy, tidy, tidy)).toEqual([clean, clean, clean])
    expect(repo.git("branch", "--list", "troupe/*")).toBe("")
    expect(repo.git("worktree", "list").split("\n")).toHaveLength(1)
  })

  it("commit the work of one job: once, which both are told", async () => {
    const repo = testRepository()
    const { directory, branch, base } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    writeAll(directory, filesNamed("new", "x", 100))
    const seal = `return await worktrees.seal(${JSON.stringify(directory)}, "the work")`
    const [one, other] = await atOnce(repo, seal, seal)
    expect(one).toMatchObject({ commit: repo.git("rev-parse", branch), files: 100 })
    expect(other).toEqual(one)
    expect(repo.git("rev-list", "--count", `${base}..${branch}`)).toBe("1")
  })

  it("discard one job: one of them does, and the other is told that it is done", async () => {
    const repo = testRepository()
    for (const job of ["a", "b", "c"]) {
      const { directory } = await jobIn(repo, job, filesNamed(job, "x", 300))
      const ends = await atOnce(repo, discardOf(directory), discardOf(directory))
      expect(ends).toContain("discarded")
      const [other] = ends.filter((end) => end !== "discarded")
      expect(other).toMatchObject({ message: expect.stringMatching(/has just been removed|is no worktree/) })
    }
    expect(repo.git("branch", "--list", "troupe/*")).toBe("")
  })

  it("apply jobs that change the same files: all of one, and the other is told why not", async () => {
    const repo = testRepository()
    const [a, b] = [
      await jobIn(repo, "a", filesNamed("same", "a", 100)),
      await jobIn(repo, "b", filesNamed("same", "b", 100)),
    ]
    const ends = await atOnce(repo, applyOf(repo, a.work), applyOf(repo, b.work))
    expect(ends.filter((end) => end === "applied")).toHaveLength(1)
    const [other] = ends.filter((end) => end !== "applied")
    if (other !== "refused")
      expect(other).toMatchObject({ kind: expect.stringMatching(/^(locked|changed)$/) })
    const texts = Object.keys(filesNamed("same", "", 100)).map((name) =>
      readFileSync(join(repo.path, name), "utf8"),
    )
    expect(new Set(texts)).toEqual(new Set([ends[0] === "applied" ? "a" : "b"]))
  })

  it("apply a job and discard it: its files are there whole, or not at all", async () => {
    const repo = testRepository()
    const { directory, work } = await jobIn(repo, "a", filesNamed("new", "x", 200))
    const [applied] = await atOnce(repo, applyOf(repo, work), discardOf(directory))
    const there = Object.keys(filesNamed("new", "", 200)).filter((name) => existsSync(join(repo.path, name)))
    expect(there).toHaveLength(applied === "applied" ? 200 : 0)
    expect(repo.git("status", "--porcelain")).not.toContain("troupe")
  })
})

/** A filter of the repository that waits at its first file until it is let go. */
function holdingFilter(repo: TestRepository) {
  const folder = join(repo.folder, "..", "filter")
  mkdirSync(folder, { recursive: true })
  const script = join(folder, "filter")
  const wait = `if mkdir ${folder}/held; then while [ -d ${folder} ] && [ ! -e ${folder}/go ]; do sleep 0.05; done; fi`
  writeFileSync(script, `#!/bin/sh\ncase "$1" in held*) { ${wait}; } 2>/dev/null;; esac\ncat\n`, {
    mode: 0o755,
  })
  repo.git("config", "filter.slow.clean", `${script} %f`)
  repo.git("config", "filter.slow.required", "true")
  return {
    isHeld: () => poll("the filter", () => existsSync(join(folder, "held")) || undefined),
    letGo: () => writeFileSync(join(folder, "go"), ""),
  }
}

describe("What another opencode is just looking at", () => {
  /** A worktree that holds nothing, in the middle of which the list of another process is held up. */
  async function lookedAt() {
    const repo = testRepository()
    repo.commit({ ".gitattributes": "*.slow filter=slow\n", "held.slow": "1\n", "later.txt": "1\n" })
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    await repo.worktrees.leave(directory)
    const { isHeld, letGo } = holdingFilter(repo)
    // git has to look into the file again.
    writeAll(directory, { "held.slow": "1\n" })
    const looking = atOnce(repo, "return await worktrees.list()")
    await isHeld()
    return { repo, directory, looking, letGo }
  }

  it("is in use by nobody for that, nor is what its git runs there", async () => {
    const { repo, directory, looking, letGo } = await lookedAt()
    const { removed, kept, failed } = await repo.worktrees.tidy(() => false)
    letGo()
    expect([removed.map(({ job }) => job), kept, failed]).toEqual([["a"], [], []])
    expect(existsSync(directory)).toBe(false)
    expect(await looking).toEqual([{ worktrees: [], unknown: [], remains: [] }])
  })

  it("seems to that to have changed nothing, though its files are taken away meanwhile", async () => {
    const { directory, looking, letGo } = await lookedAt()
    const aside = join(dirname(directory), ".aside")
    renameSync(directory, aside)
    rmSync(join(aside, "later.txt"))
    letGo()
    expect(await looking).toMatchObject([{ worktrees: [{ job: "a", state: { type: "clean" } }] }])
  })
})

describe("What is just being committed", () => {
  it("is not removed meanwhile, nor what is just being removed committed", async () => {
    const repo = testRepository()
    repo.commit({ ".gitattributes": "*.slow filter=slow\n", "a.txt": "1\n" })
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    writeAll(directory, { "held.slow": "work\n" })
    const { remove } = await repo.worktrees.prepareDiscard({ directory, owner })
    const { isHeld, letGo } = holdingFilter(repo)
    const sealing = repo.worktrees.seal(directory, "the work")
    await isHeld()
    const removing = remove().then(
      () => "removed",
      ({ kind }) => kind,
    )
    // All that is looked at before anything is removed takes no longer than that.
    await Promise.race([removing, repo.worktrees.list().then(() => repo.worktrees.list())])
    letGo()
    const { commit } = await sealing
    expect(repo.git("show", `${commit}:held.slow`)).toBe("work")
    expect(await removing).toBe("changed")
    expect(readFileSync(join(directory, "held.slow"), "utf8")).toBe("work\n")
  })
})

describe("A git that goes on after its opencode was killed", () => {
  it("puts nothing into what the next apply writes", async () => {
    const repo = testRepository()
    repo.commit({ ".gitattributes": "*.slow filter=slow\n", "b.txt": "1\n" })
    const old = await jobIn(repo, "old", { "a-old.slow": "old\n", "b.txt": "old\n" })
    const fresh = await jobIn(repo, "fresh", { "a-new.slow": "new\n", "b.txt": "new\n" })
    const folder = join(repo.folder, "..")
    const filter = join(folder, "smudge")
    writeFileSync(
      filter,
      `#!/bin/sh
wait_for() { while [ -d ${folder} ] && [ ! -e ${folder}/$1 ]; do sleep 0.05; done; }
case "$1" in
a-old.slow) kill -9 "$(cat ${folder}/pid)"; touch ${folder}/killed; wait_for go;;
a-new.slow) touch ${folder}/go; wait_for over;;
esac
cat
`,
      { mode: 0o755 },
    )
    repo.git("config", "filter.slow.smudge", `${filter} %f`)
    const script = `
      const { writeFileSync } = await import("node:fs")
      writeFileSync(${JSON.stringify(join(folder, "pid"))}, String(process.pid))
      await (async () => { ${applyOf(repo, old.work)} })()
    `
    // Ends with the last process of its own.
    const killed = processes.run(repo, script, never++)
    await poll("the kill", () => existsSync(join(folder, "killed")) || undefined)
    const ended = killed.then(() => writeFileSync(join(folder, "over"), ""))
    const prepared = await repo.worktrees.prepareApply({ directory: repo.path, owner, jobs: [fresh.work] })
    if (prepared.type === "refused") throw new Error(JSON.stringify(prepared))
    await prepared.write()
    await ended
    expect(["a-new.slow", "b.txt"].map((name) => readFileSync(join(repo.path, name), "utf8"))).toEqual([
      "new\n",
      "new\n",
    ])
    expect(existsSync(join(repo.path, "a-old.slow"))).toBe(false)
    expect(repo.git("status", "--porcelain")).toBe(" M b.txt\n?? a-new.slow")
  })
})
