import { getEventListeners } from "node:events"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { HostEvent } from "../../../src/plugin/host/port.ts"
import { StartsUnderWay } from "../../../src/plugin/tools/starts.ts"
import { gate } from "../../support/gate.ts"
import { testServices } from "../support/services.ts"

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
afterEach(() => void vi.useRealTimers())

const task = (id: string) => ({ id, prompt: `do ${id}` })
const passing = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

type Told = "tool.pending" | "tool.running" | "tool.ended"
const told = (
  type: Told,
  { tool = "agents_start", call = "call_start", session = "owner" } = {},
): HostEvent => ({ type, session, call, tool, isSubagent: false, title: undefined, mark: undefined })

/** A wait under way that finds nothing. */
async function waiting() {
  const services = testServices()
  const ends: string[] = []
  const wait = services.call("agents_wait", {})
  void wait.then(({ output }) => ends.push(output))
  await passing()
  return { ...services, wait, ends }
}

describe("A wait in the message of a start", () => {
  it.each([
    ["starts first", ["agents_start", "agents_wait"]],
    ["waits first", ["agents_wait", "agents_start"]],
  ] as const)("waits for what that is about to make, where opencode %s", async (_, order) => {
    const permitted = gate<void>()
    const { call, host } = testServices()
    const ask = () => permitted.passed.then(() => ({ type: "granted" as const }))
    const calls = order.map((tool) =>
      tool === "agents_start" ? call(tool, { tasks: [task("a")] }, { ask }) : call(tool, {}),
    )
    // However long the user takes.
    await passing(60_000)
    permitted.open()
    await passing()
    host.prompts[0]?.answer("of a")
    await passing()
    const results = await Promise.all(calls)
    expect(results[order.indexOf("agents_wait")]).toMatchObject({ title: "1/1 done", jobs: [{ id: "a" }] })
  })

  it.each([
    ["starts first", ["agents_start", "agents_wait"]],
    ["waits first", ["agents_wait", "agents_start"]],
  ] as const)("waits for it beside the jobs that run already, where opencode %s", async (_, order) => {
    const { call, host } = testServices()
    await call("agents_start", { tasks: [task("a")] })
    const calls = order.map((tool) => call(tool, tool === "agents_start" ? { tasks: [task("b")] } : {}))
    await passing()
    for (const { answer } of host.prompts) answer("done")
    await passing()
    const results = await Promise.all(calls)
    expect(results[order.indexOf("agents_wait")]).toMatchObject({ jobs: [{ id: "a" }, { id: "b" }] })
  })

  it("waits for it by name too, beside what it knows already", async () => {
    const { call, host } = testServices()
    await call("agents_start", { tasks: [task("a")] })
    const waiting = call("agents_wait", { ids: ["a", "b", "x"] })
    await passing()
    const starting = call("agents_start", { tasks: [task("b")] })
    await passing(500)
    await starting
    for (const { answer } of host.prompts) answer("done")
    await passing()
    const { output, jobs } = await waiting
    expect(jobs.map(({ id }) => id)).toEqual(["a", "b"])
    expect(output).toContain("Unknown: x (your jobs: a, b)")
  })

  it("waits for one that opencode announces while the model is still writing it", async () => {
    const { starts, call, ends, wait, host } = await waiting()
    await passing(400)
    starts.hear(told("tool.pending"))
    await passing(60_000)
    expect(ends).toEqual([])
    const starting = call("agents_start", { tasks: [task("a")] })
    await passing()
    await starting
    starts.hear(told("tool.ended"))
    host.prompts[0]?.answer("of a")
    await passing()
    expect(await wait).toMatchObject({ title: "1/1 done" })
  })
})

