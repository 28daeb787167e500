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

  test("names them in one toast and in the log, with what would be right", async () => {
    const { payload } = await oc.events.waitFor(
      ({ payload }) => payload.type === "tui.toast.show" && payload.properties.message.startsWith("option "),
    )
    expect(payload).toMatchObject({ properties: { variant: "warning", title: "opencode-troupe" } })
    const problems = payload.type === "tui.toast.show" ? payload.properties.message.split("\n") : []
    expect(problems).toEqual([
      'option "concurrency" is "many": it must be a whole number, at least 1 and at most 256; using the default, 8',
      'option "idleSeconds" is 0: it must be a number, above 0 and at most 2000000; using the default, 300',
      expect.stringMatching(/^option "colour" is unknown; there are: concurrency, timeoutSeconds, /),
    ])
    for (const problem of problems) {
      const logged = JSON.stringify(`opencode-troupe: ${problem}`)
      await poll(`${logged} in the log`, () => oc.log().includes(logged) || undefined)
    }
  })

  test("finds in the log that the plugin is there, and which", () => {
    expect(oc.log()).toMatch(/"opencode-troupe: version \d+\.\d+\.\d+ loaded: concurrency 8, /)
  })

  test("heeds the options that are right: at depth 2, subagents may start jobs too", async () => {
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "split it up" }] })
    const { tools, system } = await model.waitFor(({ text }) => text === "split it up")
    expect(tools).toEqual(expect.arrayContaining([...JOB_TOOLS]))
    expect(system).toContain(hint(false))
  })
})
