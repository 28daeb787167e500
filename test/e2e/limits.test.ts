import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { scriptedProvider } from "../support/stage.ts"

describeBoth("Two providers", ({ open }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    const { fake } = scriptedProvider(model)
    const config = { provider: { fake, other: fake }, enabled_providers: ["fake", "other"] }
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

  test("go on by themselves: where one says later, no further job of it starts before then", async () => {
    const owner = await oc.session()
    const answer = held()
    model.script("ask too much", [
      { type: "error", status: 429, headers: { "retry-after": "4" } },
      answer.reply,
    ])
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "first", prompt: "ask too much" }] })
    const waiting = oc.startTool(owner, "agents_wait", { ids: ["first"] })
    const told = await waiting.shown(({ jobs: [job] }) => job?.retry !== undefined)
    const until = Math.ceil(told.jobs[0]?.retry?.next ?? 0)

    const tasks = [
      { id: "held", prompt: "come later" },
      { id: "free", prompt: "go on", model: "other/m1" },
    ]
    const another = await oc.session()
    const started = await oc.callTool(another, "agents_start", { tasks })
    expect(jobsOf(started)[0]).toMatchObject({ phase: "queued", holdUntil: until })
    const free = await oc.callTool(another, "agents_wait", { ids: ["free"] })
    expect(jobOf(free)).toMatchObject({ state: "done" })
    const status = await oc.callTool(another, "agents_status", {})
    expect(status.output).toMatch(
      /^held: created\.queued .*, fake on hold until \d\d:\d\d:\d\d \(in [\d.]+ m?s\)$/m,
    )
    expect(requestOf("come later")).toBeUndefined()

    const later = await model.waitFor(({ text }) => text === "come later")
    expect(later.at).toBeGreaterThanOrEqual(until)
    answer.release("at last")
    expect(jobOf(await waiting.done)).toMatchObject({ state: "done" })
    const waited = await oc.callTool(another, "agents_wait", { ids: ["held"] })
    expect(jobOf(waited)).toMatchObject({ state: "done" })
    expect(jobOf(waited).holdUntil).toBeUndefined()
  })
})
