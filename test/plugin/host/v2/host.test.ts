import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { HostEvent, NewSession, Result } from "../../../../src/plugin/host/port.ts"
import { promptID } from "../../../../src/plugin/host/prompt-ids.ts"
import { type Call, decodeStartCheck } from "../../../../src/plugin/host/v2/calls.ts"
import { createHost } from "../../../../src/plugin/host/v2/host.ts"
import { inTime } from "../../../../src/plugin/host/v2/in-time.ts"
import type { TerminalService } from "../../../../src/terminal/contract.ts"
import { settled } from "../../../machines/support/play.ts"
import { type ContextDouble, contextDouble, type MadeSession } from "./support/context-double.ts"

const newSession = (id: string, fields: Partial<NewSession> = {}): NewSession => ({
  parent: "ses_owner",
  call: { session: "ses_owner", message: "msg_1", call: `call_${id}`, agent: "build" },
  title: id,
  agent: "general",
  rules: [],
  stored: { id },
  ...fields,
})

function answered<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message)
  return result.value
}

describe("A child that opencode has compacted in the middle of its turn", () => {
  const askedAt = Date.UTC(2026, 10, 25)
  const prompt = { session: "ses_1", messageID: promptID("ses_1", askedAt), text: "work", agent: "general" }
  const summary = {
    id: "msg_sum",
    type: "compaction",
    status: "completed",
    time: { created: askedAt + 60_000 },
  }
  const answer = (fields: object) => ({
    id: "msg_2",
    type: "assistant",
    time: { created: askedAt + 70_000 },
    content: [{ type: "text", text: "the end" }],
    ...fields,
  })

  it("has given its answer all the same", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const finished = answer({ finish: "stop" })
    context.said.set("ses_1", [summary, finished])
    expect(answered(await host.prompt(prompt))).toMatchObject({ text: "the end", end: {} })
    expect(context.said.get("ses_1")).toHaveLength(2)
  })

  it("is asked anew after a crash: under its old id it would answer nothing", async () => {
    const context = contextDouble()
    const host = createHost(context)
    context.said.set("ses_1", [summary, answer({})])
    host.hearUndecoded(loaded("/project"))
    context.session.wait = async () => {
      const asked = context.said.get("ses_1")
      asked?.push(answer({ id: "msg_9", finish: "stop", content: [{ type: "text", text: "now" }] }))
    }
    expect(answered(await host.prompt(prompt))).toMatchObject({ text: "now" })
    const again = context.said.get("ses_1")?.find(({ type }) => type === "user")
    expect(again).toMatchObject({ text: "work", metadata: { troupe: { again: prompt.messageID } } })
    expect(again?.id).not.toBe(prompt.messageID)
  })
})

describe("A child with whose turn opencode cannot go on, since it reloads and finds no models", () => {
  const prompt = { messageID: promptID("ses_1", 1_000), session: "ses_1", text: "work", agent: "general" }
  const content = [{ type: "text", text: "done" }]
  const step = { id: "msg_8", type: "assistant", time: { created: 2 }, finish: "tool-calls" }
  const stall = { id: "msg_9", type: "idle", time: { created: 3 }, outcome: "failed" }
  const answer = { id: "msg_11", type: "assistant", time: { created: 4 }, content, finish: "stop" }
  const failed = (message: string) => ({
    type: "session.execution.failed",
    data: { sessionID: "ses_1", error: { type: "provider.no-route", message } },
  })

  /** The turns of the child, one after the other, each with what is in the conversation once it is over. */
  function turns(context: ContextDouble, ...over: object[][]): void {
    context.session.wait = async () => {
      for (const message of over.shift() ?? []) context.said.get("ses_1")?.push(message as never)
    }
  }

  it("is asked anew once opencode has loaded", async () => {
    const context = contextDouble()
    const host = createHost(context)
    turns(context, [step, stall], [answer])
    const asking = host.prompt(prompt)
    await settled()
    expect(context.said.get("ses_1")?.map(({ type }) => type)).toEqual(["user", "assistant", "idle"])
    host.hearUndecoded(loaded("/project"))
    expect(answered(await asking)).toMatchObject({ text: "done", end: {} })
    expect(context.said.get("ses_1")).toContainEqual(
      expect.objectContaining({ type: "user", metadata: { troupe: { again: prompt.messageID } } }),
    )
  })

  it("is asked anew by the instance that a reload has put in place of the one that had asked", async () => {
    const context = contextDouble()
    const host = createHost(context)
    host.hearUndecoded(loaded("/project"))
    const asked = { id: prompt.messageID, type: "user", time: { created: 1 }, text: "work" }
    context.said.set("ses_1", [asked, step, stall])
    turns(context, [answer])
    expect(answered(await host.prompt(prompt))).toMatchObject({ text: "done" })
  })

  it.each([
    ["as opencode has said it", "Model unavailable: fake/m1", undefined],
    ["as it is where nobody heard it: its model is gone", undefined, "fake/m1"],
  ])("has not answered where that does not help either, and why is told, %s", async (_, told, model) => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const context = contextDouble()
    const host = createHost(context)
    host.hearUndecoded(loaded("/project"))
    turns(
      context,
      [step, stall],
      [
        { ...step, id: "msg_11" },
        { ...stall, id: "msg_12" },
      ],
    )
    const asking = host.prompt({ ...prompt, model })
    if (told !== undefined) host.hearUndecoded(failed(told))
    await vi.advanceTimersByTimeAsync(5_000)
    expect(answered(await asking)).toMatchObject({
      end: {
        error: {
          kind: "interrupted",
          message: "opencode could not go on with the child's turn: Model unavailable: fake/m1",
        },
      },
    })
  })
})

