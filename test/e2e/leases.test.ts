import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { answered } from "../support/answered.ts"
import { gate } from "../support/gate.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

let model: ScriptedModel
let first: Opencode

beforeAll(async () => {
  model = await startScriptedModel()
  first = await startOpencode({ model, plugin: { options: { notify: "never" } } })
})
afterAll(async () => {
  await first.stop()
  await model.stop()
})

describe("a second opencode on the same project and store", () => {
  test("leaves the jobs of a living one alone, and takes over those of a dead one", async () => {
    const held = gate()
    model.on("held by the first", { type: "hold", text: "half a", until: held.passed })
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "h", prompt: "held by the first" }] })
    await model.waitFor(({ text }) => text === "held by the first")

    const second = await startOpencode({
      model,
      plugin: { options: { notify: "never" } },
      home: first.home,
      project: first.project,
    })
    try {
      const status = await second.callTool(owner, "agents_status", {})
      expect(status.output).toContain(": no jobs.")
      held.open(" loaf")
      const result = await first.callTool(owner, "agents_wait", {})
      expect(jobOf(result)).toMatchObject({ id: "h", state: "done" })
      expect(result.output).toContain("half a loaf")
    } finally {
      await second.stop()
    }
  })
})

describe("metadata that is damaged or somebody else's", () => {
  test.each([
    ["of another version", { version: 99 }, "metadata.troupe.version"],
    ["of wrong types", { version: 1, record: { id: 5 } }, "metadata.troupe.record"],
    ["no object at all", "hello", "metadata.troupe"],
  ])("%s is named in the log and skipped", async (_, troupe, named) => {
    const owner = await first.session()
    const child = await first.session({ parentID: owner, metadata: { troupe, theirs: { kept: true } } })
    model.on("beside the damaged", { type: "text", text: "all well" })
    await first.callTool(owner, "agents_start", { tasks: [{ id: "ok", prompt: "beside the damaged" }] })
    const result = await first.callTool(owner, "agents_wait", {})

    expect(jobsOf(result)).toMatchObject([{ id: "ok", state: "done" }])
    const complaint = new RegExp(`${child}.*${named}`)
    await poll("the complaint in opencode's log", () => complaint.test(first.log()) || undefined)
    const after = await answered("the child", first.client.session.get({ sessionID: child }))
    expect(after.metadata).toEqual({ troupe, theirs: { kept: true } })
  })
})

describe("after a clean stop", () => {
  test("what ran is ready for a follow-up, with the text it had written", async () => {
    model.on("cut short", { type: "hold", text: "the first half", until: new Promise<string>(() => {}) })
    model.on("please finish", { type: "text", text: "the second half" })
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "cut", prompt: "cut short" }] })
    await model.waitFor(({ text }) => text === "cut short")
    await first.restart()

    const found = await first.callTool(owner, "agents_wait", {})
    expect(jobOf(found)).toMatchObject({ id: "cut", state: "failed", error: { kind: "interrupted" } })
    expect(found.output).toContain("agents_send")
    await first.callTool(owner, "agents_send", { id: "cut", message: "please finish" })
    const finished = await first.callTool(owner, "agents_wait", {})
    expect(jobOf(finished)).toMatchObject({ state: "done", run: 2 })
    expect(finished.output).toContain("the second half")
  })
})
