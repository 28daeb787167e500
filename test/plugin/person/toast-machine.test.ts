import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createActor, SimulatedClock } from "xstate"
import { rowsOf } from "../../../scripts/docs/transitions.ts"
import type { Toast } from "../../../src/plugin/host/port.ts"
import { type ToastEvent, toastMachine, toastReasons } from "../../../src/plugin/person/toast-machine.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { takenIn, transitionsOf } from "../../machines/support/transitions.ts"

quietXState()

const taken = new Set<string>()

const ended = (id: string, state: "done" | "failed") => ({
  id,
  state,
  session: `ses_${id}`,
  owner: "ses_owner",
})

/** A person before the terminal, what is shown to them and when. */
function person() {
  const clock = new SimulatedClock()
  const shown: { at: number; toast: Toast }[] = []
  const machine = toastMachine.provide({
    actions: { show: (_, toast) => void (toast && shown.push({ at: clock.now(), toast })) },
  })
  const actor = createActor(machine, {
    clock,
    inspect: (inspected) => {
      for (const name of takenIn(inspected)) taken.add(name)
    },
  }).start()
  const send = (event: ToastEvent) => actor.send(event)
  return {
    shown,
    messages: () => shown.map(({ toast }) => toast.message),
    state: () => actor.getSnapshot().value,
    context: () => actor.getSnapshot().context,
    now: () => clock.now(),
    /** In small steps, for timers that set timers. */
    pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 100) clock.increment(100)
    },
    send,
    asks: (id: string) =>
      send({ type: "request.opened", request: { id, text: `${id} asks`, session: `ses_${id}` } }),
    isAnswered: (id: string) => send({ type: "request.closed", id }),
    notice: (message: string, duration = 5_000) =>
      send({ type: "notice.added", toast: { message, variant: "info", duration } }),
    starts(count: number, batch = "one") {
      for (let index = 0; index < count; index++) send({ type: "job.started", batch })
    },
    ends: (id: string, batch = "one") => send({ type: "job.ended", batch, job: ended(id, "done") }),
    fails: (id: string, batch = "one") => send({ type: "job.ended", batch, job: ended(id, "failed") }),
  }
}

type Person = ReturnType<typeof person>

/** What each of them does, and when it may make room for something else. */
const kinds = {
  request: {
    comes: ({ asks }: Person, id: string) => asks(id),
    words: (id: string) => `${id} asks`,
    time: 20_000,
  },
  notice: {
    comes: ({ notice }: Person, id: string) => notice(id),
    words: (id: string) => id,
    time: 5_000,
  },
  end: {
    comes({ starts, ends, pass }: Person, id: string) {
      starts(1)
      ends(id)
      pass(400)
    },
    words: (id: string) => `${id} done`,
    time: 2_500,
  },
}
type Kind = keyof typeof kinds

describe("A toast on screen", () => {
  it.each<[Kind, "makes room at once" | "stays for its time", Kind]>([
    ["request", "makes room at once", "request"],
    ["request", "stays for its time", "notice"],
    ["request", "stays for its time", "end"],
    ["notice", "stays for its time", "request"],
    ["notice", "stays for its time", "notice"],
    ["notice", "stays for its time", "end"],
    ["end", "makes room at once", "request"],
    ["end", "stays for its time", "notice"],
    ["end", "stays for its time", "end"],
  ])("of the kind %s %s, where one of the kind %s comes", (first, what, second) => {
    const seen = person()
    kinds[first].comes(seen, "first")
    const [shown] = seen.shown
    kinds[second].comes(seen, "second")
    seen.pass(60_000)
    const next = seen.shown[1]
    expect(next?.toast.message).toContain(kinds[second].words("second"))
    const room = second === "end" && what === "makes room at once" ? 400 : 0
    const waited = (next?.at ?? 0) - (shown?.at ?? 0)
    if (what === "makes room at once") expect(waited).toBe(room)
    else expect(waited).toBeGreaterThanOrEqual(kinds[first].time)
  })
})

