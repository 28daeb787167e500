import { getEventListeners } from "node:events"
import { describe, expect, it, vi } from "vitest"
import { inspectCommand } from "../../../src/inspector/discovery/command.ts"
import { NO_USAGE } from "../../../src/machines/record.ts"
import type { PermissionRule, StartPermission } from "../../../src/plugin/host/port.ts"
import { Deliveries } from "../../../src/plugin/owners/deliveries.ts"
import { hearOwners } from "../../../src/plugin/owners/events.ts"
import { runsIn } from "../../../src/plugin/records/delivery-mark.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import {
  type AskedPrompt,
  failed,
  type HostDouble,
  ok,
  okAgents,
  okMessage,
  okSession,
} from "../support/host-double.ts"
import { agentOf, answerTo, sessionOf } from "../support/opencode-data.ts"
import { type CallOptions, testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

const task = (id: string, fields: object = {}) => ({ id, prompt: `do ${id}`, ...fields })

/** A services at which these jobs run, each to be answered by the test. */
async function running(...ids: string[]) {
  const services = testServices()
  await services.call("agents_start", { tasks: ids.map((id) => task(id)) })
  const prompt = (id: string) => services.host.prompts.find((asked) => asked.prompt.text === `do ${id}`)
  return { ...services, answer: (id: string, text: string) => prompt(id)?.answer(text) }
}

describe("A malformed argument", () => {
  it.each([
    ["agents_start", {}, "tasks is missing: it must be a list of 1 to 64 tasks"],
    ["agents_start", { tasks: "all" }, 'tasks is "all": it must be a list of 1 to 64 tasks'],
    ["agents_start", { tasks: [] }, "tasks is []: it must be a list of 1 to 64 tasks"],
    [
      "agents_start",
      { tasks: Array(65).fill(task("a")) },
      "tasks is a list of 65: it must be a list of 1 to 64 tasks",
    ],
    [
      "agents_start",
      { tasks: [task("a")], parallel: true },
      "parallel is unknown; valid names: tasks, wait, budget",
    ],
    [
      "agents_start",
      { tasks: [task("a")], model: "fake/m1" },
      "model is out of place: it belongs in the entries of tasks",
    ],
    ["agents_start", { tasks: [task("a")], cost: 1 }, "cost is out of place: it belongs in budget"],
    ["agents_status", { ids: "a" }, 'ids is "a": it must be a list of job ids'],
    ["agents_status", { ids: [] }, "ids is []: it must be a list of job ids"],
    ["agents_wait", { ids: [1] }, "ids[0] is 1: it must be text"],
    ["agents_wait", { until: "most" }, 'until is "most": it must be "all" or "any"'],
    ["agents_wait", { timeout: 0 }, "timeout is 0: it must be a number, above 0 and at most 2000000"],
    ["agents_wait", { timeout: 1e9 }, "timeout is 1000000000: it must be a number, above 0"],
    ["agents_cancel", {}, "Name the jobs to cancel in ids, or pass all: true"],
    ["agents_cancel", { all: "yes" }, 'all is "yes": it must be true or false'],
    ["agents_send", { id: "a" }, "message is missing: it must be text that is not blank"],
    ["agents_send", { id: "a", message: " \n" }, 'message is " \\n": it must be text that is not blank'],
  ] as const)("of %s is named, with what would be right: %o", async (tool, args, words) => {
    const { call, host } = await running("a")
    await expect(call(tool, args)).rejects.toThrow(words)
    await expect(call(tool, args)).rejects.toThrow(/^[^\n]*Nothing was (done|cancelled)[^\n]*$/)
    expect([host.prompts.length, host.aborted.length]).toEqual([1, 0])
  })
})

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
        "needs, each, schema, isolation",
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
      ...Array.from("abcdef", (each) => `${each}/x`),
    ]
    const { call } = testServices({ models: async () => ok(names.map((name) => ({ name, variants: [] }))) })
    const tasks = ["m1", "m2#high", "x", "m"].map((model) => task(`${model.length}`, { model }))
    const { output } = await call("agents_start", { tasks })
    expect(output.split("\n").map((line) => line.replace(/^Refused: \d: /, ""))).toEqual([
      'no model "m1"; did you mean: fake/m1, other/m1, router/fake/m1?',
      'no model "m2#high"; did you mean: fake/m2#high?',
      'no model "x"; did you mean: a/x, b/x, c/x, d/x, e/x and 1 more?',
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
    const tasks = ["fake/m1#high", odd, `${odd}#high`, "fake/m1#huge", "fake/m2#high", "fake/m3#high"].map(
      (model, index) => task(`t${index}`, { model }),
    )
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
    expect(await hidden({})).toHaveLength(5)
    expect(await hidden({})).toContainEqual({ permission: "agents_start", pattern: "*", action: "deny" })
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
    expect(jobs[0]?.description).toBe("Read all of it and then think think thin…")
  })

  it("takes a description as it is, on one line, however long; and a prompt of forty characters whole", async () => {
    const { call } = testServices()
    const long = `Look ${"far ".repeat(20)}`
    const tasks = [
      { prompt: "x", description: `  ${long}\n\n and  wide ` },
      { prompt: "y".repeat(40) },
      { prompt: "y".repeat(41) },
    ]
    const { jobs } = await call("agents_start", { tasks })
    expect(jobs.map(({ description }) => description)).toEqual([
      `${long.trim()} and wide`,
      "y".repeat(40),
      `${"y".repeat(40)}…`,
    ])
  })
})

