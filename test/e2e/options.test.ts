import { afterAll, beforeAll, expect, test } from "vitest"
import { hint } from "../../src/plugin/owners/system-prompt.ts"
import { JOB_TOOLS } from "../../src/plugin/tools/index.ts"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("A server with a password, whose owner got some options wrong", ({ start, generation }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  /** All in one opencode: what is wrong in the options, what is right in them, and a password. */
  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({
      model,
      password: "open sesame",
      config: generation === 1 ? {} : { experimental: { subagent_depth: 2 } },
      plugin: { options: { concurrency: "many", idleSeconds: 0, colour: "red", depth: 2, notify: "never" } },
    })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  test("runs jobs all the same", async () => {
    const sessions = generation === 1 ? "session" : "api/session"
    expect((await fetch(`${oc.url}/${sessions}`)).status).toBe(401)
    model.on("knock", { type: "text", text: "come in" })
    const owner = await oc.session()
    const started = await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "knock" }] })
    expect(started.output).toContain("Started: j1")
    // opencode 2 has no toasts: the agent is to say it.
    expect(started.output.includes("Tell your user, from opencode-troupe: option ")).toBe(generation === 2)
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(waited).state).toBe("done")
    expect(waited.output).toContain("come in")
  })

  test("names them in the log, and in agents_status and in one toast where opencode has any, with what would be right", async () => {
    const problems = [
      'option "concurrency" is "many": it must be a whole number, at least 1 and at most 256; using the default, 8',
      'option "idleSeconds" is 0: it must be a number, above 0 and at most 2000000; using the default, 300',
      'option "colour" is unknown; valid names: concurrency, timeoutSeconds, ',
    ]
    if (generation === 1) {
      const { message } = await oc.events.waitFor("toast.shown", (toast) =>
        toast.message.startsWith("option "),
      )
      expect(message.split("\n")).toEqual(problems.map((each) => expect.stringContaining(each)))
    }
    const { output } = await oc.callTool(await oc.session(), "agents_status", {})
    for (const problem of problems) expect(output).toContain(`Problem: ${problem}`)
    const log = () => oc.log().replaceAll('\\"', '"')
    for (const problem of problems)
      await poll(`${problem} in the log`, () => log().includes(`opencode-troupe: ${problem}`) || undefined)
  })

  test("finds in the log that the plugin is there, and which", () => {
    expect(oc.log()).toMatch(/opencode-troupe: version \d+\.\d+\.\d+ loaded: concurrency 8, /)
  })

  test("heeds the options that are right: at depth 2, subagents may start jobs too", async () => {
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "split it up" }] })
    const { tools, system } = await model.waitFor(({ text }) => text === "split it up")
    expect(tools).toEqual(expect.arrayContaining([...JOB_TOOLS]))
    expect(system).toContain(hint(false))
  })
})
