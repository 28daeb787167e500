import fc, { type Scheduler } from "fast-check"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { JobRecord } from "../../src/machines/record.ts"
import { hasEnded } from "../../src/machines/record.ts"
import type { NewPrompt } from "../../src/plugin/host.ts"
import { createNotifier } from "../../src/plugin/notify.ts"
import { deliveredRuns } from "../../src/plugin/transcript.ts"
import { inAnyOrder } from "./support/any-order.ts"
import { atDesk } from "./support/desk.ts"
import { failed, ok } from "./support/host-double.ts"
import { askedBy } from "./support/opencode-data.ts"

/** `TROUPE_DEEP=5000 npx vitest run --project unit test/plugin/races` explores more of them. */
const numRuns = Number(process.env.TROUPE_DEEP ?? 150)
const timeout = 30_000 + numRuns * 50

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

/** The tools, where each call and each answer of opencode comes when the scheduler says. */
function raceDesk(scheduler: Scheduler, overrides: Parameters<typeof atDesk>[0] = {}) {
  const desk = atDesk(overrides, {}, (host) => inAnyOrder(host, scheduler))
  return {
    ...desk,
    /** Lets something happen in whatever order. */
    soon(what: string, act: () => void) {
      void scheduler.schedule(Promise.resolve(), what).then(act)
    },
    /** All that is under way comes to its end; time passes until nothing more happens. */
    async settle(roundMs = 100) {
      for (let round = 0; round < 20; round++) {
        await scheduler.waitIdle()
        await vi.advanceTimersByTimeAsync(roundMs)
      }
      await scheduler.waitIdle()
    },
  }
}

/** In the order of its calls and answers that the scheduler picks. */
const inEveryOrder = <T>(given: fc.Arbitrary<T>, test: (scheduler: Scheduler, given: T) => Promise<void>) =>
  fc.assert(fc.asyncProperty(fc.scheduler(), given, test), { numRuns })

describe("Jobs that are started by several calls at once", () => {
  const ids = fc.constantFrom(undefined, "a", "j1", "j2")
  const calls = fc.array(fc.array(ids, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 })

  it("never share an id, and each call tells of its own", { timeout }, async () => {
    await inEveryOrder(calls, async (scheduler, given) => {
      const { call, host, settle } = raceDesk(scheduler)
      const ask = () => scheduler.schedule(Promise.resolve(), "the user permits it")
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

describe("Follow-ups that are sent at once", () => {
  const race = fc.record({
    messages: fc.integer({ min: 2, max: 4 }),
    /** Whether the job's text lies with opencode alone, as after a restart. */
    isFromEarlier: fc.boolean(),
  })

  it("start one run after the other, each with its own result, and none gets lost", { timeout }, async () => {
    await inEveryOrder(race, async (scheduler, { messages, isFromEarlier }) => {
      const sent: NewPrompt[] = []
      const send = async (prompt: NewPrompt) => {
        sent.push(prompt)
        return ok(undefined)
      }
      const { call, host, troupe, inbox, soon, settle } = raceDesk(scheduler, { send })
      const ends: JobRecord[] = []
      troupe.records.subscribe((record) => void (hasEnded(record) && ends.push(record)))
      const finish = () => {
        for (const { prompt, answer } of host.prompts.splice(0)) {
          vi.advanceTimersByTime(1)
          answer(`on ${prompt.text}`)
        }
      }
      const starting = call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
      await settle()
      await starting
      finish()
      await settle()
      const [first] = ends
      if (isFromEarlier && first) {
        const { text: _text, ...rest } = first
        troupe.adopt(rest)
      }
      ends.length = 0

      const outcomes = Array.from({ length: messages }, (_, index) =>
        call("agents_send", { id: "a", message: `more ${index}` }).then(
          ({ title }) => title,
          (error: Error) => error.message,
        ),
      )
      for (let index = 0; index < messages; index++) soon("its child answers", finish)
      await settle()
      const words = await Promise.all(outcomes)
      for (let index = 0; index < messages; index++) {
        finish()
        await settle()
      }

      const said = (part: string) => words.filter((each) => each.includes(part))
      const runs = said("Run ").map((each) => Number(/Run (\d+)/.exec(each)?.[1]))
      expect(runs.toSorted()).toEqual(runs.map((_, index) => index + 2))
      expect(said("Run ").length + said("gets the message").length + said("Nothing was sent").length).toBe(
        messages,
      )
      expect(sent.length).toBe(said("gets the message").length)
      expect(new Set(sent.map(({ messageID }) => messageID)).size, "two messages of one id").toBe(sent.length)
      expect(ends.map(({ run }) => run)).toEqual(runs.toSorted())
      expect(inbox.unread("owner").map(({ run }) => run)).toEqual([runs.length + 1])
    })
  })
})

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