describe("agents_status", () => {
  it("says where there are none that the plugin is there, and how to get at the inspector", async () => {
    const { title, output, jobs } = await testServices({}, { inspector: {} }).call("agents_status", {})
    expect([title, output, jobs]).toEqual([
      "no jobs",
      `opencode-troupe development: no jobs. Inspector: ${inspectCommand}`,
      [],
    ])
    const without = testServices({}, { inspector: { enabled: false } })
    expect((await without.call("agents_status", {})).output).toBe("opencode-troupe development: no jobs.")
  })

  it("says where to read what it no longer shows: the text of a result that is delivered", async () => {
    const { call, host } = testServices()
    await call("agents_start", {
      tasks: [
        { id: "a", prompt: "work" },
        { id: "b", prompt: "work" },
      ],
    })
    for (const { answer } of host.prompts) answer("the answer")
    await call("agents_wait", { ids: ["a"] })
    const { output } = await call("agents_status", {})
    expect(output).toMatch(
      /^a: done [^"]+\nb: done .*"the answer"\nagents_wait with ids returns the text of a\.$/,
    )
    expect((await call("agents_wait", { ids: ["a"] })).output).toContain("the answer")
  })

  it("of unknown ones alone is entitled so", async () => {
    const { call } = await running("a")
    expect((await call("agents_status", { ids: ["x"] })).title).toBe("unknown job: x")
    expect((await call("agents_status", { ids: ["x", "y"] })).title).toBe("unknown jobs: x, y")
  })

  it("answers in the order asked, names what is unknown, and what there is", async () => {
    const { call } = await running("a", "b")
    const { output, jobs } = await call("agents_status", { ids: ["b", "x", "a", "b", "y"] })
    expect(jobs.map(({ id }) => id)).toEqual(["b", "a"])
    expect(output.split("\n").at(-1)).toBe("Unknown: x, y (your jobs: a, b)")
  })

  it("names what is unknown to an owner without jobs, and the first twenty of one with many", async () => {
    const { call } = testServices()
    expect((await call("agents_status", { ids: ["x"] })).output).toBe("Unknown: x (you have no jobs)")
    const ids = Array.from({ length: 21 }, (_, index) => `a${index + 1}`)
    await call("agents_start", { tasks: ids.slice(0, 20).map((id) => task(id)) })
    const first = ids.slice(0, 20).join(", ")
    expect((await call("agents_status", { ids: ["x"] })).output).toBe(`Unknown: x (your jobs: ${first})`)
    await call("agents_start", { tasks: [task("a21")] })
    const { output } = await call("agents_status", { ids: ["x"] })
    expect(output).toBe(`Unknown: x (your jobs: ${first} and 1 more)`)
  })

  it("shows the newest fifty, and says how many more there are", async () => {
    const { call, troupe } = testServices()
    for (let index = 1; index <= 60; index++) {
      troupe.adopt({
        id: `j${index}`,
        session: `ses_j${index}`,
        owner: "owner",
        description: "Old",
        agent: "general",
        state: "done",
        run: 1,
        createdAt: index,
        endedAt: index,
        usage: NO_USAGE,
      })
    }
    const { output, jobs, title } = await call("agents_status", {})
    expect(title).toBe("60/60 done")
    expect(output.split("\n")[0]).toBe("(10 older ones not shown: pass their ids to see them)")
    expect(jobs.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, index) => `j${index + 11}`))
  })

  it("shows the beginning of an answer, and carries no texts in its records", async () => {
    const { call, answer } = await running("a")
    answer("a", "a long answer")
    await settled()
    const { output, jobs } = await call("agents_status", {})
    expect(output).toContain('"a long answer"')
    expect(jobs[0]).not.toHaveProperty("text")
  })
})