describe("A request", () => {
  it("makes room as soon as it is answered", () => {
    const { asks, isAnswered, notice, messages } = person()
    asks("lint")
    notice("link")
    expect(messages()).toEqual(["lint asks"])
    isAnswered("lint")
    expect(messages()).toEqual(["lint asks", "link"])
  })

  it("keeps its place where another is answered", () => {
    const { asks, isAnswered, notice, messages } = person()
    asks("lint")
    asks("docs")
    notice("link")
    isAnswered("lint")
    expect(messages()).toEqual(["lint asks", "docs asks · 1 more request is open"])
  })

  it("that another took the place of is shown again after it", () => {
    const { asks, isAnswered, messages } = person()
    asks("lint")
    asks("docs")
    isAnswered("docs")
    expect(messages()).toEqual(["lint asks", "docs asks · 1 more request is open", "lint asks"])
  })

  it("is shown no more than for its time, though nobody answers", () => {
    const { asks, pass, messages, state } = person()
    asks("lint")
    pass(60_000)
    expect([messages(), state()]).toEqual([["lint asks"], "free"])
  })

  it("that is answered before it could be shown is not shown", () => {
    const { asks, isAnswered, notice, pass, messages } = person()
    notice("link")
    asks("lint")
    isAnswered("lint")
    pass(60_000)
    expect(messages()).toEqual(["link"])
  })

  it("that was on screen for its time is not shown again, whatever takes whose place after it", () => {
    const { asks, isAnswered, pass, messages } = person()
    asks("lint")
    pass(20_000)
    asks("docs")
    asks("test")
    isAnswered("test")
    isAnswered("docs")
    pass(60_000)
    expect(messages()).toEqual([
      "lint asks",
      "docs asks · 1 more request is open",
      "test asks · 2 more requests are open",
      "docs asks · 1 more request is open",
    ])
  })

  it("comes before everything else that waits", () => {
    const { asks, notice, starts, ends, pass, messages } = person()
    notice("options")
    starts(1)
    ends("lint")
    notice("link")
    asks("docs")
    pass(5_000)
    expect(messages()).toEqual(["options", "docs asks"])
    pass(60_000)
    expect(messages()).toEqual(["options", "docs asks", "link", "lint done"])
  })
})

describe("A notice", () => {
  it("stays for as long as it says, and for five seconds where it does not say", () => {
    const { notice, send, pass, shown } = person()
    notice("options", 15_000)
    send({ type: "notice.added", toast: { message: "hint", variant: "info" } })
    notice("link")
    pass(60_000)
    expect(shown.map(({ at, toast }) => [at, toast.message])).toEqual([
      [0, "options"],
      [15_000, "hint"],
      [20_000, "link"],
    ])
  })
})

describe("Ends", () => {
  it("that go well are shown when the whole batch has ended, once", () => {
    const { starts, ends, pass, messages } = person()
    starts(3)
    ends("a")
    pass(10_000)
    ends("b")
    pass(10_000)
    expect(messages()).toEqual([])
    ends("c")
    pass(60_000)
    expect(messages()).toEqual(["a, b, c done · all 3 ended"])
  })

  it("of a failure are shown at once, with what has ended by then and how many are still to come", () => {
    const { starts, ends, fails, pass, messages } = person()
    starts(3)
    ends("a")
    pass(10_000)
    fails("b")
    pass(400)
    expect(messages()).toEqual(["b failed, a done · 2 of 3 ended"])
    ends("c")
    pass(10_000)
    expect(messages()[1]).toBe("c done · all 3 ended")
  })

  it("that are being gathered wait for whatever else comes", () => {
    const { starts, fails, asks, isAnswered, notice, pass, shown } = person()
    starts(3)
    fails("a")
    pass(300)
    asks("lint")
    isAnswered("lint")
    fails("b")
    pass(300)
    notice("link")
    pass(6_000)
    expect(shown.map(({ at, toast }) => [at, toast.message])).toEqual([
      [300, "lint asks"],
      [600, "link"],
      [6_000, "a failed, b failed · 2 of 3 ended"],
    ])
  })

  it("are gathered while something else is on screen, and while the last ones are read", () => {
    const { starts, fails, notice, pass, messages } = person()
    starts(4)
    notice("link")
    fails("a")
    pass(2_000)
    fails("b")
    pass(3_400)
    fails("c")
    pass(1_000)
    fails("d")
    pass(10_000)
    expect(messages()).toEqual([
      "link",
      "a failed, b failed · 2 of 4 ended",
      "c failed, d failed · all 4 ended",
    ])
  })

  it("of batches that are over at the same time are shown together, so that none waits for many others", () => {
    const { starts, ends, pass, messages } = person()
    starts(2, "one")
    starts(1, "two")
    ends("c", "two")
    ends("a", "one")
    ends("b", "one")
    pass(60_000)
    expect(messages()).toEqual(["a, b, c done · all 3 ended"])
  })

  it("of a follow-up are its own, or wait for it where it begins before they are shown", () => {
    const { starts, ends, pass, messages } = person()
    starts(2)
    ends("a")
    ends("b")
    pass(10_000)
    starts(1)
    ends("a")
    starts(1)
    pass(10_000)
    expect(messages()).toEqual(["a, b done · all 2 ended"])
    ends("b")
    pass(10_000)
    expect(messages()[1]).toBe("a, b done · all 2 ended")
  })

  it("lead to the job where it is one, to the owner of several", () => {
    const { starts, ends, fails, pass, shown } = person()
    starts(3)
    fails("a")
    pass(10_000)
    ends("b")
    ends("c")
    pass(10_000)
    expect(shown.map(({ toast }) => toast.leadsTo)).toEqual([
      { session: "ses_a", command: "jobs" },
      { session: "ses_owner", command: "jobs" },
    ])
  })
})