describe("A wait that finds nothing", () => {
  it("answers so half a second later, should no start be announced", async () => {
    const { ends } = await waiting()
    await passing(499)
    expect(ends).toEqual([])
    await passing(1)
    expect(ends).toEqual(["No jobs are running, and all results have been delivered."])
  })

  it.each([
    ["a start of another owner", told("tool.running", { session: "other" })],
    ["another tool", told("tool.running", { tool: "bash" })],
  ])("is not held up by %s", async (_, event) => {
    const { starts, ends } = await waiting()
    starts.hear(event)
    await passing(500)
    expect(ends).toHaveLength(1)
  })

  it("answers so once a start has started nothing", async () => {
    const { call, ends } = await waiting()
    const starting = call("agents_start", { tasks: [{ ...task("a"), agent: "wizard" }] })
    await passing(500)
    await starting
    expect(ends).toEqual(["No jobs are running, and all results have been delivered."])
  })

  it("is told where the start fails altogether", async () => {
    const { call, ends } = await waiting()
    const starting = call("agents_start", {}).catch((error: Error) => error.message)
    await passing(500)
    expect(await starting).toContain("tasks is missing")
    expect(ends).toHaveLength(1)
  })

  it.each([
    ["its call ends without having been run", told("tool.ended")],
    ["the turn is over", { type: "session.idle", session: "owner" } as const],
    ["the model is asked anew", { type: "session.busy", session: "owner" } as const],
    [
      "its answer broke off and opencode tries again",
      { type: "session.retrying", session: "owner", attempt: 1, reason: "reset", next: 1 } as const,
    ],
  ])("does not wait for an announced start any more once %s", async (_, event) => {
    const { starts, ends } = await waiting()
    starts.hear(told("tool.pending"))
    await passing(60_000)
    starts.hear(event)
    await passing()
    expect(ends).toHaveLength(1)
  })

  it("heeds its timeout, and the user's interrupt, while it waits for a start", async () => {
    const interrupt = new AbortController()
    const { call, starts } = testServices()
    starts.hear(told("tool.running"))
    const calls = [call("agents_wait", { timeout: 2 }), call("agents_wait", {}, { abort: interrupt.signal })]
    await passing(2_000)
    expect((await calls[0])?.title).toBe("nothing to wait for")
    interrupt.abort()
    expect((await calls[1])?.title).toBe("nothing to wait for")
  })
})

