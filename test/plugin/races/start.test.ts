import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { StartPermission } from "../../../src/plugin/host/port.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()

const granted = Promise.resolve<StartPermission>({ type: "granted" })

describe("Jobs that are started by several calls at once", () => {
  const ids = fc.constantFrom(undefined, "a", "j1", "j2")
  const calls = fc.array(fc.array(ids, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 })

  it("never share an id, and each call tells of its own", { timeout }, async () => {
    await inEveryOrder(calls, async (scheduler, given) => {
      const { call, host, settle } = racedServices(scheduler)
      const ask = () => scheduler.schedule(granted, "the user permits it")
      const starting = given.map((names, index) => {
        const tasks = names.map((id, place) => ({ id, prompt: `work ${index}.${place}` }))
        return call("agents_start", { tasks }, { ask })
      })
      await settle()
      const started = (await Promise.all(starting)).map(({ jobs }) => jobs)
      for (const [index, jobs] of started.entries()) {
        const own = jobs.every(({ description }) => description.startsWith(`work ${index}.`))
        expect(own, "a call tells of a job that another has started").toBe(true)
      }
      const all = started.flat().map(({ id }) => id)
      expect(new Set(all).size).toBe(all.length)
      expect(host.prompts.length).toBe(all.length)
    })
  })
})
