import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("A plugin that opencode loads again while its jobs run", ({ open, generation }) => {
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

  // opencode 1.18 ends the sessions of an instance with it; in opencode 2 they run on.
  const outcome = generation === 1 ? "interrupted, ready to be sent on" : "done, and was asked once"

  test(`has its jobs ${outcome}`, async () => {
    const work = held("half a")
    model.on("outlive it", work.reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "o", prompt: "outlive it" }] })
    await model.waitFor(({ text }) => text === "outlive it")
    await oc.reload()
    work.release(" loaf")
    const waited = await oc.callTool(owner, "agents_wait", {})
    if (generation === 1) {
      expect(jobOf(waited)).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
    } else {
      expect(jobOf(waited)).toMatchObject({ id: "o", state: "done" })
      expect(waited.output).toContain("half a loaf")
    }
    expect(model.requests.filter(({ text }) => text === "outlive it")).toHaveLength(1)
  })

  // opencode 1.18 ends the turns of an instance with it, and their calls.
  test.runIf(generation === 2)("ends the calls that wait, which nothing else would", async () => {
    const work = held()
    model.on("wait for it", work.reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "w", prompt: "wait for it" }] })
    const waiting = oc.startTool(owner, "agents_wait", {})
    await model.waitFor(({ rawBody }) => rawBody.includes(waiting.callID))
    await oc.reload()
    const { output, error } = await waiting.done
    expect(`${output}${error}`).toMatch(/interrupted|reloaded/)
    work.release("here it is")
    expect((await oc.callTool(owner, "agents_wait", {})).output).toContain("here it is")
  })
})