describe("The first prompt of a child that was just made", () => {
  it("is sent without reading what it answers: there is nothing yet", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const { id: session } = answered(await host.createSession(newSession("a")))
    const read = vi.spyOn(context.session, "context")
    const prompt = { messageID: promptID(session, Date.now()), session, text: "work", agent: "general" }
    context.session.wait = async () => {
      expect(read).not.toHaveBeenCalled()
      const time = { created: Date.now() }
      const content = [{ type: "text", text: "done" }]
      context.said.get(session)?.push({ id: "msg_9", type: "assistant", time, content, finish: "stop" })
    }
    expect(answered(await host.prompt(prompt))).toMatchObject({ text: "done" })
  })

  it("is as any other where its job has ended unasked: nothing is kept for a prompt that may never come", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const { id: session } = answered(await host.createSession(newSession("a")))
    answered(await host.updateStored(session, () => ({ state: "cancelled" })))
    const read = vi.spyOn(context.session, "context")
    let readBefore = 0
    context.session.wait = async () => {
      readBefore = read.mock.calls.length
      const idle = { id: "msg_9", type: "idle", time: { created: Date.now() }, outcome: "failed" }
      context.said.get(session)?.push(idle)
    }
    await host.prompt({ messageID: promptID(session, Date.now()), session, text: "go on", agent: "general" })
    expect(readBefore).toBe(1)
  })
})

