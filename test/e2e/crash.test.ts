import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode, AnyProject, ProjectOptions } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf, recordOf } from "../support/jobs.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
} from "../support/scripted-model.ts"
import { faultyBuild } from "./faults/site.ts"

/** What a story does with its project once opencode was killed. */
type Rest = { whileDown?: () => void; after: () => Promise<void> }

const resumed = { options: { notify: "never", recover: "resume" } }

/**
 * Each story has a project of its own in one opencode, which is killed once, when all have come to where they are to
 * be cut off: two starts take longer than all that is done here.
 */
describeBoth("What a kill of opencode cuts off", ({ start, generation, tools }) => {
  let model: ScriptedModel
  let opencode: AnyOpencode
  const begun: Promise<Rest>[] = []

  beforeAll(async () => {
    model = await startScriptedModel()
    opencode = await start({ model })
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
  })

  function story(
    title: string,
    options: Omit<ProjectOptions, "model">,
    begin: (project: AnyProject) => Promise<Rest>,
  ): void {
    let rest: Promise<Rest>
    beforeAll(async () => {
      rest = opencode.open({ model, ...options }).then(begin)
      begun.push(rest)
      // One that fails by then fails its own test alone.
      await rest.catch(() => {})
    })
    test(title, async () => (await rest).after())
  }

  story("wakes nobody after a restart: it is delivered when its session is next used", {}, async (oc) => {
    const owner = await oc.session()
    model.on("work until the kill", { type: "silent" })
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "left", prompt: "work until the kill" }] })
    await model.waitFor(({ text }) => text === "work until the kill")

    const after = async () => {
      // The first request loads the plugin, which then looks for what was left, and says so.
      const other = await oc.session()
      await recordOf(oc, owner, "left", ({ state }) => state === "failed")
      // opencode 2 has no toasts.
      if (generation === 1)
        await oc.events.waitFor("toast.shown", ({ message }) => /result is waiting/.test(message))
      // Results of this opencode are delivered: there was time enough for the others.
      model.on("work of today", { type: "text", text: "an answer of today" })
      await oc.callTool(other, "agents_start", { tasks: [{ id: "today", prompt: "work of today" }] })
      await model.waitFor(({ text }) => isNotification(text) && text.includes("an answer of today"))
      expect((await oc.userTexts(owner)).filter(isNotification)).toEqual([])

      model.on("back again", { type: "text", text: "welcome" })
      await oc.say(owner, "back again")
      const told = await model.waitFor(({ session, text }) => session === owner && isNotification(text))
      expect(told.text).toContain('<job id="left" state="failed"')
      expect(told.text).toContain("interrupted: opencode ended while it ran")

      model.on("please finish", { type: "text", text: "the second half" })
      await oc.callTool(owner, "agents_send", { id: "left", message: "please finish" })
      const again = await model.waitFor(
        ({ text }) => isNotification(text) && text.includes("the second half"),
      )
      expect(again.text).toContain('<job id="left" state="done"')
    }
    return { after }
  })

  story(
    "is that job afterwards where its next model was at work, and asks no model that is left",
    { plugin: resumed },
    async (oc) => {
      const prompt = "survive it"
      const noKey: Reply = { type: "error", status: 401, body: { error: { message: "Invalid API key" } } }
      let hasCrashed = false
      const isFor = ({ text }: ModelRequest) => text.includes(prompt)
      model.on(isFor, ({ model: name }) => {
        if (name === "m1") return noKey
        return hasCrashed ? { type: "text", text: "by m2 at last" } : held("so far").reply
      })
      const owner = await oc.session()
      const task = { id: "it", prompt, model: ["fake/m1", "fake/m2"] }
      await oc.callTool(owner, "agents_start", { tasks: [task] })
      await model.waitFor((request) => isFor(request) && request.model === "m2")

      const whileDown = () => {
        hasCrashed = true
      }
      const after = async () => {
        const waited = await oc.callTool(owner, "agents_wait", {})
        const job = jobOf(waited)
        expect(job).toMatchObject({
          id: "it",
          state: "done",
          model: "fake/m2",
          attempts: [{ model: "fake/m1" }],
        })
        expect(waited.output).toContain("by m2 at last")
        const asked = model.requests.filter(isFor).map(({ model, session }) => ({ model, session }))
        expect(asked).toEqual([
          { model: "m1", session: job.attempts?.[0]?.session },
          { model: "m2", session: job.session },
          { model: "m2", session: job.session },
        ])
      }
      return { whileDown, after }
    },
  )

  story("may no longer do what its owner may no longer do", { plugin: resumed }, async (oc) => {
    const file = join(oc.project, "written.txt")
    const write: Reply = { type: "tool", calls: [tools.write(file, "written")] }
    model.script("write it", [held("half").reply, write, { type: "text", text: "over" }])
    const owner = await oc.session({ agent: "build" })
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "w", prompt: "write it" }] })
    await model.waitFor(({ text }) => text === "write it")

    const whileDown = () => {
      const config = join(oc.project, "opencode.json")
      const agent = { build: { permission: { edit: "deny" } } }
      writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), agent }))
    }
    const after = async () => {
      expect(jobOf(await oc.callTool(owner, "agents_wait", {}))).toMatchObject({ id: "w", state: "done" })
      expect(
        model.requests.filter(({ session, text }) => session !== owner && text === "write it").length,
      ).toBe(3)
      expect(existsSync(file)).toBe(false)
    }
    return { whileDown, after }
  })

  const faulty = faultyBuild(generation, resumed.options)
  afterAll(() => faulty.remove())
  story(
    "is done only once its answer fits its schema, and no answer is asked for twice",
    { plugin: faulty.plugin },
    async (oc) => {
      const schema = {
        type: "object",
        properties: { colour: { enum: ["red", "blue"] }, size: { type: "integer" } },
        required: ["colour"],
        additionalProperties: false,
      }
      const asksFor = (prompt: string) => (request: ModelRequest) => request.text.startsWith(prompt)
      const corrects = (prompt: string) => (request: ModelRequest) =>
        request.text.includes("Answer again") && JSON.stringify(request.messages).includes(prompt)
      model.on("mix a tone", { type: "text", text: '{"colour":"blue"}' })
      model.on("mix a shade", { type: "text", text: "a dark one" })
      const cut = gate()
      const unset = model.on(corrects("mix a shade"), { type: "hold", until: cut.passed })
      const tint = gate()
      model.on("mix a tint", { type: "hold", until: tint.passed })
      model.on(corrects("mix a tint"), { type: "text", text: '{"colour":"blue","size":1}' })
      const owner = await oc.session()
      const tasks = ["tone", "shade", "tint"].map((id) => ({ id, prompt: `mix a ${id}`, schema }))
      await oc.callTool(owner, "agents_start", { tasks })
      await model.waitFor(corrects("mix a shade"))
      await model.waitFor(asksFor("mix a tint"))
      // The answer of that one is there, and its correction never gets to opencode.
      const prompt = generation === 1 ? "prompt" : "session.prompt"
      faulty.spoil({ call: prompt, way: "hangs", lateMs: 0 })
      tint.open("a light one")
      await faulty.spoiled(prompt)

      const whileDown = () => {
        faulty.mend()
        unset()
        model.on(corrects("mix a shade"), { type: "text", text: '{"colour":"red"}' })
      }
      const after = async () => {
        const ended = await oc.callTool(owner, "agents_wait", { ids: ["tone", "shade", "tint"] })
        expect(jobsOf(ended)).toMatchObject([
          { id: "tone", state: "done", structured: { colour: "blue" } },
          { id: "shade", state: "done", structured: { colour: "red" } },
          { id: "tint", state: "done", structured: { colour: "blue", size: 1 } },
        ])
        for (const { prompt } of tasks) expect(model.requests.filter(asksFor(prompt))).toHaveLength(1)
        // What was under way when opencode was killed is asked again.
        expect(model.requests.filter(corrects("mix a shade"))).toHaveLength(2)
        expect(model.requests.filter(corrects("mix a tint"))).toHaveLength(1)
      }
      return { whileDown, after }
    },
  )

  beforeAll(async () => {
    await opencode.kill()
    for (const each of await Promise.allSettled(begun))
      if (each.status === "fulfilled") each.value.whileDown?.()
    await opencode.restart()
  })
})
