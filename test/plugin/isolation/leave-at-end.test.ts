import { existsSync } from "node:fs"
import { describe, expect, it, vi } from "vitest"
import { gate } from "../../support/gate.ts"
import { isolatedServices } from "../support/isolated.ts"
import type { TestRepository } from "../worktrees/support/repository.ts"

/** Until the note of the only worktree says so. */
const noted = ({ worktrees }: TestRepository, holds: (endedAt: number | undefined) => boolean) =>
  vi.waitUntil(async () => (await worktrees.list()).worktrees.some(({ endedAt }) => holds(endedAt)), {
    timeout: 25_000,
    interval: 5,
  })
const isOver = (endedAt: number | undefined) => endedAt !== undefined

describe("While its opencode runs, the worktree of a job that has changed nothing is in use", () => {
  it("until the job is done, and again while it goes on", async () => {
    const { repo, begin, finish, call, recordOf, directoryOf } = isolatedServices()
    await begin("one")
    const tidied = async () => (await repo.worktrees.tidy()).removed.map(({ job }) => job)
    expect(await tidied()).toEqual([])
    await finish("one")
    await noted(repo, isOver)
    await call("agents_send", { id: "one", message: "go on" })
    await noted(repo, (endedAt) => endedAt === undefined)
    expect([await tidied(), recordOf("one")?.state]).toEqual([[], "prompting"])
    await finish("one")
    await noted(repo, isOver)
    expect(await tidied()).toEqual(["one"])
    expect(existsSync(directoryOf("one"))).toBe(false)
    await expect(call("agents_send", { id: "one", message: "go on" })).rejects.toThrow(
      "so it cannot continue: start a new job",
    )
  })

  it("until the job is cancelled", async () => {
    const { repo, begin, call } = isolatedServices()
    await begin("one")
    await call("agents_cancel", { ids: ["one"] })
    await noted(repo, isOver)
    expect((await repo.worktrees.tidy()).removed).toMatchObject([{ job: "one", description: "do one" }])
  })
})

it("A plugin has stopped once the ends of its jobs are noted: it writes nothing afterwards", async () => {
  const stopping = gate<void>()
  let isNoted = false
  const { begin, finish, stop } = isolatedServices({}, ({ leave }) => ({
    async leave(directory) {
      await stopping.passed
      await leave(directory)
      isNoted = true
    },
  }))
  await begin("one")
  await finish("one")
  const stopped = stop()
  stopping.open()
  await stopped
  expect(isNoted).toBe(true)
})