describe("A child whose turn opencode cuts off as it ends", () => {
  const prompt = { messageID: promptID("ses_1", 1_000), session: "ses_1", text: "work", agent: "general" }
  const cutOff = { type: "aborted", message: "Step interrupted" }
  const step = { id: "msg_9", type: "assistant", time: { created: 2 }, finish: "error", error: cutOff }
  const idle = (outcome: string) => ({ id: "msg_10", type: "idle", time: { created: 3 }, outcome })

  /** How the prompt ends where the turn is over with these messages. */
  async function outcome(change: (said: object[]) => void) {
    const context = contextDouble()
    const host = createHost(context)
    context.session.wait = async () => change(context.said.get("ses_1") ?? [])
    let ended: unknown = "not at all"
    void host.prompt(prompt).then((result) => {
      ended = result
    })
    await settled()
    return ended
  }

  it("has not ended, neither with what it was writing nor without a word, nor before it was asked", async () => {
    expect(await outcome((said) => said.push(step))).toBe("not at all")
    expect(await outcome(() => {})).toBe("not at all")
    expect(await outcome((said) => said.splice(0))).toBe("not at all")
  })

  it.each(["prompt", "wait", "context"] as const)(
    "has not ended where %s fails, unless opencode goes on: it closes its database before it ends",
    async (name) => {
      vi.useFakeTimers()
      onTestFinished(() => void vi.useRealTimers())
      const context = contextDouble()
      context.session[name] = () => Promise.reject(new Error("the database is closed"))
      const asking = createHost(context).prompt(prompt)
      let isOver = false
      void asking.then(() => {
        isOver = true
      })
      await vi.advanceTimersByTimeAsync(4_000)
      expect(isOver).toBe(false)
      await vi.advanceTimersByTimeAsync(1_000)
      expect(await asking).toMatchObject({ ok: false, error: { message: "the database is closed" } })
    },
  )

  it("has ended at once where its session is gone", async () => {
    const context = contextDouble()
    context.session.prompt = () => Promise.reject({ _tag: "Session.NotFoundError", message: "" })
    expect(await createHost(context).prompt(prompt)).toMatchObject({ ok: false, error: { status: 404 } })
  })

  it("has ended all the same where opencode goes on: it can store nothing more, on a full disk for instance", async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const context = contextDouble()
    const asking = createHost(context).prompt(prompt)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await asking).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("without an answer") },
    })
  })

  it("has ended where its answer was whole by then", async () => {
    const whole = { ...step, finish: "stop", error: undefined, content: [{ type: "text", text: "done" }] }
    expect(await outcome((said) => said.push(whole))).toMatchObject({ ok: true, value: { text: "done" } })
  })

  it("has ended where a person declined what it asked for, which leaves no other trace", async () => {
    const state = { status: "error", error: { type: "aborted", message: "The user declined this tool call" } }
    const declined = { ...step, content: [{ type: "tool", id: "call_1", name: "shell", state }] }
    expect(await outcome((said) => said.push(declined))).toMatchObject({
      ok: true,
      value: { end: { error: { kind: "interrupted", message: expect.stringContaining("declined") } } },
    })
  })

  it("has ended where somebody interrupts it, or opencode can ask no model", async () => {
    expect(await outcome((said) => said.push(step, idle("interrupted")))).toMatchObject({
      ok: true,
      value: { end: { error: { kind: "interrupted" } } },
    })
    const isNoAnswer = { ok: false, error: { message: "opencode ended the turn without an answer" } }
    expect(await outcome((said) => said.push(idle("failed")))).toMatchObject(isNoAnswer)
    expect(await outcome((said) => said.splice(0, 1, idle("failed")))).toMatchObject(isNoAnswer)
  })
})

describe("A message that delivers results", () => {
  const message = { session: "ses_owner", messageID: "msg_9", text: "a is done", agent: "" }
  const turn = { isWanted: () => true }

  it("is known to be on its way before it is there, by whoever comes next", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const known: unknown[] = []
    const { synthetic } = context.session
    context.session.synthetic = async (given) => {
      const later = createHost(context)
      known.push(answered(await later.begunDeliveries("ses_owner")))
      return synthetic(given)
    }
    await host.deliver({ ...message, mark: { delivered: [] } }, turn)
    expect(known).toEqual([[{ messageID: "msg_9", mark: { delivered: [] } }]])
    expect(answered(await host.begunDeliveries("ses_other"))).toEqual([])
  })

  it("is what opencode had under its id first, whose results alone are delivered, now and for whoever comes next", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const [first, second] = [{ delivered: ["a", "b"] }, { delivered: ["a"] }]
    expect(answered(await host.deliver({ ...message, mark: first }, turn))).toEqual({ mark: first })
    expect(answered(await host.deliver({ ...message, mark: second }, turn))).toEqual({ mark: first })
    expect(answered(await host.begunDeliveries("ses_owner"))).toEqual([{ messageID: "msg_9", mark: first }])

    // What was to be delivered and never came to opencode is not delivered.
    const synthetic = context.session.synthetic
    context.session.synthetic = () => Promise.reject(new Error("killed"))
    await host.deliver({ ...message, messageID: "msg_10", mark: first }, turn)
    context.session.synthetic = synthetic
    const later = { ...message, messageID: "msg_10", mark: second }
    expect(answered(await host.deliver(later, turn))).toEqual({ mark: second })
    const begun = answered(await host.begunDeliveries("ses_owner"))
    expect(begun.find(({ messageID }) => messageID === "msg_10")?.mark).toEqual(second)
  })

  it("has delivered what it was handed where opencode does not say what it has", async () => {
    const context = contextDouble()
    context.session.synthetic = async () => undefined
    const outcome = await createHost(context).deliver({ ...message, mark: { delivered: ["a"] } }, turn)
    expect(answered(outcome)).toEqual({ mark: { delivered: ["a"] } })
  })

  it("starts no turn where none is wanted: the session's next one reads it", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const given: unknown[] = []
    context.session.synthetic = async (message) => void given.push(message)
    await host.deliver({ ...message, mark: {} }, turn)
    await host.deliver({ ...message, mark: {} }, { isWanted: () => false })
    expect(given).toEqual([
      expect.not.objectContaining({ resume: expect.anything() }),
      expect.objectContaining({ id: "msg_9", resume: false }),
    ])
  })

  it("leaves nothing of that once its session is deleted", async () => {
    const context = contextDouble()
    const host = createHost(context)
    await host.deliver({ ...message, mark: {} }, turn)
    host.hear({ type: "session.deleted", session: "ses_owner" })
    await expect.poll(() => [...context.stored.keys()]).toEqual([])
  })
})

