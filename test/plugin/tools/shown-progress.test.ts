import { describe, expect, it } from "vitest"
import type { Part } from "../../../src/plugin/host/port.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import { ok } from "../support/host-double.ts"
import { answerTo, sessionOf, textPart } from "../support/opencode-data.ts"
import { atDesk, callOf } from "../support/services.ts"

/** The call of the tool as the owner's message has it while it runs. */
const running: Part = {
  id: "prt_call",
  sessionID: "owner",
  messageID: "msg_call",
  type: "tool",
  callID: "call",
  tool: "agents_wait",
  state: { status: "running", input: {}, metadata: { other: "kept" }, time: { start: 1 } },
}

const completed: Part = {
  ...running,
  state: { status: "completed", input: {}, output: "", title: "", metadata: {}, time: { start: 1, end: 2 } },
}
const text = textPart("owner", "msg_call", "I wait for them.")

function messageWith(...parts: Part[]) {
  return { ...answerTo({ session: "owner", messageID: "msg_call" }, ""), parts }
}

describe("A call of agents_wait, while it runs,", () => {
  it("shows how the jobs get on, beside what its part already holds", async () => {
    const { call, host } = atDesk({ message: async () => ok(messageWith(running)) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "x" }] })
    await call("agents_wait", { timeout: 0.05 })
    expect(host.shown).toMatchObject([
      { id: "prt_call", state: { title: "0/1 done", metadata: { other: "kept", jobs: [{ id: "a" }] } } },
    ])
  })

  it("shows changes as they come, at most one a second", async () => {
    const { call, host } = atDesk({ message: async () => ok(messageWith(running)) })
    await call("agents_start", { tasks: ["a", "b"].map((id) => ({ id, prompt: `do ${id}` })) })
    const waiting = call("agents_wait", { timeout: 1.2 })
    host.prompts.find(({ prompt }) => prompt.text === "do a")?.answer("x")
    await waiting
    expect(
      host.shown.map((part) => part.type === "tool" && "title" in part.state && part.state.title),
    ).toEqual(["0/2 done", "1/2 done"])
  })

  it("is shown a second later where opencode has not stored at once that it runs, though nothing changes", async () => {
    const pending: Part = { ...running, state: { status: "pending", input: {}, raw: "" } }
    const answers = [pending]
    const { call, host } = atDesk({ message: async () => ok(messageWith(answers.shift() ?? running)) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "x" }] })
    answers.push(pending)
    await call("agents_wait", { timeout: 1.2 })
    expect(host.shown).toMatchObject([{ state: { title: "0/1 done" } }])
  })

  it("shows nothing of jobs that it does not wait for, not even of another owner's of the same id", async () => {
    const { call, host } = atDesk({ message: async () => ok(messageWith(running)) })
    host.sessions.set("other", sessionOf("other"))
    await call("agents_start", { tasks: ["a", "b"].map((id) => ({ id, prompt: `do ${id}` })) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "do other" }] }, { owner: "other" })
    const waiting = call("agents_wait", { ids: ["a"], timeout: 1.2 })
    for (const { prompt, answer } of host.prompts) if (prompt.text !== "do a") answer("x")
    await waiting
    expect(host.shown).toHaveLength(1)
  })

  it("is never shown as running once it has returned, however late opencode is", async () => {
    const asked = gate<void>()
    const { call, host, troupe } = atDesk({
      message: async () => {
        if (troupe.records.countOf("owner") > 0) await asked.passed
        return ok(messageWith(running))
      },
    })
    await call("agents_start", { tasks: [{ id: "a", prompt: "x" }] })
    const waiting = call("agents_wait", {})
    host.prompts[0]?.answer("done")
    setTimeout(() => asked.open(), 20)
    await waiting
    expect(host.shown).toEqual([])
    await asked.passed
    await settled()
    expect(host.shown).toEqual([])
  })

  it("does its work unseen where opencode does not say which call it is", async () => {
    const { call, host, tools } = atDesk({ message: async () => ok(messageWith(text, running)) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "x" }] })
    const waiting = tools.agents_wait?.execute({ timeout: 0.02 }, callOf({}))
    expect(await waiting).toMatchObject({ title: "0/1 done" })
    expect(host.shown).toEqual([])
  })

  it.each([
    ["it is another's", { ...running, callID: "other" }],
    ["it is at its end", completed],
    ["it is no call's", text],
  ])("shows nothing on a part where %s", async (_, part) => {
    const { call, host } = atDesk({ message: async () => ok(messageWith(part)) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "x" }] })
    await call("agents_wait", { timeout: 0.02 })
    expect(host.shown).toEqual([])
  })
})
