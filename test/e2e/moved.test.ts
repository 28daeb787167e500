import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { AnyOpencode, AnyProject } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeOn } from "../support/generations.ts"
import { held, jobOf, jobsOf, recordOf } from "../support/jobs.ts"
import { load, move, openProject2, projectConfig2, startOpencode2 } from "../support/opencode-2.ts"
import { makeProject } from "../support/project.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { scriptedProvider } from "../support/stage.ts"
import { type TempFolder, tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

describeOn(2, "An owner that is moved to another directory", () => {
  let model: ScriptedModel
  beforeAll(async () => {
    model = await startScriptedModel()
  })
  afterAll(() => model.stop())

  const asked = (prompt: string) => model.requests.filter(({ text }) => text === prompt)

  /** The turn of the child with this title, which is its prompt, is over. */
  async function ended(opencode: AnyProject, owner: string, title: string): Promise<void> {
    const child = (await opencode.children(owner)).find((each) => each.title.startsWith(title))
    await opencode.events.waitFor("session.idle", ({ session }) => session === child?.id)
  }

  describe("reaches its jobs", () => {
    let here: AnyProject
    let there: AnyProject
    beforeAll(async () => {
      const plugin = { options: { notify: "never", depth: 2 } }
      const config = { experimental: { subagent_depth: 2 } }
      here = await openProject2({ model, plugin, config })
      there = await openProject2({ model, plugin, config })
    })
    afterAll(async () => {
      await there?.stop()
      await here?.stop()
    })

    test("while they run: it sees, tells and cancels them, and gets their results", async () => {
      const talk = held("so far")
      model.on("be told more", talk.reply)
      model.on("be stopped", held("half of it").reply)
      const owner = await here.session()
      const tasks = [
        { id: "told", prompt: "be told more" },
        { id: "stopped", prompt: "be stopped" },
      ]
      await here.callTool(owner, "agents_start", { tasks })
      await model.waitFor(({ text }) => text === "be stopped")
      await move(here, owner, there.project)

      const status = await there.callTool(owner, "agents_status", {})
      expect(jobsOf(status).map(({ id, state }) => [id, state])).toEqual([
        ["told", "prompting"],
        ["stopped", "prompting"],
      ])
      const sent = await there.callTool(owner, "agents_send", { id: "told", message: "and this" })
      expect(sent.output).toContain("It gets the message")
      const cancelled = await there.callTool(owner, "agents_cancel", { ids: ["stopped"] })
      expect([jobOf(cancelled).state, cancelled.output]).toEqual([
        "cancelled",
        expect.stringContaining("half of it"),
      ])
      model.on("and this", { type: "text", text: "the end of it" })
      talk.release(", so good")
      const waited = await there.callTool(owner, "agents_wait", {})
      expect([jobOf(waited).state, waited.output]).toEqual(["done", expect.stringContaining("the end of it")])
      expect(asked("be told more")).toHaveLength(1)
    })

    test("once they have ended, from wherever it is by then, and each result once", async () => {
      model.on("end before it", { type: "text", text: "read later" })
      model.on("end there", { type: "text", text: "read back here" })
      const owner = await here.session()
      await here.callTool(owner, "agents_start", { tasks: [{ id: "before", prompt: "end before it" }] })
      await ended(here, owner, "end before it")
      await move(here, owner, there.project)
      expect((await there.callTool(owner, "agents_wait", {})).output).toContain("read later")

      await there.callTool(owner, "agents_start", { tasks: [{ id: "there", prompt: "end there" }] })
      await ended(here, owner, "end there")
      await move(here, owner, here.project)
      const waited = await here.callTool(owner, "agents_wait", {})
      expect(waited.output).toContain("read back here")
      expect(waited.output).not.toContain("read later")
    })

    test("and starts others, which work where it is now, by the rules and with the agents and models of that place", async () => {
      const { fake } = scriptedProvider(model)
      const config = {
        agent: { local: { mode: "subagent", description: "only there", prompt: "x" } },
        provider: { fake, local: fake },
        enabled_providers: ["fake", "local"],
        permission: { "*": "allow", task: "ask" },
      }
      const there = await openProject2({ model, config })
      model.on("stay", { type: "text", text: "stayed" })
      model.on("work there", { type: "text", text: "worked there" })
      const owner = await here.session()
      await here.callTool(owner, "agents_start", { tasks: [{ id: "a", prompt: "stay" }] })
      await move(here, owner, there.project)
      const starting = there.callTool(owner, "agents_start", {
        tasks: [
          { id: "a", prompt: "work there" },
          { id: "b", prompt: "work there", agent: "local" },
          { id: "c", prompt: "work there", agent: "local", model: "local/m2" },
        ],
      })
      const opened = await there.events.waitFor("request.opened", ({ session }) => session === owner)
      await there.reply(owner, opened.request.id, "once")
      expect((await starting).output).toContain('the id "a" is taken')
      const waited = await there.callTool(owner, "agents_wait", {})
      expect(jobsOf(waited).map(({ id, state }) => [id, state])).toEqual([
        ["a", "done"],
        ["b", "done"],
        ["c", "done"],
      ])
      for (const { rawBody } of asked("work there")) expect(rawBody).toContain(there.project)
      await there.stop()
    })

    test("with what they have started in turn, wherever that was", async () => {
      const inner = { id: "inner", prompt: "be split off" }
      model.script("split it", [
        { type: "tool", calls: [{ name: "agents_start", args: { tasks: [inner] } }] },
        { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      ])
      model.on("be split off", held().reply)
      model.on("stay behind", { type: "text", text: "stayed behind" })
      const owner = await here.session()
      await here.callTool(owner, "agents_start", { tasks: [{ id: "first", prompt: "stay behind" }] })
      await move(here, owner, there.project)
      await there.callTool(owner, "agents_start", { tasks: [{ id: "outer", prompt: "split it" }] })
      await model.waitFor(({ text }) => text.endsWith("be split off"))
      await move(here, owner, here.project)
      const cancelled = jobOf(await here.callTool(owner, "agents_cancel", { ids: ["outer"] }))
      expect(cancelled.state).toBe("cancelled")
      await recordOf(here, cancelled.session, "inner", ({ state }) => state === "cancelled")
    })
  })

  describe("has lost nothing after a crash, and nothing runs twice", () => {
    const plugin = { options: { notify: "never", recover: "resume" } }
    let there: TempFolder
    let here: AnyOpencode
    let owner: string
    let cut: string

    /** It was moved while one of its jobs ran and the result of another had not been read, and then opencode crashed. */
    beforeEach(async ({ task }) => {
      there = tempFolder("moved")
      makeProject(there.path, projectConfig2({ model, plugin }))
      here = await startOpencode2({ model, plugin })
      cut = `be cut off ${task.id}`
      const resumed = { type: "text", text: "resumed" } as const
      model.on(cut, () => (asked(cut).length > 1 ? resumed : held("half").reply))
      model.on("end before it", { type: "text", text: "unread" })
      owner = await here.session()
      const tasks = [
        { id: "cut", prompt: cut },
        { id: "ended", prompt: "end before it" },
      ]
      await here.callTool(owner, "agents_start", { tasks })
      await ended(here, owner, "end before it")
      await move(here, owner, there.path)
      await here.kill()
    })
    afterEach(async () => {
      await here.stop()
      there.remove()
    })

    async function expectAll(place: AnyProject): Promise<void> {
      const waited = await place.callTool(owner, "agents_wait", {})
      expect(waited.output).toContain("resumed")
      expect(waited.output).toContain("unread")
      expect(jobsOf(waited).map(({ state }) => state)).toEqual(["done", "done"])
      const again = await place.callTool(owner, "agents_wait", {})
      expect(again.output).toBe("No jobs are running, and all results have been delivered.")
      expect(asked(cut)).toHaveLength(2)
    }

    test("where opencode is started in the old directory, and it is used in the new one", async () => {
      await here.restart()
      await expectAll(await load(here, there, model))
    })

    test("where opencode is started in the new directory, and it is moved back", async () => {
      const again = await startOpencode2({ model, home: here.home, project: there.path })
      await again.callTool(owner, "agents_status", {})
      await move(again, owner, here.project)
      await again.callTool(owner, "agents_status", {})
      await expectAll(again)
      await again.stop()
    })
  })

  test("is told once of a job that ends after the move", async () => {
    const here = await openProject2({ model })
    const there = await openProject2({ model })
    const work = held()
    model.on("end after it", work.reply)
    const owner = await here.session()
    await here.callTool(owner, "agents_start", { tasks: [{ id: "late", prompt: "end after it" }] })
    await move(here, owner, there.project)
    await there.callTool(owner, "agents_status", {})
    work.release("the late news")
    const told = async () => (await there.userTexts(owner)).filter(isNotification)
    await poll("the result", async () => (await told()).length > 0 || undefined)
    await there.say(owner, "thank you")
    expect(await told()).toEqual([expect.stringContaining("the late news")])

    // Nothing but the old directory's new instance knows of it by then.
    const later = held()
    model.on("outlast both", later.reply)
    await there.callTool(owner, "agents_start", { tasks: [{ id: "outlast", prompt: "outlast both" }] })
    await model.waitFor(({ text }) => text === "outlast both")
    await here.reload()
    later.release("the last news")
    await poll("the second result", async () => (await told()).length > 1 || undefined)
    expect((await told())[1]).toContain("the last news")
    expect(asked("outlast both")).toHaveLength(1)
    const { output } = await there.callTool(owner, "agents_wait", {})
    expect(output).toBe("No jobs are running, and all results have been delivered.")
    expect((await there.callTool(owner, "agents_wait", {})).output).toContain(
      "all results have been delivered",
    )
    await there.stop()
    await here.stop()
  })
})