describe("A child that could not be made as it should be", () => {
  const records = async (context: ContextDouble) => {
    const later = createHost(context)
    const found = [await later.children("ses_owner"), await later.sessionsSince(0)].map(answered)
    return found.flatMap(({ sessions }) => sessions).filter(({ stored }) => stored !== undefined)
  }

  it("has no record as long as its rules do not hold: nobody goes on with it without them", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const known: unknown[] = []
    context.session.update = async () => {
      known.push(await records(context))
      throw new Error("the disk is full")
    }
    expect(await host.createSession(newSession("a"))).toMatchObject({ ok: false })
    expect([...known, await records(context)]).toEqual([[], []])
  })

  it.each(["child/", "owner/"])(
    "leaves no record where a half of it, %s, could not be written",
    async (half) => {
      const context = contextDouble()
      const host = createHost(context)
      const { set } = context.storage
      context.storage.set = async (key, value) => {
        await set(key, value)
        if (key.startsWith(half)) throw new Error("the disk is full")
      }
      expect(await host.createSession(newSession("a"))).toMatchObject({ ok: false })
      expect(await records(context)).toEqual([])
    },
  )

  it("is run by nobody once it is given up, though opencode cannot remove it", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const { id } = answered(await host.createSession(newSession("a")))
    answered(await host.deleteSession(id))
    expect(await records(context)).toEqual([])
  })
})

describe("A call that opencode leaves without an answer", () => {
  const hanging = () => new Promise<never>(() => {})

  beforeEach(() => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
  })

  it("does not hold up what is written to the same record later", async () => {
    const context = contextDouble()
    const host = createHost(inTime(context))
    const { id } = answered(await host.createSession(newSession("a")))
    const { set } = context.storage
    context.storage.set = hanging
    const first = host.updateStored(id, () => ({ state: "prompting" }))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await first).toMatchObject({ ok: false, error: { isInDoubt: true } })
    context.storage.set = set
    answered(await host.updateStored(id, () => ({ state: "done" })))
    expect(answered(await host.session(id)).stored).toEqual({ state: "done" })
  })

  it("refuses a start, if it was to say which tools there are", async () => {
    const context = contextDouble()
    context.tool.list = hanging
    const signal = new AbortController().signal
    const progress = async () => {}
    const call = {
      sessionID: "ses_owner",
      messageID: "msg_1",
      id: "call_1",
      agent: "build",
      signal,
      progress,
    }
    const asking = createHost(inTime(context)).askToStart(call, "general", "a")
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await asking).toEqual({ type: "failed", reason: "opencode gave no answer within 10 s" })
  })

  it.each([true, false])(
    "may have admitted a prompt (%s): whether it has, the conversation shows once no turn runs",
    async (isAdmitted) => {
      const context = contextDouble()
      const host = createHost(inTime(context))
      const prompt = {
        messageID: promptID("ses_1", Date.now()),
        session: "ses_1",
        text: "work",
        agent: "general",
      }
      const { prompt: admit } = context.session
      context.session.prompt = async (given) => {
        if (isAdmitted) await admit(given)
        return hanging()
      }
      context.session.wait = async () => {
        const time = { created: Date.now() }
        const content = [{ type: "text", text: "done" }]
        const messages = context.said.get("ses_1")
        messages?.push({ id: "msg_9", type: "assistant", time, content, finish: "stop" })
      }
      const asking = host.prompt(prompt)
      await vi.advanceTimersByTimeAsync(10_000)
      expect(await asking).toMatchObject(isAdmitted ? { ok: true, value: { text: "done" } } : { ok: false })
    },
  )
})

