import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { failed } from "../support/host-double.ts"
import { testServices } from "../support/services.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe("agents_apply brings nothing", () => {
  it("of a group whose jobs are still to come", async () => {
    const { call } = testServices()
    const schema = { type: "array", items: { type: "string" } }
    const tasks = [
      { id: "find", prompt: "find them", schema },
      { id: "paint", prompt: "paint {{item}}", each: { from: "find" }, isolation: "worktree" },
    ]
    await call("agents_start", { tasks })
    await vi.advanceTimersByTimeAsync(0)
    const { output } = await call("agents_apply", { ids: ["paint"] })
    expect(output).toBe("Nothing was applied.\npaint: it is still at work: wait for it or cancel it.")
  })

  it("of a job that never began, or that worked in the project itself", async () => {
    const { call, host } = testServices({}, {}, (double) => ({
      ...double,
      createSession: async (session) =>
        session.title.includes("none") ? failed("not now") : double.createSession(session),
    }))
    const tasks = ["here", "none"].map((id) => ({ id, prompt: "work" }))
    await call("agents_start", { tasks })
    await vi.advanceTimersByTimeAsync(1_000)
    host.prompts[0]?.answer("done")
    await vi.advanceTimersByTimeAsync(1_000)
    const { output } = await call("agents_apply", { ids: ["here", "none"] })
    expect(output.split("\n")).toEqual([
      "Nothing was applied.",
      "here: it has no worktree of its own: what it did is in the project already.",
      "none: it never began, so it has done nothing: start it as a new job.",
    ])
  })
})
