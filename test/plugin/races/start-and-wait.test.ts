import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { StartPermission } from "../../../src/plugin/host/port.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()

const granted = Promise.resolve<StartPermission>({ type: "granted" })

describe("A start and a wait in one message", () => {
  const message = fc.record({
    jobs: fc.integer({ min: 1, max: 3 }),
    isStartFirst: fc.boolean(),
    byName: fc.boolean(),
    /** Whether a job of an earlier message runs. */
    isNotFirst: fc.boolean(),
    /** Whether opencode announces the start before the wait asks. */
    isAnnounced: fc.boolean(),
  })

  it("end with the results of all that was started, whichever is first", { timeout }, async () => {
    await inEveryOrder(
      message,
      async (scheduler, { jobs, isStartFirst, byName, isNotFirst, isAnnounced }) => {
        const { call, host, starts, soon, settle } = racedServices(scheduler)
        if (isNotFirst) {
          const earlier = call("agents_start", { tasks: [{ id: "earlier", prompt: "work of earlier" }] })
          await settle()
          await earlier
        }
        const ids = Array.from({ length: jobs }, (_, index) => `j${index}`)
        const tasks = ids.map((id) => ({ id, prompt: `work of ${id}` }))
        const ask = () => scheduler.schedule(granted, "the user permits it")
        const start = () => call("agents_start", { tasks }, { ask })
        const wait = () => call("agents_wait", byName ? { ids } : {})
        const announcement = {
          type: "tool.running",
          session: "owner",
          call: "call",
          tool: "agents_start",
          isSubagent: false,
        } as const
        if (isAnnounced)
          soon("the start is announced", () => starts.hear({ ...announcement, title: undefined }))
        const calls = isStartFirst ? [start(), wait()] : [wait(), start()]
        await settle()
        for (const { prompt, answer } of host.prompts) soon("a child answers", () => answer(prompt.text))
        await settle()
        const results = await Promise.all(calls)
        const waited = results[isStartFirst ? 1 : 0]
        const expected = isNotFirst && !byName ? ["earlier", ...ids] : ids
        expect(waited?.title).toBe(`${expected.length}/${expected.length} done`)
        for (const id of expected) expect(waited?.output).toContain(`work of ${id}`)
      },
    )
  })
})