describe("The agents", () => {
  it("are those of the configuration: they are not told before opencode has loaded it", async () => {
    const context = contextDouble()
    context.made.push(sessionIn("/project"))
    const list = vi.spyOn(context.agent, "list")
    const host = await createHost(context)
    const asking = host.agents("ses_owner")
    host.hearUndecoded(loaded("/other"))
    await settled()
    expect(list).not.toHaveBeenCalled()
    host.hearUndecoded(loaded("/project"))
    answered(await asking)
    expect(list).toHaveBeenCalledOnce()
  })

  it("are told all the same where opencode tells of no load", async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const context = contextDouble()
    context.made.push(sessionIn("/project"))
    const host = await createHost(context)
    const asking = host.agents("ses_owner")
    await vi.advanceTimersByTimeAsync(9_000)
    answered(await asking)
  })

  it("are those of the directory in which the session works now", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const owner = sessionIn("/project")
    context.made.push(owner)
    const there = contextDouble({ directory: "/there" })
    there.agent.list = async () => ({ data: [{ id: "local", mode: "subagent" }] })
    there.model.list = async () => ({ data: [{ id: "m", providerID: "local" }] })
    createHost(there).hearUndecoded(loaded("/there"))
    host.hearUndecoded(loaded("/project"))
    const offered = async () => [
      ...answered(await host.agents("ses_owner")).map(({ name }) => name),
      ...answered(await host.models("ses_owner")).map(({ name }) => name),
    ]
    expect(await offered()).toEqual([])
    owner.location = { directory: "/there" }
    expect(await offered()).toEqual(["local", "local/m"])
    owner.location = { directory: "/without/the/plugin" }
    expect(await offered()).toEqual([])
  })
})

describe("A directory that opencode must not load", () => {
  const refuse = async (directory: string) => {
    if (directory === "/refused") throw new Error("it has a plugin")
  }

  it("has its agents asked for by nobody, and no session there is asked anything", async () => {
    const context = contextDouble()
    context.made.push(sessionIn("/refused", "ses_child"))
    const done: string[] = []
    context.agent.list = async () => {
      done.push("agents")
      return { data: [] }
    }
    context.session.prompt = async () => void done.push("prompt")
    const host = createHost(context, undefined, refuse)
    const refused = { ok: false, error: { message: "it has a plugin" } }
    expect(await host.offeredIn("/refused")).toMatchObject(refused)
    expect(await host.agents("ses_child")).toMatchObject(refused)
    const message = { session: "ses_child", messageID: "msg_1", text: "go on", agent: "general" }
    expect(await host.steer(message)).toMatchObject(refused)
    expect(done).toEqual([])
  })
})

/** The last that opencode tells of a load. */
const loaded = (directory: string) => ({ type: "plugin.updated", location: { directory } })

const sessionIn = (directory: string, id = "ses_owner"): MadeSession => ({
  id,
  title: "",
  permissions: [],
  location: { directory },
})

