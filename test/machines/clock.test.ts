import { describe, expect, it, onTestFinished, vi } from "vitest"
import { realClock } from "../../src/machines/clock.ts"
import { createTroupe } from "../../src/machines/troupe.ts"
import { jobInput, usage } from "./support/jobs.ts"
import { settled } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

/** Fake timers under the real clock. `setImmediate` stays, for what waits for promises. */
function fakeTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
  onTestFinished(() => void vi.useRealTimers())
}

describe("The real clock", () => {
  it("goes off when the time has come, and not before", () => {
    fakeTime()
    const heard = vi.fn()
    realClock.setTimeout(heard, 1_000)
    vi.advanceTimersByTime(999)
    expect(heard).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(heard).toHaveBeenCalledOnce()
  })

  it("does not go off once it is cleared", () => {
    fakeTime()
    const heard = vi.fn()
    realClock.clearTimeout(realClock.setTimeout(heard, 1_000))
    vi.advanceTimersByTime(2_000)
    expect(heard).not.toHaveBeenCalled()
  })

  it("waits as long as a timer can, when asked for longer: Node would go off at once", () => {
    const spy = vi.spyOn(globalThis, "setTimeout")
    onTestFinished(() => spy.mockRestore())
    for (const ms of [2 ** 31 - 1, 2 ** 31, Number.POSITIVE_INFINITY]) {
      realClock.clearTimeout(realClock.setTimeout(() => {}, ms))
    }
    expect(spy.mock.calls.map(([, ms]) => ms)).toEqual([2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1])
  })

  it("keeps no process alive", () => {
    const timer: NodeJS.Timeout = realClock.setTimeout(() => {}, 1_000)
    expect(timer.hasRef()).toBe(false)
    realClock.clearTimeout(timer)
  })
})

describe("A troupe of which nothing is asked but effects and slots", () => {
  it("lives in real time", async () => {
    fakeTime()
    vi.setSystemTime(5_000)
    const troupe = createTroupe({
      effects: {
        openSession: async () => ({ session: "ses_1" }),
        promptChild: () => new Promise(() => {}),
        lookForAnswer: async () => {},
        recordEnd: async () => {},
        runCheck: () => Promise.reject(new Error("no job here has one")),
        leaveChild: async ({ job: { prompt } }) => ({ prompt, changed: [] }),
        stopChild: async () => ({ text: "half", usage: usage(1) }),
      },
      concurrency: 1,
    })
    onTestFinished(() => troupe.stop())
    troupe.start(jobInput({ createdAt: 5_000, askedAt: 5_000 }))
    await settled()
    expect(troupe.records.get("owner", "j1")).toMatchObject({ state: "prompting", startedAt: 5_000 })
    vi.advanceTimersByTime(20_000)
    await settled()
    expect(troupe.records.get("owner", "j1")).toMatchObject({
      state: "timedOut",
      endedAt: 25_000,
      text: "half",
    })
  })

  it("bears a defect of which nobody wants to hear", async () => {
    const troupe = createTroupe({
      effects: {
        openSession: async () => ({ session: "ses_1" }),
        promptChild: () => new Promise(() => {}),
        lookForAnswer: async () => {},
        recordEnd: async () => {},
        runCheck: () => Promise.reject(new Error("no job here has one")),
        leaveChild: async ({ job: { prompt } }) => ({ prompt, changed: [] }),
        stopChild: async () => ({ text: undefined, usage: usage(1) }),
      },
      concurrency: 1,
    })
    onTestFinished(() => troupe.stop())
    troupe.start(jobInput())
    await settled()
    troupe.tell({ owner: "owner", id: "j1" }, { type: "child.active" } as never)
    await settled()
    expect(troupe.records.get("owner", "j1")?.state).toBe("failed")
  })
})
