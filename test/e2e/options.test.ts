import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hint } from "../../src/plugin/owners/system-prompt.ts"
import { JOB_TOOLS } from "../../src/plugin/tools/index.ts"
import { jobOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

let model: ScriptedModel
let oc: Opencode

/** All in one opencode: what is wrong in the options, what is right in them, and a password. */
beforeAll(async () => {
  model = await startScriptedModel()
  oc = await startOpencode({
    model,
    password: "open sesame",
    plugin: { options: { concurrency: "many", idleSeconds: 0, colour: "red", depth: 2, notify: "never" } },
  })
})

afterAll(async () => {
  await oc.stop()
  await model.stop()
})

describe("A server with a password, whose owner got some options wrong", () => {
  test("runs jobs all the same", async () => {
    expect((await fetch(`${oc.url}/session`)).status).toBe(401)
    model.on("knock", { type: "text", text: "come in" })
    const owner = await oc.session()
    const started = await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "knock" }] })
    expect(started.title).toBe("1/1 jobs started")
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(waited).state).toBe("done")
    expect(waited.output).toContain("come in")
  })

  test.each([
    /^option "concurrency" is "many", but .*expected number.*; using the default, 8$/,
    /^option "idleSeconds" is 0, but .*; using the default, 300$/,
    /^option "colour" is unknown; there are: concurrency, timeoutSeconds, /,
  ])("names them in a toast and in the log, with what would be right: %s", async (words) => {
    const { payload } = await oc.events.waitFor(
      (event) => event.payload.type === "tui.toast.show" && words.test(event.payload.properties.message),
    )
    expect(payload).toMatchObject({ properties: { variant: "warning", title: "opencode-troupe" } })
    const message = payload.type === "tui.toast.show" ? payload.properties.message : ""
    await poll(`${message} in the log`, () => oc.log().includes(JSON.stringify(message)) || undefined)
  })

  test("heeds the options that are right: at depth 2, subagents may start jobs too", async () => {
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "split it up" }] })
    const { tools, system } = await model.waitFor(({ text }) => text === "split it up")
    expect(tools).toEqual(expect.arrayContaining([...JOB_TOOLS]))
    expect(system).toContain(hint(false))
  })
})
