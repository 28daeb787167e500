import { afterEach, describe, expect, it, vi } from "vitest"
import { within } from "../../../src/plugin/util/within.ts"
import { gate } from "../../support/gate.ts"

afterEach(() => void vi.useRealTimers())

describe("A wait with a limit", () => {
  it("gives what comes in time, or fails with it, and leaves no timer", async () => {
    vi.useFakeTimers()
    const late = vi.fn(() => "late")
    expect(await within(100, Promise.resolve("here"), late)).toBe("here")
    await expect(within(100, Promise.reject(new Error("no")), late)).rejects.toThrow("no")
    expect(vi.getTimerCount()).toBe(0)
    expect(late).not.toHaveBeenCalled()
  })

  it("gives the other once the time is over, and drops what comes later", async () => {
    vi.useFakeTimers()
    const given: string[] = []
    const { passed, open } = gate()
    const waiting = within(100, passed, () => "late").then((value) => given.push(value))
    await vi.advanceTimersByTimeAsync(99)
    expect(given).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    open("too late")
    await waiting
    expect(given).toEqual(["late"])
  })

  it("keeps no process from ending", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    const { passed, open } = gate()
    const before = timers()
    const waiting = within(60_000, passed, () => "late")
    expect(timers()).toBe(before)
    open("here")
    expect(await waiting).toBe("here")
  })
})