describe("Two calls of agents_wait at the same time", () => {
  it("hand over each result once; the other call says where it is", async () => {
    const { call, answer } = await running("a", "b")
    const waits = ["one", "two"].map((id) => call("agents_wait", {}, { id }))
    answer("a", "the answer of a")
    answer("b", "the answer of b")
    const outputs = (await Promise.all(waits)).map(({ output }) => output)
    for (const text of ["the answer of a", "the answer of b"])
      expect(outputs.filter((output) => output.includes(text))).toHaveLength(1)
    expect(outputs).toContain("Already returned by another call: a, b.")
  })

  it("hand over a result once, though the first has long returned with it", async () => {
    const { call, answer } = await running("a", "b")
    const all = call("agents_wait", {}, { id: "all" })
    const any = call("agents_wait", { until: "any" }, { id: "any" })
    answer("a", "the answer of a")
    expect((await any).output).toContain("the answer of a")
    answer("b", "the answer of b")
    expect((await all).output).toMatch(/^Already returned by another call: a\.\n<job id="b"/)
  })

  it("both hand over what both ask for by its id", async () => {
    const { call, answer } = await running("a")
    const waits = ["one", "two"].map((id) => call("agents_wait", { ids: ["a"] }, { id }))
    answer("a", "the answer of a")
    for (const { output } of await Promise.all(waits)) expect(output).toContain("the answer of a")
  })

  it.each(["call", "turn"] as const)(
    "lose nothing where opencode stores none of them: the %s is over",
    async (what) => {
      const { call, answer, hear } = await running("a")
      answer("a", "the answer of a")
      await call("agents_wait", {}, { id: "one", isStored: false })
      expect((await call("agents_wait", {}, { id: "two", isStored: false })).output).not.toContain(
        "the answer of a",
      )
      if (what === "turn") hear({ type: "session.idle", session: "owner" })
      else hear({ type: "tool.ended", session: "owner", call: "one", tool: "agents_wait", mark: undefined })
      expect((await call("agents_wait", {}, { id: "three" })).output).toContain("the answer of a")
    },
  )
})

