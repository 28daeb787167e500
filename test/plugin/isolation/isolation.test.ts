import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { Isolation } from "../../../src/plugin/isolation/isolation.ts"
import { failed, hostDouble, okSession } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { type TestRepository, testRepository } from "../worktrees/support/repository.ts"

const owner = "ses_owner"

function isolationIn(repo: TestRepository) {
  const host = hostDouble({ session: async () => okSession(sessionOf(owner, { directory: repo.path })) })
  const isolation = new Isolation({ host, records: { of: () => [] }, worktrees: repo.worktrees })
  const make = (id: string) => isolation.make({ owner, id }, new AbortController().signal)
  return { isolation, make }
}

/** As the opencode after the one that made a worktree sees things. */
function later(repo: TestRepository, session: ReturnType<typeof okSession> | ReturnType<typeof failed>) {
  return new Isolation({
    host: hostDouble({ session: async () => session }),
    records: { of: () => [] },
    worktrees: repo.worktrees,
  })
}

/** Whoever made this worktree has ended. */
function leave({ directory }: { directory: string }): void {
  const file = `${directory}.json`
  writeFileSync(file, readFileSync(file, "utf8").replace(/"pid":\d+/, `"pid":${2 ** 22 + 1}`))
}

const gone = () => failed("there is no such session", 404)

describe("At a start, of the worktrees that earlier opencodes have left,", () => {
  it("those go that hold nothing and whose owner is gone", async () => {
    const repo = testRepository()
    const { make } = isolationIn(repo)
    const [clean, holding] = [await make("clean"), await make("holding")]
    writeFileSync(join(holding.directory, "work.txt"), "work\n")
    for (const each of [clean, holding]) leave(each)
    await later(repo, gone()).tidy()
    expect([existsSync(clean.directory), existsSync(holding.directory)]).toEqual([false, true])
  })

  it("none goes whose owner is there, or of whom opencode does not say", async () => {
    const repo = testRepository()
    const { make } = isolationIn(repo)
    const clean = await make("clean")
    leave(clean)
    await later(repo, okSession(sessionOf(owner))).tidy()
    await later(repo, failed("no answer")).tidy()
    expect(existsSync(clean.directory)).toBe(true)
  })

  it("none goes in which a job of this opencode goes on", async () => {
    const repo = testRepository()
    const { isolation, make } = isolationIn(repo)
    const worktree = await make("clean")
    leave(worktree)
    await isolation.enter({ owner, isolation: "worktree", worktree }, new AbortController().signal)
    await later(repo, gone()).tidy()
    expect(existsSync(worktree.directory)).toBe(true)
  })
})

it("Where a child works is told from where a person does", async () => {
  const repo = testRepository()
  const { isolation, make } = isolationIn(repo)
  expect(isolation.isChilds(repo.path)).toBe(false)
  const { directory } = await make("a")
  const places = [directory, join(directory, "below"), repo.path, join(repo.folder, "..")]
  expect(places.map((each) => isolation.isChilds(each))).toEqual([true, true, false, false])
})

describe("The worktree of a job that could not begin", () => {
  it("goes with its branch", async () => {
    const repo = testRepository()
    const { isolation, make } = isolationIn(repo)
    const worktree = await make("never")
    await isolation.giveUp({ owner }, worktree)
    expect(existsSync(worktree.directory)).toBe(false)
    expect(repo.git("branch", "--list", "troupe/*")).toBe("")
  })

  it("stays once somebody has worked in it", async () => {
    const repo = testRepository()
    const { isolation, make } = isolationIn(repo)
    const worktree = await make("used")
    writeFileSync(join(worktree.directory, "work.txt"), "work\n")
    await isolation.giveUp({ owner }, worktree)
    expect(readFileSync(join(worktree.directory, "work.txt"), "utf8")).toBe("work\n")
  })
})