describe("Starts under way", () => {
  it("are those of calls without an id too, each until its own end", async () => {
    const starts = new StartsUnderWay()
    const place = { session: "owner", message: "msg", call: undefined }
    const [first, second] = [gate<void>(), gate<void>()]
    void starts.track(place, first.passed)
    void starts.track(place, second.passed)
    let isOver = false
    void starts.over("owner", new AbortController().signal).then(() => (isOver = true))
    first.open()
    await passing()
    expect(isOver).toBe(false)
    second.open()
    await passing()
    expect(isOver).toBe(true)
  })

  it("are not held up by what opencode tells of them late, nor ended by what it tells of the model", async () => {
    const starts = new StartsUnderWay()
    const { signal } = new AbortController()
    const made = gate<void>()
    const started = starts.track({ session: "owner", message: "msg", call: "call_start" }, made.passed)
    starts.hear(told("tool.running"))
    starts.hear({ type: "session.busy", session: "owner" })
    let isOver = false
    void starts.over("owner", signal).then(() => (isOver = true))
    await passing()
    expect(isOver).toBe(false)
    made.open()
    await started
    await passing()
    expect(isOver).toBe(true)
  })

  it("leave nothing behind that hears of a later interrupt", async () => {
    const starts = new StartsUnderWay()
    const { signal } = new AbortController()
    const over = starts.announcedAndOver("owner", signal)
    starts.hear(told("tool.running"))
    await passing()
    expect(getEventListeners(signal, "abort")).toHaveLength(1)
    starts.hear(told("tool.ended"))
    await over
    expect(getEventListeners(signal, "abort")).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe("In the message of a start", () => {
  /** A start that the user is asked to permit, and another call beside it. */
  async function besideStart(
    tool: "agents_cancel" | "agents_send",
    args: Record<string, unknown>,
    isFirst: boolean,
  ) {
    const permitted = gate<void>()
    const { call, host, troupe } = testServices()
    const ask = () => permitted.passed.then(() => ({ type: "granted" as const }))
    const start = () => call("agents_start", { tasks: [task("a")] }, { ask })
    const other = () => call(tool, args)
    const [starting, calling] = isFirst ? [start(), other()] : ((each) => [start(), each] as const)(other())
    await passing()
    permitted.open()
    await starting
    await passing()
    return { calling, host, record: () => troupe.records.get("owner", "a") }
  }

  it.each([
    [{ ids: ["a"] }, true],
    [{ ids: ["a"] }, false],
    [{ all: true }, true],
    [{ all: true }, false],
  ])("a cancel of %o stops what that is about to make (the start comes first: %s)", async (args, isFirst) => {
    const { calling, record } = await besideStart("agents_cancel", args, isFirst)
    await passing(1_000)
    expect((await calling).title).toBe("1 cancelled")
    expect(record()).toMatchObject({ state: "cancelled" })
  })

  it.each([true, false])(
    "a message reaches what that is about to make (the start comes first: %s)",
    async (isFirst) => {
      const { calling } = await besideStart("agents_send", { id: "a", message: "and hurry" }, isFirst)
      await passing(1_000)
      expect((await calling).output).toContain("It gets the message at its next step.")
    },
  )
})

describe("In the message of a follow-up to an ended job", () => {
  /** A job `a` that is done, and a follow-up to it that the user is asked to permit, with another call after it. */
  async function besideFollowUp(tool: "agents_cancel" | "agents_wait", args: Record<string, unknown>) {
    const permitted = gate<void>()
    const services = testServices()
    const { call, host } = services
    await call("agents_start", { tasks: [task("a")] })
    host.prompts[0]?.answer("of the first run")
    await call("agents_wait", {})
    const ask = () => permitted.passed.then(() => ({ type: "granted" as const }))
    const sending = call("agents_send", { id: "a", message: "go on" }, { ask })
    const calling = call(tool, args)
    // However long the user takes.
    await passing(60_000)
    permitted.open()
    await passing()
    return { ...services, sending, calling }
  }

  it.each([{ ids: ["a"] }, {}])("a wait for %o returns the result of the new run", async (args) => {
    const { sending, calling, host } = await besideFollowUp("agents_wait", args)
    expect((await sending).output).toContain("Run 2 started")
    host.prompts[1]?.answer("of the second run")
    await passing()
    const { output, jobs } = await calling
    expect(jobs).toMatchObject([{ id: "a", run: 2, state: "done" }])
    expect(output).toContain("of the second run")
  })

  it.each([{ ids: ["a"] }, { all: true }])("a cancel of %o stops the new run", async (args) => {
    const { calling, troupe } = await besideFollowUp("agents_cancel", args)
    await passing(1_000)
    expect((await calling).title).toBe("1 cancelled")
    expect(troupe.records.get("owner", "a")).toMatchObject({ run: 2, state: "cancelled" })
  })

  it("a cancel of another job answers at once", async () => {
    const { call, host } = testServices()
    await call("agents_start", { tasks: [task("a"), task("b")] })
    host.prompts[0]?.answer("of a")
    await call("agents_wait", { ids: ["a"] })
    void call("agents_send", { id: "a", message: "go on" }, { ask: () => new Promise(() => {}) })
    expect((await call("agents_cancel", { ids: ["b"] })).title).toBe("1 cancelled")
  })

  it("a cancel that comes first leaves the new run alone", async () => {
    const { call, host, troupe } = testServices()
    await call("agents_start", { tasks: [task("a")] })
    host.prompts[0]?.answer("of the first run")
    await call("agents_wait", {})
    const cancelling = call("agents_cancel", { ids: ["a"] })
    await call("agents_send", { id: "a", message: "go on" })
    expect((await cancelling).title).toBe("1 already ended")
    expect(troupe.records.get("owner", "a")).toMatchObject({ run: 2, state: "prompting" })
  })

  it("a wait does not wait for one that was refused", async () => {
    const { call } = testServices()
    const sending = call("agents_send", { id: "nobody", message: "hello" })
    const waiting = call("agents_wait", {})
    await passing(1_000)
    expect((await sending).title).toBe("unknown job: nobody")
    expect((await waiting).title).toBe("nothing to wait for")
  })
})
