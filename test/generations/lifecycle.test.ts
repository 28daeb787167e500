import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("An owner that goes on", ({ start }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({ model })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  test("is told once, by itself, of a job that ends while it is idle", async () => {
    const work = held()
    model.on("end later", work.reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "late", prompt: "end later" }] })
    work.release("better late")
    expect(await told(oc, owner, /<job id="late"/)).toContain("better late")
    const again = await oc.callTool(owner, "agents_wait", {})
    expect(again.output).toContain("all results have been delivered")
    expect((await oc.userTexts(owner)).filter(isNotification)).toHaveLength(1)
  })

  test("is not woken by results once its user has stopped its turn; they come with the next", async () => {
    const [stopped, other] = [held(), held()]
    model.on("end after the stop", stopped.reply)
    model.on("end after that", other.reply)
    const owner = await oc.session()
    const witness = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "after", prompt: "end after the stop" }] })
    await oc.callTool(witness, "agents_start", { tasks: [{ id: "next", prompt: "end after that" }] })
    model.on("think for long", held("hm").reply)
    const thinking = oc.say(owner, "think for long").catch(() => {})
    await model.waitFor(({ text }) => text === "think for long")
    await oc.abort(owner)
    await thinking
    await poll("its turn is over", async () => !(await oc.isBusy(owner)) || undefined)

    stopped.release("kept for later")
    await poll("the record of its end", async () => {
      return JSON.stringify(await oc.stored(owner)).includes('"done"') || undefined
    })
    // Whoever ended later has been told: it would have been told by now.
    other.release("told at once")
    await told(oc, witness, /<job id="next"/)
    expect((await oc.userTexts(owner)).filter(isNotification)).toEqual([])
    await oc.say(owner, "go on then")
    expect(await told(oc, owner, /<job id="after"/)).toContain("kept for later")
  })

  test("is told of what was left by an opencode that was killed, when it is next used, and not before", async () => {
    model.on("cut short", held("half a").reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "cut", prompt: "cut short" }] })
    await model.waitFor(({ text }) => text === "cut short")
    await oc.kill()
    await oc.restart()
    // Long enough for a notification that nobody asked for.
    await poll("the record of its end", async () => {
      return JSON.stringify(await oc.stored(owner)).includes("interrupted") || undefined
    })
    expect((await oc.userTexts(owner)).filter(isNotification)).toEqual([])
    await oc.say(owner, "are you there?")
    expect(await told(oc, owner, /<job id="cut"/)).toContain("interrupted")

    model.on("please finish", { type: "text", text: "the second half" })
    await oc.callTool(owner, "agents_send", { id: "cut", message: "please finish" })
    expect(await told(oc, owner, /the second half/)).toContain('<job id="cut" state="done"')
  })
})

describeBoth("With `recover: resume`", ({ start }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeEach(async () => {
    model = await startScriptedModel()
    oc = await start({ model, plugin: { options: { notify: "never", recover: "resume" } } })
  })
  afterEach(async () => {
    await oc?.stop()
    await model.stop()
  })

  test("a job that a kill cut off is asked again, and done", async () => {
    model.script("survive", [held("first").reply, { type: "text", text: "survived" }])
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "s", prompt: "survive" }] })
    await model.waitFor(({ text }) => text === "survive")
    await oc.kill()
    await oc.restart()
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(waited)).toMatchObject({ id: "s", state: "done" })
    expect(waited.output).toContain("survived")
    expect(model.requests.filter(({ text }) => text === "survive")).toHaveLength(2)
  })
})

/** What the owner was told without asking. */
const told = (oc: AnyOpencode, owner: string, what: RegExp) =>
  poll(
    `a notification of ${what}`,
    async () => (await oc.userTexts(owner)).find((text) => isNotification(text) && what.test(text)),
    { timeoutMs: 20_000 },
  )
