import fc from "fast-check"
import { describe, expect, it, vi } from "vitest"
import type { Host, OwnerMessage, WantedTurn } from "../../../src/plugin/host/port.ts"
import { decodeMessage } from "../../../src/plugin/host/v1/decode.ts"
import { Deliveries } from "../../../src/plugin/owners/deliveries.ts"
import { deliveredRuns, runsIn } from "../../../src/plugin/records/delivery-mark.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, ok } from "../support/host-double.ts"
import { askedBy, deliveredAs } from "../support/opencode-data.ts"
import { frozenTime, inEveryOrder, racedServices, timeout } from "../support/races.ts"

frozenTime()
quietXState()

const runsOf = (records: readonly { session: string; run: number }[]) =>
  records.map(({ session, run }) => ({ session, run }))

const happenings = fc.array(
  fc.constantFrom(
    "its turn begins",
    "its turn ends",
    "its user stops its turn",
    "it fetches results",
    "time passes",
    "a moment passes",
    "opencode stores nothing",
    "opencode stores and fails",
    "opencode starts no turn",
    "its turn begins as the next message is stored",
  ),
  { maxLength: 12 },
)

describe("Results that come while the owner works, rests and fetches", () => {
  it("are delivered once, never to a busy owner, never what it has, and all of them, each in a turn", {
    timeout,
  }, async () => {
    await inEveryOrder(
      fc.record({
        jobs: fc.integer({ min: 1, max: 3 }),
        happenings,
        isFromEarlier: fc.boolean(),
        notify: fc.constantFrom("batch", "each"),
      }),
      async (scheduler, { jobs, happenings, isFromEarlier, notify }) => {
        let isBusy = false
        let isStopped = false
        let storeFault: "nothing" | "stored" | undefined
        let startFault = false
        let isOvertaking = false
        const broken: string[] = []
        /** Messages that no turn has read yet. */
        const unread = new Set<string>()
        const services = racedServices(scheduler, {
          isBusy: async () => ok(isBusy),
          // In two steps, as 1.18 does it.
          deliver: async (message, wanted) => {
            const stored = store(message)
            await scheduler.schedule(Promise.resolve(), "the message is stored")
            if (isOvertaking && !isBusy) {
              turn(true)
              soon("the turn that began meanwhile ends", () => isBusy && turn(false))
            }
            isOvertaking = false
            if (!stored.ok || !isWanted(wanted)) return stored
            await scheduler.schedule(Promise.resolve(), "its turn is asked for")
            return startTurn(message)
          },
        })
        const { host, troupe, inbox, call, soon, settle } = services
        function store(message: OwnerMessage) {
          const fault = storeFault
          storeFault = undefined
          if (fault === "nothing") return failed("not now", 503)
          const told = host.said.get("owner")?.findIndex(({ info }) => info.id === message.messageID) ?? -1
          if (told === -1) {
            host.said.get("owner")?.push(deliveredAs(message))
            if (!isBusy) unread.add(message.messageID)
            soon("the event of the message", () =>
              inbox.hear({ type: "mark.stored", session: "owner", mark: message.mark }),
            )
          }
          return fault === "stored" ? failed("connection reset") : ok({ mark: message.mark })
        }
        function isWanted(turn: WantedTurn): boolean {
          const isWanted = turn.isWanted()
          if (isWanted && isBusy) broken.push("a turn is wanted beside that of somebody else")
          if (isWanted && isStopped) broken.push("a turn is wanted although the user stopped the last")
          return isWanted
        }
        function startTurn({ messageID, mark }: OwnerMessage) {
          const isFaulty = startFault
          startFault = false
          if (isFaulty) return failed("not now", 503)
          // A message that has been read starts none.
          if (!unread.has(messageID)) return ok({ mark })
          turn(true)
          soon("the turn of the message ends", () => isBusy && turn(false))
          return ok({ mark })
        }
        const words = { session: "owner", messageID: "msg_1", text: "hello", agent: "build" }
        host.said.set("owner", [askedBy(words)])
        const conversation = () => deliveredRuns((host.said.get("owner") ?? []).map(decodeMessage))
        let isInUse = false
        const deliver: Host["deliver"] = (message, turn) => {
          // What holds when the delivery makes up its mind; the request's own way no plugin can cut short.
          if (isBusy) broken.push("told while it was busy")
          if (isStopped) broken.push("told although its user has stopped it")
          const isRepeated = host.said.get("owner")?.some(({ info }) => info.id === message.messageID)
          const sessions = runsIn(message.mark).map(({ session }) => session)
          const undelivered = inbox.undelivered("owner").map(({ session }) => session)
          if (!isRepeated && sessions.some((session) => !undelivered.includes(session)))
            broken.push("told what it has")
          if (!isInUse && sessions.every((session) => session === "ses_old"))
            broken.push("woken by what an earlier process left")
          isInUse = true
          return host.deliver(message, turn)
        }
        const deliveries = new Deliveries({
          host: { ...host, deliver },
          troupe,
          inbox,
          notify,
          notifySeconds: 60,
          now: Date.now,
          reportError: (error) => broken.push(`a defect: ${error}`),
        })
        const turn = (begins: boolean) => {
          isBusy = begins
          isInUse = true
          if (begins) unread.clear()
          if (begins) isStopped = false
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
          else if (what === "its user stops its turn" && isBusy) {
            isStopped = true
            deliveries.hear({ type: "session.interrupted", session: "owner" })
            turn(false)
          }
          // Only in its turn can it call a tool.
          else if (what === "it fetches results" && isBusy)
            inbox.markDelivered("owner", runsOf(inbox.undelivered("owner")))
          else if (what === "a moment passes") vi.advanceTimersByTime(250)
          else if (what === "time passes") vi.advanceTimersByTime(10_000)
          else if (what === "opencode stores nothing") storeFault = "nothing"
          else if (what === "opencode stores and fails") storeFault = "stored"
          else if (what === "opencode starts no turn") startFault = true
          else if (what === "its turn begins as the next message is stored") isOvertaking = true
        }
        // One after the other, so that the later ones fall into what the earlier ones have set off.
        scheduler.scheduleSequence(
          happenings.map((what) => ({ label: what, builder: async () => happen(what) })),
        )
        await settle(10_000)
        if (isBusy) turn(false)
        await settle(10_000)
        if (isFromEarlier || isStopped) {
          // What an earlier process left waits for this, and what came after the user had stopped its turn.
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
