import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { answered } from "../support/answered.ts"
import { isNotification, userTexts } from "../support/conversation.ts"
import { fillDiskFor } from "../support/full-disk.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { type AnyProject, type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("Notification", ({ open, generation, titled, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({
      model,
      // Its link would be shown first, and long.
      plugin: { options: { inspector: { enabled: false } } },
      config: { agent: { plan: { permission: { edit: "deny" } } } },
    })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  describe("telling the owner", () => {
    test("an idle owner is told once of all jobs that end together, with their states and texts", async () => {
      const owner = await oc.session()
      const held = gate()
      model.on(/^together-/, ({ text }) => ({
        type: "hold",
        until: held.passed.then((words) => `${words} ${text}`),
      }))
      model.on(/^refused-together$/, {
        type: "error",
        status: 400,
        body: { error: { message: "no such luck" } },
      })
      await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "a", prompt: "together-a" },
          { id: "b", prompt: "together-b" },
        ],
      })
      await model.waitFor(({ text }) => text === "together-b")
      held.open("the answer of")

      const told = await model.waitFor(({ text }) => isNotification(text) && text.includes("together-a"))
      expect(told.text).toContain('<job id="a" state="done"')
      expect(told.text).toContain("the answer of together-b")

      // Once more in a turn of its own: nothing is told twice.
      await oc.callTool(owner, "agents_status", {})
      expect((await oc.userTexts(owner)).filter(isNotification)).toHaveLength(1)
    })

    test("a long text is cut, with how to read the rest, and agents_wait gives it whole", async () => {
      const owner = await oc.session()
      const long = `long story ${"x".repeat(20_000)} the end`
      model.on("tell a long story", { type: "text", text: long })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "story", prompt: "tell a long story" }] })

      const told = await model.waitFor(({ text }) => isNotification(text) && text.includes("long story"))
      expect(told.text.length).toBeLessThan(4_000)
      expect(told.text).toContain('agents_wait with ids ["story"]')
      const whole = await oc.callTool(owner, "agents_wait", { ids: ["story"] })
      expect(whole.output).toContain("the end")
    })

    test("an owner that waits gets the results so: it is not told again", async () => {
      const owner = await oc.session()
      model.on("quick one", { type: "text", text: "quick answer" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "q", prompt: "quick one" }] })
      const waited = await oc.callTool(owner, "agents_wait", { ids: ["q"] })
      expect(waited.output).toContain("quick answer")

      // A later job of the same owner is told: so the telling had its chance.
      model.on("quick two", { type: "text", text: "second answer" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "r", prompt: "quick two" }] })
      const told = await model.waitFor(({ text }) => isNotification(text) && text.includes("second answer"))
      expect(told.text).not.toContain("quick answer")
    })

    test("while the owner works it is not interrupted; it is told when its turn is over", async () => {
      const owner = await oc.session()
      model.on("finishes early", { type: "text", text: "an early answer" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "early", prompt: "finishes early" }] })
      const held = gate()
      model.on("think long", { type: "hold", until: held.passed })
      const turn = oc.client.session.prompt({
        sessionID: owner,
        parts: [{ type: "text", text: "think long" }],
      })
      await model.waitFor(({ text }) => text === "think long")
      const texts = await oc.userTexts(owner)
      const toldBefore = texts.filter(isNotification).length

      held.open("thought")
      await turn
      if (toldBefore === 0)
        await model.waitFor(({ text }) => isNotification(text) && text.includes("an early answer"))
      const after = await oc.userTexts(owner)
      expect(after.filter(isNotification)).toHaveLength(1)
    })

    test("the owner keeps its agent, model and variant", async () => {
      const owner = await oc.session()
      model.on("work under plan", { type: "text", text: "planned answer" })
      const words = await oc.callTool(
        owner,
        "agents_start",
        { tasks: [{ id: "p", prompt: "work under plan" }] },
        { agent: "plan" },
      )
      expect(words.status).toBe("completed")
      await model.waitFor(({ text }) => isNotification(text) && text.includes("planned answer"))

      const messages = await answered("the messages", oc.client.session.messages({ sessionID: owner }))
      const users = messages.flatMap(({ info }) => (info.role === "user" ? [info] : []))
      expect(users.map(({ agent }) => agent)).toEqual(["plan", "plan"])
      expect(users.at(1)?.model).toEqual(users.at(0)?.model)
    })

    test("the person sees a toast", async () => {
      model.on("worth a toast", { type: "text", text: "cheers" })
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "t", prompt: "worth a toast" }] })
      // One that ended just before is named in the same toast.
      const toast = await oc.events.waitFor(
        ({ payload }) =>
          payload.type === "tui.toast.show" && /\b(t|\d+) done\b/.test(payload.properties.message),
      )
      expect(toast).toBeDefined()
    })

    test("a result that one call has handed over is not handed over again by the next of the same turn", async () => {
      const owner = await oc.session()
      model.on(/^in a row/, { type: "text", text: "an answer in a row" })
      const calls = ["one", "two", "three"].flatMap((id) => [
        { name: "agents_start", args: { tasks: [{ id, prompt: `in a row ${id}` }] } },
        { name: "agents_wait", args: {} },
        { name: "agents_wait", args: {} },
      ])
      model.script(
        "call after call",
        calls.map((call) => ({ type: "tool", calls: [call] })),
      )
      await oc.say(owner, "call after call")
      const messages = await answered("the messages", oc.client.session.messages({ sessionID: owner }))
      const titles = messages
        .flatMap((message) => message.parts)
        .flatMap((part) =>
          part.type === "tool" && part.state.status === "completed" ? part.state.title : [],
        )
      const round = ["1/1 jobs started", "1/1 done", "nothing to wait for"]
      expect(titles).toEqual([...round, ...round, ...round])
    })

    test("a result that opencode could not store, be its disk full, is delivered once it can", async () => {
      const owner = await oc.session()
      model.on("worth keeping", { type: "text", text: "an answer worth keeping" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "k", prompt: "be worth keeping" }] })
      const makeRoom = await fillDiskFor(opencode, owner, "an answer worth keeping")
      const waited = await oc.callTool(owner, "agents_wait", { ids: ["k"] })
      await makeRoom()
      expect([waited.status, waited.output]).toEqual(["error", ""])
      const told = await model.waitFor(
        ({ text }) => isNotification(text) && text.includes("an answer worth keeping"),
        30_000,
      )
      expect(told.session).toBe(owner)
    })
  })

  describe("What an earlier opencode left", () => {
    let own: Opencode
    beforeAll(async () => {
      own = await startOpencode({ model, plugin: {} })
    })
    afterAll(() => own.stop())

    test("wakes nobody after a restart: it is delivered when its session is next used", async () => {
      const owner = await own.session()
      model.on("work until the kill", { type: "silent" })
      await own.callTool(owner, "agents_start", { tasks: [{ id: "left", prompt: "work until the kill" }] })
      await model.waitFor(({ text }) => text === "work until the kill")
      await own.kill()
      await own.restart()
      // The first request loads the plugin, which then looks for what was left, and says so.
      const other = await own.session()
      await own.events.waitFor(
        ({ payload }) =>
          payload.type === "tui.toast.show" && /result is waiting/.test(payload.properties.message),
      )
      // Whoever has results of this opencode is told of them: so there was time enough for the others.
      model.on("work of today", { type: "text", text: "an answer of today" })
      await own.callTool(other, "agents_start", { tasks: [{ id: "today", prompt: "work of today" }] })
      await model.waitFor(({ text }) => isNotification(text) && text.includes("an answer of today"))
      expect((await own.userTexts(owner)).filter(isNotification)).toEqual([])

      model.on("back again", { type: "text", text: "welcome" })
      const parts = [{ type: "text" as const, text: "back again" }]
      await answered("the turn", own.client.session.prompt({ sessionID: owner, parts }))
      const told = await model.waitFor(({ session, text }) => session === owner && isNotification(text))
      expect(told.text).toContain('<job id="left" state="failed"')
      expect(told.text).toContain("interrupted: opencode ended while it ran")
    })
  })
})