describe("The records of children", () => {
  it("are found by their owner, and all that changed lately; an owner is not looked for among all", async () => {
    const context = contextDouble()
    const host = createHost(context)
    for (const id of ["a", "b"]) answered(await host.createSession(newSession(id)))
    answered(await host.createSession(newSession("c", { parent: "ses_other" })))
    context.made.push(sessionIn("/project"), sessionIn("/project", "ses_other"))
    const ofOwner = answered(await host.children("ses_owner"))
    expect(ofOwner.sessions.map(({ stored }) => stored)).toEqual([{ id: "a" }, { id: "b" }])
    expect(answered(await host.sessionsSince(Date.now() - 60_000)).sessions).toHaveLength(3)
    expect(answered(await host.sessionsSince(Date.now() + 60_000)).sessions).toEqual([])
  })

  it("are not taken for gone where opencode cannot say what they are now", async () => {
    const context = contextDouble()
    const host = createHost(context)
    for (const id of ["a", "b", "c"]) answered(await host.createSession(newSession(id)))
    context.made.splice(2, 1, sessionIn("/project"))
    const { get } = context.session
    context.session.get = (key) =>
      key.sessionID === "ses_1" ? Promise.reject(new Error("database is locked")) : get(key)
    for (const found of [await host.children("ses_owner"), await host.sessionsSince(0)]) {
      const { sessions, unread } = answered(found)
      expect(sessions.map(({ stored }) => stored)).toEqual([{ id: "b" }])
      expect(unread).toMatchObject({ message: "database is locked" })
    }
    context.session.get = get
    expect(answered(await host.children("ses_owner")).unread).toBeUndefined()
  })

  it("are looked at again where opencode cannot say where their owner works", async () => {
    const context = contextDouble()
    const host = createHost(context)
    answered(await host.createSession(newSession("a")))
    const { get } = context.session
    context.session.get = (key) =>
      key.sessionID === "ses_owner" ? Promise.reject(new Error("database is locked")) : get(key)
    expect(answered(await host.sessionsSince(0))).toMatchObject({
      sessions: [],
      unread: { message: "database is locked" },
    })
  })

  it("are those of this directory while the owner above them all works here, wherever it was before", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const child = answered(await host.createSession(newSession("a")))
    answered(await host.createSession(newSession("b", { parent: child.id })))
    const owner = sessionIn("/elsewhere")
    context.made.push(owner)
    const names = async () => {
      const found = answered(await host.sessionsSince(Date.now() - 60_000))
      return found.sessions.map(({ stored }) => stored)
    }
    expect(await names()).toEqual([])
    owner.location = { directory: "/project" }
    expect(await names()).toEqual([{ id: "a" }, { id: "b" }])
    context.made.splice(context.made.indexOf(owner), 1)
    expect(await names()).toEqual([])
  })

  it("are read a few at a time", async () => {
    const context = contextDouble()
    const host = createHost(context)
    for (let index = 0; index < 50; index++) await host.createSession(newSession(`j${index}`))
    context.reads.most = 0
    expect(answered(await host.children("ses_owner")).sessions).toHaveLength(50)
    expect(context.reads.most).toBeLessThan(20)
  })

  it.each(["ses_owner", "ses_1"])(
    "are not left behind where %s is deleted while the child is made: opencode may make it all the same",
    async (deleted) => {
      const context = contextDouble({ takesParent: true, removes: true })
      const host = await createHost(context)
      const { set } = context.storage
      context.storage.set = async (key, value) => {
        host.hear({ type: "session.deleted", session: deleted })
        await new Promise(setImmediate)
        await set(key, value)
      }
      const { ok } = await host.createSession(newSession("a"))
      expect([ok, ...context.stored.keys(), ...context.made]).toEqual([false])
      context.storage.set = set
      expect(await host.createSession(newSession("b"))).toMatchObject({ ok: true })
    },
  )

  it("are gone with their owner, where the child was made after that was deleted and before it was heard", async () => {
    const context = contextDouble()
    const host = await createHost(context)
    answered(await host.createSession(newSession("a")))
    host.hear({ type: "session.deleted", session: "ses_owner" })
    await expect.poll(() => [...context.stored.keys()]).toEqual([])
  })

  it("do not come back by a change that was under way as their session was deleted", async () => {
    const context = contextDouble()
    const host = await createHost(context)
    const { id: session } = answered(await host.createSession(newSession("a")))
    const { get } = context.storage
    context.storage.get = async (key) => {
      const found = await get(key)
      context.storage.get = get
      host.hear({ type: "session.deleted", session })
      await new Promise(setImmediate)
      return found
    }
    answered(await host.updateStored(session, () => ({ id: "a", isChanged: true })))
    await expect.poll(() => [...context.stored.keys()]).toEqual([])
  })

  it("are not there to be changed once their session is deleted: that is no damage", async () => {
    const host = await createHost(contextDouble())
    const change = vi.fn(() => undefined)
    expect(await host.updateStored("ses_gone", change)).toMatchObject({ ok: false, error: { status: 404 } })
    expect(change).not.toHaveBeenCalled()
  })

  it("are gone with their session", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const child = answered(await host.createSession(newSession("a")))
    host.hear({ type: "session.deleted", session: child.id })
    await expect.poll(() => [...context.stored.keys()]).toEqual([])
  })
})