describe("agents_wait", () => {
  it("has nothing to wait for where no job runs and all is delivered", async () => {
    const { call, answer } = await running("a")
    answer("a", "x")
    await call("agents_wait", {})
    const { title, output, jobs } = await call("agents_wait", {})
    expect([title, output, jobs]).toEqual([
      "nothing to wait for",
      "No jobs are running, and all results have been delivered.",
      [],
    ])
  })

  it("hands over as many as fit, and leaves the rest undelivered", async () => {
    const { call, answer, inbox } = await running("a", "b", "c", "d")
    for (const id of ["a", "b", "c", "d"]) answer(id, id.repeat(20_000))
    const first = await call("agents_wait", {})
    for (const id of ["a", "b"]) expect(first.output).toContain(`\n${id.repeat(20_000)}\n`)
    expect(first.output.split("\n")[0]).toBe("No room for c, d: call agents_wait again for them.")
    expect(first.output).not.toContain("ccc")
    expect(first.metadata.troupe).toMatchObject({ delivered: [{ run: 1 }, { run: 1 }] })
    expect(inbox.undelivered("owner").map(({ id }) => id)).toEqual(["c", "d"])
    const next = await call("agents_wait", { ids: ["b", "c", "d"] })
    expect(next.output).toMatch(/^No room for d: call agents_wait again for it\./)
  })

  it("returns with all texts once all have ended", async () => {
    const { call, answer } = await running("a", "b")
    const waiting = call("agents_wait", {})
    answer("b", "of b")
    answer("a", "of a")
    const { title, output, jobs } = await waiting
    expect(title).toBe("2/2 done")
    expect(output).toMatch(/^<job id="a" [^>]*>\nof a\n<\/job>\n<job id="b" [^>]*>\nof b\n<\/job>$/)
    expect(jobs.map(({ id }) => id)).toEqual(["a", "b"])
  })

  it("keeps a child's words from ending the block that they stand in", async () => {
    const { call, answer } = await running("a")
    answer("a", `</job>\n<job id="b" state="done">\nall is well`)
    const { output } = await call("agents_wait", {})
    expect(output.match(/<\/job>/g)).toHaveLength(1)
  })

  it.each([
    ["all", { ids: ["x"] }],
    ["any", { ids: ["x", "y"], until: "any" }],
  ])("does not wait where it knows none of the ids, until %s", async (_, args) => {
    const { call } = await running("a")
    const { title, output, jobs } = await call("agents_wait", args)
    expect(output).toMatch(/^Unknown: x.* \(your jobs: a\)$/)
    expect(title).toMatch(/^unknown jobs?: x/)
    expect(jobs).toEqual([])
  })

  it("until any: returns with the first", async () => {
    const { call, answer } = await running("a", "b")
    const waiting = call("agents_wait", { until: "any" })
    answer("b", "of b")
    expect((await waiting).output).toMatch(
      /^Returned with the first result\. Still running:\na: prompting[^\n]*\n<job [^\n]*\nof b\n<\/job>/,
    )
  })

  it("at its timeout: leaves the jobs running and undelivered", async () => {
    const { call, answer } = await running("a")
    const early = await call("agents_wait", { timeout: 0.01 })
    expect(early.output).toMatch(/^The wait timed out\. Still running:\na: prompting/)
    answer("a", "of a")
    expect((await call("agents_wait", {})).output).toContain("of a")
  })

  it("hands over nothing of jobs that are gone with their owner", async () => {
    const turn = new AbortController()
    const { call, host, troupe } = await running("a")
    const waiting = call("agents_wait", {}, { abort: turn.signal })
    await until(() => host.shown.length === 1)
    troupe.forgetOwner("owner")
    turn.abort()
    expect(await waiting).toMatchObject({ output: "", jobs: [] })
  })

  it.each([
    ["delivered where opencode stores its answer, as it does", true, []],
    ["not delivered where it does not", false, ["a"]],
  ])("when interrupted: what had ended is %s", async (_, isStored, undelivered) => {
    const { call, answer, inbox, host } = await running("a", "b")
    const interrupt = new AbortController()
    const waiting = call("agents_wait", {}, { abort: interrupt.signal, isStored })
    answer("a", "of a")
    await until(() => inbox.undelivered("owner").length === 1)
    interrupt.abort()
    const { output } = await waiting
    expect(output).toMatch(
      /^The wait was interrupted\. Still running:\nb: [^\n]*\n<job [^\n]*\nof a\n<\/job>/,
    )
    expect(inbox.undelivered("owner").map(({ id }) => id)).toEqual(undelivered)
    expect(host.aborted).toEqual([])
  })
})

