import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

/** US$ for a million tokens. */
const priced = {
  tool_call: true,
  limit: { context: 200_000, output: 8_000 },
  cost: { input: 100, output: 1_000 },
}

describeBoth("A budget", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    const config = {
      provider: {
        fake: {
          npm: "@ai-sdk/openai-compatible",
          options: { baseURL: model.url, apiKey: "none" },
          models: { m1: priced, m2: { ...priced, cost: undefined } },
        },
      },
      agent: { delegate: { mode: "subagent", description: "Delegates", permission: { task: "allow" } } },
      experimental: { subagent_depth: 2 },
    }
    const options = { concurrency: 3, depth: 2, notify: "never", budget: { cost: 1 } }
    oc = await start({ model, config, plugin: { options } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const never = new Promise<string>(() => {})
  /** opencode 2 puts words of its own before a subagent's. */
  const asked = (prompt: string) => model.requests.filter(({ text }) => text.endsWith(prompt))
  const kinds = (outcome: Parameters<typeof jobsOf>[0]) =>
    jobsOf(outcome).map(({ id, state, error }) => [id, error?.kind ?? state])

  describe("of a batch", () => {
    let owner: string
    const tokens = { input: 600, output: 100 }

    beforeAll(async () => {
      owner = await oc.session()
      model.on("idle along", { type: "hold", text: "So far.", until: never })
      // All slots are taken by then: the second one waits.
      const nested = { tasks: [{ prompt: "help with it" }, { prompt: "help later" }] }
      model.script("work hard", [
        { type: "tool", text: "I begin.", calls: [{ name: "agents_start", args: nested }], tokens },
        { type: "hold", text: "I go on.", until: never },
      ])
      model.script("help with it", [
        { type: "tool", calls: [tools.shell("true")], tokens },
        { type: "hold", until: never },
      ])
    })

    test("that is used up, by a job and what it had started, ends what works and what waits, and says so once", async () => {
      const waited = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "idle", prompt: "idle along" },
          { id: "hard", prompt: "work hard" },
          { id: "later", prompt: "come later", needs: ["idle"] },
        ],
        budget: { tokens: 1_400 },
        wait: true,
      })
      expect(kinds(waited)).toEqual([
        ["idle", "budget"],
        ["hard", "budget"],
        ["later", "budget"],
      ])
      expect(waited.output).toMatch(
        /^The budget of their batch is spent: 1,4\d\d of 1,400 tokens\. Left undone: idle, hard, later \(never begun: later\)\.\n<job id="idle"[^>]*reason="budget: its batch has spent 1,400 of 1,400 tokens">\nSo far\.\n/,
      )
      for (const prompt of ["idle along", "work hard", "help with it"])
        await model.waitFor(({ text, closed }) => text.endsWith(prompt) && closed)
      expect(["work hard", "help later", "come later"].map((prompt) => asked(prompt).length)).toEqual([
        2, 0, 0,
      ])
      const again = await oc.callTool(owner, "agents_wait", {})
      expect(again.output).toBe("No jobs are running, and all results have been delivered.")
    })

    test("that is used up runs none of its jobs again; a new one may start", async () => {
      const sent = await oc.callTool(owner, "agents_send", { id: "idle", message: "go on" })
      expect(sent.status).toBe("error")
      expect(sent.error).toMatch(/the budget of the batch of idle is spent: 1,4\d\d of 1,400 tokens/)
      const other = await oc.callTool(owner, "agents_start", {
        tasks: [{ prompt: "do another" }],
        wait: true,
      })
      expect(jobOf(other).state).toBe("done")
    })

    test("does not take the answer away that used it up", async () => {
      model.on("answer at length", { type: "text", text: "All of it.", tokens })
      const answered = await oc.callTool(owner, "agents_start", {
        tasks: [{ prompt: "answer at length" }],
        budget: { tokens: 500 },
        wait: true,
      })
      expect(jobOf(answered).state).toBe("done")
      expect(answered.output).not.toContain("budget")
    })
  })

  test("of a batch counts after a crash, too, what opencode's own subagents had used before it", async () => {
    const owner = await oc.session()
    model.script("have it done", [{ type: "tool", calls: [tools.subagent("general", "do it for me")] }])
    model.script("do it for me", [
      { type: "tool", calls: [tools.shell("true")], tokens: { input: 700, output: 100 } },
      { type: "hold", until: never },
    ])
    await oc.callTool(owner, "agents_start", {
      tasks: [{ id: "boss", agent: "delegate", prompt: "have it done" }],
      budget: { tokens: 1_000 },
    })
    await poll("what its subagent has used", async () => {
      const [boss] = await oc.stored(owner)
      return boss?.subagents?.find(({ usage }) => usage.input >= 700)
    })
    await oc.kill()
    await oc.restart()

    const rest = { type: "text", text: "All of it.", tokens: { input: 200, output: 50 } } as const
    model.on("do the rest yourself", rest)
    const send = (message: string) => oc.callTool(owner, "agents_send", { id: "boss", message })
    expect(await send("do the rest yourself")).toMatchObject({ status: "completed" })
    expect(kinds(await oc.callTool(owner, "agents_wait", {}))).toEqual([["boss", "done"]])
    expect((await send("do even more")).error).toMatch(
      /the budget of the batch of boss is spent: 1,0[5-9]\d of 1,000 tokens/,
    )
  })

  describe("of the owner", () => {
    test("ends all its batches, starts nothing more, and holds after a crash", async () => {
      const owner = await oc.session()
      const step = gate()
      model.on("stay on", { type: "hold", until: never })
      model.on("be dear", async () => ({
        type: "text",
        text: await step.passed,
        tokens: { input: 1_000, output: 1_000 },
      }))
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "stays", prompt: "stay on" }] })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "dear", prompt: "be dear" }] })
      await model.waitFor(({ text }) => text.endsWith("be dear"))
      step.open("That was dear.")
      const waited = await oc.callTool(owner, "agents_wait", {})
      expect(kinds(waited)).toEqual([
        ["stays", "budget"],
        ["dear", "done"],
      ])
      expect(waited.output).toMatch(
        /^The budget of this session's jobs is spent: \$1\.10 of \$1\.00\. Left undone: stays\.\n/,
      )
      const refused = async () => {
        const started = await oc.callTool(owner, "agents_start", {
          tasks: [{ id: "more", prompt: "do more" }],
        })
        return started.error
      }
      const words =
        /the budget of this session's jobs is spent: \$1\.10 of \$1\.00\. Only your user can raise it: it is the plugin's option \\*"budget\\*"\. Nothing was started\./
      expect(await refused()).toMatch(words)
      await poll("the end on record", async () => {
        const jobs = await oc.stored(owner)
        return jobs.every(({ record }) => record.endedAt !== undefined) || undefined
      })
      await oc.kill()
      await oc.restart()
      expect(await refused()).toMatch(words)
      expect(asked("do more")).toHaveLength(0)
    })

    test("that limits costs says of which model no price is known", async () => {
      const owner = await oc.session()
      const tasks = [{ prompt: "for nothing", model: "fake/m2" }, { prompt: "for money" }]
      const started = await oc.callTool(owner, "agents_start", { tasks })
      expect(started.output).toContain("opencode knows no price for fake/m2: a cost budget cannot hold it")
    })
  })

  test("of nothing is refused by name, and nothing starts", async () => {
    const owner = await oc.session()
    const tasks = [{ id: "a", prompt: "never started" }]
    for (const [budget, words] of [
      [{ tokens: 0 }, "budget.tokens is 0: it must be a number above 0"],
      [{}, "budget is {}: it must be an object with tokens, cost (US$) or both"],
    ] as const) {
      const { status, error } = await oc.callTool(owner, "agents_start", { tasks, budget })
      expect([status, error?.includes(words)]).toEqual(["error", true])
    }
    expect(asked("never started")).toHaveLength(0)
  })
})
