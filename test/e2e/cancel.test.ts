import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ABORTED } from "../../src/plugin/host/answers.ts"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("A main agent that cancels", ({ open, titled }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { concurrency: 3, notify: "never" } } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const wrote = (session: string) => oc.events.waitFor("text.streamed", (event) => event.session === session)

  describe("Cancelling one of three jobs", () => {
    const sibling = held("the sibling ")
    let owner: string
    let session: string

    beforeAll(async () => {
      model.on("go astray", held("on the wrong track").reply)
      model.on("stay the course", sibling.reply)
      model.on("stay there", sibling.reply)
      owner = await oc.session()
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "astray", prompt: "go astray" },
          { id: "course", prompt: "stay the course" },
          { id: "there", prompt: "stay there" },
        ],
      })
      session = jobsOf(started)[0]?.session ?? ""
      await wrote(session)
    })

    test("closes its request to the model, and keeps what it had written", async () => {
      const cancelled = await oc.callTool(owner, "agents_cancel", { ids: ["astray"], reason: "wrong track" })
      await model.waitFor(({ text, closed }) => text === "go astray" && closed)
      expect(jobOf(cancelled)).toMatchObject({
        state: "cancelled",
        error: { kind: "cancelled", message: "cancelled by its owner: wrong track" },
      })
      expect(cancelled.title).toBe(titled("1 cancelled"))
      expect(cancelled.output).toMatch(
        /^<job id="astray" state="cancelled" [^\n]*wrong track">\non the wrong track\n<\/job>$/,
      )
      const waited = await oc.callTool(owner, "agents_wait", { ids: ["astray"] })
      expect(waited.output).toMatch(
        /<job id="astray" state="cancelled" [^\n]*wrong track">\non the wrong track\n/,
      )
    })

    test("leaves the child session idle, with all it said", async () => {
      expect(await oc.isBusy(session)).toBe(false)
      const last = (await oc.messages(session)).at(-1)
      expect(last).toMatchObject({ role: "assistant", text: "on the wrong track", end: { error: ABORTED } })
    })

    test("a second time changes nothing", async () => {
      const before = jobOf(await oc.callTool(owner, "agents_status", { ids: ["astray"] }))
      const again = await oc.callTool(owner, "agents_cancel", { ids: ["astray"], reason: "to be sure" })
      expect(again).toMatchObject({ status: "completed", title: titled("1 already ended") })
      expect(again.output).toMatch(/^Already ended:\nastray: cancelled/)
      expect(jobOf(again)).toEqual(before)
    })

    test("leaves its siblings at work, who end as they would have", async () => {
      const seen = await oc.callTool(owner, "agents_status", { ids: ["course", "there"] })
      expect(jobsOf(seen).map(({ phase }) => phase)).toEqual(["working", "working"])
      sibling.release("arrives")
      const waited = await oc.callTool(owner, "agents_wait", { ids: ["course", "there"] })
      expect(waited.title).toBe(titled("2/2 done"))
      expect(waited.output.match(/the sibling arrives/g)).toHaveLength(2)
    })

    test("once it is done changes nothing", async () => {
      const late = await oc.callTool(owner, "agents_cancel", { ids: ["course"] })
      expect(jobOf(late).state).toBe("done")
    })
  })

  describe("Cancelling all", () => {
    test("ends what runs and what is queued, before it ever asked a model", async () => {
      const owner = await oc.session()
      model.on("one of many", { type: "silent" })
      const tasks = ["m1", "m2", "m3", "m4"].map((id) => ({ id, prompt: `one of many: ${id}` }))
      await oc.callTool(owner, "agents_start", { tasks })
      await model.waitFor(
        () => model.requests.filter(({ text }) => text.startsWith("one of many")).length === 3,
      )
      const cancelled = await oc.callTool(owner, "agents_cancel", { all: true })
      expect(cancelled.title).toBe(titled("4 cancelled"))
      expect(jobsOf(cancelled).map(({ state }) => state)).toEqual(Array(4).fill("cancelled"))
      const ended = () =>
        model.requests.filter(({ text, closed }) => text.startsWith("one of many") && closed)
      await model.waitFor(() => ended().length === 3)
      expect(model.requests.filter(({ text }) => text.startsWith("one of many"))).toHaveLength(3)
      expect((await oc.callTool(owner, "agents_cancel", { all: true })).output).toBe("No jobs are running.")
    })
  })
})
