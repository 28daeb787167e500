import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { fillDiskFor } from "../support/full-disk.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { held, recordOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"

describeBoth("An owner that does not wait", ({ open, generation }) => {
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

  describe("delivery", () => {
    test("all jobs that end together are delivered to an idle owner at once, with their states and texts", async () => {
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

      // Once more in a turn of its own: nothing is delivered twice.
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

    test("what an owner has waited for is not delivered again", async () => {
      const owner = await oc.session()
      model.on("quick one", { type: "text", text: "quick answer" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "q", prompt: "quick one" }] })
      const waited = await oc.callTool(owner, "agents_wait", { ids: ["q"] })
      expect(waited.output).toContain("quick answer")

      // A later result of the same owner is delivered: the first one had its chance.
      model.on("quick two", { type: "text", text: "second answer" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "r", prompt: "quick two" }] })
      const told = await model.waitFor(({ text }) => isNotification(text) && text.includes("second answer"))
      expect(told.text).not.toContain("quick answer")
    })

    test("while the owner works it is not interrupted: the result is delivered when its turn is over", async () => {
      const [owner, witness] = [await oc.session(), await oc.session()]
      const [early, other, thought] = [held(), held(), held()]
      model.on("finishes early", early.reply)
      model.on("finishes after that", other.reply)
      model.on("think long", thought.reply)
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "early", prompt: "finishes early" }] })
      await oc.callTool(witness, "agents_start", { tasks: [{ id: "later", prompt: "finishes after that" }] })
      const turn = oc.say(owner, "think long")
      await model.waitFor(({ text }) => text === "think long")

      early.release("an early answer")
      await recordOf(oc, owner, "early", ({ state }) => state === "done")
      // What ended later has been delivered: the first result would have been by now.
      other.release("a later answer")
      await model.waitFor(({ text }) => isNotification(text) && text.includes("a later answer"))
      expect((await oc.userTexts(owner)).filter(isNotification)).toEqual([])

      thought.release("thought")
      await turn
      await model.waitFor(({ text }) => isNotification(text) && text.includes("an early answer"))
      expect((await oc.userTexts(owner)).filter(isNotification)).toHaveLength(1)
    })

    test("once its user has stopped its turn it is not woken by results: they come with the next", async () => {
      const [owner, witness] = [await oc.session(), await oc.session()]
      const [stopped, other] = [held(), held()]
      model.on("end after the stop", stopped.reply)
      model.on("end after that", other.reply)
      model.on("think for ever", held("hm").reply)
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "after", prompt: "end after the stop" }] })
      await oc.callTool(witness, "agents_start", { tasks: [{ id: "next", prompt: "end after that" }] })
      const thinking = oc.say(owner, "think for ever").catch(() => {})
      await model.waitFor(({ text }) => text === "think for ever")
      await oc.abort(owner)
      await thinking

      stopped.release("kept for later")
      await recordOf(oc, owner, "after", ({ state }) => state === "done")
      // What ended later has been delivered: the first result would have been by now.
      other.release("told at once")
      await model.waitFor(({ text }) => isNotification(text) && text.includes("told at once"))
      expect((await oc.userTexts(owner)).filter(isNotification)).toEqual([])
      await oc.say(owner, "go on then")
      await model.waitFor(({ text }) => isNotification(text) && text.includes("kept for later"))
    })

    test("the owner keeps its agent, model and variant", async () => {
      const owner = await oc.session({ agent: "plan" })
      model.on("work under plan", { type: "text", text: "planned answer" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "p", prompt: "work under plan" }] })
      await model.waitFor(({ text }) => isNotification(text) && text.includes("planned answer"))

      const users = (await oc.messages(owner)).flatMap((message) =>
        message.role === "user" ? [message] : [],
      )
      const { model: asked, variant } = users[0] ?? {}
      const told = users.filter(({ marks }) => marks.length > 0)
      expect(told).toEqual([expect.objectContaining({ agent: "plan", model: asked, variant })])
    })

    test.runIf(generation === 1)("the person sees a toast, which opencode 2 has not", async () => {
      model.on("worth a toast", { type: "text", text: "cheers" })
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "t", prompt: "worth a toast" }] })
      // One that ended just before is named in the same toast.
      await oc.events.waitFor("toast.shown", ({ message }) => /\b(t|\d+) done\b/.test(message))
    })

    test("a result that one call has delivered is not delivered again by the next of the same turn", async () => {
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
      const last = model.requests.findLast(({ session }) => session === owner)
      const results = last?.messages.flatMap((message) => (message.role === "tool" ? [textOf(message)] : []))
      const round = (id: string) => [
        expect.stringMatching(/^Started: /),
        expect.stringContaining(`<job id="${id}" state="done"`),
        "No jobs are running, and all results have been delivered.",
      ]
      expect(results).toEqual([...round("one"), ...round("two"), ...round("three")])
    })

    // opencode 2 goes on with a call that it cannot store as if it still ran.
    test.runIf(generation === 1)(
      "a result that opencode could not store, be its disk full, is delivered once it can",
      async () => {
        const owner = await oc.session()
        model.on("worth keeping", { type: "text", text: "an answer worth keeping" })
        await oc.callTool(owner, "agents_start", { tasks: [{ id: "k", prompt: "be worth keeping" }] })
        const makeRoom = await fillDiskFor(oc, owner, "an answer worth keeping")
        const waited = await oc.callTool(owner, "agents_wait", { ids: ["k"] })
        await makeRoom()
        expect([waited.status, waited.output]).toEqual(["error", ""])
        const told = await model.waitFor(
          ({ text }) => isNotification(text) && text.includes("an answer worth keeping"),
          30_000,
        )
        expect(told.session).toBe(owner)
      },
    )
  })
})
