import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import type { JobInput } from "../../../src/machines/events.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { JobStore } from "../../../src/plugin/records/store.ts"
import { newStoredJob, StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, hostDouble } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, timeout } from "../support/races.ts"
import { holder, lease } from "../support/services.ts"

quietXState()
frozenTime()

const job: JobInput = {
  id: "a",
  owner: "owner",
  description: "Look",
  prompt: "run 1",
  agent: "general",
  createdAt: 1,
  askedAt: 1,
  run: 1,
  timeoutMs: 1_000,
  idleMs: 1_000,
}
const record: JobRecord = {
  id: "a",
  session: "ses_1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "cancelled",
  run: 1,
  createdAt: 1,
  usage: NO_USAGE,
}

describe("What changes of a job while opencode stores it, fails and hangs, and the plugin closes", () => {
  const race = fc.record({
    changes: fc.array(fc.constantFrom("ends", "runs again", "is delivered"), { minLength: 1, maxLength: 6 }),
    passes: fc.array(fc.constantFrom(1, 999, 1_000, 5_000, 60_000), { maxLength: 5 }),
    /** What becomes of each write; all later ones are taken. */
    writes: fc.array(fc.constantFrom("taken", "taken, but not said so", "not taken"), { maxLength: 6 }),
    closes: fc.boolean(),
  })

  it("is stored as it was last, one write at a time; who waits for an end waits until it is there", {
    timeout,
  }, async () => {
    await inEveryOrder(race, async (scheduler, { changes, passes, writes, closes }) => {
      const broken: string[] = []
      const host = hostDouble()
      host.sessions.set("ses_1", sessionOf("ses_1", { metadata: { troupe: newStoredJob(job, lease) } }))
      const current = () => StoredJob.parse(host.sessions.get("ses_1")?.metadata?.troupe)
      let underWay = 0
      let isClosed = false
      const write = host.updateStored
      host.updateStored = async (id, change) => {
        if (++underWay > 1) broken.push("two writes at once")
        const how = writes.shift() ?? "taken"
        await scheduler.schedule(Promise.resolve(), `a write is ${how}`)
        const before = host.writes.length
        const result = how === "not taken" ? failed("not now") : await write(id, change)
        if (isClosed && host.writes.length > before) broken.push("written after it was closed")
        await scheduler.schedule(Promise.resolve(), "a write is answered")
        underWay--
        return how === "taken" ? result : failed("not now")
      }
      const store = new JobStore(host, holder)
      const soon = (what: string, act: () => void) => {
        void scheduler.schedule(Promise.resolve(), what).then(act)
      }

      /** Each change has a number of its own, by which it is told what is there. */
      let count = 0
      let wanted = { record: 0, askedAt: 1, deliveredRun: 0 }
      const seen = () => ({
        record: current().record.endedAt ?? current().record.run - 1,
        askedAt: current().askedAt,
        deliveredRun: current().deliveredRun,
      })
      let ends = 0
      for (const change of changes) {
        soon(`the job ${change}`, () => {
          if (isClosing) return
          const number = ++count
          if (change === "ends") {
            wanted = { ...wanted, record: number }
            store.recordEnd({ ...record, endedAt: number }).then(
              () => {
                if (seen().record < number) broken.push("said to be recorded before it was")
                ends++
              },
              () => ends++,
            )
          } else if (change === "runs again") {
            wanted = { ...wanted, record: number, askedAt: number + 1 }
            store.saveRun("ses_1", { ...job, run: number + 1, askedAt: number + 1 }).then(
              () => {
                if (seen().askedAt <= number) broken.push("said to be saved before it was")
              },
              // Another process has it, or the store was drained before.
              () => {},
            )
          } else {
            wanted = { ...wanted, deliveredRun: number }
            store.markDelivered([{ ...record, run: number }])
          }
        })
      }
      for (const ms of passes) soon(`${ms} ms pass`, () => void vi.advanceTimersByTime(ms))
      let isClosing = false
      if (closes) {
        soon("the plugin closes", () => {
          isClosing = true
          void store.drain(3_000).then(() => {
            isClosed = true
          })
        })
      }
      for (let round = 0; round < 12; round++) {
        await scheduler.waitIdle()
        await vi.advanceTimersByTimeAsync(61_000)
      }
      await scheduler.waitIdle()

      expect(broken).toEqual([])
      expect(store.actors()).toEqual([])
      expect(vi.getTimerCount()).toBe(0)
      if (!closes) {
        expect(seen()).toEqual(wanted)
        expect(ends).toBe(changes.filter((change) => change === "ends").length)
      }
      await store.drain(0)
    })
  })
})
