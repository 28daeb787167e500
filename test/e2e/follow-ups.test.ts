import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf, recordOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"

describeBoth("A main agent that sends its jobs more", ({ open }) => {
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

  async function ownerWith(...tasks: { id: string; prompt: string; timeout?: number }[]): Promise<string> {
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks })
    return owner
  }

  describe("agents_send", () => {
    test("an ended job runs again in the same session, knows what was said, and has its new result", async () => {
      model.on("name a colour", { type: "text", text: "blue" })
      model.on("and another", ({ messages }) => ({
        type: "text",
        text: JSON.stringify(messages).includes("blue") ? "not blue: red" : "no memory",
      }))
      const owner = await ownerWith({ id: "c", prompt: "name a colour" })
      const first = await oc.callTool(owner, "agents_wait", {})
      const sent = await oc.callTool(owner, "agents_send", { id: "c", message: "and another" })
      expect(sent.output).toContain("Run 2 started")
      const second = await oc.callTool(owner, "agents_wait", { ids: ["c"] })

      expect(second.output).toContain("not blue: red")
      expect(second.metadata.jobs).toMatchObject([{ id: "c", run: 2, state: "done" }])
      expect(jobOf(second).session).toBe(jobOf(first).session)
    })

    test("a follow-up to a result that its owner was not given yet brings both", async () => {
      const owner = await oc.session()
      model.on("find the bug", { type: "text", text: "it is in line 7" })
      model.on("find the next one", { type: "text", text: "and one in line 9" })
      const calls = [
        { name: "agents_start", args: { tasks: [{ id: "n", prompt: "find the bug" }] } },
        { name: "agents_send", args: { id: "n", message: "find the next one" } },
        { name: "agents_wait", args: {} },
      ]
      model.on(
        ({ text }) => text === "have them found",
        async ({ messages }) => {
          const answered = messages.filter(({ role }) => role === "tool").length
          if (answered === 1) await recordOf(oc, owner, "n", ({ state }) => state === "done")
          const call = calls[answered]
          return call ? { type: "tool", calls: [call] } : { type: "text", text: "found" }
        },
      )
      await oc.say(owner, "have them found")
      const last = model.requests.findLast(({ session }) => session === owner)
      const both = "it is in line 7\n\nand one in line 9"
      expect(textOf(last?.messages.at(-1))).toContain(both)
      // By now opencode alone has them.
      expect((await oc.callTool(owner, "agents_wait", { ids: ["n"] })).output).toContain(both)
    })

    test("a follow-up that fails keeps the earlier result beside its reason", async () => {
      model.on("give the answer", { type: "text", text: "forty-two" })
      model.on("break now", { type: "error", status: 400, body: { error: { message: "broken" } } })
      const owner = await ownerWith({ id: "k", prompt: "give the answer" })
      await oc.callTool(owner, "agents_wait", {})
      await oc.callTool(owner, "agents_send", { id: "k", message: "break now" })
      const again = await oc.callTool(owner, "agents_wait", { ids: ["k"] })

      expect(again.metadata.jobs).toMatchObject([{ run: 2, state: "failed", error: { kind: "provider" } }])
      expect(again.output).toContain("forty-two")
      expect(again.output).toContain("broken")
    })

    test.each([
      [
        "failed",
        "fails at first",
        { type: "error", status: 400, body: { error: { message: "no" } } } as const,
      ],
      ["timedOut", "hangs at first", { type: "silent" } as const],
    ])("a job that %s can be sent on", async (state, prompt, reply) => {
      model.on(prompt, reply)
      model.on(`go on after ${state}`, { type: "text", text: "now it works" })
      // Long enough for the follow-up, which has as much time.
      const owner = await ownerWith({ id: "x", prompt, timeout: 4 })
      const first = await oc.callTool(owner, "agents_wait", {})
      expect(first.metadata.jobs).toMatchObject([{ state }])
      await oc.callTool(owner, "agents_send", { id: "x", message: `go on after ${state}` })
      const second = await oc.callTool(owner, "agents_wait", {})
      expect(second.metadata.jobs).toMatchObject([{ state: "done", run: 2 }])
      expect(second.output).toContain("now it works")
    })

    test("a cancelled job can be sent on", async () => {
      model.on("runs until cancelled", { type: "silent" })
      model.on("now do this", { type: "text", text: "done this" })
      const owner = await ownerWith({ id: "x", prompt: "runs until cancelled" })
      await model.waitFor(({ text }) => text === "runs until cancelled")
      await oc.callTool(owner, "agents_cancel", { all: true })
      await oc.callTool(owner, "agents_send", { id: "x", message: "now do this" })
      const second = await oc.callTool(owner, "agents_wait", {})
      expect(second.output).toContain("done this")
    })

    test("a running job gets the message at its next step, and its result answers it", async () => {
      const held = gate()
      model.on("long work", { type: "hold", until: held.passed })
      model.on("mind the gap", { type: "text", text: "minding the gap" })
      const owner = await ownerWith({ id: "w", prompt: "long work" })
      await model.waitFor(({ text }) => text === "long work")
      const sent = await oc.callTool(owner, "agents_send", { id: "w", message: "mind the gap" })
      expect(sent.output).toContain("next step")
      held.open("worked long")
      const ended = await oc.callTool(owner, "agents_wait", {})

      expect(ended.output).toContain("minding the gap")
      expect(ended.metadata.jobs).toMatchObject([{ state: "done", run: 1 }])
      expect(model.requests.filter(({ text }) => text.includes("mind the gap"))).toHaveLength(1)
    })

    test.each(["agents_wait", "agents_cancel"])(
      "with %s in the same message, that is about the new run",
      async (tool) => {
        model.on(`a job before ${tool}`, { type: "text", text: "the old result" })
        const again = gate()
        model.on(`again, before ${tool}`, { type: "hold", text: "the new ", until: again.passed })
        const owner = await ownerWith({ id: "f", prompt: `a job before ${tool}` })
        await oc.callTool(owner, "agents_wait", {})
        const calls = [
          { name: "agents_send", args: { id: "f", message: `again, before ${tool}` } },
          { name: tool, args: { ids: ["f"] }, id: `call_${tool}` },
        ]
        model.script(`follow up and ${tool}`, [{ type: "tool", calls }])
        const turn = oc.say(owner, `follow up and ${tool}`)
        if (tool === "agents_wait") {
          await model.waitFor(({ text }) => text === `again, before ${tool}`)
          again.open("result")
        }
        await turn
        const outcome = await oc.outcomeOf(owner, `call_${tool}`)
        const state = tool === "agents_wait" ? "done" : "cancelled"
        expect(outcome?.metadata.jobs).toMatchObject([{ id: "f", run: 2, state }])
        if (tool === "agents_wait") expect(outcome?.output).toContain("the new result")
      },
    )

    test("an ended job whose session was deleted takes nothing more, and its owner hears what to do instead", async () => {
      const owner = await ownerWith({ id: "lost", prompt: "a job to lose" })
      const { session } = jobOf(await oc.callTool(owner, "agents_wait", {}))
      await oc.deleteSession(session)
      const sent = await oc.callTool(owner, "agents_send", { id: "lost", message: "still there?" })
      expect(sent).toMatchObject({
        status: "error",
        error: expect.stringContaining(
          "the session of lost was deleted, so it cannot continue: start a new job.",
        ),
      })
      expect(model.requests.filter(({ text }) => text === "still there?")).toEqual([])
    })

    test("an unknown id is answered beside the known ones; a queued job says when to send again", async () => {
      model.on("here I am", { type: "text", text: "yes" })
      const owner = await ownerWith({ id: "here", prompt: "here I am" })
      const unknown = await oc.callTool(owner, "agents_send", { id: "nobody", message: "hello" })
      expect(unknown.status).toBe("completed")
      expect(unknown.output).toContain("Unknown: nobody (your jobs: here)")
    })
  })
})
