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
    /** Whether the start waits for its jobs, too. */
    isWaiting: fc.boolean(),
  })

  it("end with the results of all that was started, whichever is first", { timeout }, async () => {
    await inEveryOrder(
      message,
      async (scheduler, { jobs, isStartFirst, byName, isNotFirst, isAnnounced, isWaiting }) => {
        const { call, host, starts, soon, settle } = racedServices(scheduler)
        if (isNotFirst) {
          const earlier = call("agents_start", { tasks: [{ id: "earlier", prompt: "work of earlier" }] })
          await settle()
          await earlier
        }
        const ids = Array.from({ length: jobs }, (_, index) => `j${index}`)
        const tasks = ids.map((id) => ({ id, prompt: `work of ${id}` }))
        const ask = () => scheduler.schedule(granted, "the user permits it")
        const start = () => call("agents_start", { tasks, wait: isWaiting }, { ask, id: "call_start" })
        const wait = () => call("agents_wait", byName ? { ids } : {}, { id: "call_wait" })
        const announcement = {
          type: "tool.running",
          session: "owner",
          call: "call_start",
          tool: "agents_start",
          isSubagent: false,
        } as const
        // opencode tells so again whenever what it shows of the call changes.
        for (const what of isAnnounced ? ["announced", "shown to run"] : [])
          soon(`the start is ${what}`, () => starts.hear({ ...announcement, title: undefined }))
        const calls = isStartFirst ? [start(), wait()] : [wait(), start()]
        await settle()
        for (const { prompt, answer } of host.prompts) soon("a child answers", () => answer(prompt.text))
        await settle()
        const results = await Promise.all(calls)
        const [started, waited] = isStartFirst ? results : results.toReversed()
        const expected = isNotFirst && !byName ? ["earlier", ...ids] : ids
        expect(waited?.title).toBe(`${expected.length}/${expected.length} done`)
        // What the start has returned, a wait for all does not return again.
        for (const id of expected) {
          const outputs = isWaiting && !byName ? [started?.output, waited?.output] : [waited?.output]
          const times = outputs.filter((output) => output?.includes(`work of ${id}\n`)).length
          expect(times, `how often the result of ${id} is there`).toBe(1)
        }
      },
    )
  })
})
