import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import type { Host } from "../../../src/plugin/host/port.ts"
import { decodeMessage } from "../../../src/plugin/host/v1/decode.ts"
import { Deliveries } from "../../../src/plugin/owners/deliveries.ts"
import { deliveredRuns, runsIn } from "../../../src/plugin/records/delivery-mark.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, ok } from "../support/host-double.ts"
import { askedBy, postedAs } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()
quietXState()

const runsOf = (records: readonly { session: string; run: number }[]) =>
  records.map(({ session, run }) => ({ session, run }))

const happenings = fc.array(
  fc.constantFrom(
    "its turn begins",
    "its turn ends",
    "it fetches results",
    "time passes",
    "a moment passes",
    "opencode stores nothing",
    "opencode stores and fails",
    "opencode starts no turn",
  ),
  { maxLength: 12 },
)

describe("Results that come while the owner works, rests and fetches", () => {
  it("are delivered once, never to a busy owner, never what it has, and all of them, each in a turn", {
    timeout,
  }, async () => {
    await inEveryOrder(
      fc.record({ jobs: fc.integer({ min: 1, max: 3 }), happenings, isFromEarlier: fc.boolean() }),
      async (scheduler, { jobs, happenings, isFromEarlier }) => {
        let isBusy = false
        let storeFault: "nothing" | "stored" | undefined
        let startFault = false
        const broken: string[] = []
        /** Messages that no turn has read yet. */
        const unread = new Set<string | undefined>()
        const services = racedServices(scheduler, {
          isBusy: async () => ok(isBusy),
          post: async (message) => {
            const fault = storeFault
            storeFault = undefined
            if (fault === "nothing") return failed("not now", 503)
            const told = host.said.get("owner")?.findIndex(({ info }) => info.id === message.messageID) ?? -1
            if (told === -1) {
              host.said.get("owner")?.push(postedAs(message))
              if (!isBusy) unread.add(message.messageID)
              soon("the event of the message", () =>
                inbox.hear({ type: "mark.stored", session: "owner", mark: message.mark }),
              )
            }
            return fault === "stored" ? failed("connection reset") : ok(undefined)
          },
          send: async ({ messageID }) => {
            const isFaulty = startFault
            startFault = false
            if (isFaulty) return failed("not now", 503)
            unread.delete(messageID)
            return ok(undefined)
          },
        })
        const { host, troupe, inbox, call, soon, settle } = services
        const words = { session: "owner", messageID: "msg_1", text: "hello", agent: "build" }
        host.said.set("owner", [askedBy(words)])
        const conversation = () => deliveredRuns((host.said.get("owner") ?? []).map(decodeMessage))
        let isInUse = false
        const post: Host["post"] = (message) => {
          // What holds when the delivery makes up its mind; the request's own way no plugin can cut short.
          if (isBusy) broken.push("told while it was busy")
          const isRepeated = host.said.get("owner")?.some(({ info }) => info.id === message.messageID)
          const sessions = runsIn(message.mark).map(({ session }) => session)
          const undelivered = inbox.undelivered("owner").map(({ session }) => session)
          if (!isRepeated && sessions.some((session) => !undelivered.includes(session)))
            broken.push("told what it has")
          if (!isInUse && sessions.every((session) => session === "ses_old"))
            broken.push("woken by what an earlier process left")
          isInUse = true
          return host.post(message)
        }
        const deliveries = new Deliveries({
          host: { ...host, post },
          troupe,
          inbox,
          notify: "idle",
          now: Date.now,
          reportError: (error) => broken.push(`a defect: ${error}`),
        })
        const turn = (begins: boolean) => {
          isBusy = begins
          isInUse = true
          if (begins) unread.clear()
          deliveries.hear({ type: begins ? "session.busy" : "session.idle", session: "owner" })
        }
        const tasks = Array.from({ length: jobs }, (_, index) => ({ id: `j${index}`, prompt: "work" }))
        const starting = call("agents_start", { tasks })
        await settle()
        await starting
        if (isFromEarlier) {
          const [record] = troupe.records.of("owner")
          if (record) {
            const { phase: _phase, ...kept } = record
            troupe.adopt({ ...kept, id: "old", session: "ses_old", state: "done", endedAt: 1 })
          }
        }

        for (const { answer } of host.prompts) soon("a job ends", () => answer("done"))
        const happen = (what: (typeof happenings)[number]) => {
          if (what === "its turn begins") turn(true)
          else if (what === "its turn ends") turn(false)
          // Only in its turn can it call a tool.
          else if (what === "it fetches results" && isBusy)
            inbox.markDelivered("owner", runsOf(inbox.undelivered("owner")))
          else if (what === "a moment passes") vi.advanceTimersByTime(250)
          else if (what === "time passes") vi.advanceTimersByTime(10_000)
          else if (what === "opencode stores nothing") storeFault = "nothing"
          else if (what === "opencode stores and fails") storeFault = "stored"
          else if (what === "opencode starts no turn") startFault = true
        }
        // One after the other, so that the later ones fall into what the earlier ones have set off.
        scheduler.scheduleSequence(
          happenings.map((what) => ({ label: what, builder: async () => happen(what) })),
        )
        await settle(10_000)
        if (isBusy) turn(false)
        await settle(10_000)
        if (isFromEarlier) {
          // What an earlier process left waits for this.
          turn(true)
          turn(false)
          await settle(10_000)
        }

        expect(broken).toEqual([])
        const told = conversation().map(({ session }) => session)
        expect(new Set(told).size, "a run is told twice").toBe(told.length)
        expect(inbox.undelivered("owner"), "a run is never told").toEqual([])
        expect([...unread], "a message is left without a turn").toEqual([])
        expect([...deliveries.actors()], "a delivery is never over").toEqual([])
        deliveries.stop()
      },
    )
  })
})
