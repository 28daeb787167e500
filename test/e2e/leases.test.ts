import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { deliveredRuns } from "../../src/plugin/records/delivery-mark.ts"
import { answered } from "../support/answered.ts"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeBoth, describeOn } from "../support/generations.ts"
import { held, jobOf, jobsOf, recordOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { setVersion, versionIn } from "../support/opencode-2-storage.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("Two opencodes on the same project and store", ({ start, generation }) => {
  let model: ScriptedModel
  let first: AnyOpencode
  let second: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    first = await start({ model })
  })
  afterAll(async () => {
    await second?.stop()
    await first?.stop()
    await model.stop()
  })

  test("interrupt no owner at work in the other, whose results stay the other's to deliver", async () => {
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
            name: generation === 1 ? "bash" : "shell",
            args: { command: `until [ -e ${open} ]; do sleep 0.05; done`, description: "Think" },
          },
        ],
      },
      { type: "text", text: "the last words of this turn" },
    ])
    const turn = first.say(owner, "hand out three, then think")
    await poll(
      "the end of all three, on record",
      async () => {
        const jobs = await first.stored(owner)
        return jobs.filter(({ record }) => record.endedAt !== undefined).length === 3 || undefined
      },
      { everyMs: 200 },
    )

    second = await start({ model, home: first.home, project: first.project })
    const other = await second.session()
    model.on("of the second", { type: "text", text: "another answer" })
    await second.callTool(other, "agents_start", { tasks: [{ id: "own", prompt: "of the second" }] })
    // Its own result is delivered: so whatever it might deliver to others had its chance.
    await model.waitFor(({ text, session }) => session === other && isNotification(text))
    writeFileSync(open, "")

    await turn
    const texts = (await first.messages(owner)).map(({ text }) => text)
    expect(texts).toContain("the last words of this turn")
    await model.waitFor(({ text, session }) => session === owner && isNotification(text))
    await first.callTool(owner, "agents_status", {})
    const notifications = (await first.userTexts(owner)).filter(isNotification)
    expect(notifications).toHaveLength(1)
    for (const id of ["a", "b", "c"]) expect(notifications.join().split(`<job id="${id}"`)).toHaveLength(2)
  })

  test("leave each other's jobs alone", async () => {
    const work = held("half a")
    model.on("held by the first", work.reply)
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "h", prompt: "held by the first" }] })
    await model.waitFor(({ text }) => text === "held by the first")

    const status = await second.callTool(owner, "agents_status", {})
    expect(status.output).toMatch(/^1 job of this session belongs to another opencode \(pid \d+\): h\./)
    work.release(" loaf")
    const result = await first.callTool(owner, "agents_wait", {})
    expect(jobOf(result)).toMatchObject({ id: "h", state: "done" })
    expect(result.output).toContain("half a loaf")
  })

  test("in one session: the results stand in the conversation though the other has ended the call that waits for them", async () => {
    const work = held("found ")
    model.on("waited for in both", work.reply)
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "w", prompt: "waited for in both" }] })
    const wait = first.startTool(owner, "agents_wait", {})
    await wait.running()
    await second.say(owner, "how is it going?")
    work.release("in the end")
    await wait.done
    const delivered = async () => deliveredRuns(await first.messages(owner))
    await poll("the result", async () => (await delivered()).length > 0 || undefined)
    const next = await first.callTool(owner, "agents_wait", {})
    expect(next.output).toBe("No jobs are running, and all results have been delivered.")
    expect(await delivered()).toHaveLength(1)
  })

  test("have what ran ready for a follow-up after a clean stop, with the text it had written", async () => {
    model.on("cut short", held("the first half").reply)
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

  test("deliver once what one of them has left behind, though both have found it", async () => {
    const owner = await first.session()
    const left = held()
    model.on("left behind", left.reply)
    model.on(({ text, session }) => session === owner && text === "think on", held("I think").reply)
    await first.callTool(owner, "agents_start", { tasks: [{ id: "l", prompt: "left behind" }] })
    first.say(owner, "think on").catch(() => {})
    // While its owner works, nothing is delivered.
    await model.waitFor(({ text, session }) => session === owner && text === "think on")
    left.release("found once")
    await recordOf(first, owner, "l", ({ endedAt }) => endedAt !== undefined)
    await first.kill()
    await first.restart()
    await first.session()
    await poll(
      "the restarted one's look",
      () =>
        new RegExp(`1 result of an earlier opencode is waiting in ${owner}`).test(first.log()) || undefined,
    )

    expect((await second.callTool(owner, "agents_wait", {})).output).toContain("found once")
    const next = await first.callTool(owner, "agents_wait", {})
    expect(next.output).toBe("No jobs are running, and all results have been delivered.")
    expect(deliveredRuns(await first.messages(owner))).toHaveLength(1)
  })

  test("take over what ran in one that was killed, and go on with it", async () => {
    model.on("killed in the middle", held("half").reply)
    model.on("once more, please", { type: "text", text: "whole" })
    const owner = await first.session()
    await first.callTool(owner, "agents_start", { tasks: [{ id: "k", prompt: "killed in the middle" }] })
    await model.waitFor(({ text }) => text === "killed in the middle")
    await first.kill()

    const found = await second.callTool(owner, "agents_wait", {})
    expect(found.output).toContain("is lost")
    expect(jobOf(found)).toMatchObject({ id: "k", state: "failed", error: { kind: "interrupted" } })
    await second.callTool(owner, "agents_send", { id: "k", message: "once more, please" })
    const finished = await second.callTool(owner, "agents_wait", {})
    expect(jobOf(finished)).toMatchObject({ state: "done", run: 2 })
  })

  // On 1.18, where others write metadata as well, the tests below say more.
  test.runIf(generation === 2)(
    "name a record of another version of the plugin in the log, skip it and leave it as it is",
    async () => {
      const { home } = second
      const owner = await second.session()
      model.on("of another version", { type: "text", text: "an old answer" })
      model.on("beside the other", { type: "text", text: "all well" })
      await second.callTool(owner, "agents_start", { tasks: [{ id: "x", prompt: "of another version" }] })
      // The last that is written of it.
      const { session: child } = await poll("its delivery on record", async () =>
        (await second.stored(owner)).find(({ deliveredRun }) => deliveredRun === 1),
      )
      setVersion(home, child, 99)
      await second.reload()
      await second.callTool(owner, "agents_start", { tasks: [{ id: "ok", prompt: "beside the other" }] })
      await second.callTool(owner, "agents_wait", {})

      const status = await second.callTool(owner, "agents_status", {})
      expect(jobsOf(status)).toMatchObject([{ id: "ok", state: "done" }])
      const complaint = new RegExp(`${child} was skipped.*\\(version is 99: `)
      await poll("the complaint in opencode's log", () => complaint.test(second.log()) || undefined)
      expect(versionIn(home, child)).toBe(99)
    },
  )
})