describe("Two sessions whose provider numbers the calls of each conversation", () => {
  const callIn = (sessionID: string, progress: Call["progress"] = async () => {}): Call => ({
    sessionID,
    messageID: `msg_of_${sessionID}`,
    id: "functions.agents_start:0",
    agent: "build",
    signal: new AbortController().signal,
    progress,
  })
  const placeOf = ({ sessionID: session, messageID: message, id: call }: Call) => ({ session, message, call })
  const newChild = (call: Call) =>
    newSession(call.sessionID, { parent: call.sessionID, call: { ...placeOf(call), agent: "build" } })

  it("do not get each other's permissions or children", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const decided = ({ sessionID, messageID, id }: Call) => {
      const source = { messageID, id }
      const check = { sessionID, action: "subagent", resources: ["general"], source, effect: "ask" }
      const asked = decodeStartCheck(check)
      if (asked) host.decide(asked)
      return check.effect
    }
    const [a, b] = [callIn("ses_a"), callIn("ses_b")]
    const endOfA = host.began(a)
    host.began(b)
    await host.askToStart(a, "general", "one")
    expect([decided(a), decided(b)]).toEqual(["allow", "ask"])
    await host.askToStart(b, "general", "one")

    const parentOf = async (call: Call) => {
      const { id } = answered(await host.createSession(newChild(call)))
      return context.made.find((each) => each.id === id)?.parentID
    }
    expect(await parentOf(a)).toBe("ses_a")
    endOfA()
    expect([decided(a), decided(b)]).toEqual(["ask", "allow"])
    expect(await parentOf(b)).toBe("ses_b")
  })

  it("show each its own progress", async () => {
    const host = createHost(contextDouble())
    const shown: string[] = []
    const [a, b] = ["ses_a", "ses_b"].map((session) => callIn(session, async () => void shown.push(session)))
    if (!a || !b) throw new Error("there are two")
    host.began(a)
    const endOfB = host.began(b)
    await host.showProgress(placeOf(a), { title: "", metadata: {} }, a.signal)
    endOfB()
    await host.showProgress(placeOf(a), { title: "", metadata: {} }, a.signal)
    await host.showProgress(placeOf(b), { title: "", metadata: {} }, a.signal)
    expect(shown).toEqual(["ses_a", "ses_a"])
  })
})

describe("A turn whose end no instance of the plugin has heard", () => {
  it("is over once opencode says so, unless something of it is heard", async () => {
    const context = contextDouble()
    const before = createHost(context)
    for (const session of ["ses_1", "ses_2"]) before.hear({ type: "session.busy", session })
    const host = createHost(context)
    const told: HostEvent[] = []
    let over = () => {}
    context.session.wait = () => new Promise((resolve) => (over = () => resolve(undefined)))
    host.hear({ type: "session.busy", session: "ses_2" })
    host.catchUp((event) => {
      told.push(event)
      host.hear(event)
    })
    expect(answered(await host.isBusy("ses_1"))).toBe(true)
    over()
    await expect.poll(() => told).toEqual([{ type: "session.idle", session: "ses_1" }])
    expect([answered(await host.isBusy("ses_1")), answered(await host.isBusy("ses_2"))]).toEqual([
      false,
      true,
    ])
    host.hear({ type: "session.idle", session: "ses_2" })
  })
})

describe("The model that makes a tool call", () => {
  const place = { session: "ses_1", message: "msg_2", call: "call_1" }

  it("is known from the step that runs, without reading the conversation", async () => {
    const context = contextDouble()
    const host = createHost(context)
    context.session.context = () => Promise.reject(new Error("not to be read"))
    const asked = { model: "fake/m1", variant: "high" }
    host.hear({ type: "session.busy", session: "ses_1", message: "msg_2", asked })
    expect(answered(await host.modelOf(place))).toEqual(asked)
  })

  it("is read where the step's beginning was not heard", async () => {
    const context = contextDouble()
    const host = createHost(context)
    const model = { id: "m1", providerID: "fake" }
    context.said.set("ses_1", [{ id: "msg_2", type: "assistant", time: { created: 1 }, model }])
    expect(answered(await host.modelOf(place))).toMatchObject({ model: "fake/m1" })
    expect(answered(await host.modelOf({ ...place, message: "msg_8" }))).toBeUndefined()
  })
})

const never = () => expect.fail("nobody asked for this")

