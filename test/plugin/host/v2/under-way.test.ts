import { describe, expect, it } from "vitest"
import type { HostEvent } from "../../../../src/plugin/host/port.ts"
import { createHost } from "../../../../src/plugin/host/v2/host.ts"
import { gate } from "../../../support/gate.ts"
import { contextDouble } from "./support/context-double.ts"

let count = 0

/** A session whose turn an instance of the plugin has heard begin, and the instance that comes after it. */
function reloaded() {
  const session = `ses_under_way_${count++}`
  const context = contextDouble()
  const earlier = createHost(context)
  earlier.hear({ type: "session.busy", session })
  const says = (content: object[]) =>
    context.said.set(session, [{ id: "msg_1", type: "assistant", time: { created: 1 }, content }])
  const later = createHost(context)
  const told: HostEvent[] = []
  const tellAgain = () => later.tellAgain?.(session, (event) => void told.push(event))
  return { session, context, earlier, later, says, told, tellAgain }
}

const call = (id: string, name: string, state: object) => ({ type: "tool", id, name, state })
const request = { id: "per_1", action: "shell", resources: ["echo hi"] }
const permission = { id: "per_1", kind: "permission", text: "shell: echo hi" } as const
const question = { id: "frm_1", kind: "question", text: "Which colour?" } as const

describe("What is under way in a session while the plugin is reloaded", () => {
  it("is the calls that run and the permissions that are asked for, as opencode has them", async () => {
    const { session, context, says, told, tellAgain } = reloaded()
    context.permission.list = async ({ sessionID }) => (sessionID === session ? [request] : [])
    says([
      call("call_1", "read", { status: "completed" }),
      call("call_2", "shell", { status: "running", metadata: {} }),
    ])
    expect(await tellAgain()).toMatchObject({ ok: true })
    expect(told).toEqual([
      { type: "tool.running", session, call: "call_2", tool: "shell", isSubagent: false, title: undefined },
      { type: "request.opened", session, request: permission },
    ])
  })

  it("is what its own subagents do, too", async () => {
    const { session, context, says, told, tellAgain } = reloaded()
    context.permission.list = async ({ sessionID }) => (sessionID === "ses_sub" ? [request] : [])
    says([call("call_1", "subagent", { status: "running", metadata: { sessionID: "ses_sub" } })])
    await tellAgain()
    expect(told).toMatchObject([
      { type: "tool.running", session, isSubagent: true },
      { type: "session.created", session: "ses_sub", parent: session },
      { type: "request.opened", session: "ses_sub" },
    ])
  })

  it("is a question that is open and a pause of the provider, as the earlier instance has heard them", async () => {
    const { session, earlier, says, told, tellAgain } = reloaded()
    const paused: HostEvent = {
      type: "session.retrying",
      session,
      attempt: 1,
      reason: "overloaded",
      next: Date.now() + 60_000,
    }
    says([call("call_1", "question", { status: "running" })])
    earlier.hear({ type: "request.opened", session, request: question })
    earlier.hear(paused)
    await tellAgain()
    expect(told.slice(1)).toEqual([{ type: "request.opened", session, request: question }, paused])

    told.length = 0
    earlier.hear({ type: "request.closed", session, request: "frm_1" })
    earlier.hear({ type: "session.busy", session })
    await tellAgain()
    expect(told).toMatchObject([{ type: "tool.running" }])
  })

  it("is no question whose answer nobody has heard: no call waits for it", async () => {
    const { session, earlier, told, tellAgain } = reloaded()
    earlier.hear({ type: "request.opened", session, request: question })
    await tellAgain()
    expect(told).toEqual([])
  })

  it.each<[string, (session: string) => HostEvent, string[]]>([
    ["is answered", (session) => ({ type: "request.closed", session, request: "per_1" }), ["tool.running"]],
    ["ends with its turn", (session) => ({ type: "session.idle", session }), []],
  ])("is not what %s while it is read", async (_, happening, left) => {
    const { session, context, later, says, told, tellAgain } = reloaded()
    says([call("call_1", "shell", { status: "running" })])
    const answer = gate<object[]>()
    context.permission.list = () => answer.passed
    const reading = tellAgain()
    later.hear(happening(session))
    answer.open([request])
    await reading
    expect(told.map(({ type }) => type)).toEqual(left)
  })

  it("is nothing where no turn runs", async () => {
    const { session, later, told, says, tellAgain } = reloaded()
    says([call("call_1", "shell", { status: "running" })])
    later.hear({ type: "session.idle", session })
    await tellAgain()
    expect(told).toEqual([])
  })
})