// opencode 2 keeps the records in a storage that is this plugin's alone.
describeOn(1, "Metadata that is damaged or somebody else's", () => {
  let model: ScriptedModel
  let opencode: Opencode

  beforeAll(async () => {
    model = await startScriptedModel()
    opencode = await startOpencode({ model })
  })
  afterAll(async () => {
    await opencode.stop()
    await model.stop()
  })

  test.each([
    ["of another version", { version: 99 }, "version is 99"],
    ["of wrong types", { version: 1, record: { id: 5 } }, "record"],
    ["no object at all", "hello", "the value is .{1,2}hello"],
  ])("%s is named in the log and skipped", async (_, troupe, named) => {
    const owner = await opencode.session()
    const child = await opencode.session({ parentID: owner, metadata: { troupe, theirs: { kept: true } } })
    model.on("beside the damaged", { type: "text", text: "all well" })
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "ok", prompt: "beside the damaged" }] })
    const result = await opencode.callTool(owner, "agents_wait", {})

    expect(jobsOf(result)).toMatchObject([{ id: "ok", state: "done" }])
    const complaint = new RegExp(`${child}.*its record is damaged or somebody else's \\(${named}`)
    await poll("the complaint in opencode's log", () => complaint.test(opencode.log()) || undefined)
    const after = await answered("the child", opencode.client.session.get({ sessionID: child }))
    expect(after.metadata).toEqual({ troupe, theirs: { kept: true } })
  })
})
