import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Host, OwnerMessage } from "../../../src/plugin/host/port.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { gate } from "../../support/gate.ts"
import { failed, type HostDouble, ok } from "../support/host-double.ts"
import { answerTo, askedBy, deliveredAs, sessionOf } from "../support/opencode-data.ts"
import { ownerWithJobs, type Setup } from "./support/owner-with-jobs.ts"

/** Longer than the window in which ends are joined, and than five pauses before another try. */
const longEnough = 10 * 60_000
/** Longer than that window. */
const aWhile = 10_000

quietXState()
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** What a call of opencode was asked, each time. */
function counting<Call extends (...args: never[]) => Promise<unknown>>(call: Call) {
  const calls: Parameters<Call>[] = []
  const counted = (...args: Parameters<Call>) => {
    calls.push(args)
    return call(...args)
  }
  return { calls, call: counted as Call }
}

/** Fails so often, then does what the host does. */
function failing<Call extends (...args: never[]) => Promise<unknown>>(times: number, call: Call) {
  const tries: number[] = []
  const flaky = async (...args: Parameters<Call>) => {
    tries.push(Date.now())
    return tries.length <= times ? failed("not now", 503) : call(...args)
  }
  return { tries, call: flaky as Call }
}

/** Says that the owner is idle; before it says so for the second time, when the texts are read, this happens. */
function onSecondCall(happen: () => unknown): Host["isBusy"] {
  let calls = 0
  return async () => {
    calls++
    if (calls === 2) await happen()
    return ok(false)
  }
}

const pausesOf = (tries: readonly number[]) => tries.slice(1).map((time, index) => time - (tries[index] ?? 0))