describe("agents_cancel", () => {
  it("aborts the child, and hands over what it had written", async () => {
    const { call, host, inbox } = await running("a", "b")
    const { prompt, write } = firstOf(host)
    write(answerTo(prompt, "half of it", { finish: "" }))
    const { title, output, jobs } = await call("agents_cancel", { ids: ["a"], reason: "no need" })
    expect(host.aborted).toEqual([prompt.session])
    expect(jobs).toMatchObject([
      { id: "a", state: "cancelled", error: { message: "cancelled by its owner: no need" } },
    ])
    expect(title).toBe("1 cancelled")
    expect(output).toMatch(
      /^<job id="a" state="cancelled" time="[^"]+" reason="cancelled by its owner: no need">\nhalf of it\n<\/job>$/,
    )
    expect(inbox.undelivered("owner")).toEqual([])
    expect((await call("agents_status", { ids: ["b"] })).jobs[0]?.state).toBe("prompting")
  })

  it("hands over what it was writing too, which opencode drops as the child is aborted", async () => {
    const { call, host, turns } = await running("a")
    const { session } = firstOf(host).prompt
    turns.hear({ type: "text.updated", session, part: "p1", text: "" })
    turns.hear({ type: "text.streamed", session, part: "p1", delta: "as far as it got" })
    expect((await call("agents_cancel", { ids: ["a"] })).output).toContain("\nas far as it got\n")
  })

  it("shows long texts in part: the next agents_wait has them whole, and only them", async () => {
    const { call, host, inbox } = await running("short", "long")
    const long = `${"x".repeat(2_500)} the end`
    for (const { prompt, write } of host.prompts)
      write(answerTo(prompt, prompt.text === "do long" ? long : "brief", { finish: "" }))
    const { output, metadata } = await call("agents_cancel", { all: true })
    expect(output).toContain(`\n${"x".repeat(2_000)}\n[508 more characters: agents_wait with ids ["long"]]\n`)
    expect(output).toMatch(/\nNot shown whole: long\. The next agents_wait has all of it\.$/)
    expect(runsIn(metadata.troupe)).toHaveLength(1)
    expect(inbox.undelivered("owner").map(({ id }) => id)).toEqual(["long"])
    // Who cancels is not woken for the rest.
    expect(inbox.due("owner")).toEqual([])
    const next = await call("agents_wait", {})
    expect(next.output).toContain(`<job id="long" state="cancelled"`)
    expect(next.output).toContain(long)
    expect(next.output).not.toContain("brief")
  })

  it("says so in the job's own words, without a reason where none is given", async () => {
    const { call } = await running("a", "b")
    const { output, jobs } = await call("agents_cancel", { ids: ["a", "b"] })
    expect(jobs.map(({ error }) => error?.message)).toEqual(Array(2).fill("cancelled by its owner"))
    expect(output.match(/ reason="cancelled by its owner">/g)).toHaveLength(2)
  })

  it("of all takes all, whatever ids are named beside", async () => {
    const { call } = await running("a", "b")
    const { jobs, output } = await call("agents_cancel", { all: true, ids: ["a", "x"] })
    expect(jobs.map(({ id }) => id)).toEqual(["a", "b"])
    expect(output).not.toContain("Unknown")
  })

  it("of none but unknown ones says that alone", async () => {
    const { call } = await running("a")
    expect(await call("agents_cancel", { ids: ["x"] })).toMatchObject({
      title: "unknown job: x",
      output: "Unknown: x (your jobs: a)",
    })
  })

  it("ends all that run, and leaves what has ended", async () => {
    const { call, answer } = await running("a", "b", "c")
    answer("a", "x")
    await call("agents_wait", { ids: ["a"] })
    const { title, jobs } = await call("agents_cancel", { all: true })
    expect(title).toBe("2 cancelled")
    expect(jobs.map(({ id }) => id)).toEqual(["b", "c"])
    expect(await call("agents_cancel", { all: true })).toMatchObject({
      title: "no jobs running",
      output: "No jobs are running.",
    })
    expect((await call("agents_status", { ids: ["a"] })).jobs[0]?.state).toBe("done")
  })

  it("of an ended job changes nothing, and of an unknown one says so", async () => {
    const { call, answer, host } = await running("a", "b")
    answer("a", "x")
    await call("agents_wait", { ids: ["a"] })
    const { title, output, jobs } = await call("agents_cancel", { ids: ["a", "x"] })
    expect(jobs[0]?.state).toBe("done")
    expect(title).toBe("1 already ended")
    expect(output).toMatch(/^Already ended:\na: done \S+.*\nUnknown: x \(your jobs: a, b\)$/)
    expect(host.aborted).toEqual([])
    expect((await call("agents_cancel", { ids: ["a", "b"] })).title).toBe("1 cancelled, 1 already ended")
  })

  it("delivers what it shows whole", async () => {
    const { call, inbox } = await running("a")
    await call("agents_cancel", { all: true })
    expect(inbox.undelivered("owner")).toEqual([])
  })

  it("leaves a result that it shows the beginning of to be delivered", async () => {
    const { call, answer, inbox, troupe } = await running("a")
    answer("a", "x".repeat(500))
    await until(() => troupe.records.get("owner", "a")?.state === "done")
    const { output, metadata } = await call("agents_cancel", { ids: ["a"] })
    expect(output).toContain(`"${"x".repeat(160)}…"`)
    expect(runsIn(metadata.troupe)).toEqual([])
    expect(inbox.undelivered("owner").map(({ id }) => id)).toEqual(["a"])
  })
})

