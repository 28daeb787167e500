import { describe, expect, it, vi } from "vitest"
import type { NewSession } from "../../../../src/plugin/host/port.ts"
import type { Call } from "../../../../src/plugin/host/v2/api.ts"
import { Children } from "../../../../src/plugin/host/v2/children.ts"
import { RunningCalls } from "../../../../src/plugin/host/v2/running-calls.ts"
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
  const children = new Children(context, calls, loaded, warn)
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
      all.children.decide(check)
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

  it.each([
    ["granted", "allow"],
    ["denied", "deny"],
    ["failed", "ask"],
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
