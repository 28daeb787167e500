import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type Reply, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { scriptedProvider } from "../support/stage.ts"

describeBoth("Providers", ({ open, titled }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    const { fake } = scriptedProvider(model)
    const provider = { fake, other: fake, busy: fake }
    const config = { provider, enabled_providers: Object.keys(provider) }
    const concurrency = { total: 5, providers: { fake: 2 }, models: { "other/m2": 1 } }
    oc = await open({ model, plugin: { options: { concurrency, notify: "never" } }, config })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const requestOf = (prompt: string) => model.requests.find(({ text }) => text === prompt)

  test("and their models have limits of their own: what does not fit waits, and nothing behind it does", async () => {
    const owner = await oc.session()
    const prompts = ["x1", "x2", "x3", "y1", "y2", "z1"]
    const answers = new Map(prompts.map((id) => [id, held()]))
    for (const [id, { reply }] of answers) model.on(`do ${id}`, reply)
    const models: Record<string, string> = { x: "fake/m1", y: "other/m2", z: "other/m1" }
    const tasks = prompts.map((id) => ({ id, prompt: `do ${id}`, model: models[id.charAt(0)] }))
    await oc.callTool(owner, "agents_start", { tasks })
    await model.waitFor(({ text }) => text === "do z1")

    const queued = async () => {
      const status = await oc.callTool(owner, "agents_status", {})
      return jobsOf(status).flatMap(({ id, phase }) => (phase === "queued" ? [id] : []))
    }
    expect(await queued()).toEqual(["x3", "y2"])
    answers.get("y1")?.release("done")
    await model.waitFor(({ text }) => text === "do y2")
    expect(await queued()).toEqual(["x3"])
    for (const { release } of answers.values()) release("done")
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobsOf(waited).map(({ state }) => state)).toEqual(Array(6).fill("done"))
  })

  const comeBackIn = (seconds: number): Reply => ({
    type: "error",
    status: 429,
    headers: { "retry-after": `${seconds}` },
  })

  /** Starts a job that its provider does not answer at first; returns when opencode is to ask again. */
  async function toldLater(reply: Reply, task: { prompt: string; model?: string }) {
    const owner = await oc.session()
    model.script(task.prompt, [reply, { type: "text", text: "at last" }])
    const started = await oc.callTool(owner, "agents_start", { tasks: [{ id: "first", ...task }] })
    const { session } = jobOf(started)
    const told = await oc.events.waitFor("session.retrying", (event) => event.session === session)
    return { owner, until: Math.ceil(told.next) }
  }

  test("that say later are on hold, for all owners; those of others go on, and tools say what is held until when", async () => {
    const first = await toldLater(comeBackIn(120), { prompt: "ask too much", model: "busy/m1" })
    const owner = await oc.session()
    const tasks = [
      { id: "held", prompt: "do it later", model: "busy/m2" },
      { id: "free", prompt: "go on", model: "other/m1" },
    ]
    const started = await oc.callTool(owner, "agents_start", { tasks })
    expect(jobsOf(started)[0]).toMatchObject({ phase: "queued", holdUntil: first.until })
    const words = /busy on hold until (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d \(in [\dhms. ]+\)/.source
    expect(started.output).toMatch(new RegExp(`^Waiting, ${words}: held$`, "m"))

    const free = await oc.callTool(owner, "agents_wait", { ids: ["free"] })
    expect(jobOf(free)).toMatchObject({ state: "done" })
    const status = await oc.callTool(owner, "agents_status", { ids: ["held"] })
    expect(status.output).toMatch(new RegExp(`^held: created\\.queued [^,]*, ${words}$`, "m"))
    expect(status.title).toBe(titled("0/1 done, 1 on hold"))

    // Who gave up says nothing about the provider.
    await oc.callTool(first.owner, "agents_cancel", { all: true })
    expect(jobOf(await oc.callTool(owner, "agents_status", { ids: ["held"] }))).toMatchObject({
      phase: "queued",
      holdUntil: first.until,
    })
    const cancelled = await oc.callTool(owner, "agents_cancel", { ids: ["held"] })
    expect(jobOf(cancelled)).toMatchObject({ state: "cancelled" })
    expect(requestOf("do it later")).toBeUndefined()
  })

  test.each<[string, Reply, string]>([
    ["that they named", comeBackIn(3), "fake/m1"],
    ["at which opencode tries again, though they named none", { type: "error", status: 503 }, "other/m1"],
  ])("get no further job before the time %s, and then all that wait", async (when, reply, name) => {
    const first = await toldLater(reply, { prompt: `come back ${when}`, model: name })
    const owner = await oc.session()
    const prompt = `be patient until the time ${when}`
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "next", prompt, model: name }] })
    expect(jobOf(await oc.callTool(owner, "agents_wait", {}))).toMatchObject({ state: "done" })
    expect(requestOf(prompt)?.at).toBeGreaterThanOrEqual(first.until)
    expect(jobOf(await oc.callTool(first.owner, "agents_wait", {}))).toMatchObject({ state: "done" })
  })
})