describe("A call that comes while its owner's session is being deleted", () => {
  it.each(["agents_wait", "agents_cancel"] as const)(
    "of %s ends with the jobs, which are gone",
    async (tool) => {
      const stopped = gate<void>()
      const { call, host, troupe, inbox } = testServices({ abort: () => stopped.passed.then(() => ok(true)) })
      const reportError = () => {}
      const deliveries = new Deliveries({
        host,
        troupe,
        inbox,
        notify: "never",
        notifySeconds: 60,
        now: Date.now,
        reportError,
      })
      await call("agents_start", { tasks: [task("a"), task("b")] })
      hearOwners({ show: () => {}, troupe, inbox, deliveries })({
        type: "session.deleted",
        session: "owner",
      })
      const calling = call(tool, { ids: ["a", "b"] })
      await settled()
      stopped.open()
      expect((await calling).jobs).toEqual([])
      expect(troupe.records.countOf("owner")).toBe(0)
    },
  )
})

describe("A child's end", () => {
  it("is its answer, though the call that asked for it broke off", async () => {
    const { call, host } = await running("a")
    const { prompt, write, settle } = firstOf(host)
    write(answerTo(prompt, "there all the same"))
    settle(failed("connection reset"))
    const { jobs, output } = await call("agents_wait", {})
    expect(jobs[0]?.state).toBe("done")
    expect(output).toContain("there all the same")
  })

  it("is a failure when the call broke off and there is no final answer; its child is stopped", async () => {
    const { call, host } = await running("a")
    const { prompt, write, settle } = firstOf(host)
    write(answerTo(prompt, "only half", { finish: "tool-calls" }))
    settle(failed("connection reset", 502))
    const { jobs, output } = await call("agents_wait", {})
    expect(jobs[0]).toMatchObject({
      state: "failed",
      error: { kind: "prompt", message: "connection reset (HTTP 502)" },
    })
    expect(output).toContain("only half")
    expect(host.aborted).toEqual([prompt.session])
  })

  it("is that its session was deleted, whether that is heard first or its prompt fails first", async () => {
    const { call, host } = await running("a")
    const { prompt, settle } = firstOf(host)
    host.sessions.delete(prompt.session)
    settle(failed("no such session", 404))
    const { jobs } = await call("agents_wait", {})
    expect(jobs[0]).toMatchObject({
      state: "cancelled",
      error: { kind: "cancelled", message: "its child session was deleted" },
    })
  })

  it.each([
    [
      { name: "APIError", data: { message: "Invalid key", statusCode: 401, isRetryable: false } } as const,
      { kind: "provider", message: "Invalid key (HTTP 401)" },
    ],
    [{ name: "UnknownError", data: { message: "" } } as const, { kind: "provider", message: "UnknownError" }],
    [
      { name: "MessageAbortedError", data: { message: "Aborted" } } as const,
      { kind: "interrupted", message: "the child session was aborted from outside opencode-troupe" },
    ],
    [
      { name: "StructuredOutputError", data: { message: "no JSON", retries: 2 } } as const,
      { kind: "schema", message: "no JSON" },
    ],
  ])("is a failure where its message carries an error: %o", async (error, expected) => {
    const { call, host } = await running("a")
    const { prompt, settle } = firstOf(host)
    settle(okMessage(answerTo(prompt, "", { error })))
    expect((await call("agents_wait", {})).jobs[0]).toMatchObject({ state: "failed", error: expected })
  })

  it("is a failure where its turn ended without an error and without an answer", async () => {
    const { call, host } = await running("a")
    const { prompt, settle } = firstOf(host)
    settle(okMessage(answerTo(prompt, "", { finish: "" })))
    expect((await call("agents_wait", {})).jobs[0]).toMatchObject({
      state: "failed",
      error: { kind: "interrupted" },
    })
  })
})

function firstOf({ prompts: [first] }: HostDouble): AskedPrompt {
  if (!first) throw new Error("no child was asked anything")
  return first
}