describe("Whatever happens, in whatever order", () => {
  const happening = fc.oneof(
    fc.record({ what: fc.constant("asks" as const), id: fc.constantFrom("p1", "p2", "p3") }),
    fc.record({ what: fc.constant("isAnswered" as const), id: fc.constantFrom("p1", "p2", "p3") }),
    fc.record({ what: fc.constantFrom("notice" as const, "job" as const), id: fc.constantFrom("x", "y") }),
    fc.record({
      what: fc.constant("pass" as const),
      ms: fc.integer({ min: 1, max: 80 }).map((n) => n * 100),
    }),
  )

  it("nothing takes the place of what was not read, and all is shown in the end", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
        const seen = person()
        const open = new Map<string, number>()
        const closedAt = new Map<number, number>()
        const requestAt = new Map<number, string>()
        let jobs = 0
        let notices = 0
        for (const each of happenings) {
          const before = seen.shown.length
          if (each.what === "asks" && !open.has(each.id)) {
            open.set(each.id, seen.now())
            seen.asks(each.id)
          } else if (each.what === "isAnswered" && open.delete(each.id)) {
            for (const [index, id] of requestAt)
              if (id === each.id && !closedAt.has(index)) closedAt.set(index, seen.now())
            seen.isAnswered(each.id)
          } else if (each.what === "notice") seen.notice(`notice ${++notices}`)
          else if (each.what === "job") {
            const id = `job${++jobs}`
            seen.starts(1, each.id)
            if (jobs % 2 === 0) seen.ends(id, each.id)
            else seen.fails(id, each.id)
          } else if (each.what === "pass") seen.pass(each.ms)
          for (let index = before; index < seen.shown.length; index++) {
            const id = /^(p\d) asks/.exec(seen.shown[index]?.toast.message ?? "")?.[1]
            if (id) requestAt.set(index, id)
          }
        }
        seen.pass(600_000)
        for (const [index, { at, toast }] of seen.shown.entries()) {
          const next = seen.shown[index + 1]
          if (!next) continue
          const isRequest = / asks/.test(toast.message)
          const isNotice = toast.message.startsWith("notice")
          const stays = isRequest
            ? Math.min(at + 20_000, closedAt.get(index) ?? Number.POSITIVE_INFINITY)
            : at + (isNotice ? 5_000 : 2_500)
          const mayReplace = !isNotice && / asks/.test(next.toast.message)
          if (!mayReplace)
            expect(next.at, `${toast.message} -> ${next.toast.message}`).toBeGreaterThanOrEqual(stays)
        }
        const { requests, notices: left, batches } = seen.context()
        expect([requests.filter(({ isDue }) => isDue), left, batches]).toEqual([[], [], []])
        expect(seen.messages().filter((message) => message.startsWith("notice"))).toHaveLength(notices)
        expect(seen.state()).toBe("free")
      }),
      { numRuns: 300 },
    )
  })
})

describe("The toast machine", () => {
  it("gives a reason for each of its transitions", () => {
    for (const { reason } of rowsOf(toastMachine, toastReasons)) expect(reason).toMatch(/^\S.+\.$/)
  })
})

describe("These tests of the toast machine", () => {
  it.each(transitionsOf(toastMachine))("take %s", (name) => {
    expect(taken).toContain(name)
  })
})
