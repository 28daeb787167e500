import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { NewSession } from "../../../../src/plugin/host/port.ts"
import { type Call, decodeStartCheck } from "../../../../src/plugin/host/v2/calls.ts"
import { Children } from "../../../../src/plugin/host/v2/children.ts"
import { Reader } from "../../../../src/plugin/host/v2/reading.ts"
import { RunningCalls } from "../../../../src/plugin/host/v2/running-calls.ts"
import { Problems } from "../../../../src/plugin/util/problems.ts"
import { settled } from "../../../machines/support/play.ts"
import { gate } from "../../../support/gate.ts"
import { contextDouble, type DoubleOptions } from "./support/context-double.ts"

const place = { session: "ses_owner", message: "msg_1", call: "call_1" }

const job = (id: string): NewSession => ({
  parent: "ses_owner",
  call: { ...place, agent: "build" },
  title: id,
  agent: "general",
  rules: [{ permission: "edit", pattern: "*", action: "deny" }],
  stored: {},
})

const call: Call = {
  sessionID: "ses_owner",
  messageID: "msg_1",
  id: "call_1",
  agent: "build",
  signal: new AbortController().signal,
  progress: async () => {},
}

function childrenOn(options: DoubleOptions, loaded = Promise.resolve()) {
  const context = contextDouble(options)
  const warn = vi.fn<(message: string) => void>()
  const calls = new RunningCalls()
  const reader = new Reader("2.0.15", new Problems())
  const children = new Children(context, calls, loaded, { reader, warn })
  const running = calls.begin(call)
  return {
    context,
    children,
    warn,
    /** Ends the call. */
    end() {
      calls.end(running)
      children.removeUnused(running)
    },
    makeAll: () => Promise.all(["a", "b", "c"].map((id) => children.make(job(id)))),
  }
}

describe("Child sessions of an opencode that", () => {
  it("takes no parent and removes no session, as 2.0.15, are made through its own tool, and nothing besides", async () => {
    const { context, makeAll, warn } = childrenOn({})
    expect(await makeAll()).toEqual(context.made.map(({ id }) => id))
    expect(context.made.map(({ parentID }) => parentID)).toEqual(["ses_owner", "ses_owner", "ses_owner"])
    expect(warn).not.toHaveBeenCalled()
  })

  it("takes no parent have their titles and models from the beginning: setting them costs as much as they are worth", async () => {
    const { context, children } = childrenOn({})
    const update = vi.spyOn(context.session, "update")
    const switchModel = vi.spyOn(context.session, "switchModel")
    await children.askToStart(call, "general", "a, b")
    const first = await children.make({ ...job("a"), model: "fake/m1", variant: "high" })
    expect(update.mock.calls).toEqual([[{ sessionID: first, title: "a" }]])
    const model = { providerID: "fake", id: "m1", variant: "high" }
    expect(switchModel.mock.calls).toEqual([[{ sessionID: first, model }]])

    await children.make({ ...job("b"), model: "fake/m1", variant: "high" })
    expect(context.made.at(-1)).toMatchObject({ description: "b", model: "fake/m1#high" })
    expect(update).toHaveBeenCalledTimes(1)
    expect(switchModel).toHaveBeenCalledTimes(1)
  })

  it("takes a parent are made with one; the first shows it", async () => {
    const { context, makeAll, warn } = childrenOn({ takesParent: true, removes: true })
    const list = vi.spyOn(context.tool, "list")
    expect(new Set(await makeAll())).toEqual(new Set(context.made.map(({ id }) => id)))
    expect(context.made.map(({ parentID }) => parentID)).toEqual(["ses_owner", "ses_owner", "ses_owner"])
    expect(list).toHaveBeenCalledTimes(1)
    expect(warn).not.toHaveBeenCalled()
  })

  it("takes no parent, though it could, are made through its own tool; what was tried is removed", async () => {
    const { context, makeAll, warn } = childrenOn({ removes: true })
    expect(new Set(await makeAll())).toEqual(new Set(context.made.map(({ id }) => id)))
    expect(context.made.map(({ parentID }) => parentID)).toEqual(["ses_owner", "ses_owner", "ses_owner"])
    expect(warn).not.toHaveBeenCalled()
  })

  it("takes a parent and has no tool of its own are made with one", async () => {
    const { context, makeAll, warn } = childrenOn({ takesParent: true, hasSubagent: false })
    expect(await makeAll()).toHaveLength(3)
    expect(context.made.map(({ parentID }) => parentID)).toEqual(["ses_owner", "ses_owner", "ses_owner"])
    expect(warn).not.toHaveBeenCalled()
  })

  it("offers neither are root sessions, with a warning, once, that says what that costs", async () => {
    const { context, makeAll, warn } = childrenOn({ hasSubagent: false, version: "2.9.0" })
    expect(new Set(await makeAll())).toEqual(new Set(context.made.map(({ id }) => id)))
    expect(context.made).toHaveLength(3)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn).toHaveBeenCalledWith(
      expect.stringMatching(
        /^opencode 2\.9\.0 does not let plugins create child .*requests and questions are not shown/,
      ),
    )
  })

  it("fails for a moment are made all the same later", async () => {
    const { context, children } = childrenOn({ takesParent: true, removes: true })
    const create = context.session.create
    context.session.create = () => Promise.reject(new Error("busy"))
    await expect(children.make(job("a"))).rejects.toThrow("busy")
    context.session.create = create
    expect(await children.make(job("b"))).toBe("ses_1")
  })

  it("has a tool that tells of no session fail by name", async () => {
    const { children } = childrenOn({ subagent: async () => ({ content: "done" }) })
    await expect(children.make(job("a"))).rejects.toThrow("`subagent` did not create a session")
  })
})

