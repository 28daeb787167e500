import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type Reply, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("Timeouts", ({ open, start, generation, titled, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    const delegate = { mode: "subagent", description: "Has others do it", permission: { task: "allow" } }
    const config = {
      subagent_depth: 2,
      experimental: { subagent_depth: 2 },
      agent: { delegate },
    }
    // A reload in a shared opencode 2 would end the calls that wait.
    const begin = generation === 1 ? open : start
    oc = await begin({ model, config, plugin: { options: { idleSeconds: 4, notify: "never" } } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** Runs one job on this prompt to its end. */
  async function run(prompt: string, reply: Reply, task: { timeout?: number } = {}) {
    model.on(prompt, reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "it", prompt, ...task }] })
    const waited = await oc.callTool(owner, "agents_wait", {})
    const request = model.requests.find(({ text }) => text === prompt)
    return { waited, job: jobOf(waited), request }
  }

  describe("A job whose time runs out", () => {
    test("is timed out with what it had written, and its child is stopped for real", async () => {
      const { waited, job, request } = await run("take for ever", held("so far").reply, { timeout: 2 })
      expect(job).toMatchObject({
        state: "timedOut",
        error: { kind: "total", message: "not done within 2 s" },
      })
      expect((job.endedAt ?? 0) - (job.startedAt ?? 0)).toBe(2_000)
      expect(waited.title).toBe(titled("0/1 done, 1 timed out"))
      expect(waited.output).toMatch(/<job id="it" state="timedOut" [^\n]*not done within 2 s">\nso far\n/)
      await model.waitFor((each) => each === request && each.closed)
      expect(await oc.isBusy(job.session)).toBe(false)
    })

    test("is timed out as well while opencode backs off", async () => {
      const { job } = await run("overloaded", { type: "error", status: 503 }, { timeout: 1 })
      expect(job).toMatchObject({ state: "timedOut", error: { kind: "total" } })
      expect(job.retry).toBeUndefined()
    })
  })

  describe.concurrent("A job whose child shows no activity", () => {
    test("is timed out when the plugin's idleSeconds have passed", async () => {
      const { job, request } = await run("say nothing", { type: "silent" })
      expect(job).toMatchObject({
        state: "timedOut",
        error: { kind: "idle", message: "no activity for 4 s" },
      })
      await model.waitFor((each) => each === request && each.closed)
    })

    test("is timed out as well while a subagent of its own shows none", async () => {
      model.on(({ text }) => text.endsWith("stay silent"), { type: "silent" })
      model.script("ask somebody else", [{ type: "tool", calls: [tools.subagent("general", "stay silent")] }])
      const owner = await oc.session()
      const task = { id: "it", agent: "delegate", prompt: "ask somebody else", timeout: 40 }
      await oc.callTool(owner, "agents_start", { tasks: [task] })
      const job = jobOf(await oc.callTool(owner, "agents_wait", {}))
      expect(job).toMatchObject({ state: "timedOut", error: { kind: "idle" } })
      await model.waitFor(({ text, closed }) => text.endsWith("stay silent") && closed)
    })

    test("but one that goes on writing is not", async () => {
      const reply: Reply = { type: "text", text: "a slow and steady tale", chunks: 4, delayMs: 1_500 }
      const { job, waited } = await run("tell slowly", reply)
      expect(job.state).toBe("done")
      expect(waited.output).toContain("a slow and steady tale")
    })

    test("nor is one whose tool runs in silence", async () => {
      const sleep = {
        type: "tool" as const,
        calls: [tools.shell("sleep 6")],
      }
      model.script("build it all", [sleep, { type: "text", text: "it is built" }])
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "it", prompt: "build it all" }] })
      expect(jobOf(await oc.callTool(owner, "agents_wait", {}))).toMatchObject({ state: "done" })
    })

    test("nor is one whose provider is to be asked again only much later", async () => {
      const later: Reply = { type: "error", status: 429, headers: { "retry-after": "6" } }
      model.script("come again later", [later, { type: "text", text: "welcome back" }])
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "it", prompt: "come again later" }] })
      const { output } = await oc.callTool(owner, "agents_wait", {})
      expect(output).toContain("welcome back")
    })
  })
})
