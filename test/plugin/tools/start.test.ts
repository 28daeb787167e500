import { getEventListeners } from "node:events"
import { describe, expect, it, vi } from "vitest"
import type { PermissionRule, StartPermission } from "../../../src/plugin/host/port.ts"
import { JOB_TOOLS } from "../../../src/plugin/tools/index.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import { failed, ok, okAgents, okSession } from "../support/host-double.ts"
import { agentOf, sessionOf } from "../support/opencode-data.ts"
import { type CallOptions, testServices } from "../support/services.ts"
import { until } from "../support/until.ts"
import { running, task } from "./support/running.ts"

describe("agents_start", () => {
  it("makes each job a child session of its owner, and asks its child under ids of its own", async () => {
    const { host } = await running("a")
    const [session] = [...host.sessions.values()].filter(({ parentID }) => parentID === "owner")
    expect(session).toMatchObject({ title: "do a (@general a)", agent: "general" })
    expect(session?.metadata).toHaveProperty("troupe")
    expect(host.prompts[0]?.prompt).toMatchObject({
      session: session?.id,
      messageID: expect.stringMatching(/^msg_/),
      text: "do a",
      agent: "general",
    })
  })

  it("returns once the sessions exist, without an answer", async () => {
    const { call } = testServices()
    const { title, output, jobs } = await call("agents_start", { tasks: [task("a"), { prompt: "do b" }] })
    expect(title).toBe("2/2 jobs started")
    expect(output).toBe("Started: a, j2. Carry on; agents_wait returns their results.")
    expect(jobs.every(({ session, state }) => session !== "" && state === "prompting")).toBe(true)
  })

  it("makes the jobs of a call one batch, in which they stay when they are continued", async () => {
    const { call, host } = testServices()
    const first = await call("agents_start", { tasks: [task("a"), task("b")] })
    const second = await call("agents_start", { tasks: [task("c")] })
    const [a, b, c] = [...first.jobs, ...second.jobs].map(({ batch }) => batch)
    expect([a === b, a === c, a]).toEqual([true, false, expect.any(String)])

    host.prompts[0]?.answer("done")
    await call("agents_wait", { ids: ["a"] })
    await call("agents_send", { id: "a", message: "go on" })
    const { jobs } = await call("agents_status", { ids: ["a"] })
    expect(jobs).toMatchObject([{ run: 2, batch: a }])
  })

  it("looks up what it needs while the owner's earlier jobs are looked for, and starts nothing before these are known", async () => {
    const found = gate<void>()
    const asked: string[] = []
    const { call, host } = testServices({
      async children() {
        await found.passed
        return ok({ sessions: [] })
      },
      async agents() {
        asked.push("agents")
        return okAgents(agentOf("general"))
      },
    })
    const starting = call("agents_start", { tasks: [task("a")] })
    await until(() => asked.length === 1)
    await settled()
    expect(host.prompts).toEqual([])
    found.open()
    expect((await starting).jobs).toMatchObject([{ id: "a" }])
  })

  it("waits for the last session, though others are there", async () => {
    let make = () => {}
    const slow = new Promise<void>((resolve) => {
      make = resolve
    })
    const { call, host } = testServices({
      createSession: async ({ title }) => {
        if (title.startsWith("slow")) await slow
        return okSession(sessionOf(`ses_${title}`))
      },
    })
    const starting = call("agents_start", { tasks: [task("a"), task("b", { description: "slow" })] })
    await until(() => host.prompts.length === 1)
    make()
    expect((await starting).jobs.map(({ session }) => session !== "")).toEqual([true, true])
  })

  it("leaves nothing behind that hears of a later interrupt", async () => {
    const made = gate<void>()
    const { call } = testServices({
      createSession: () => made.passed.then(() => okSession(sessionOf("ses_a"))),
    })
    const { signal } = new AbortController()
    const starting = call("agents_start", { tasks: [task("a")] }, { abort: signal })
    await until(() => getEventListeners(signal, "abort").length === 1)
    made.open()
    await starting
    expect(getEventListeners(signal, "abort")).toEqual([])
  })

  it("gives ids that no task asks for and that are free", async () => {
    const { call } = testServices()
    const tasks = [{ prompt: "x" }, task("j2"), { prompt: "y" }]
    expect((await call("agents_start", { tasks })).jobs.map(({ id }) => id)).toEqual(["j1", "j2", "j3"])
    const more = await call("agents_start", { tasks: [{ prompt: "z" }] })
    expect(more.jobs.map(({ id }) => id)).toEqual(["j4"])
  })

  it("leaves an id to the later task that asks for it, and to the earlier job that has it", async () => {
    const { call } = testServices()
    const { jobs } = await call("agents_start", { tasks: [{ prompt: "x" }, { prompt: "y" }, task("j2")] })
    expect(jobs.map(({ id }) => id)).toEqual(["j1", "j3", "j2"])
    await call("agents_start", { tasks: [task("j5"), task("j6")] })
    const more = await call("agents_start", { tasks: [{ prompt: "z" }] })
    expect(more.jobs.map(({ id }) => id)).toEqual(["j7"])
  })

  it("refuses bad tasks one by one, and starts the rest", async () => {
    const { call, host } = await running("taken")
    const { output, jobs, metadata } = await call("agents_start", {
      tasks: [
        task("good"),
        task("agent", { agent: "wizard" }),
        task("primary", { agent: "build" }),
        task("hidden", { agent: "" }),
        task("model", { model: "fake/m3" }),
        task("shape", { model: "m1" }),
        task("taken"),
        task("good"),
        task("no spaces"),
        { id: "blank", prompt: " \n" },
        { description: "Has no prompt" },
        task("odd", { colour: "red" }),
        7,
        null,
        "work",
        { id: "", prompt: "x" },
        { id: "x".repeat(41), prompt: "x" },
      ],
    })
    const words = "it must be text that is not blank"
    const id = "it must be 1 to 40 letters, digits, '_', '-' or '.', the first a letter or digit"
    expect(output.split("\n")).toEqual([
      "Started: good. Carry on; agents_wait returns their results.",
      'Refused: agent: no subagent "wizard"; available: general, explore',
      'Refused: primary: no subagent "build"; available: general, explore',
      `Refused: hidden: tasks[3].agent is "": ${words}`,
      'Refused: model: no model "fake/m3"; available: fake/m1, fake/m2, other/big',
      'Refused: shape: no model "m1"; did you mean: fake/m1?',
      'Refused: taken: the id "taken" is taken; choose another, or leave it out',
      'Refused: good: the id "good" is taken; choose another, or leave it out',
      `Refused: no spaces: tasks[8].id is "no spaces": ${id}`,
      `Refused: blank: tasks[9].prompt is " \\n": ${words}`,
      `Refused: tasks[10].prompt is missing: ${words}`,
      "Refused: odd: tasks[11].colour is unknown; valid names: prompt, id, description, agent, model, timeout, " +
        "needs, each, schema, check, isolation",
      "Refused: tasks[12] is 7: it must be an object",
      "Refused: tasks[13] is null: it must be an object",
      'Refused: tasks[14] is "work": it must be an object',
      `Refused: tasks[15].id is "": ${id}`,
      `Refused: ${"x".repeat(40)}: tasks[16].id is "${"x".repeat(41)}": ${id}`,
    ])
    expect(jobs.map(({ id }) => id)).toEqual(["good"])
    expect(metadata.refused).toHaveLength(16)
    expect(metadata.refused).toContainEqual({
      id: "agent",
      reason: 'no subagent "wizard"; available: general, explore',
    })
    expect(host.prompts).toHaveLength(2)
  })

  it("says of what belongs beside the tasks, or elsewhere in a task, where that is", async () => {
    const { call, host } = testServices()
    const { output } = await call("agents_start", {
      tasks: [
        task("a", { wait: true, budget: { cost: 1 } }),
        task("b", { tokens: 9, from: "a" }),
        task("c", { on: "ended" }),
      ],
    })
    expect(output.split("\n")).toEqual([
      "Refused: a: tasks[0].wait is out of place: it belongs beside tasks; " +
        "tasks[0].budget is out of place: it belongs beside tasks",
      "Refused: b: tasks[1].tokens is out of place: it belongs in budget; " +
        "tasks[1].from is out of place: it belongs in tasks[1].each",
      "Refused: c: tasks[2].on is out of place: it belongs in the entries of tasks[2].needs",
    ])
    expect(host.prompts).toEqual([])
  })

  it("names the models that may be meant where one has no provider", async () => {
    const names = [
      "fake/m1",
      "other/m1",
      "router/fake/m1",
      "fake/m2",
      "router/fake/m3",
      "other/m#1",
      ...Array.from("abcdef", (each) => `${each}/x`),
    ]
    const { call } = testServices({ models: async () => ok(names.map((name) => ({ name, variants: [] }))) })
    const asked = ["m1", "//m1", "fake/m3", "m2#high", "m#1", "x", "m12", "m"]
    const tasks = asked.map((model, index) => task(`t${index}`, { model }))
    const { output } = await call("agents_start", { tasks })
    expect(output.split("\n").map((line) => line.replace(/^Refused: t\d: /, ""))).toEqual([
      'no model "m1"; did you mean: fake/m1, other/m1, router/fake/m1?',
      'no model "//m1"; did you mean: fake/m1, other/m1, router/fake/m1?',
      'no model "fake/m3"; did you mean: router/fake/m3?',
      'no model "m2#high"; did you mean: fake/m2#high?',
      'no model "m#1"; did you mean: other/m#1?',
      'no model "x"; did you mean: a/x, b/x, c/x, d/x, e/x and 1 more?',
      `no model "m12"; available: ${names.join(", ")}`,
      `no model "m"; available: ${names.join(", ")}`,
    ])
  })

  it("names models of the asked provider first where one is unknown, and of the rest how many there are", async () => {
    const others = Array.from({ length: 19 }, (_, index) => `other/m${index}`)
    const names = ["fakir/m3", ...others, "fake/m1", "fake/m2"]
    const { call } = testServices({ models: async () => ok(names.map((name) => ({ name, variants: [] }))) })
    const { output } = await call("agents_start", { tasks: [task("a", { model: "fake/m3" })] })
    expect(output).toMatch(/available: fake\/m1, fake\/m2, fakir\/m3, other\/m0, .*, other\/m16 and 2 more$/)
  })

  it("asks for permission once for each agent, and starts what is permitted", async () => {
    const { call, host } = testServices()
    const asked: unknown[] = []
    const tasks = [task("a"), task("b", { agent: "explore" }), task("c", { description: "See" })]
    const ask: CallOptions["ask"] = async (...given) => {
      asked.push(given)
      return { type: given[0] === "explore" ? "rejected" : "granted" }
    }
    const { output, jobs } = await call("agents_start", { tasks }, { ask })
    expect(asked).toEqual([
      ["general", "do a, See"],
      ["explore", "do b"],
    ])
    expect(output).toContain("Refused: b: the user refused")
    expect(jobs.map(({ id }) => id)).toEqual(["a", "c"])
    expect(host.prompts).toHaveLength(2)
  })

  it.each<[string, StartPermission, string]>([
    ["that the user refused", { type: "rejected" }, "the user refused"],
    [
      "what the user wants instead",
      { type: "rejected", feedback: "use explore" },
      "the user refused: use explore",
    ],
    ["what prevents it", { type: "prevented", reason: "set x to 2" }, "set x to 2"],
    [
      "that opencode could not ask",
      { type: "failed", reason: "gone" },
      "opencode did not say whether it is permitted: gone",
    ],
  ])("says %s", async (_, permission, words) => {
    const ask = async () => permission
    const { output, title } = await testServices().call("agents_start", { tasks: [task("a")] }, { ask })
    expect([title, output]).toEqual(["0/1 jobs started", `Refused: a: ${words}`])
  })

  describe("where a rule denies an agent, names those that the owner may start", () => {
    const rule = (pattern: string, action: "allow" | "ask" | "deny") => ({
      permission: "task",
      pattern,
      action,
    })
    const started = async (ofAgent: PermissionRule[], ofSession: PermissionRule[] = []) => {
      const { call, host } = testServices({
        agents: async () =>
          okAgents(
            agentOf("plan", ofAgent, { mode: "primary" }),
            ...["general", "explore", "review"].map((name) => agentOf(name)),
            agentOf("title", [], { hidden: true }),
          ),
      })
      host.sessions.set("owner", sessionOf("owner", { permission: ofSession }))
      const ask: CallOptions["ask"] = async () => ({ type: "denied" })
      const tasks = [task("a", { agent: "general" })]
      return (await call("agents_start", { tasks }, { agent: "plan", ask })).output
    }
    const refusal = (permitted: string) =>
      permitted === "none"
        ? 'Refused: a: "plan" may start no subagent'
        : `Refused: a: "plan" may not start "general"; it may start: ${permitted}`

    it.each<[string, PermissionRule[], PermissionRule[], string]>([
      ["its agent's rules", [rule("*", "allow"), rule("general", "deny")], [], "explore, review"],
      ["the last rule that matches", [rule("*", "deny"), rule("re*", "ask")], [], "review"],
      [
        "its session's rules, which come last",
        [rule("*", "allow")],
        [rule("ge*", "deny")],
        "explore, review",
      ],
      [
        "no other permission's rules",
        [rule("general", "deny"), { ...rule("*", "deny"), permission: "bash" }],
        [],
        "explore, review",
      ],
      ["all others, where the rules know nothing of that one", [], [], "explore, review"],
      ["none, where all are denied", [rule("*", "deny")], [], "none"],
    ])("by %s", async (_, ofAgent, ofSession, permitted) => {
      expect(await started(ofAgent, ofSession)).toBe(refusal(permitted))
    })
  })

  it("says of a taken id whose job has ended that agents_send continues it", async () => {
    const { call, answer } = await running("a")
    const again = async () => (await call("agents_start", { tasks: [task("a")] })).output
    expect(await again()).toBe('Refused: a: the id "a" is taken; choose another, or leave it out')
    answer("a", "x")
    await call("agents_wait", {})
    expect(await again()).toBe(
      'Refused: a: the id "a" is taken by an ended job, which agents_send continues; choose another, or leave it out',
    )
  })

  it("says of a taken id whose job never got a session no more than to choose another", async () => {
    const { call } = testServices({ createSession: async () => failed("the disk is full") })
    const start = async () => (await call("agents_start", { tasks: [task("a")] })).output
    expect(await start()).toContain("Not started: a: the disk is full")
    expect(await start()).toBe(
      'Refused: a: the id "a" is taken by a job that never got a session; choose another, or leave it out',
    )
  })

  it("asks for no permission for a task whose id is taken", async () => {
    const { call } = await running("a")
    const asked: string[] = []
    const ask: CallOptions["ask"] = async (agent, description) => {
      asked.push(`${agent}: ${description}`)
      return { type: "granted" }
    }
    await call("agents_start", { tasks: [task("a")] }, { ask })
    await call("agents_start", { tasks: [task("a"), task("b")] }, { ask })
    expect(asked).toEqual(["general: do b"])
  })

  it("starts nothing that was interrupted while the user was asked", async () => {
    const interrupt = new AbortController()
    const { call, host } = testServices()
    const ask: CallOptions["ask"] = async () => {
      interrupt.abort()
      return { type: "granted" }
    }
    const starting = call("agents_start", { tasks: [task("a")] }, { ask, abort: interrupt.signal })
    await expect(starting).rejects.toThrow("The call was interrupted; nothing was started.")
    expect([host.prompts.length, host.sessions.size]).toEqual([0, 1])
  })

  it("asks for nobody's permission where nothing can start", async () => {
    const ask = vi.fn(async (): Promise<StartPermission> => ({ type: "granted" }))
    await testServices().call("agents_start", { tasks: [7, task("a")] }, { ask })
    expect(ask).toHaveBeenCalledOnce()
    await testServices().call("agents_start", { tasks: [7] }, { ask })
    expect(ask).toHaveBeenCalledOnce()
  })

  it("says which sessions opencode did not make, and why", async () => {
    const { call } = testServices({
      createSession: async ({ title }) =>
        title.startsWith("do a") ? failed("the disk is full", 507) : okSession(sessionOf(`ses_${title}`)),
    })
    const { title, output, jobs } = await call("agents_start", { tasks: [task("a"), task("b")] })
    expect([title, output]).toEqual([
      "1/2 jobs started",
      "Started: b. Carry on; agents_wait returns their results.\nNot started: a: the disk is full (HTTP 507)",
    ])
    expect(jobs).toMatchObject([{ id: "a", state: "failed" }, { id: "b" }])
    expect((await call("agents_start", { tasks: [{ prompt: "do a again" }] })).output).toBe(
      "Not started: j3: the disk is full (HTTP 507)",
    )
  })

  it("calls started what its child was asked, though it has ended by then", async () => {
    let make = () => {}
    const slow = new Promise<void>((resolve) => {
      make = resolve
    })
    const { call, host, troupe } = testServices(
      {
        createSession: async ({ title }) => {
          if (title.startsWith("slow")) await slow
          return okSession(sessionOf(`ses_${title}`))
        },
      },
      { concurrency: 1 },
    )
    const tasks = [task("quick"), task("queued"), task("last", { description: "slow" })]
    const starting = call("agents_start", { tasks })
    await until(() => host.prompts.length === 1)
    troupe.cancel([{ owner: "owner", id: "queued" }], "not needed")
    host.prompts[0]?.settle(failed("overloaded", 503))
    await until(() => troupe.records.get("owner", "quick")?.state === "failed")
    make()
    const { title, output } = await starting
    expect(title).toBe("2/3 jobs started")
    expect(output.split("\n")).toEqual([
      "Started: quick, last. Carry on; agents_wait returns their results.",
      "Not started: queued: not needed",
    ])
  })

  it("says that nothing was started where its owner is deleted meanwhile", async () => {
    const turn = new AbortController()
    const { call, troupe } = testServices({ createSession: () => new Promise(() => {}) })
    const starting = call("agents_start", { tasks: [task("a")] }, { abort: turn.signal })
    await until(() => troupe.records.countOf("owner") === 1)
    troupe.forgetOwner("owner")
    turn.abort()
    expect(await starting).toMatchObject({ title: "0/1 jobs started", output: "", jobs: [] })
  })

  it("looks for models only where a task names one", async () => {
    const models = vi.fn(async () => failed("busy"))
    const { jobs } = await testServices({ models }).call("agents_start", { tasks: [task("a"), 7, null] })
    expect([jobs.length, models.mock.calls.length]).toEqual([1, 0])
  })

  it("gives a child no more than the agent of its owner may", async () => {
    const { call, host } = testServices({
      agents: async () =>
        okAgents(agentOf("plan", [{ permission: "edit", pattern: "*", action: "deny" }]), agentOf("general")),
    })
    await call("agents_start", { tasks: [task("a")] }, { agent: "plan" })
    await call("agents_start", { tasks: [task("b")] }, { agent: "build" })
    const [ofPlan, ofBuild] = [...host.sessions.values()].filter(({ parentID }) => parentID === "owner")
    const edit = { permission: "edit", pattern: "*", action: "deny" }
    expect(ofPlan?.permission).toContainEqual(edit)
    expect(ofBuild?.permission).not.toContainEqual(edit)
  })

  it("leaves the model to opencode where the call stands in no answer of a model", async () => {
    const { call, host } = testServices({ modelOf: async () => ok(undefined) })
    await call("agents_start", { tasks: [task("a")] })
    expect(host.prompts[0]?.prompt).toMatchObject({ model: undefined, variant: undefined })
  })

  it("runs a job on the variant that its task's model names, as opencode does", async () => {
    const odd = "other/m#1"
    const models = async () =>
      ok([
        { name: "fake/m1", variants: ["low", "high"] },
        { name: "fake/m2", variants: [] },
        { name: odd, variants: ["high"] },
      ])
    const { call, host } = testServices({ models })
    const asked = [
      "fake/m1#high",
      odd,
      `${odd}#high`,
      "fake/m1#huge",
      "fake/m2#high",
      "fake/m3#high",
      "fake/m12",
    ]
    const tasks = asked.map((model, index) => task(`t${index}`, { model }))
    const { output } = await call("agents_start", { tasks })
    expect(host.prompts.map(({ prompt: { model, variant } }) => [model, variant])).toEqual([
      ["fake/m1", "high"],
      [odd, undefined],
      [odd, "high"],
    ])
    expect(output.split("\n").slice(1)).toEqual([
      'Refused: t3: the model "fake/m1" has no variant "huge"; it has: low, high',
      'Refused: t4: the model "fake/m2" has no variants',
      `Refused: t5: no model "fake/m3#high"; available: fake/m1, fake/m2, ${odd}`,
      `Refused: t6: no model "fake/m12"; available: fake/m1, fake/m2, ${odd}`,
    ])
  })

  it("runs a job on the task's model, else on its agent's, else on its owner's with the owner's variant", async () => {
    const { call, host } = testServices({
      agents: async () =>
        okAgents(
          agentOf("general"),
          agentOf("heavy", [], { model: { providerID: "other", modelID: "big" } }),
        ),
      modelOf: async () => ok({ model: "fake/m1", variant: "high" }),
    })
    await call("agents_start", {
      tasks: [task("a"), task("b", { agent: "heavy" }), task("c", { agent: "heavy", model: "fake/m2" })],
    })
    expect(host.prompts.map(({ prompt: { model, variant } }) => [model, variant])).toEqual([
      ["fake/m1", "high"],
      ["other/big", undefined],
      ["fake/m2", undefined],
    ])
  })

  it("hides the job tools from children that may not start jobs, and from no others", async () => {
    const hidden = async (options: object) => {
      const { call, host } = testServices({}, options)
      await call("agents_start", { tasks: [task("a")] })
      const [child] = [...host.sessions.values()].filter(({ parentID }) => parentID === "owner")
      return child?.permission?.filter(({ permission }) => permission.startsWith("agents_"))
    }
    expect(await hidden({})).toEqual(
      JOB_TOOLS.map((permission) => ({ permission, pattern: "*", action: "deny" })),
    )
    expect(await hidden({ depth: 2 })).toEqual([])
  })

  it("shows of an id that it refuses nothing that a terminal would carry out", async () => {
    const { call } = testServices()
    const tasks = [
      { id: "a\u001b[2J\nRefused: b", prompt: "work" },
      { id: "\u001b[2J", prompt: "work" },
    ]
    const { output, metadata } = await call("agents_start", { tasks })
    expect(output).toMatch(/^Refused: a Refused: b: tasks\[0\]\.id is .*\nRefused: tasks\[1\]/)
    expect(metadata.refused).toMatchObject([{ id: "a Refused: b" }, { id: "tasks[1]" }])
  })

  it("is refused to a subagent that is too deep", async () => {
    const { call, host } = testServices()
    host.sessions.set("child", sessionOf("child", { parentID: "owner" }))
    await expect(call("agents_start", { tasks: [task("a")] }, { owner: "child" })).rejects.toThrow(
      'a subagent at depth 1 may not start jobs: the plugin\'s option "depth" is 1. ' +
        "Do the work yourself, or report back what should be split up.",
    )
  })

  it("is refused where opencode does not say how deep the owner is", async () => {
    const { call } = testServices()
    await expect(call("agents_start", { tasks: [task("a")] }, { owner: "nobody" })).rejects.toThrow(
      "opencode did not say which session this is; nothing was started",
    )
  })

  it.each([
    ["agents", { agents: async () => failed("busy") }],
    ["its session", { session: async () => failed("busy") }],
    ["its model", { modelOf: async () => failed("busy") }],
    ["models", { models: async () => failed("busy") }],
  ])("starts nothing where opencode does not tell its %s", async (_, overrides) => {
    const { call, host } = testServices(overrides)
    const tasks = [task("a", { model: "fake/m1" })]
    await expect(call("agents_start", { tasks })).rejects.toThrow(/nothing was started/)
    expect([host.prompts.length, host.sessions.size]).toEqual([0, 1])
  })

  it("shortens the prompt to a line where there is no description", async () => {
    const { call } = testServices()
    const prompt = `Read all of it\nand then ${"think ".repeat(50)}`
    const { jobs } = await call("agents_start", { tasks: [{ prompt }] })
    expect(jobs[0]?.description).toBe(`Read all of it and then ${"think ".repeat(8)}…`)
  })

  it("takes a description as it is, on one line, however long; and a prompt whole that git would show as a subject", async () => {
    const { call } = testServices()
    const long = `Look ${"far ".repeat(20)}`
    const tasks = [
      { prompt: "x", description: `  ${long}\n\n and  wide ` },
      { prompt: "y".repeat(72) },
      { prompt: "y".repeat(73) },
    ]
    const { jobs } = await call("agents_start", { tasks })
    expect(jobs.map(({ description }) => description)).toEqual([
      `${long.trim()} and wide`,
      "y".repeat(72),
      `${"y".repeat(72)}…`,
    ])
  })
})
