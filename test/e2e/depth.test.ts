import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { JOB_TOOLS } from "../../src/plugin/tools/index.ts"
import type { AnyProject } from "../support/any-opencode.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("The option depth", ({ open, generation, tools }) => {
  let model: ScriptedModel
  /** Only sessions without a parent start jobs here. */
  let flat: AnyProject
  /** Their children do too. */
  let deep: AnyProject
  /** Their children would, but for opencode. */
  let limited: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    const permission = { "*": "allow", bash: "ask" }
    // opencode 2 limits its own subagents, through which children are made there, by this.
    const config = { permission, experimental: { subagent_depth: 2 } }
    const starts = [
      open({ model, config, plugin: { options: { notify: "never" } } }),
      open({ model, config, plugin: { options: { depth: 2, notify: "never" } } }),
      open({ model, config: { permission }, plugin: { options: { depth: 2, notify: "never" } } }),
    ] as const
    ;[flat, deep, limited] = await Promise.all(starts)
  })

  afterAll(async () => {
    await Promise.all([flat?.stop(), deep?.stop(), limited?.stop()])
    await model.stop()
  })

  /** opencode 2 puts words of its own before a subagent's. */
  const request = (prompt: string) => model.waitFor(({ text }) => text.endsWith(prompt))

  const jobTools = ({ tools }: { tools: string[] }) => tools.filter((tool) => tool.startsWith("agents_"))

  const hint = "all in one agents_start call"

  /** What the model that was asked this was told of its n-th (1) tool call. */
  const toolResult = async (prompt: string, nth = 1) => {
    const { messages } = await model.waitFor(
      ({ text, messages }) =>
        text.endsWith(prompt) && messages.filter(({ role }) => role === "tool").length === nth,
    )
    return textOf(messages.at(-1))
  }

  describe("At depth 1", () => {
    test("a child sees neither the tools nor the hint", async () => {
      const owner = await flat.session()
      await flat.callTool(owner, "agents_start", { tasks: [{ prompt: "look at the ground" }] })
      const child = await request("look at the ground")
      expect(jobTools(child)).toEqual([])
      expect(child.system).not.toContain(hint)
      await flat.callTool(owner, "agents_wait", {})
    })

    test("a child of opencode's own task is refused, in words", async () => {
      const owner = await flat.session()
      model.script("start something as a subagent", [
        { type: "tool", calls: [{ name: "agents_start", args: { tasks: [{ prompt: "never started" }] } }] },
      ])
      const subagent = tools.subagent("general", "start something as a subagent")
      await flat.callTool(owner, subagent.name, subagent.args)
      expect((await request("start something as a subagent")).system).not.toContain(hint)
      expect(await toolResult("start something as a subagent")).toMatch(
        /a subagent at depth 1 may not start jobs: .*option \\*"depth\\*" is 1.*Do the work yourself/,
      )
      expect(model.requests.some(({ text }) => text === "never started")).toBe(false)
    })
  })

  // Only opencode 2 has a limit of its own for its tool, through which children are made there.
  test.runIf(generation === 2)(
    "at depth 2 that opencode itself does not permit, a child is told what has to be set",
    async () => {
      const owner = await limited.session()
      model.script("split it in vain", [
        { type: "tool", calls: [{ name: "agents_start", args: { tasks: [{ prompt: "never started" }] } }] },
      ])
      await limited.callTool(owner, "agents_start", { tasks: [{ prompt: "split it in vain" }] })
      expect(await toolResult("split it in vain")).toMatch(
        /^Refused: tasks\[0\]: opencode lets no subagent at depth 1 start others.*"experimental\.subagent_depth" to at least 2/,
      )
    },
  )

  describe("At depth 2", () => {
    test("a child sees the tools and the hint, and its own jobs run; their children cannot start any", async () => {
      const owner = await deep.session()
      const held = gate()
      model.script("split it up", [
        {
          type: "tool",
          calls: [
            {
              name: "agents_start",
              args: {
                tasks: [
                  { id: "left", prompt: "the left half" },
                  { id: "right", prompt: "the right half" },
                ],
              },
            },
          ],
        },
        { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
        { type: "text", text: "both halves are done" },
      ])
      model.on("the left half", { type: "hold", until: held.passed })
      model.on("the right half", { type: "text", text: "right is done" })
      const { session } = jobOf(
        await deep.callTool(owner, "agents_start", { tasks: [{ id: "boss", prompt: "split it up" }] }),
      )
      const [child, left] = [await request("split it up"), await request("the left half")]
      expect(jobTools(child)).toEqual(expect.arrayContaining([...JOB_TOOLS]))
      expect(child.system).toContain(hint)
      expect(jobTools(left)).toEqual([])
      expect(left.system).not.toContain(hint)
      expect((await deep.children(session)).map(({ id }) => id)).toContain(left.session)

      // Its owner has one job: what that one started is not its business.
      const seen = await deep.callTool(owner, "agents_status", {})
      expect(jobsOf(seen).map(({ id }) => id)).toEqual(["boss"])
      const asked = await deep.callTool(owner, "agents_status", { ids: ["left", left.session] })
      expect(asked.output).toBe(`Unknown: left, ${left.session} (your jobs: boss)`)

      held.open("left is done")
      const waited = await deep.callTool(owner, "agents_wait", {})
      expect(jobOf(waited)).toMatchObject({ id: "boss", state: "done" })
      expect(waited.output).toContain("both halves are done")
      const results = await toolResult("split it up", 2)
      expect(results).toContain("left is done")
      expect(results).toContain("right is done")
    })

    test("what a job's own job does and asks is seen on both", async () => {
      const owner = await deep.session()
      model.script("have somebody look", [
        {
          type: "tool",
          calls: [{ name: "agents_start", args: { tasks: [{ id: "eye", prompt: "look there" }] } }],
        },
        { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      ])
      model.script("look there", [{ type: "tool", calls: [tools.shell("true")] }])
      await deep.callTool(owner, "agents_start", { tasks: [{ id: "boss", prompt: "have somebody look" }] })
      const { session } = await request("look there")
      const { request: asked } = await deep.events.waitFor(
        "request.opened",
        (event) => event.session === session,
      )
      // The boss's call shows its own job, its owner's status the boss. opencode 2 shows no titles.
      if (generation === 1)
        await deep.events.waitFor(
          "tool.running",
          ({ title }) => title === "0/1 done, 1 waiting for permission",
        )
      const seen = await poll("the request on the boss", async () => {
        const job = jobOf(await deep.callTool(owner, "agents_status", {}))
        return job.phase === "permission" ? job : undefined
      })
      expect(seen).toMatchObject({ id: "boss", asks: [{ id: asked.id }] })
      await deep.reply(session ?? "", asked.id, "once")
      expect(jobOf(await deep.callTool(owner, "agents_wait", {})).state).toBe("done")
    })

    test("a job that ends takes along what it started", async () => {
      const owner = await deep.session()
      model.script("start and leave", [
        { type: "tool", calls: [{ name: "agents_start", args: { tasks: [{ prompt: "left behind" }] } }] },
        // What it started has to be at work, or there is nothing to take along.
        { type: "hold", text: "I am", until: request("left behind").then(() => " off") },
      ])
      model.on("left behind", { type: "silent" })
      await deep.callTool(owner, "agents_start", { tasks: [{ prompt: "start and leave" }] })
      const waited = await deep.callTool(owner, "agents_wait", {})
      expect(waited.output).toContain("I am off")
      await model.waitFor(({ text, closed }) => text === "left behind" && closed)
    })

    test("a cancelled job takes along what it started", async () => {
      const owner = await deep.session()
      model.script("start and wait", [
        { type: "tool", calls: [{ name: "agents_start", args: { tasks: [{ prompt: "waited for" }] } }] },
        { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      ])
      model.on("waited for", { type: "silent" })
      await deep.callTool(owner, "agents_start", { tasks: [{ prompt: "start and wait" }] })
      await request("waited for")
      await deep.callTool(owner, "agents_cancel", { all: true })
      await model.waitFor(({ text, closed }) => text === "waited for" && closed)
    })
  })
})
