import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hint } from "../../src/plugin/owners/system-prompt.ts"
import { JOB_TOOLS } from "../../src/plugin/tools/index.ts"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf, recordOf } from "../support/jobs.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("The main agent", ({ generation, open, titled, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject
  /** The same opencode without the plugin. */
  let bare: AnyProject

  /** A person who lets plan mode use subagents that may edit. */
  const config = {
    agent: {
      writer: { mode: "subagent", description: "Writes" },
      plan: { permission: { task: "allow" } },
    },
    permission: {},
    // As users have it; the other tests do without, to be quicker.
    snapshot: true,
  }

  beforeAll(async () => {
    model = await startScriptedModel()
    ;[oc, bare] = await Promise.all([
      open({ model, config, plugin: { options: { notify: "never" } } }),
      open({ model, config, plugin: false }),
    ])
  })

  afterAll(async () => {
    await Promise.all([oc?.stop(), bare?.stop()])
    await model.stop()
  })

  const asked = (prompt: string) => model.waitFor(({ text }) => text === prompt)

  describe("A main agent that hands out three pieces of work", () => {
    const north = held("At first sight: ")
    const south = held()
    const east = held()
    let owner: string
    let sessions: string[]

    beforeAll(async () => {
      model.on("survey the north", north.reply)
      model.on("survey the south", south.reply)
      model.on("survey the east", east.reply)
      owner = await oc.session()
    })

    test("has its turn back while all of them are at work", async () => {
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "north", prompt: "survey the north", description: "North" },
          { prompt: "survey the south" },
          { id: "east", prompt: "survey the east", agent: "explore", model: "fake/m2" },
        ],
      })
      const jobs = jobsOf(started)
      sessions = jobs.map(({ session }) => session)
      expect(started).toMatchObject({ status: "completed", title: titled("3/3 jobs started") })
      expect(started.output).toContain("north, j2, east")
      expect(jobs).toEqual([
        expect.objectContaining({ id: "north", description: "North", agent: "general", model: "fake/m1" }),
        expect.objectContaining({ id: "j2", description: "survey the south", agent: "general" }),
        expect.objectContaining({ id: "east", agent: "explore", model: "fake/m2" }),
      ])
      const requests = await Promise.all(
        ["north", "south", "east"].map((side) => asked(`survey the ${side}`)),
      )
      expect(requests.map(({ state }) => state)).toEqual(["open", "open", "open"])
      expect(requests.map(({ session }) => session)).toEqual(sessions)
      expect(requests.map((request) => request.model)).toEqual(["m1", "m1", "m2"])
    })

    test("sees where each stands", async () => {
      const seen = await oc.callTool(owner, "agents_status", {})
      expect(seen.output.split("\n")).toEqual([
        expect.stringMatching(/^north: prompting\.working \d+(\.\d s| ms)/),
        expect.stringMatching(/^j2: prompting\.working/),
        expect.stringMatching(/^east: prompting\.working/),
        // On 1.18 the log and a toast say so.
        ...(generation === 1
          ? []
          : [expect.stringMatching(/^opencode-troupe [\d.]+\. Inspector: node .+ inspect$/)]),
      ])
      expect(jobsOf(seen).map(({ state, phase }) => ({ state, phase }))).toEqual(
        Array(3).fill({ state: "prompting", phase: "working" }),
      )
    })

    test("finds them in opencode's own store, as its children", async () => {
      const children = await oc.children(owner)
      expect(children.map(({ id }) => id).sort()).toEqual([...sessions].sort())
      expect(children).toContainEqual({
        id: sessions[0],
        parent: owner,
        title: "North (@general north)",
        agent: "general",
      })
      expect(await oc.stored(owner)).toContainEqual(
        expect.objectContaining({
          session: sessions[0],
          record: expect.objectContaining({ id: "north", owner }),
          prompt: "survey the north",
        }),
      )
    })

    test("gets every full text, in the order asked", async () => {
      const long = "snow ".repeat(2_000)
      const waiting = oc.startTool(owner, "agents_wait", { ids: ["east", "north", "j2"] })
      await waiting.running()
      south.release("The south has palms.")
      north.release(long)
      east.release("The east has tea.")
      const waited = await waiting.done
      expect(waited.title).toBe(titled("3/3 done"))
      expect(waited.output).toMatch(
        /^<job id="east" state="done"[^>]*>\nThe east has tea\.\n<\/job>\n<job id="north"[^>]*>\nAt first sight: snow .*\n<\/job>\n<job id="j2"[^>]*>\nThe south has palms\.\n<\/job>$/,
      )
      expect(waited.output).toContain(long.trim())
      expect(jobsOf(waited).map(({ id, state }) => [id, state])).toEqual([
        ["east", "done"],
        ["north", "done"],
        ["j2", "done"],
      ])
      expect(jobsOf(waited)[0]?.usage).toMatchObject({ input: 10, output: 5 })
    })

    test("leaves their records there", async () => {
      const record = await recordOf(oc, owner, "north", ({ state }) => state === "done")
      expect(record).toMatchObject({ id: "north", state: "done", endedAt: expect.any(Number) })
    })

    test("has nothing more to wait for once all is delivered", async () => {
      const again = await oc.callTool(owner, "agents_wait", {})
      expect(again.output).toBe("No jobs are running, and all results have been delivered.")
    })

    test("may read a result a second time", async () => {
      expect((await oc.callTool(owner, "agents_wait", { ids: ["j2"] })).output).toContain(
        "The south has palms.",
      )
    })
  })

  describe("What models are sent", () => {
    test("the main agent has the tools and the hint, its children neither", async () => {
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "look about" }] })
      const [ofOwner, ofChild] = await Promise.all([
        model.waitFor(({ session }) => session === owner),
        asked("look about"),
      ])
      expect(ofOwner.tools).toEqual(expect.arrayContaining([...JOB_TOOLS]))
      expect(ofOwner.system).toContain(hint(false))
      expect(ofChild.tools.filter((tool) => tool.startsWith("agents_"))).toEqual([])
      expect(ofChild.system).not.toContain(hint(false))
      await oc.callTool(owner, "agents_wait", {})
    })

    describe("a request of the main agent, beside one without the plugin,", () => {
      let withPlugin: ModelRequest
      let without: ModelRequest

      beforeAll(async () => {
        const request = async (each: AnyProject) => {
          const sessionID = await each.session()
          await each.say(sessionID, "how are you")
          return model.waitFor(({ session }) => session === sessionID)
        }
        ;[withPlugin, without] = await Promise.all([request(oc), request(bare)])
      })

      test("grows by at most 3,600 bytes", () => {
        const bytes = withPlugin.bytes - without.bytes
        expect(bytes).toBeGreaterThan(0)
        expect(bytes).toBeLessThanOrEqual(3_600)
      })

      test("does not say once more for each tool which JSON Schema that is", () => {
        const named = ({ rawBody }: ModelRequest) => rawBody.split("json-schema.org").length - 1
        expect(named(withPlugin)).toBe(named(without))
      })
    })
  })

  describe("An owner in plan mode", () => {
    const shell = tools.shell("").name
    const toolsOf = async (agent: string) => {
      const owner = await oc.session({ agent })
      const prompt = `write as one of ${agent}`
      const tasks = [{ prompt, agent: "writer" }]
      const started = await oc.callTool(owner, "agents_start", { tasks })
      const request = await asked(prompt)
      await oc.callTool(owner, "agents_wait", {})
      expect(jobOf(started)).toMatchObject({ agent: "writer" })
      return request.tools
    }

    test("gets no child that edits", async () => {
      expect(await toolsOf("build")).toEqual(expect.arrayContaining(["edit", "write", shell]))
      const ofPlan = await toolsOf("plan")
      expect(ofPlan).toContain(shell)
      expect(ofPlan).not.toContain("edit")
      expect(ofPlan).not.toContain("write")
    })

    test("gets no child at all that opencode's own task would refuse", async () => {
      const rules = [{ permission: "task", pattern: "writer", action: "deny" as const }]
      const owner = await oc.session({ rules })
      const tasks = [{ id: "w", prompt: "never asked", agent: "writer" }, { prompt: "asked instead" }]
      const started = await oc.callTool(owner, "agents_start", { tasks })
      expect(started.output).toMatch(
        /^Refused: w: "build" may not start "writer"; it may start: [^"]*general/m,
      )
      expect(jobsOf(started)).toHaveLength(1)
      await oc.callTool(owner, "agents_wait", {})
      expect(model.requests.some(({ text }) => text === "never asked")).toBe(false)
    })
  })
})
