import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf } from "../support/jobs.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
} from "../support/scripted-model.ts"

describeBoth("A child", (start) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({ model, plugin: { options: { notify: "never" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  test("whose conversation opencode compacts in the middle of its work is done in the end", async () => {
    const owner = await oc.session()
    const look = { name: "glob", args: { pattern: "*" } }
    const answers: Reply[] = [
      // So much that what follows would not fit.
      { type: "tool", text: "I begin.", calls: [look], tokens: { input: 199_000, output: 5 } },
      { type: "text", text: summary },
      { type: "text", text: "the end of it" },
    ]
    const requests: ModelRequest[] = []
    model.on(
      ({ session, messages }) =>
        session !== owner && JSON.stringify(messages).match(/too much|kept words/) !== null,
      (request) => answers[requests.push(request) - 1] ?? { type: "text", text: "too many requests" },
    )
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "c", prompt: "work until it is too much" }] })
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(waited)).toMatchObject({ state: "done" })
    expect(waited.output).toContain("the end of it")
    expect(requests).toHaveLength(3)
  })
})

/** In the form that opencode 2 insists on. */
const summary = ["Objective", "Work State", "Next Move"]
  .map((title) => `## ${title}\n- kept words`)
  .join("\n\n")
