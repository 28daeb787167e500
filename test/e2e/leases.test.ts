import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import { answered } from "../support/answered.ts"
import { isNotification, userTexts } from "../support/conversation.ts"
import { gate } from "../support/gate.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

let model: ScriptedModel
let first: Opencode
/** On the same project and store. */
let second: Opencode | undefined

beforeAll(async () => {
  model = await startScriptedModel()
  first = await startOpencode({ model })
})
afterAll(async () => {
  await second?.stop()
  await first.stop()
  await model.stop()
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

describe("a second opencode on the same project and store", () => {
  test("interrupts no owner at work in the first, whose results stay the first one's to deliver", async () => {
    const owner = await first.session()
    const open = join(first.project, "open")
    model.on(/^of the first: /, { type: "text", text: "an answer" })
    model.script("hand out three, then think", [
      {
        type: "tool",
        calls: [
          {
            name: "agents_start",
            args: { tasks: ["a", "b", "c"].map((id) => ({ id, prompt: `of the first: ${id}` })) },
          },
        ],
      },
      {
        type: "tool",
        calls: [
          {
            name: "bash",
            args: { command: `until [ -e ${open} ]; do sleep 0.05; done`, description: "Think" },
          },
        ],
      },
      { type: "text", text: "the last words of this turn" },
    ])
    const turn = answered(
      "the turn",
      first.client.session.prompt({
        sessionID: owner,
        parts: [{ type: "text", text: "hand out three, then think" }],
      }),
    )
    await poll("the end of all three, on record", async () => {
      const children = await answered("the children", first.client.session.children({ sessionID: owner }))
      const ended = children.filter(
        ({ metadata }) => StoredJob.parse(metadata?.troupe).record.endedAt !== undefined,
      )
      return ended.length === 3 || undefined
    })

    second = await startOpencode({ model, home: first.home, project: first.project })
    const other = await second.session()
    model.on("of the second", { type: "text", text: "another answer" })
    await second.callTool(other, "agents_start", { tasks: [{ id: "own", prompt: "of the second" }] })
    // Its own result is delivered: so whatever it might deliver to others had its chance.
    await model.waitFor(({ text, session }) => session === other && isNotification(text))
    writeFileSync(open, "")

    const { parts } = await turn
    expect(parts).toContainEqual(
      expect.objectContaining({ type: "text", text: "the last words of this turn" }),
    )
    await model.waitFor(({ text, session }) => session === owner && isNotification(text))
    await first.callTool(owner, "agents_status", {})
    const notifications = (await userTexts(first, owner)).filter(isNotification)
    expect(notifications).toHaveLength(1)
    for (const id of ["a", "b", "c"]) expect(notifications.join().split(`<job id="${id}"`)).toHaveLength(2)
  })

  test("leaves the jobs of a living one alone", async () => {
    const held = gate()
    model.on("held by the first", { type: "hold", text: "half a", until: held.passed })
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "h", prompt: "held by the first" }] })
    await model.waitFor(({ text }) => text === "held by the first")

    const status = await second?.callTool(owner, "agents_status", {})
    expect(status?.output).toMatch(/^1 job of this session belongs to another opencode \(pid \d+\): h\./)
    held.open(" loaf")
    const result = await first.callTool(owner, "agents_wait", {})
    expect(jobOf(result)).toMatchObject({ id: "h", state: "done" })
    expect(result.output).toContain("half a loaf")
  })
})

describe("after a clean stop", () => {
  test("what ran is ready for a follow-up, with the text it had written, beside another opencode", async () => {
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

describe("after a kill", () => {
  test("another opencode takes over what ran, and goes on with it", async () => {
    model.on("killed in the middle", { type: "hold", text: "half", until: new Promise<string>(() => {}) })
    model.on("once more, please", { type: "text", text: "whole" })
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "k", prompt: "killed in the middle" }] })
    await model.waitFor(({ text }) => text === "killed in the middle")
    await first.kill()

    const found = await second?.callTool(owner, "agents_wait", {})
    expect(found?.output).toContain("is lost")
    expect(found && jobOf(found)).toMatchObject({ id: "k", state: "failed", error: { kind: "interrupted" } })
    await second?.callTool(owner, "agents_send", { id: "k", message: "once more, please" })
    const finished = await second?.callTool(owner, "agents_wait", {})
    expect(finished && jobOf(finished)).toMatchObject({ state: "done", run: 2 })
  })
})