describe("A notification", () => {
  it("goes once to an idle owner, in its own agent and model, and delivers the result", async () => {
    const { posted, finish, inbox } = await ownerWithJobs()
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toMatchObject([{ session: "owner", agent: "plan", model: "fake/m2" }])
    expect(posted[0]?.text).toContain("the answer")
    expect(inbox.undelivered("owner")).toEqual([])
  })

  it("is one for all that ended within a quarter of a second, and another for what ended later", async () => {
    const { posted, finish } = await ownerWithJobs({ jobs: 3 })
    await finish("of a", "a")
    await vi.advanceTimersByTimeAsync(200)
    await finish("of b", "b")
    expect(posted).toEqual([])
    await vi.advanceTimersByTimeAsync(50)
    await finish("of c", "c")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted.map(({ text }) => text.split("\n"))).toEqual([
      [
        "2 background jobs have ended (a message from opencode-troupe, not from the user):",
        expect.stringMatching(/^<job id="a" state="done"/),
        "of a",
        "</job>",
        expect.stringMatching(/^<job id="b"/),
        "of b",
        "</job>",
      ],
      [
        "A background job has ended (a message from opencode-troupe, not from the user):",
        expect.stringMatching(/^<job id="c"/),
        "of c",
        "</job>",
      ],
    ])
  })

  it("starts the owner's turn, and says by a mark whose result it is", async () => {
    const { posted, host, finish, record } = await ownerWithJobs()
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted[0]?.messageID).toMatch(/^msg_/)
    expect(host.started).toEqual(posted.map(({ messageID }) => messageID))
    expect(posted[0]?.mark).toEqual({ delivered: [{ session: record().session, run: 1 }] })
  })

  it("carries 2,000 characters of a text, and says where the rest is", async () => {
    const { posted, finish } = await ownerWithJobs({ jobs: 2 })
    await finish("x".repeat(2_000), "a")
    await finish("y".repeat(2_001), "b")
    await vi.advanceTimersByTimeAsync(longEnough)
    const lines = posted[0]?.text.split("\n") ?? []
    expect(lines).toContain("x".repeat(2_000))
    expect(lines).toContain("y".repeat(2_000))
    expect(lines).toContain('[1 more characters: agents_wait with ids ["b"]]')
    expect(lines.filter((line) => line.includes("more characters"))).toHaveLength(1)
  })

  it("carries 12,000 characters in all, however many have ended", async () => {
    const { posted, finish, ids } = await ownerWithJobs({ jobs: 8 })
    for (const id of ids) await finish("z".repeat(1_501), id)
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted[0]?.text.match(/z/g)).toHaveLength(12_000)
    expect(posted[0]?.text.match(/\[1 more characters/g)).toHaveLength(8)
  })

  it("says so where a child has written nothing", async () => {
    const { posted, finish } = await ownerWithJobs()
    await finish("")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted[0]?.text).toContain("(it wrote nothing)")
  })

  it("says that a job never began whose child was never asked", async () => {
    const { posted, troupe } = await ownerWithJobs({ jobs: 9 })
    troupe.cancel([{ owner: "owner", id: "i" }], "not needed")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted[0]?.text).toMatch(/<job id="i" state="cancelled" .*reason="not needed">\n\(never begun\)\n/)
  })

  it("goes in the agent and model of what was said last, not of what was answered", async () => {
    const { posted, finish, host } = await ownerWithJobs()
    host.said.get("owner")?.push(answerTo({ session: "owner", messageID: "msg_1" }, "done so"))
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toMatchObject([{ agent: "plan", model: "fake/m2" }])
  })

  it("never goes where the option says so", async () => {
    const { finish, posted, adopt, turn, states } = await ownerWithJobs({ notify: "never" })
    await finish()
    adopt()
    turn("ends")
    expect(states()).toEqual([])
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("does not go for what the owner fetched itself meanwhile", async () => {
    const { call, finish, posted } = await ownerWithJobs()
    await finish()
    await call("agents_wait", { ids: ["a"] })
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("goes for what a tool has answered and opencode could not store, be its disk full or its turn interrupted", async () => {
    const { call, finish, told } = await ownerWithJobs()
    await finish()
    const { output } = await call("agents_wait", { ids: ["a"] }, { isStored: false })
    expect(output).toContain("the answer")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(told()).toEqual([["a"]])
  })

  it("does not go to a job's child: it has given its answer, and nobody reads on there", async () => {
    const { told, finish, troupe, record, turn } = await ownerWithJobs()
    const child = record()
    const own = { ...child, id: "own", owner: child.session, session: "ses_own" }
    troupe.adopt(own)
    troupe.adopt({ ...own, state: "done", endedAt: 1 })
    turn("ends", child.session)
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([])
    await finish()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["a"]])
  })

  it("does not go to a job's child either whose own jobs are found before it is, after a restart", async () => {
    const { told, adopt, host, turn, record, states } = await ownerWithJobs()
    const words = { session: "ses_child", messageID: "msg_1", text: "split it up", agent: "build" }
    host.sessions.set("ses_child", sessionOf("ses_child"))
    host.said.set("ses_child", [askedBy(words)])
    adopt({ owner: "ses_child" })
    adopt({ ...record(), id: "boss", session: "ses_child", state: "done", endedAt: 1 })
    turn("ends", "ses_child")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).not.toContainEqual(["old"])
    expect(states()).toEqual(["dormant"])
  })

  it("does not go to a session in which nobody has said anything", async () => {
    const { posted, finish, host } = await ownerWithJobs()
    host.said.set("owner", [])
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("is never two of one job, though another ends while opencode is asked", async () => {
    const late = gate<void>()
    const { finish, told } = await ownerWithJobs({
      jobs: 2,
      faults: (host) => ({
        messages: async (session) => {
          await late.passed
          return host.messages(session)
        },
      }),
    })
    await finish("of a", "a")
    await vi.advanceTimersByTimeAsync(aWhile)
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(aWhile)
    late.open()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told().flat().sort()).toEqual(["a", "b"])
  })

  it("is about the undelivered alone, where some are delivered otherwise while opencode is asked", async () => {
    const { posted, finish, deliver } = await ownerWithJobs({
      jobs: 2,
      faults: () => ({ isBusy: onSecondCall(() => deliver("a")) }),
    })
    await finish("of a", "a")
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
    expect(posted[0]?.text).toContain("of b")
    expect(posted[0]?.text).not.toContain("of a")
  })

  it("is not about a run that has been gone on with while opencode was asked", async () => {
    const { posted, finish, host, call } = await ownerWithJobs({
      faults: () => ({
        isBusy: onSecondCall(async () => {
          await call("agents_send", { id: "a", message: "go on" })
          host.prompts.at(-1)?.answer("of run 2")
          await vi.advanceTimersByTimeAsync(0)
        }),
      }),
    })
    await finish("of run 1")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
    expect(posted[0]?.text).toContain("of run 2")
  })
})

