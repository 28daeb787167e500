import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { Host, NewPrompt } from "../../../src/plugin/host/port.ts"
import type { Inbox } from "../../../src/plugin/owners/inbox.ts"
import { createNotifier } from "../../../src/plugin/owners/notify.ts"
import { gate } from "../../support/gate.ts"
import { failed, type HostDouble, ok } from "../support/host-double.ts"
import { answerTo, askedBy } from "../support/opencode-data.ts"
import { atDesk } from "../support/services.ts"

/** Longer than the window in which ends are joined, and than five pauses before another try. */
const longEnough = 10 * 60_000
/** Longer than that window, and short enough for jobs to be still at work. */
const aWhile = 10_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Setup = {
  /** Takes the place of the calls that telling makes. */
  faults?: (host: HostDouble, inbox: () => Inbox) => Partial<Host>
  notify?: "idle" | "never"
  /** How many jobs. Default: one, `a`. */
  jobs?: number
}

/** An owner that has said something and has jobs at work. */
async function ownerWithJob({ faults = () => ({}), notify = "idle", jobs = 1 }: Setup = {}) {
  const posted: NewPrompt[] = []
  const sent: NewPrompt[] = []
  const desk = atDesk({
    post: async (message) => {
      posted.push(message)
      return ok(undefined)
    },
    send: async (message) => {
      sent.push(message)
      return ok(undefined)
    },
  })
  const { host, troupe, inbox } = desk
  const words = { session: "owner", messageID: "msg_1", partID: "prt_1", text: "hello" }
  host.said.set("owner", [askedBy({ ...words, agent: "plan", model: "fake/m2" })])
  const notifier = createNotifier({
    host: { ...host, ...faults(host, () => inbox) },
    troupe,
    inbox,
    notify,
    now: Date.now,
  })
  onTestFinished(() => notifier.stop())
  const ids = [..."abcdefghijklmnopqrstuvwxyz"].slice(0, jobs)
  await desk.call("agents_start", { tasks: ids.map((id) => ({ id, prompt: `work of ${id}` })) })
  await vi.advanceTimersByTimeAsync(0)
  const finish = async (text = "the answer", id = "a") => {
    host.prompts.find(({ prompt }) => prompt.text === `work of ${id}`)?.answer(text)
    await vi.advanceTimersByTimeAsync(0)
  }
  return { ...desk, posted, sent, notifier, finish, ids }
}

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

