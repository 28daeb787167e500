import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import type { NewPrompt } from "../../../src/plugin/host/port.ts"
import { createNotifier } from "../../../src/plugin/owners/notify.ts"
import { deliveredRuns } from "../../../src/plugin/records/delivery-mark.ts"
import { failed, ok } from "../support/host-double.ts"
import { askedBy } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, raceDesk, timeout } from "../support/races.ts"

frozenTime()

describe("Results that come while the owner works, rests and reads", () => {
  const happenings = fc.array(
    fc.constantFrom(
      "its turn begins",
      "its turn ends",
      "it reads",
      "time passes",
      "a moment passes",
      "opencode stores nothing",
      "opencode stores and fails",
    ),
    { maxLength: 12 },
  )

  it("are told once, never to a busy owner, never what it has read, and all of them", {
    timeout,
  }, async () => {
    await inEveryOrder(
      fc.record({ jobs: fc.integer({ min: 1, max: 3 }), happenings, isFromEarlier: fc.boolean() }),
      async (scheduler, { jobs, happenings, isFromEarlier }) => {
        let isBusy = false
        let fault: "nothing" | "stored" | undefined
        const broken: string[] = []
        const stored: NewPrompt[] = []
        const desk = raceDesk(scheduler, {
          statuses: async () => ok(isBusy ? { owner: { type: "busy" } } : {}),
          post: async (message) => {
            const failing = fault
            fault = undefined
            if (failing === "nothing") return failed("not now", 503)
            stored.push(message)
            host.said.get("owner")?.push(noteOf(message))
            return failing === "stored" ? failed("connection reset") : ok(undefined)
          },
        })
        const { host, troupe, inbox, call, soon, settle } = desk
        const words = { session: "owner", messageID: "msg_1", partID: "prt_1", text: "hello", agent: "build" }
        host.said.set("owner", [askedBy(words)])
        const post: typeof host.post = (message) => {
          // What holds when the notifier makes up its mind; the request's own way no plugin can cut short.
          if (isBusy) broken.push("told while it was busy")
          const read = deliveredRuns([noteOf(message)]).filter(
            ({ session }) => !inbox.unread("owner").some((record) => record.session === session),
          )
          if (read.length > 0) broken.push("told what it has read")
          return host.post(message)
        }
        const notifier = createNotifier({
          host: { ...host, post },
          troupe,
          inbox,
          notify: "idle",
          now: Date.now,
        })
        const turn = (begins: boolean) => {
          isBusy = begins
          notifier.turn("owner", begins)
        }
        const tasks = Array.from({ length: jobs }, (_, index) => ({ id: `j${index}`, prompt: "work" }))
        const starting = call("agents_start", { tasks })
        await settle()
        await starting
        if (isFromEarlier) {
          const [record] = troupe.records.of("owner")
          if (record) {
            const { phase: _phase, ...kept } = record
            const old = { ...kept, id: "old", session: "ses_old", state: "done" as const, endedAt: 1 }
            troupe.adopt(old)
            notifier.check("owner")
          }
        }

        for (const { answer } of host.prompts) soon("a job ends", () => answer("done"))
        for (const what of happenings) {
          soon(what, () => {
            if (what === "its turn begins") turn(true)
            else if (what === "its turn ends") turn(false)
            // Only in its turn can it call a tool.
            else if (what === "it reads" && isBusy) inbox.markRead(inbox.unread("owner"))
            else if (what === "a moment passes") vi.advanceTimersByTime(250)
            else if (what === "time passes") vi.advanceTimersByTime(10_000)
            else if (what === "opencode stores nothing") fault = "nothing"
            else if (what === "opencode stores and fails") fault = "stored"
          })
        }
        await settle(10_000)
        if (isBusy) turn(false)
        await settle(10_000)

        expect(broken).toEqual([])
        const told = stored
          .flatMap((message) => deliveredRuns([noteOf(message)]))
          .map(({ session }) => session)
        expect(new Set(told).size, "a run is told twice").toBe(told.length)
        expect(inbox.unread("owner"), "a run is never told").toEqual([])
        notifier.stop()
      },
    )
  })
})

/** A notification as it stands in the owner's conversation. */
function noteOf({ metadata = {}, ...message }: NewPrompt) {
  const ids = { messageID: "", partID: "" }
  const { info, parts } = askedBy({ ...ids, ...message })
  return { info, parts: parts.map((part) => (part.type === "text" ? { ...part, metadata } : part)) }
}