describe("A message whose delivery has begun before", () => {
  const begun =
    (...ids: string[]) =>
    (host: HostDouble) => ({
      begunDeliveries: async () => {
        const children = [...host.sessions.values()].filter(({ parentID }) => parentID === "owner")
        const delivered = ids.map((id) => ({
          session: children.find(({ title }) => title.endsWith(` ${id})`))?.id ?? "",
          run: 1,
        }))
        return ok([{ messageID: "msg_begun", mark: { delivered } }])
      },
    })

  it("goes out under its id once more, with its results alone: it may be there unseen", async () => {
    const { posted, finish, told } = await ownerWithJobs({ jobs: 3, faults: begun("a", "b") })
    await finish("of a", "a")
    await finish("of b", "b")
    await finish("of c", "c")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(told()).toEqual([["a", "b"], ["c"]])
    expect(posted[0]?.messageID).toBe("msg_begun")
    expect(posted[1]?.messageID).not.toBe("msg_begun")
  })

  it("is of no account once its results are delivered", async () => {
    const { posted, finish, deliver, told } = await ownerWithJobs({ jobs: 2, faults: begun("a") })
    await finish("of a", "a")
    deliver("a")
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(told()).toEqual([["b"]])
    expect(posted[0]?.messageID).not.toBe("msg_begun")
  })

  it("is finished under its id for an owner that is used again, without a turn of its own", async () => {
    const wanted: boolean[] = []
    const { posted, deliveries, deliver, finish, host, told, inbox } = await ownerWithJobs({
      jobs: 3,
      notify: "never",
      faults: (host) => ({
        ...begun("a", "b")(host),
        async deliver(message, turn) {
          wanted.push(turn.isWanted())
          return host.deliver(message, turn)
        },
      }),
    })
    await finish("of a", "a")
    await finish("of b", "b")
    await finish("of c", "c")
    deliver("b")
    const messages = await host.messages("owner")
    if (messages.ok) await deliveries.finishBegun("owner", messages.value)
    expect(told()).toEqual([["a"]])
    expect(posted).toMatchObject([{ messageID: "msg_begun", agent: "plan", model: "fake/m2" }])
    expect(wanted).toEqual([false])
    expect(inbox.undelivered("owner").map(({ id }) => id)).toEqual(["c"])
  })

  it("delivers what opencode has under its id, however much of that is known by now", async () => {
    const held = ["a", "b"]
    const { deliveries, finish, host, inbox, record } = await ownerWithJobs({
      jobs: 2,
      notify: "never",
      faults: (host) => ({
        ...begun("a")(host),
        deliver: async () =>
          ok({ mark: { delivered: held.map((id) => ({ session: record(id).session, run: 1 })) } }),
      }),
    })
    await finish("of a", "a")
    await finish("of b", "b")
    const messages = await host.messages("owner")
    if (messages.ok) await deliveries.finishBegun("owner", messages.value)
    expect(inbox.undelivered("owner")).toEqual([])
  })

  it("is not finished where nobody has said anything in its session, or opencode fails", async () => {
    const { posted, deliveries, finish, host } = await ownerWithJobs({
      notify: "never",
      faults: (host) => ({ ...begun("a")(host), deliver: async () => failed("not now", 503) }),
    })
    await finish("of a", "a")
    await deliveries.finishBegun("owner", [])
    const messages = await host.messages("owner")
    const finished = deliveries.finishBegun("owner", messages.ok ? messages.value : [])
    await expect(finished).rejects.toThrow("not now")
    expect(posted).toEqual([])
  })

  it("waits as any other where opencode does not say which there are", async () => {
    const { posted, finish } = await ownerWithJobs({
      faults: (host) => ({ begunDeliveries: failing(2, host.begunDeliveries).call }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
  })
})

describe("While the owner works", () => {
  it("nothing goes, even where its turn's beginning was not heard; it goes when the turn is over", async () => {
    let isBusy = true
    const { posted, finish, turn, states } = await ownerWithJobs({
      faults: () => ({ isBusy: async () => ok(isBusy) }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    expect(states()).toEqual(["busy"])
    isBusy = false
    turn("ends")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
  })

  it.each(["session.busy", "session.retrying"] as const)(
    "nothing is even looked at once `%s` was heard",
    async (type) => {
      const asked = counting<Host["isBusy"]>(async () => ok(false))
      const { finish, deliveries } = await ownerWithJobs({ faults: () => ({ isBusy: asked.call }) })
      await finish()
      deliveries.hear(
        type === "session.busy"
          ? { type, session: "owner" }
          : { type, session: "owner", attempt: 1, reason: "overloaded", next: 1 },
      )
      await vi.advanceTimersByTimeAsync(aWhile)
      expect(asked.calls).toEqual([])
    },
  )

  it("its conversation is not read: that may be long", async () => {
    const asked = counting<Host["messages"]>(async () => ok([]))
    const { finish } = await ownerWithJobs({
      faults: () => ({ messages: asked.call, isBusy: async () => ok(true) }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(asked.calls).toEqual([])
  })

  it("nothing goes while the person has undone messages, which a new one would make final", async () => {
    let isReverted = true
    const { posted, finish, turn } = await ownerWithJobs({
      faults: (host) => ({
        async session(id) {
          const answer = await host.session(id)
          return answer.ok ? ok({ ...answer.value, isReverted }) : answer
        },
      }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    isReverted = false
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toHaveLength(1)
  })

  it.each([
    ["while their texts are read", 0],
    ["before the next attempt, where opencode had failed", 1],
  ])("nothing goes either if messages are undone %s", async (_, failures) => {
    let isReverted = false
    const undo = () => {
      isReverted = true
    }
    const { posted, finish, turn } = await ownerWithJobs({
      faults: (host) => ({
        isBusy: failures > 0 ? host.isBusy : onSecondCall(undo),
        async session(id) {
          const answer = await host.session(id)
          return answer.ok ? ok({ ...answer.value, isReverted }) : answer
        },
        deliver: failing(failures, host.deliver).call,
      }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(300)
    undo()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    isReverted = false
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toHaveLength(1)
  })

  it("nothing goes that a turn has fetched which comes and goes just before", async () => {
    let looks = 0
    const owner = { happen: () => {} }
    const { posted, finish, turn, deliver } = await ownerWithJobs({
      faults: (host) => ({
        async session(id) {
          looks++
          if (looks === 2) owner.happen()
          return host.session(id)
        },
      }),
    })
    owner.happen = () => {
      turn("begins")
      deliver("a")
      turn("ends")
    }
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("an interrupt of its turn means that nothing wakes it: results wait for the end of the next", async () => {
    const { posted, finish, turn, deliveries } = await ownerWithJobs()
    turn("begins")
    await finish()
    deliveries.hear({ type: "session.interrupted", session: "owner" })
    turn("ends")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toHaveLength(1)
  })

  it("nothing goes where its turn began while opencode was asked", async () => {
    const { posted, finish, turn } = await ownerWithJobs({
      faults: () => ({ isBusy: onSecondCall(() => turn("begins")) }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("nothing goes where opencode says so only once the texts are read", async () => {
    const says = [false, true]
    const { posted, finish } = await ownerWithJobs({
      faults: () => ({ isBusy: async () => ok(!!says.shift()) }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("it goes all the same where the turn ended just as opencode still said that it works", async () => {
    const late = gate<void>()
    const says = [true]
    const { posted, finish, turn } = await ownerWithJobs({
      faults: () => ({
        isBusy: async () => {
          const isBusy = says.shift() ?? false
          if (isBusy) await late.passed
          return ok(isBusy)
        },
      }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(250)
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    late.open()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toHaveLength(1)
  })
})

describe("While opencode fails", () => {
  it.each(["deliver", "messages", "isBusy"] as const)(
    "at `%s`, a delivery is tried again at growing pauses, and goes once",
    async (method) => {
      const tries: number[][] = []
      const { posted, finish } = await ownerWithJobs({
        faults: (host) => {
          const flaky = failing<Host[typeof method]>(5, host[method])
          tries.push(flaky.tries)
          return { [method]: flaky.call }
        },
      })
      await finish()
      await vi.advanceTimersByTimeAsync(longEnough)
      expect(posted).toHaveLength(1)
      const [times = []] = tries
      expect(pausesOf(times).slice(0, 5)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000])
    },
  )

  it("news goes out soon, not after the pause", async () => {
    const { finish, told, states } = await ownerWithJobs({
      jobs: 2,
      faults: (host) => ({ messages: failing(5, host.messages).call }),
    })
    await finish("of a", "a")
    // In the pause of 16 s before the sixth attempt.
    await vi.advanceTimersByTimeAsync(16_000)
    expect([states(), told()]).toEqual([["backoff"], []])
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(250)
    expect(told()).toEqual([["a", "b"]])
  })

  it("news does not shorten the pauses of an opencode that goes on failing", async () => {
    const tries: number[][] = []
    const { finish } = await ownerWithJobs({
      jobs: 2,
      faults: (host) => {
        const flaky = failing(99, host.messages)
        tries.push(flaky.tries)
        return { messages: flaky.call }
      },
    })
    await finish("of a", "a")
    await vi.advanceTimersByTimeAsync(2_000)
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(20_000)
    expect(pausesOf(tries[0] ?? [])).toEqual([1_000, 1_000, 4_000, 8_000])
  })

  it("a message that may be stored after all is sent again by the same ids, without what ended meanwhile", async () => {
    const tried: OwnerMessage[] = []
    const { finish, told, turn, posted } = await ownerWithJobs({
      jobs: 2,
      faults: (host) => ({
        deliver: async (message, turn) => {
          tried.push(message)
          return tried.length === 1 ? failed("opencode gave no answer") : host.deliver(message, turn)
        },
      }),
    })
    await finish("of a", "a")
    await vi.advanceTimersByTimeAsync(500)
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["a"], ["b"]])
    expect(tried[1]).toEqual(tried[0])
    expect(posted[1]?.messageID).not.toBe(posted[0]?.messageID)
    turn("ends")
  })

  it("what it could not do is in the log, once for each attempt", async () => {
    const { finish, host } = await ownerWithJobs({
      faults: (host) => ({ messages: failing(2, host.messages).call }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(host.logged).toEqual([
      "warn: results could not be delivered to their owner: not now",
      "warn: results could not be delivered to their owner: not now",
    ])
  })

  it("a text that cannot be read now waits, and others go", async () => {
    const flaky: { tries: number[] }[] = []
    const { finish, told, adopt, turn, host } = await ownerWithJobs({
      faults: (host) => {
        const { tries, call } = failing<Host["messages"]>(3, host.messages)
        flaky.push({ tries })
        return { messages: (session) => (session === "ses_old" ? call(session) : host.messages(session)) }
      },
    })
    adopt()
    turn("ends")
    await finish("of a")
    await vi.advanceTimersByTimeAsync(500)
    expect(told()).toEqual([["a"]])
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(told()).toEqual([["a"], ["old"]])
    expect(flaky[0]?.tries).toHaveLength(4)
    expect(host.logged).toContain("warn: results could not be delivered to their owner: not now")
  })
})

describe("While a message is being stored", () => {
  /** opencode stores it, and is asked for a turn, once this is open. */
  async function delivering(jobs = 2) {
    const stored = gate<void>()
    let isFailing = false
    const services = await ownerWithJobs({
      jobs,
      faults: (host) => ({
        deliver: async (message, turn) => {
          await stored.passed
          return isFailing ? failed("not now", 503) : host.deliver(message, turn)
        },
      }),
    })
    await services.finish("of a", "a")
    await vi.advanceTimersByTimeAsync(250)
    expect(services.states()).toEqual(["delivering.undisturbed"])
    return {
      ...services,
      async store() {
        stored.open()
        await vi.advanceTimersByTimeAsync(0)
      },
      async fail() {
        isFailing = true
        stored.open()
        await vi.advanceTimersByTimeAsync(0)
        isFailing = false
      },
      interrupt: () => services.deliveries.hear({ type: "session.interrupted", session: "owner" }),
    }
  }

  it("a turn that somebody else begins reads it: it gets none of its own", async () => {
    const { store, told, turn, host, states } = await delivering()
    turn("begins")
    await store()
    expect(states()).toEqual(["busy"])
    turn("ends")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(told()).toEqual([["a"]])
    expect(host.started).toEqual([])
    expect(states()).toEqual([])
  })

  it("a turn of somebody else that ends before has not read it: it gets one of its own", async () => {
    const { store, told, turn, host } = await delivering()
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    await store()
    expect(told()).toEqual([["a"]])
    expect(host.started).toHaveLength(1)
  })

  it("a turn that the user stops means that they want none now: what else ends waits for the next", async () => {
    const { store, told, turn, interrupt, host, finish, states } = await delivering()
    turn("begins")
    interrupt()
    turn("ends")
    await store()
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect([told(), host.started, states()]).toEqual([[["a"]], [], ["held"]])
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["a"], ["b"]])
    expect(host.started).toHaveLength(1)
  })

  it("a turn that the user stops means that, too, where the conversation is known to hold everything", async () => {
    const { store, turn, interrupt, host, deliver } = await delivering(1)
    turn("begins")
    deliver("a")
    interrupt()
    turn("ends")
    await store()
    expect(host.started).toEqual([])
  })

  it("a turn that follows one which the user stopped reads it", async () => {
    const { store, told, turn, interrupt, host, states } = await delivering()
    interrupt()
    turn("begins")
    await store()
    expect(states()).toEqual(["busy"])
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect([told(), host.started]).toEqual([[["a"]], []])
  })

  it("and it fails, it waits for the end of the turn that somebody else has begun, and is composed anew", async () => {
    const { fail, told, turn, states } = await delivering()
    turn("begins")
    await fail()
    expect(states()).toEqual(["busy"])
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["a"]])
  })

  it("and it fails after a turn that fetched the results itself, they are not delivered again", async () => {
    const { fail, told, turn, deliver } = await delivering()
    turn("begins")
    deliver("a")
    turn("ends")
    await fail()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(told()).toEqual([])
  })

  it("and it fails in a second turn that began meanwhile, it waits for the end of that one", async () => {
    const { fail, told, turn, states } = await delivering()
    turn("begins")
    turn("ends")
    turn("begins")
    await fail()
    expect(states()).toEqual(["busy"])
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["a"]])
  })

  it("and it fails, it waits for the next turn where the user has stopped the last", async () => {
    const { fail, told, turn, interrupt, states } = await delivering()
    turn("begins")
    interrupt()
    turn("ends")
    await fail()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect([told(), states()]).toEqual([[], ["held"]])
  })

  it("the plugin may stop: the message is there, and starts no turn any more", async () => {
    const { store, told, deliveries, host } = await delivering()
    deliveries.stop()
    await store()
    expect([told(), host.started]).toEqual([[["a"]], []])
  })
})

describe("A message that is stored and whose turn could not be started", () => {
  /** opencode stores the message, and starts no turn the first times. */
  async function unstarted(times: number) {
    const tried: string[] = []
    const services = await ownerWithJobs({
      jobs: 2,
      faults: (host) => ({
        deliver: async (message, turn) => {
          tried.push(message.messageID)
          if (tried.length > times) return host.deliver(message, turn)
          await host.deliver(message, { isWanted: () => false })
          return failed("not now", 503)
        },
      }),
    })
    await services.finish("of a", "a")
    await vi.advanceTimersByTimeAsync(250)
    expect(services.states()).toEqual(["backoff"])
    return {
      ...services,
      tried,
      /** The ids of the jobs in each notification that the conversation has. */
      stored: () =>
        (services.host.said.get("owner") ?? [])
          .map(({ parts: [part] }) => (part?.type === "text" ? part.text : ""))
          .flatMap((text) => [...text.matchAll(/^<job id="([^"]+)"/gm)].map(([, id]) => id)),
    }
  }

  it("is not stored again: its turn is started as soon as opencode does it", async () => {
    const { host, tried, stored, states } = await unstarted(3)
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(stored()).toEqual(["a"])
    expect(tried).toHaveLength(4)
    expect(new Set(tried)).toEqual(new Set(host.started))
    expect(host.started).toHaveLength(1)
    expect(states()).toEqual([])
  })

  it("is read by the turn that somebody else begins: no other is started for it", async () => {
    const { host, tried, stored, turn, states } = await unstarted(1)
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect([stored(), tried.length, host.started]).toEqual([["a"], 1, []])
    expect(states()).toEqual([])
  })

  it("does not hold up what ends later", async () => {
    const { finish, stored, told } = await unstarted(1)
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect([stored(), told()]).toEqual([
      ["a", "b"],
      [["a"], ["b"]],
    ])
  })
})

describe("What a replaced instance of this process left", () => {
  it("is delivered as if there had been one all along", async () => {
    const { posted, adopt, deliveries, told } = await ownerWithJobs()
    deliveries.takeOver("ses_old")
    adopt()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["old"]])
    expect(posted).toHaveLength(1)
  })

  it("is delivered too where it ends later", async () => {
    const { adopt, deliveries, told, states, troupe } = await ownerWithJobs()
    deliveries.takeOver("ses_old")
    adopt({ state: "prompting", phase: "working", endedAt: undefined })
    expect(states()).toEqual([])
    expect(troupe.records.get("owner", "old")?.state).toBe("prompting")
    expect(told()).toEqual([])
  })

  it("waits where the owner's user had stopped its turn", async () => {
    const { posted, adopt, deliveries, states, turn } = await ownerWithJobs()
    deliveries.hear({ type: "session.interrupted", session: "owner" })
    deliveries.stop()
    const next = await ownerWithJobs()
    next.deliveries.takeOver("ses_old")
    next.adopt()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(next.states()).toEqual(["held"])
    expect(next.posted).toEqual([])
    next.turn("begins")
    next.turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(next.posted).toHaveLength(1)
    expect([posted, states(), adopt, turn]).toBeDefined()
  })
})

describe("What an earlier process left", () => {
  it("wakes nobody", async () => {
    const asked = counting<Host["isBusy"]>(async () => ok(false))
    const { adopt, posted, states } = await ownerWithJobs({ faults: () => ({ isBusy: asked.call }) })
    adopt()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    expect(asked.calls).toEqual([])
    expect(states()).toEqual(["dormant"])
  })

  it("is delivered at the end of the owner's next turn", async () => {
    const { adopt, told, turn, host } = await ownerWithJobs()
    host.said.set("ses_old", [answerTo({ session: "ses_old", messageID: "msg_old" }, "of old")])
    adopt()
    turn("begins")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([])
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["old"]])
  })

  it("is not delivered again where the owner fetches it in that turn", async () => {
    const { adopt, call, posted, turn, states } = await ownerWithJobs()
    adopt()
    turn("begins")
    await call("agents_wait", { ids: ["old"] })
    expect(states()).toEqual([])
    turn("ends")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("goes along with what this process's jobs have to say", async () => {
    const { adopt, told, finish } = await ownerWithJobs()
    adopt()
    await finish()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(told()).toEqual([["a", "old"]])
  })

  it("is nothing to wait for where the conversation turns out to hold it", async () => {
    const { adopt, deliver, states } = await ownerWithJobs()
    adopt()
    deliver("old")
    expect(states()).toEqual([])
  })

  it("is not delivered again where the conversation says so only once it is read", async () => {
    const { adopt, posted, inbox, host, turn } = await ownerWithJobs()
    adopt()
    const mark = { delivered: [{ session: "ses_old", run: 1 }] }
    const told = { session: "owner", messageID: "msg_told", text: "told", agent: "plan", mark }
    host.said.get("owner")?.push(deliveredAs(told))
    turn("begins")
    turn("ends")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toEqual([])
    expect(inbox.undelivered("owner")).toEqual([])
  })

  it("is not even noticed where it was delivered", async () => {
    const { adopt, inbox, states } = await ownerWithJobs()
    inbox.adopt("ses_old", 1)
    adopt()
    expect(states()).toEqual([])
  })

  describe("and recovery has resumed", () => {
    const resumed = async () => {
      const services = await ownerWithJobs()
      const { troupe, host } = services
      host.sessions.set("ses_again", sessionOf("ses_again", { parentID: "owner" }))
      troupe.start({
        id: "again",
        owner: "owner",
        description: "Look",
        prompt: "work of again",
        agent: "general",
        createdAt: 1,
        askedAt: 1,
        run: 1,
        session: "ses_again",
        timeoutMs: 2 * longEnough,
        idleMs: 2 * longEnough,
      })
      await vi.advanceTimersByTimeAsync(0)
      expect(host.prompts.at(-1)?.prompt.session).toBe("ses_again")
      return services
    }

    it("wakes nobody when it ends: its owner gets it when it is next used", async () => {
      const { finish, told, turn, states } = await resumed()
      await finish("of again", "again")
      await vi.advanceTimersByTimeAsync(longEnough)
      expect([told(), states()]).toEqual([[], ["dormant"]])
      turn("begins")
      turn("ends")
      await vi.advanceTimersByTimeAsync(aWhile)
      expect(told()).toEqual([["again"]])
    })

    it("goes to an idle owner that has had a turn since", async () => {
      const { finish, told, turn, states } = await resumed()
      turn("begins")
      turn("ends")
      await vi.advanceTimersByTimeAsync(aWhile)
      expect(states()).toEqual([])
      await finish("of again", "again")
      await vi.advanceTimersByTimeAsync(aWhile)
      expect(told()).toEqual([["again"]])
    })

    it("wakes its owner for a follow-up that somebody gave it here", async () => {
      const { finish, told, call, host } = await resumed()
      await finish("of again", "again")
      host.sessions.set("ses_again", sessionOf("ses_again", { parentID: "owner" }))
      await call("agents_send", { id: "again", message: "go on" })
      host.prompts.at(-1)?.answer("and on")
      await vi.advanceTimersByTimeAsync(aWhile)
      expect(told()).toEqual([["again"]])
    })
  })
})

describe("Nothing is left of a delivery", () => {
  type Services = Awaited<ReturnType<typeof ownerWithJobs>>

  it.each<[string, (services: Services) => unknown, Setup]>([
    ["that has gone", () => {}, {}],
    ["whose owner has fetched the result", ({ call }) => call("agents_wait", { ids: ["a"] }), {}],
    [
      "whose owner has fetched it just then",
      () => {},
      {
        faults: (_, inbox) => ({
          isBusy: async () => {
            const runs = inbox.undelivered("owner").map(({ session, run }) => ({ session, run }))
            inbox.markDelivered("owner", runs)
            return ok(false)
          },
        }),
      },
    ],
    ["to a session in which nobody has said anything", ({ host }) => host.said.set("owner", []), {}],
    [
      "whose owner is gone",
      () => {},
      { faults: () => ({ messages: async () => failed("no session", 404) }) },
    ],
    [
      "whose owner is gone as it is told",
      () => {},
      { faults: () => ({ deliver: async () => failed("gone", 404) }) },
    ],
    ["whose owner is forgotten", ({ troupe }) => troupe.forgetOwner("owner"), {}],
    ["whose plugin is stopped", ({ deliveries }) => deliveries.stop(), {}],
  ])("%s", async (_, happen, setup) => {
    const services = await ownerWithJobs(setup)
    await services.finish()
    await happen(services)
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(services.states()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("whose owner works: its end is the time, and no timer runs meanwhile", async () => {
    const { finish, turn, states } = await ownerWithJobs()
    await finish()
    turn("begins")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(states()).toEqual(["busy"])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("whose plugin was stopped while the conversation was read: nothing goes any more", async () => {
    const { posted, finish, deliveries, inbox, turn, states } = await ownerWithJobs({
      faults: (host) => ({
        messages: async (session) => {
          deliveries.stop()
          return host.messages(session)
        },
      }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    turn("ends")
    expect(states()).toEqual([])
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    expect(inbox.undelivered("owner")).toHaveLength(1)
  })

  it("at the end of a turn where there is nothing to deliver: it costs nothing", async () => {
    const asked = counting<Host["isBusy"]>(async () => ok(false))
    const { turn, states } = await ownerWithJobs({ faults: () => ({ isBusy: asked.call }) })
    turn("ends")
    turn("ends", "other")
    expect(states()).toEqual([])
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(asked.calls).toEqual([])
  })
})

it("One look at opencode is enough for what ended within the window", async () => {
  const looks: Promise<unknown>[] = []
  const { finish, posted } = await ownerWithJobs({
    jobs: 3,
    faults: (host) => ({
      messages: (session) => {
        const look = host.messages(session)
        looks.push(look)
        return look
      },
    }),
  })
  for (const id of ["a", "b", "c"]) {
    await finish(`of ${id}`, id)
    await vi.advanceTimersByTimeAsync(50)
  }
  await vi.advanceTimersByTimeAsync(longEnough)
  expect([posted.length, looks.length]).toEqual([1, 1])
})