describe("a notification", () => {
  it("goes once to an idle owner, in its own agent and model, and marks the result as read", async () => {
    const { posted, finish, inbox } = await ownerWithJob()
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toMatchObject([{ session: "owner", agent: "plan", model: "fake/m2", synthetic: true }])
    expect(posted[0]?.text).toContain("the answer")
    expect(inbox.unread("owner")).toEqual([])
  })

  it.each(["post", "messages", "statuses"] as const)(
    "is tried again at growing pauses while opencode fails at `%s`, and goes once",
    async (method) => {
      const tries: number[][] = []
      const { posted, finish } = await ownerWithJob({
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
      const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      expect(pauses.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000])
    },
  )

  it("waits while the owner works, even where its beginning was not seen, and goes when its turn is over", async () => {
    let status = "busy"
    const { posted, finish, notifier } = await ownerWithJob({
      faults: () => ({ statuses: async () => ok({ owner: { type: status } }) }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    status = "idle"
    notifier.turn("owner", false)
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
  })

  it("does not go for what the owner read itself meanwhile", async () => {
    const { call, finish, posted } = await ownerWithJob()
    await finish()
    await call("agents_wait", { ids: ["a"] })
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("is given up for an owner that is gone", async () => {
    const flaky: { tries: number[] }[] = []
    const { finish, posted } = await ownerWithJob({
      faults: () => {
        const gone = { tries: [] as number[] }
        flaky.push(gone)
        return {
          messages: async () => {
            gone.tries.push(Date.now())
            return failed("no such session", 404)
          },
        }
      },
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
    expect(flaky[0]?.tries).toHaveLength(1)
  })

  it("never goes where the option says so", async () => {
    const { finish, posted } = await ownerWithJob({ notify: "never" })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("is one for all that ended within a quarter of a second, and another for what ended later", async () => {
    const { posted, finish } = await ownerWithJob({ jobs: 3 })
    await finish("of a", "a")
    await vi.advanceTimersByTimeAsync(200)
    await finish("of b", "b")
    expect(posted).toEqual([])
    await vi.advanceTimersByTimeAsync(50)
    await finish("of c", "c")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted.map(({ text }) => text.split("\n"))).toEqual([
      [
        "2 jobs of yours have ended (told by opencode-troupe, not by the user):",
        expect.stringMatching(/^<job id="a" state="done"/),
        "of a",
        "</job>",
        expect.stringMatching(/^<job id="b"/),
        "of b",
        "</job>",
      ],
      [
        "A job of yours has ended (told by opencode-troupe, not by the user):",
        expect.stringMatching(/^<job id="c"/),
        "of c",
        "</job>",
      ],
    ])
  })

  it("starts the owner's turn once it is stored, by the same ids, and says by a mark whose result it is", async () => {
    const { posted, sent, finish, troupe } = await ownerWithJob()
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(sent).toEqual(posted)
    expect(posted[0]?.messageID).toMatch(/^msg_/)
    const session = troupe.records.get("owner", "a")?.session
    expect(posted[0]?.metadata).toEqual({ troupe: { told: [{ session, run: 1 }] } })
  })

  it("that is stored and starts no turn is in the log, and is not sent again", async () => {
    const { posted, finish, host } = await ownerWithJob({
      faults: () => ({ send: async () => failed("busy") }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
    expect(host.logged).toEqual(["warn: an owner could not be told of its jobs: busy"])
  })

  it("carries 2,000 characters of a text, and says where the rest is", async () => {
    const { posted, finish } = await ownerWithJob({ jobs: 2 })
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
    const { posted, finish, ids } = await ownerWithJob({ jobs: 8 })
    for (const id of ids) await finish("z".repeat(1_501), id)
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted[0]?.text.match(/z/g)).toHaveLength(12_000)
    expect(posted[0]?.text.match(/\[1 more characters/g)).toHaveLength(8)
  })

  it("does without words where a child has given none", async () => {
    const { posted, finish } = await ownerWithJob()
    await finish("")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted[0]?.text).toContain("(no text)")
  })

  it("does without words, too, for a job whose child was never asked", async () => {
    const { posted, troupe } = await ownerWithJob({ jobs: 9 })
    troupe.cancel([{ owner: "owner", id: "i" }], "not needed")
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted[0]?.text).toMatch(/<job id="i" state="cancelled" .*reason="not needed">\n\(it had written/)
  })

  it("is one look at opencode for what ended within its window", async () => {
    const looks: Promise<unknown>[] = []
    const { finish, posted } = await ownerWithJob({
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

  it("is never two of one job, though another ends while opencode is asked", async () => {
    const late = gate<void>()
    const { finish, posted } = await ownerWithJob({
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
    const told = posted.map(({ text }) => text).join("\n")
    for (const id of ["a", "b"]) expect(told.split(`<job id="${id}"`)).toHaveLength(2)
  })

  it("waits for a text that cannot be read now, while others go", async () => {
    const flaky: { tries: number[] }[] = []
    const { finish, posted, troupe, notifier, host } = await ownerWithJob({
      faults: (host) => {
        const { tries, call } = failing<Host["messages"]>(3, host.messages)
        flaky.push({ tries })
        return { messages: (session) => (session === "ses_old" ? call(session) : host.messages(session)) }
      },
    })
    const record = troupe.records.get("owner", "a")
    if (!record) throw new Error("no record")
    troupe.adopt({ ...record, id: "old", session: "ses_old", state: "done", endedAt: 1 })
    await finish("of a")
    await vi.advanceTimersByTimeAsync(500)
    expect(posted.map(({ text }) => /job id="(\w+)"/.exec(text)?.[1])).toEqual(["a"])
    notifier.turn("owner", true)
    notifier.turn("owner", false)
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted.map(({ text }) => /job id="(\w+)"/.exec(text)?.[1])).toEqual(["a", "old"])
    expect(flaky[0]?.tries).toHaveLength(4)
    expect(host.logged).toContain("warn: an owner could not be told of its jobs: not now")
  })

  it.each<[string, (desk: Awaited<ReturnType<typeof ownerWithJob>>) => unknown, Setup]>([
    ["it has gone", () => {}, {}],
    ["its owner has read it itself", ({ call }) => call("agents_wait", { ids: ["a"] }), {}],
    [
      "its owner has read it just then",
      () => {},
      {
        faults: (_, inbox) => ({
          statuses: async () => {
            inbox().markRead(inbox().unread("owner"))
            return ok({})
          },
        }),
      },
    ],
    ["its owner works: the end of its turn is the time", ({ notifier }) => notifier.turn("owner", true), {}],
    [
      "opencode says so",
      () => {},
      { faults: () => ({ statuses: async () => ok({ owner: { type: "busy" } }) }) },
    ],
    ["nobody has said anything", ({ host }) => host.said.set("owner", []), {}],
    ["its owner is gone", () => {}, { faults: () => ({ messages: async () => failed("no session", 404) }) }],
    ["its plugin is stopped", ({ notifier }) => notifier.stop(), {}],
  ])("is not waited for any longer once %s", async (_, happen, setup) => {
    const desk = await ownerWithJob(setup)
    await desk.finish()
    await happen(desk)
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(vi.getTimerCount()).toBe(0)
    desk.notifier.stop()
    desk.notifier.check("owner")
    expect(vi.getTimerCount()).toBe(0)
  })

  it("is not even thought of while the owner is known to work", async () => {
    const asked = counting<Host["messages"]>(async () => ok([]))
    const { finish, notifier } = await ownerWithJob({ faults: () => ({ messages: asked.call }) })
    notifier.turn("owner", true)
    await finish()
    await vi.advanceTimersByTimeAsync(aWhile)
    notifier.turn("other", false)
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(asked.calls).toEqual([])
  })

  it("costs nothing where there is nothing to tell: at the end of a turn, or for a job of an earlier process", async () => {
    const asked = counting<Host["messages"]>(async () => ok([]))
    const { troupe, notifier } = await ownerWithJob({ faults: () => ({ messages: asked.call }) })
    notifier.turn("owner", false)
    const record = troupe.records.get("owner", "a")
    if (!record) throw new Error("no record")
    troupe.adopt({ ...record, id: "old", session: "ses_old", state: "done", endedAt: 1 })
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(asked.calls).toEqual([])
  })

  it("does not go to a job's child: it has given its answer, and nobody reads on there", async () => {
    const { posted, finish, troupe } = await ownerWithJob()
    const child = troupe.records.get("owner", "a")
    if (!child) throw new Error("no record")
    const own = { ...child, id: "own", owner: child.session, session: "ses_own" }
    troupe.adopt(own)
    troupe.adopt({ ...own, state: "done", endedAt: 1 })
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toEqual([])
    await finish()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted.map(({ session }) => session)).toEqual(["owner"])
  })

  it("does not go to a session in which nobody has said anything", async () => {
    const { posted, finish, host } = await ownerWithJob()
    host.said.set("owner", [])
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })

  it("goes in the agent and model of what was said last, not of what was answered", async () => {
    const { posted, finish, host } = await ownerWithJob()
    host.said.get("owner")?.push(answerTo({ session: "owner", messageID: "msg_1" }, "done so"))
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toMatchObject([{ agent: "plan", model: "fake/m2" }])
  })

  it.each(["before its time has come", "while the conversation is read"])(
    "does not go once the plugin is stopped, %s",
    async (when) => {
      const { posted, finish, notifier, inbox } = await ownerWithJob({
        faults: (host) => ({
          messages: async (session) => {
            notifier.stop()
            return host.messages(session)
          },
        }),
      })
      await finish()
      if (when === "before its time has come") notifier.stop()
      await vi.advanceTimersByTimeAsync(longEnough)
      notifier.check("owner")
      await vi.advanceTimersByTimeAsync(longEnough)
      expect(posted).toEqual([])
      expect(inbox.unread("owner")).toHaveLength(1)
    },
  )

  it("goes though its owner's turn ended just while opencode still said that it works", async () => {
    const late = gate<void>()
    const says = ["busy"]
    const { posted, finish, notifier } = await ownerWithJob({
      faults: () => ({
        statuses: async () => {
          const type = says.shift() ?? "idle"
          if (type === "busy") await late.passed
          return ok({ owner: { type } })
        },
      }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(250)
    notifier.turn("owner", false)
    await vi.advanceTimersByTimeAsync(aWhile)
    late.open()
    await vi.advanceTimersByTimeAsync(aWhile)
    expect(posted).toHaveLength(1)
  })

  it("is about the unread alone, where its owner reads some while opencode is asked", async () => {
    const { posted, finish, inbox, troupe } = await ownerWithJob({
      jobs: 2,
      faults: () => ({
        statuses: async () => {
          inbox.markRead(troupe.records.of("owner").filter(({ id }) => id === "a"))
          return ok({})
        },
      }),
    })
    await finish("of a", "a")
    await finish("of b", "b")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
    expect(posted[0]?.text).toContain("of b")
    expect(posted[0]?.text).not.toContain("of a")
  })

  it("is not about a run that has been gone on with while opencode was asked", async () => {
    const { posted, finish, host, troupe, call } = await ownerWithJob({
      faults: () => ({
        statuses: async () => {
          if (troupe.records.get("owner", "a")?.run === 1) {
            await call("agents_send", { id: "a", message: "go on" })
            host.prompts.at(-1)?.answer("of run 2")
            await vi.advanceTimersByTimeAsync(0)
          }
          return ok({})
        },
      }),
    })
    await finish("of run 1")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
    expect(posted[0]?.text).toContain("of run 2")
  })

  it("does not go where the owner's turn began while opencode was asked", async () => {
    const { posted, finish, notifier } = await ownerWithJob({
      faults: () => ({
        statuses: async () => {
          notifier.turn("owner", true)
          return ok({})
        },
      }),
    })
    await finish()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toEqual([])
  })
})
