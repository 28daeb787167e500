import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import type { Toast } from "../../../src/plugin/host/port.ts"
import type { TerminalService } from "../../../src/terminal/contract.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

quietXState()
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

async function serving(options: Parameters<typeof testServices>[1] = {}) {
  const told: string[] = []
  const toasts: Toast[] = []
  const ended = vi.fn(async () => {})
  let service: TerminalService | undefined
  const services = testServices(
    {
      serveTerminal: async (given) => {
        service = given
        const changed = (owner: string) => void told.push(owner)
        const toast = (each: Toast) => void toasts.push(each)
        return { ok: true, value: { changed, toast, end: ended } }
      },
    },
    options,
  )
  const tasks = [
    { id: "a", prompt: "look here" },
    { id: "b", prompt: "look there" },
  ]
  await services.call("agents_start", { tasks })
  await vi.advanceTimersByTimeAsync(1_000)
  if (!service) throw new Error("nothing is served")
  const sessionOfJob = (id: string) => services.troupe.records.get("owner", id)?.session ?? ""
  return { ...services, service, told, toasts, sessionOfJob }
}

describe("The terminal part", () => {
  it("gets the jobs of one owner, or of all, without their texts", async () => {
    const { service, call, host, sessionOfJob } = await serving()
    host.prompts[0]?.answer("the answer")
    host.sessions.set("other", sessionOf("other"))
    await call("agents_start", { tasks: [{ id: "c", prompt: "look" }] }, { owner: "other" })
    await vi.advanceTimersByTimeAsync(1_000)
    const { jobs } = service.list({ owner: "owner" })
    expect(jobs).toMatchObject([
      { id: "a", state: "done", session: sessionOfJob("a") },
      { id: "b", state: "prompting" },
    ])
    expect(JSON.stringify(jobs)).not.toContain("the answer")
    expect(service.list({}).jobs.map(({ id }) => id)).toEqual(["a", "b", "c"])
  })

  it("gets to know how many of the same owner are queued before a job", async () => {
    const { service, call } = await serving()
    const tasks = Array.from({ length: 12 }, (_, index) => ({ id: `x${index}`, prompt: "look" }))
    await call("agents_start", { tasks })
    await vi.advanceTimersByTimeAsync(1_000)
    const queued = service.list({}).jobs.filter(({ phase }) => phase === "queued")
    expect(queued.length).toBeGreaterThan(2)
    expect(queued.map(({ before }) => before)).toEqual(queued.map((_, index) => index))
  })

  it("gets so many of one owner as it can show, the most urgent first, and how many there are", async () => {
    const { service, call } = await serving()
    const tasks = Array.from({ length: 48 }, (_, index) => ({ id: `x${index}`, prompt: "look" }))
    await call("agents_start", { tasks })
    await vi.advanceTimersByTimeAsync(1_000)
    const { counts, jobs } = service.glance({ owner: "owner", most: 9 })
    expect(counts).toMatchObject({ running: 8, queued: 42, done: 0 })
    expect(jobs.map(({ phase }) => phase)).toEqual([...Array(8).fill("working"), "queued"])
    expect(jobs.at(-1)?.before).toBe(0)
  })

  it("gets where jobs are of which a terminal of 1.18 hears in no event, and what they ask", async () => {
    const { service, troupe } = await serving({})
    const place = { directory: "/w/a", branch: "troupe/1f/a", base: "b" }
    const adopt = (id: string, changes: Partial<JobRecord>) =>
      troupe.adopt({
        ...{ id, session: `ses_${id}`, owner: "ses_9", description: "d", agent: "general", run: 1 },
        ...{ state: "prompting", phase: "working", createdAt: 1, usage: NO_USAGE },
        ...changes,
      })
    adopt("here", {})
    adopt("away", { worktree: place })
    adopt("asks", {
      worktree: place,
      phase: "permission",
      asks: [{ id: "p1", kind: "permission", text: "x" }],
    })
    adopt("checked", { phase: "checking", check: { command: "npm test", rounds: 1, output: "" } })
    expect(service.standings({ owner: "ses_9" })[0]?.live).toEqual({
      ses_away: { phase: "working", directory: "/w/a" },
      ses_asks: { phase: "permission", directory: "/w/a", asks: ["p1"] },
      ses_checked: { phase: "checking", rounds: 1 },
    })
  })

  it("gets what is spent of each budget, once, and until when jobs are on hold", async () => {
    const { service, call, troupe } = await serving({ budget: { cost: 2 } })
    const task = (id: string, model: string) => ({ id, model, prompt: "look" })
    const tasks = [task("c", "fake/m1"), task("d", "fake/m1")]
    await call("agents_start", { tasks, budget: { tokens: 500 } })
    await vi.advanceTimersByTimeAsync(1_000)
    const batch = troupe.records.get("owner", "c")?.batch
    const spent = { spent: { tokens: 0, cost: 0 }, isSpent: false }
    const budgets = [
      { of: "batch", name: batch, limit: { tokens: 500 }, ...spent },
      { of: "owner", name: "owner", limit: { cost: 2 }, ...spent },
    ]
    expect(service.list({}).budgets).toEqual(budgets)
    expect(service.glance({ owner: "owner", most: 1 }).budgets).toEqual(budgets)
    expect(service.standings({})).toEqual([{ owner: "owner", budgets, holds: {}, live: {} }])
    expect(service.standings({ owner: "ses_other" })).toEqual([
      { owner: "ses_other", budgets: [], holds: {}, live: {} },
    ])
  })

  it("gets lines of them, however long what they say is", async () => {
    const { service, troupe, call } = await serving()
    const long = "x".repeat(100_000)
    await call("agents_start", { tasks: [{ id: "long", prompt: "look", description: long }] })
    const request = { id: "r", kind: "permission", text: long } as const
    troupe.tell({ owner: "owner", id: "a" }, { type: "child.asked", ask: request, at: Date.now() })
    expect(troupe.records.get("owner", "a")?.asks).toEqual([request])
    expect(JSON.stringify(service.list({ owner: "owner" })).length).toBeLessThan(3_000)
  })

  it("hears which owner's jobs have changed, at most four times a second", async () => {
    const { told, host, call } = await serving()
    told.length = 0
    await call("agents_cancel", { ids: ["b"] })
    host.prompts[0]?.answer("the answer")
    await vi.advanceTimersByTimeAsync(10_000)
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThanOrEqual(3)
    expect(new Set(told)).toEqual(new Set(["owner"]))
  })

  it("reads what a job was asked and has answered", async () => {
    const { service, host, sessionOfJob } = await serving()
    host.prompts[0]?.answer("the answer")
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await service.read({ session: sessionOfJob("a") })).toEqual({
      prompt: "look here",
      text: "the answer",
    })
    expect(await service.read({ session: sessionOfJob("b") })).toEqual({ prompt: "look there", text: "" })
  })

  it("cancels a job, and is told where that comes too late", async () => {
    const { service, troupe, sessionOfJob } = await serving()
    service.cancel({ session: sessionOfJob("b") })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(troupe.records.get("owner", "b")).toMatchObject({
      state: "cancelled",
      error: { message: "cancelled in the terminal" },
    })
    expect(() => service.cancel({ session: sessionOfJob("b") })).toThrow("b has already ended.")
  })

  it("sends an ended job on", async () => {
    const { service, troupe, host, sessionOfJob } = await serving()
    host.prompts[0]?.answer("the answer")
    await vi.advanceTimersByTimeAsync(1_000)
    await service.send({ session: sessionOfJob("a"), message: "and now?" })
    expect(troupe.records.get("owner", "a")?.run).toBe(2)
  })

  it("is told by name of a job that is not there", async () => {
    const { service } = await serving()
    const words = "This job is no longer there, or another opencode runs it."
    expect(() => service.cancel({ session: "ses_none" })).toThrow(words)
    await expect(service.read({ session: "ses_none" })).rejects.toThrow(words)
    await expect(service.send({ session: "ses_none", message: "hello" })).rejects.toThrow(words)
  })
})