describe("The permission to start an agent", () => {
  /** What is made of an ask of this call. */
  function deciding(options: DoubleOptions = {}) {
    const all = childrenOn(options)
    const decide = (agent: string, id = "call_1", sessionID = "ses_owner") => {
      const source = { messageID: "msg_1", id }
      const check = { sessionID, action: "subagent", resources: [agent], source, effect: "ask" }
      const asked = decodeStartCheck(check)
      if (asked) all.children.decide(asked)
      return check.effect
    }
    return { ...all, decide }
  }

  it("that was given once holds for all jobs of that call and agent, and for no others", async () => {
    const { children, decide, end } = deciding()
    expect(decide("general")).toBe("ask")
    expect(await children.askToStart(call, "general", "three")).toEqual({ type: "granted" })
    expect(decide("general")).toBe("allow")
    const others = [decide("explore"), decide("general", "call_2"), decide("general", "call_1", "ses_other")]
    expect(others).toEqual(["ask", "ask", "ask"])
    end()
    expect(decide("general")).toBe("ask")
  })

  it("makes the first child, which is not left over", async () => {
    const { children, context, makeAll } = deciding()
    await children.askToStart(call, "general", "three")
    expect(new Set(await makeAll())).toEqual(new Set(context.made.map(({ id }) => id)))
    expect(context.made).toHaveLength(3)
  })

  it("leaves no session behind where nothing is started after all, if opencode removes sessions", async () => {
    const { children, context, end } = deciding({ removes: true })
    await children.askToStart(call, "general", "three")
    end()
    await expect.poll(() => context.made).toEqual([])
    // Nobody waits for the answer any more.
    await children.askToStart(call, "general", "three")
    await expect.poll(() => context.made).toEqual([])
  })

  it.each([
    ["denied", "Permission.DeniedError", { type: "denied" }],
    ["rejected", "Permission.DeclinedError", { type: "rejected", feedback: "later" }],
    ["failed", "Tool.Error", { type: "failed", reason: "no such agent" }],
  ])("is %s where opencode says %s", async (_, tag, permission) => {
    const refuse = () =>
      Promise.reject(Object.assign(new Error("no such agent"), { _tag: tag, feedback: "later" }))
    const { children } = deciding({ subagent: refuse })
    expect(await children.askToStart(call, "general", "three")).toMatchObject(permission)
  })

  it("is prevented by opencode's own limit of depth, which says what the user has to set", async () => {
    const words =
      'Subagent depth limit reached (1). Increase "experimental.subagent_depth" to allow nested subagents.'
    const { children } = deciding({ subagent: () => Promise.reject(new Error(words)) })
    expect(await children.askToStart(call, "general", "three")).toEqual({
      type: "prevented",
      reason: expect.stringMatching(
        /^opencode lets no subagent at depth 1 start others.* to set "experimental\.subagent_depth" to at least 2 in/,
      ),
    })
  })

  it.each([
    ["granted", "allow"],
    ["denied", "deny"],
    ["prevented", "ask"],
  ] as const)("is %s where the rules say %s and a plugin can ask nobody", async (type, effect) => {
    const { children, context } = deciding({ hasSubagent: false })
    const rules = [{ action: "subagent", resource: "general", effect }]
    context.agent.list = async () => ({ data: [{ id: "build", mode: "primary", permissions: rules }] })
    context.made.push({ id: "ses_owner", title: "", permissions: [] })
    expect(await children.askToStart(call, "general", "three")).toMatchObject({ type })
  })
  it("waits for the configuration's rules, where a plugin can ask nobody", async () => {
    const loading = gate<void>()
    const { children, context } = childrenOn({ hasSubagent: false }, loading.passed)
    const rules = [{ action: "subagent", resource: "general", effect: "deny" }]
    context.made.push({ id: "ses_owner", title: "", permissions: [] })
    const asking = children.askToStart(call, "general", "three")
    await settled()
    context.agent.list = async () => ({ data: [{ id: "build", mode: "primary", permissions: rules }] })
    loading.open()
    expect(await asking).toEqual({ type: "denied" })
  })
})

