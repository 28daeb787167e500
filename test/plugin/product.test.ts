import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { quietXState } from "../machines/support/quiet.ts"
import { gate } from "../support/gate.ts"
import { testServices } from "./support/services.ts"

quietXState()
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe("What models and providers write", () => {
  it("reaches people in toasts and in the log as words alone: nothing that a terminal carries out", async () => {
    const hostile = "\u001b]0;owned\u0007no\u001b[2J \u202Egnp\nINFO a line of its own"
    const { call, host } = testServices({
      createSession: async () => ({ ok: false, error: { message: hostile } }),
    })
    await call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
    await vi.advanceTimersByTimeAsync(1_000)
    await host.log("warn", hostile)
    expect(host.toasts).toMatchObject([{ message: "a failed: no gnp INFO a line of its own" }])
    expect(host.logged).toEqual(["warn: no gnp INFO a line of its own"])
  })

  it("is the name of no session as it stands", async () => {
    const { call, host } = testServices()
    await call("agents_start", {
      tasks: [{ id: "a", prompt: "work", description: "\u001b[2JLook\n\u202Eup" }],
    })
    expect([...host.sessions.values()].map(({ title }) => title)).toContain("Look up (@general a)")
  })
})

describe("The end of an instance of the plugin", () => {
  it("waits for the sessions that are being made: the next instance, which looks for jobs once, finds them", async () => {
    const made = gate<void>()
    const { call, stop, host } = testServices({}, {}, (double) => ({
      ...double,
      createSession: (session) => made.passed.then(() => double.createSession(session)),
    }))
    void call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
    await vi.advanceTimersByTimeAsync(0)
    const found: number[] = []
    const stopping = stop().then(() => found.push(host.sessions.size - 1))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(found).toEqual([])
    made.open()
    await stopping
    expect(found).toEqual([1])
  })

  it("does not wait for ever for one that opencode does not make", async () => {
    const { call, stop } = testServices({ createSession: () => new Promise(() => {}) })
    void call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
    await vi.advanceTimersByTimeAsync(0)
    const stopping = stop()
    await vi.advanceTimersByTimeAsync(5_000)
    await stopping
  })
})