describe("What a session asks", () => {
  const permission = {
    id: "per_1",
    action: "shell",
    resources: ["echo a"],
    save: ["echo *"],
    source: { type: "tool", messageID: "msg_2", id: "call" },
  }
  const ask = { id: "per_1", kind: "permission", text: "shell: echo a" } as const
  const form = {
    id: "frm_1",
    sessionID: "ses_1",
    fields: [
      { key: "q0", title: "Colour", description: "Which?", type: "string", options: [], custom: true },
    ],
  }
  const question = { id: "frm_1", kind: "question", text: "Which?" } as const
  const request = {
    id: "per_1",
    session: "ses_1",
    kind: "permission",
    action: "shell",
    parts: [],
    always: [],
  } as const

  function asking(reply: () => Promise<unknown> = async () => undefined) {
    const context = contextDouble()
    const input = { command: "echo a | cat" }
    const call = { type: "tool", id: "call", name: "shell", state: { status: "running", input } }
    context.said.set("ses_1", [{ id: "msg_2", type: "assistant", time: { created: 1 }, content: [call] }])
    const replies: unknown[] = []
    context.permission.list = async () => [permission]
    context.permission.reply = (given) => {
      replies.push(given)
      return reply()
    }
    return { host: createHost(context), context, replies }
  }

  it("is read in full: a permission from opencode, with what its call was given", async () => {
    const { host } = asking()
    expect(answered(await host.request("ses_1", ask))).toEqual({
      id: "per_1",
      session: "ses_1",
      kind: "permission",
      action: "shell",
      parts: [{ title: "", text: "echo a | cat" }],
      always: ["echo *"],
    })
    expect(answered(await host.request("ses_1", { ...ask, id: "per_0" }))).toBeUndefined()
  })

  it("is read in full: a question as it was heard, until it is over, which a plugin cannot answer", async () => {
    const { host } = asking()
    const hear = () => host.hearUndecoded({ type: "form.created", data: { form } })
    hear()
    const asked = answered(await host.request("ses_1", question))
    expect(asked).toMatchObject({
      questions: [{ key: "q0", title: "Colour", text: "Which?", takesText: true }],
    })
    expect(asked?.unanswerable).toContain("answer it in the terminal")
    host.hear({ type: "request.closed", session: "ses_1", request: "frm_1" })
    expect(answered(await host.request("ses_1", question))).toBeUndefined()
    hear()
    host.hear({ type: "session.idle", session: "ses_1" })
    expect(answered(await host.request("ses_1", question))).toBeUndefined()
  })

  const service: TerminalService = {
    list: never,
    glance: never,
    standings: never,
    read: never,
    inspect: never,
    cancel: never,
    send: never,
  }
  async function withTerminals() {
    const { host: _, context } = asking()
    const emitted: unknown[] = []
    const events = { emit: async (name: string, data: object) => void emitted.push({ name, ...data }) }
    const rpc = { register: async () => ({ dispose: async () => {}, events }) }
    const host = createHost({ ...context, rpc })
    const served = await host.serveTerminal?.(service)
    // The process has one list of all that are served.
    onTestFinished(() => (served?.ok ? served.value.end() : undefined))
    host.hearUndecoded({ type: "form.created", data: { form } })
    const asked = answered(await host.request("ses_1", question)) ?? expect.fail()
    return { host, asked, emitted }
  }

  it("is answered by a terminal, which is handed the answer", async () => {
    const { host, asked, emitted } = await withTerminals()
    expect(asked.unanswerable).toBeUndefined()
    const answering = host.answer(asked, { kind: "answers", answers: { q0: ["Red"] } })
    expect(emitted).toEqual([
      { name: "answer", session: "ses_1", request: "frm_1", answers: { q0: ["Red"] } },
    ])
    host.hear({ type: "request.closed", session: "ses_1", request: "frm_1" })
    expect(answered(await answering)).toBe(true)
    expect(answered(await host.answer(asked, { kind: "dismissal" }))).toBe(false)
  })

  it("is not answered where there is no terminal, which is said soon", async () => {
    const { host, asked, emitted } = await withTerminals()
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const answering = host.answer(asked, { kind: "dismissal" })
    expect(emitted).toEqual([{ name: "answer", session: "ses_1", request: "frm_1" }])
    await vi.advanceTimersByTimeAsync(3_000)
    expect(await answering).toMatchObject({
      error: { message: expect.stringContaining("no terminal with opencode-troupe is open. Open one") },
    })
  })

  it("is decided, if it is still asked", async () => {
    const { host, replies, context } = asking()
    expect(answered(await host.answer(request, { kind: "decision", decision: "once" }))).toBe(true)
    expect(replies).toEqual([{ sessionID: "ses_1", requestID: "per_1", decision: "once" }])
    context.permission.list = async () => []
    expect(answered(await host.answer(request, { kind: "decision", decision: "once" }))).toBe(false)
    const late = asking(() => Promise.reject({ _tag: "Permission.NotFoundError" }))
    expect(answered(await late.host.answer(request, { kind: "decision", decision: "always" }))).toBe(false)
  })
})
