import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("A budget", ({ open, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { concurrency: 2, notify: "never" } } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  describe("of a batch, once a step has used it up", () => {
    let owner: string

    beforeAll(async () => {
      owner = await oc.session()
      model.on("idle along", { type: "hold", text: "so far", until: new Promise(() => {}) })
      model.script("work hard", [
        { type: "tool", text: "I begin.", calls: [tools.shell("true")], tokens: { input: 900, output: 200 } },
        { type: "text", text: "never said" },
      ])
      await oc.callTool(owner, "agents_start", {
        budget: { tokens: 1_000 },
        tasks: [
          { id: "idle", prompt: "idle along" },
          { id: "hard", prompt: "work hard" },
          { id: "later", prompt: "come later" },
        ],
      })
    })

    test("ends what runs and what waits, and says what was spent and what is left undone", async () => {
      const waited = await oc.callTool(owner, "agents_wait", {})
      expect(jobsOf(waited).map(({ state, error }) => [state, error?.kind])).toEqual(
        Array(3).fill(["cancelled", "budget"]),
      )
      await model.waitFor(({ text, closed }) => text === "idle along" && closed)
      expect(model.requests.some(({ text }) => text === "come later")).toBe(false)
    })
  })
})
