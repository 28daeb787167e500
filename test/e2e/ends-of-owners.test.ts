import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf, recordOf } from "../support/jobs.ts"
import { opencodeBinary } from "../support/opencode-binary.ts"
import { startGroup } from "../support/process-group.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { setStage } from "../support/stage.ts"

describeBoth("The end of an owner", ({ open, generation, titled, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    // Its link would be shown first, and long.
    const inspector = { enabled: false }
    // Nothing is delivered here but what owners ask for.
    oc = await open({
      model,
      plugin: { options: { depth: 2, notify: "never", inspector } },
      config: { experimental: { subagent_depth: 2 } },
    })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const toast = (words: RegExp) => oc.events.waitFor("toast.shown", ({ message }) => words.test(message))

  const stopWithTurn = "Jobs stop when this turn ends"

  describe.concurrent("An owner", () => {
    test("whose session is deleted takes its jobs along, and theirs", async () => {
      const owner = await oc.session()
      model.script("boss of the deleted", [
        {
          type: "tool",
          calls: [{ name: "agents_start", args: { tasks: [{ id: "sub", prompt: "work of the deleted" }] } }],
        },
        { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      ])
      model.on("work of the deleted", { type: "silent" })
      model.on("more of the deleted", { type: "hold", text: "so far", until: gate().passed })
      await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "deleted-boss", prompt: "boss of the deleted" },
          { id: "deleted-more", prompt: "more of the deleted" },
        ],
      })
      const below = await Promise.all(
        ["work of the deleted", "more of the deleted"].map((prompt) =>
          model.waitFor(({ text }) => text === prompt),
        ),
      )
      expect(below.map(({ state }) => state)).toEqual(["open", "open"])

      await oc.deleteSession(owner)
      await model.waitFor(({ text, closed }) => text === "work of the deleted" && closed)
      await model.waitFor(({ text, closed }) => text === "more of the deleted" && closed)
      const before = model.requests.length
      // Nobody goes on for a session that is gone.
      await oc.callTool(await oc.session(), "agents_status", {})
      expect(model.requests.slice(before).some(({ text }) => text.includes("of the deleted"))).toBe(false)
    })

    test("whose turn is interrupted leaves its jobs running; the person is told how to stop them", async () => {
      const owner = await oc.session()
      const held = gate()
      model.on(/^survive-/, { type: "hold", until: held.passed })
      await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "a", prompt: "survive-a" },
          { id: "b", prompt: "survive-b" },
        ],
      })
      const waiting = oc.startTool(owner, "agents_wait", {})
      await waiting.running()
      await oc.abort(owner)
      // opencode 2 lets a plugin show no toast.
      if (generation === 1)
        await toast(/^2 jobs are still running\. To stop: ask the agent to cancel all jobs\.$/)
      await waiting.done.catch(() => {})
      const running = model.requests.filter(({ text }) => text.startsWith("survive-"))
      expect(running.map(({ state }) => state)).toEqual(["open", "open"])

      held.open("survived")
      const waited = await oc.callTool(owner, "agents_wait", {})
      expect(waited.title).toBe(titled("2/2 done"))
      expect(waited.output.match(/survived/g)).toHaveLength(2)
    })

    test("that is compacted carries over its jobs that run and results that are not delivered", async () => {
      const owner = await oc.session()
      const held = gate()
      model.on("go on for long", { type: "hold", until: held.passed })
      model.on("be quick", { type: "text", text: "a quick result" })
      await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "live", prompt: "go on for long" },
          { id: "delivered", prompt: "be quick" },
          { id: "waiting", prompt: "be quick" },
        ],
      })
      await oc.callTool(owner, "agents_wait", { ids: ["delivered"] })
      // That the other one has ended, too, its owner does not know.
      await recordOf(oc, owner, "waiting", ({ endedAt }) => endedAt !== undefined)

      await oc.compact(owner)
      const asked = await model.waitFor(
        ({ session, rawBody }) => session === owner && rawBody.includes("still open"),
      )
      const list = asked.rawBody.slice(asked.rawBody.indexOf("still open"))
      expect(list).toMatch(/\\nlive: prompting\.working/)
      expect(list).toMatch(/\\nwaiting: done .*a quick result.*\(result not delivered yet\)/)
      expect(list).not.toMatch(/\\ndelivered: /)

      held.open("after all")
      const waited = await oc.callTool(owner, "agents_wait", {})
      expect(jobsOf(waited).map(({ id, state }) => [id, state])).toEqual([
        ["live", "done"],
        ["waiting", "done"],
      ])
    })

    test("of a server is not told that jobs stop with its turn", async () => {
      const owner = await oc.session()
      await oc.callTool(owner, "agents_status", {})
      const { system } = await model.waitFor(({ session }) => session === owner)
      expect(system).toContain("agents_start")
      expect(system).not.toContain(stopWithTurn)
    })
  })

  // In opencode 2 they do not: sessions belong to its service.
  describe.runIf(generation === 1)("opencode run", () => {
    test("says in its hint that jobs stop with the turn; and so they do", async () => {
      const stage = await setStage({ model })
      const jobAsked = model.waitFor(({ text }) => text === "work on after the run", 30_000)
      model.script("hand it out and leave", [
        {
          type: "tool",
          calls: [{ name: "agents_start", args: { tasks: [{ prompt: "work on after the run" }] } }],
        },
        // Its job has to be at work, or there is nothing to end.
        { type: "hold", text: "handed", until: jobAsked.then(() => " out") },
      ])
      model.on("work on after the run", { type: "silent" })
      const run = await startGroup(opencodeBinary(), ["run", "hand it out and leave"], {
        cwd: stage.project,
        // opencode takes its project from there.
        env: { ...stage.env, PWD: stage.project },
      })
      try {
        const asked = await model.waitFor(({ text }) => text.includes("hand it out and leave"), 30_000)
        expect(asked.system).toContain(stopWithTurn)
        await run.waitForOutput(/handed out/)
        await model.waitFor(({ text, closed }) => text === "work on after the run" && closed, 30_000)
        // A person's terminal.
        expect(run.output()).not.toContain("opencode-troupe:")
      } finally {
        await run.end("SIGTERM", 1_000)
        stage.remove()
      }
    })

    test.each([
      ["rejects", []],
      ["allows", ["--auto"]],
    ] as const)("%s what a job in a worktree asks permission for, as any other's", async (does, flags) => {
      const stage = await setStage({ model, config: { permission: { bash: "ask" } } })
      const task = { id: "a", prompt: `ask, and it ${does}`, isolation: "worktree" }
      model.script(`isolate what it ${does}`, [
        { type: "tool", calls: [{ name: "agents_start", args: { tasks: [task], wait: true } }] },
        { type: "text", text: "that is all" },
      ])
      model.script(task.prompt, [
        { type: "tool", calls: [tools.shell("echo ran > ran.txt")] },
        { type: "text", text: "it ran" },
      ])
      const run = await startGroup(opencodeBinary(), ["run", ...flags, `isolate what it ${does}`], {
        cwd: stage.project,
        env: { ...stage.env, PWD: stage.project },
      })
      try {
        await model.waitFor(({ text }) => text.includes(`isolate what it ${does}`), 30_000)
        await run.waitForOutput(/that is all/)
        const told = model.requests.findLast(({ text }) => text.includes(`isolate what it ${does}`))
        const result = textOf(told?.messages.at(-1))
        if (does === "allows") expect(result).toMatch(/state="done".*1 file/)
        else expect(result).toMatch(/state="failed".*no files changed/)
      } finally {
        await run.end("SIGTERM", 1_000)
        stage.remove()
      }
    })
  })
})