describe("opencode's own tool that says nothing", () => {
  beforeEach(() => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
  })

  const asked = { id: "per_1", action: "subagent", resources: ["general"] }

  it("is given up after 30 s where it asks nobody, and a session that it makes after all is removed", async () => {
    let tell = async () => {}
    const { context, children } = childrenOn({
      removes: true,
      takesParent: true,
      subagent: (_, { progress }) => {
        tell = async () => void (await progress({ sessionID: "ses_late" }).catch(() => {}))
        return new Promise(() => {})
      },
    })
    const remove = vi.spyOn(context.session, "remove")
    const asking = children.askToStart(call, "general", "a")
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await asking).toEqual({ type: "failed", reason: "opencode gave no answer within 30 s" })
    await tell()
    expect(remove).toHaveBeenCalledExactlyOnceWith({ sessionID: "ses_late" })
  })

  it("is waited for as long as it asks a person, however long they take", async () => {
    let tell = () => {}
    const { context, children } = childrenOn({
      subagent: (_, { progress }) =>
        new Promise((_resolve, reject) => {
          tell = () => void progress({ sessionID: "ses_1" }).catch(reject)
        }),
    })
    context.permission.list = async () => [asked]
    const asking = children.askToStart(call, "general", "a")
    await vi.advanceTimersByTimeAsync(3_600_000)
    context.permission.list = async () => []
    await vi.advanceTimersByTimeAsync(15_000)
    tell()
    expect(await asking).toEqual({ type: "granted" })
  })

  it("is waited for where opencode cannot say whom it asks", async () => {
    let tell = () => {}
    const { context, children } = childrenOn({
      subagent: (_, { progress }) =>
        new Promise((_resolve, reject) => {
          tell = () => void progress({ sessionID: "ses_1" }).catch(reject)
        }),
    })
    context.permission.list = () =>
      Promise.reject(new Error("opencode 2.0 offers its plugins no permission.list"))
    const asking = children.askToStart(call, "general", "a")
    await vi.advanceTimersByTimeAsync(3_600_000)
    tell()
    expect(await asking).toEqual({ type: "granted" })
  })
})

describe("opencode's own tool, through an instance that a reload has ended,", () => {
  const declined = Object.assign(new Error(), { _tag: "Permission.DeclinedError" })
  const refusing = async () => [{ id: "subagent", execute: () => Promise.reject(declined) }]

  it("refuses without asking anybody: another's is asked", async () => {
    const { context, children } = childrenOn({})
    expect(await children.askToStart({ ...call, builtIn: refusing }, "general", "a")).toEqual({
      type: "granted",
    })
    expect(context.made).toHaveLength(1)
  })

  it("is not taken for a person who refuses, where there is no other", async () => {
    const { context, children } = childrenOn({})
    context.tool.list = refusing
    expect(await children.askToStart(call, "general", "a")).toEqual({
      type: "failed",
      reason: "opencode was reloading its plugins and asked nobody; call again",
    })
  })

  it("asks a person once, if it asks: they have refused", async () => {
    const { context, children } = childrenOn({})
    const list = vi.spyOn(context.tool, "list")
    const asking = async () => {
      const request = { id: "per_1", kind: "permission", text: "subagent: general" } as const
      children.hear({ type: "request.opened", session: "ses_owner", request })
      return refusing()
    }
    expect(await children.askToStart({ ...call, builtIn: asking }, "general", "a")).toEqual({
      type: "rejected",
    })
    expect(list).not.toHaveBeenCalled()
  })
})
