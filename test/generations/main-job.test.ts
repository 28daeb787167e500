import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("A main agent that hands out work", ({ open }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { notify: "never" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  test("starts many jobs in one call, and gets every result", async () => {
    model.on(/^piece /, ({ text }) => ({ type: "text", text: `the answer to ${text}` }))
    const owner = await oc.session()
    const tasks = ["a", "b", "c"].map((id) => ({ id, prompt: `piece ${id}` }))
    const started = await oc.callTool(owner, "agents_start", { tasks })
    expect(started.output).toContain("Started: a, b, c")
    const { output } = await oc.callTool(owner, "agents_wait", {})
    for (const id of ["a", "b", "c"]) expect(output).toContain(`the answer to piece ${id}`)
    expect(await oc.userTexts(owner)).toHaveLength(2)
  })

  test("has real children, which see neither the tools nor the hint", async () => {
    model.on("look like a child", { type: "text", text: "done" })
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", {
      tasks: [{ id: "kid", prompt: "look like a child", description: "Look at it" }],
    })
    await oc.callTool(owner, "agents_wait", {})
    expect(await oc.children(owner)).toMatchObject([
      { parent: owner, title: "Look at it (@general kid)", agent: "general" },
    ])
    const request = await model.waitFor(({ text }) => text === "look like a child")
    expect(request.tools.filter((name) => name.startsWith("agents_"))).toEqual([])
    expect(request.system).not.toContain("agents_start")
    const own = await model.waitFor(({ session, tools }) => session === owner && tools.length > 0)
    expect(own.tools).toEqual(expect.arrayContaining(["agents_start", "agents_wait"]))
    expect(own.system).toContain("agents_start")
  })

  test("cancels a job for real, and keeps what it had written", async () => {
    model.on("go astray", held("on the wrong track").reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "astray", prompt: "go astray" }] })
    const request = await model.waitFor(({ text }) => text === "go astray")
    await poll("its first words", async () => {
      const { output } = await oc.callTool(owner, "agents_status", {})
      return output.includes("wrong track") || undefined
    })
    const { output, metadata } = await oc.callTool(owner, "agents_cancel", { ids: ["astray"] })
    expect(jobOf({ metadata })).toMatchObject({ state: "cancelled" })
    expect(output).toContain("on the wrong track")
    await poll("the end of its request", async () => request.state === "closed" || undefined)
  })

  test("gives an ended job a follow-up in the same session", async () => {
    model.on("remember seven", { type: "text", text: "I will" })
    model.on("which number", ({ messages }) => ({
      type: "text",
      text: JSON.stringify(messages).includes("remember seven") ? "seven" : "no idea",
    }))
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "m", prompt: "remember seven" }] })
    const [first] = jobsOf(await oc.callTool(owner, "agents_wait", {}))
    await oc.callTool(owner, "agents_send", { id: "m", message: "which number" })
    const second = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(second)).toMatchObject({ run: 2, state: "done", session: first?.session })
    expect(second.output).toContain("seven")
  })

  test("tells a running job more, which it takes up at its next step", async () => {
    const first = held()
    model.script("begin slowly", [first.reply])
    model.on("and be brief", { type: "text", text: "briefly then" })
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "s", prompt: "begin slowly" }] })
    await model.waitFor(({ text }) => text === "begin slowly")
    await oc.callTool(owner, "agents_send", { id: "s", message: "and be brief" })
    first.release("a slow beginning")
    const { output } = await oc.callTool(owner, "agents_wait", {})
    expect(output).toContain("briefly then")
  })

  test("sees a job fail with the provider's words, and the others go on", async () => {
    model.on("refused one", { type: "error", status: 401, body: { error: { message: "bad key" } } })
    model.on("good one", { type: "text", text: "fine" })
    const owner = await oc.session()
    const tasks = ["refused", "good"].map((id) => ({ id, prompt: `${id} one` }))
    await oc.callTool(owner, "agents_start", { tasks })
    const { metadata, output } = await oc.callTool(owner, "agents_wait", {})
    expect(jobsOf({ metadata })).toMatchObject([
      { id: "refused", state: "failed", error: { kind: "provider" } },
      { id: "good", state: "done" },
    ])
    expect(output).toContain("bad key")
  })

  test("has a job that takes too long timed out, with what it had written", async () => {
    model.on("take for ever", held("so far").reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "t", prompt: "take for ever", timeout: 2 }] })
    const { metadata, output } = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf({ metadata })).toMatchObject({ state: "timedOut", error: { kind: "total" } })
    expect(output).toContain("so far")
  })
})
