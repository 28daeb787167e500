import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { ToolCallPlace } from "../../../src/plugin/host/port.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import { failed, ok } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
afterEach(() => void vi.useRealTimers())

const task = (id: string) => ({ id, prompt: `do ${id}` })

describe("A call of agents_wait, while it runs,", () => {
  it("shows how the jobs get on, at the place where it stands", async () => {
    const places: ToolCallPlace[] = []
    const { call, host } = testServices({
      async showProgress(place, progress) {
        places.push(place)
        host.shown.push(progress)
        return ok(undefined)
      },
    })
    await call("agents_start", { tasks: [task("a")] })
    const waiting = call("agents_wait", { timeout: 1.2 })
    await vi.advanceTimersByTimeAsync(1_200)
    await waiting
    expect(host.shown).toMatchObject([{ title: "0/1 done, 1 working", metadata: { jobs: [{ id: "a" }] } }])
    expect(places).toEqual([{ session: "owner", message: "msg_call", call: "call" }])
  })

  it("shows changes as they come, at most one a second", async () => {
    const { call, host } = testServices()
    await call("agents_start", { tasks: [task("a"), task("b")] })
    const waiting = call("agents_wait", { timeout: 2.2 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(host.shown.map(({ title }) => title)).toEqual(["0/2 done, 2 working"])
    host.prompts.find(({ prompt }) => prompt.text === "do a")?.answer("x")
    await vi.advanceTimersByTimeAsync(1_200)
    await waiting
    expect(host.shown.map(({ title }) => title)).toEqual(["0/2 done, 2 working", "1/2 done, 1 working"])
  })

  it("writes nothing in its first second, nor as it ends: children that start, or its owner, would wait for it", async () => {
    const { call, host } = testServices()
    await call("agents_start", { tasks: [task("a"), task("b")] })
    const waiting = call("agents_wait", {})
    await vi.advanceTimersByTimeAsync(999)
    expect(host.shown).toEqual([])
    await vi.advanceTimersByTimeAsync(1_500)
    expect(host.shown).toHaveLength(1)
    for (const { answer } of host.prompts) answer("x")
    await waiting
    expect(host.shown).toHaveLength(1)
  })

  it("gives up what is not shown yet once there is something newer, and at its end", async () => {
    const log: string[] = []
    const { call, host } = testServices({
      showProgress: (_, { title }, signal) =>
        new Promise((resolve) => {
          log.push(`${title} begins`)
          signal.addEventListener("abort", () => {
            log.push(`${title} is given up`)
            resolve(ok(undefined))
          })
        }),
    })
    await call("agents_start", { tasks: [task("a"), task("b")] })
    const waiting = call("agents_wait", { timeout: 2.2 })
    await vi.advanceTimersByTimeAsync(1_000)
    host.prompts.find(({ prompt }) => prompt.text === "do a")?.answer("x")
    await vi.advanceTimersByTimeAsync(1_200)
    await waiting
    expect(log).toEqual([
      "0/2 done, 2 working begins",
      "0/2 done, 2 working is given up",
      "1/2 done, 1 working begins",
      "1/2 done, 1 working is given up",
    ])
  })

  it("does not try again what opencode refused to show", async () => {
    const titles: string[] = []
    const { call } = testServices({
      async showProgress(_, { title }) {
        titles.push(title)
        return failed("no such message", 404)
      },
    })
    await call("agents_start", { tasks: [task("a")] })
    const waiting = call("agents_wait", { timeout: 2.2 })
    await vi.advanceTimersByTimeAsync(2_200)
    await waiting
    expect(titles).toHaveLength(1)
  })

  it("shows nothing of jobs that it does not wait for, not even of another owner's of the same id", async () => {
    const { call, host } = testServices()
    host.sessions.set("other", sessionOf("other"))
    await call("agents_start", { tasks: [task("a"), task("b")] })
    await call("agents_start", { tasks: [{ id: "a", prompt: "do other" }] }, { owner: "other" })
    const waiting = call("agents_wait", { ids: ["a"], timeout: 1.2 })
    for (const { prompt, answer } of host.prompts) if (prompt.text !== "do a") answer("x")
    await vi.advanceTimersByTimeAsync(1_200)
    await waiting
    expect(host.shown).toHaveLength(1)
  })

  it("returns only once what it shows is written: a later write would show it as running for ever", async () => {
    const written = gate<void>()
    const { call, host } = testServices({
      async showProgress() {
        await written.passed
        return ok(undefined)
      },
    })
    await call("agents_start", { tasks: [task("a")] })
    let hasReturned = false
    const waiting = call("agents_wait", {}).finally(() => (hasReturned = true))
    await vi.advanceTimersByTimeAsync(1_000)
    host.prompts[0]?.answer("done")
    await settled()
    expect(hasReturned).toBe(false)
    written.open()
    await waiting
  })
})
