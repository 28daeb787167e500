import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { setup } from "../../src/plugin/opencode-2.ts"
import { type ContextDouble, contextDouble, type DoubleOptions } from "./host/v2/support/context-double.ts"

let logged: string[]
beforeEach(() => {
  logged = []
  for (const level of ["debug", "info", "warn", "error"] as const)
    vi.spyOn(console, level).mockImplementation((line) => void logged.push(`${level}: ${line}`))
})
afterEach(() => void vi.restoreAllMocks())

const options = { inspector: { enabled: false } }
let count = 0
/** Each test has a location of its own, which opencode has loaded. */
function fresh(double: DoubleOptions = {}) {
  const location = { directory: `/project ${count++}` }
  return {
    ...contextDouble({ ...double, ...location }),
    options,
    location,
    event: {
      async *subscribe({ signal }: { signal: AbortSignal }): AsyncGenerator<unknown> {
        yield { type: "plugin.updated", location }
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
      },
    },
  }
}

const callOf = (id: string, sessionID = "ses_owner") => ({
  sessionID,
  messageID: "msg_1",
  id,
  agent: "build",
  signal: new AbortController().signal,
  progress: async () => {},
})

describe("An opencode that lacks something", () => {
  it("is told of by name, once, in the log and in agents_status, and the rest works", async () => {
    const context = fresh()
    const { wait: _, ...session } = context.session
    context.made.push({ id: "ses_owner", title: "", permissions: [] })
    const end = await setup({ ...context, session })
    await expect.poll(() => logged.join("\n")).toContain("session.wait")
    const status = context.tools.find(({ name }) => name === "agents_status")
    const problem =
      "opencode 2.0.15 offers its plugins no session.wait: what needs that fails, and the rest works"
    for (const call of ["call_1", "call_2"])
      expect((await status?.execute({}, callOf(call)))?.content).toContain(problem)
    expect(logged.filter((line) => line.includes(problem))).toHaveLength(1)
    await end()
  })

  it("is told of where it lacks everything, and nothing is thrown", async () => {
    const end = await setup({})
    await expect
      .poll(() => logged.join("\n"))
      .toMatch(/of an unknown version offers its plugins no .*event\.subscribe/)
    await end()
  })

  it("is let alone where it is 1.18, which calls setup as well as server", async () => {
    const ofOne = [
      "options",
      "agent",
      "aisdk",
      "catalog",
      "command",
      "integration",
      "plugin",
      "reference",
      "skill",
    ]
    const end = await setup(Object.fromEntries(ofOne.map((part) => [part, {}])))
    await new Promise((resolve) => setTimeout(resolve, 0))
    await end()
    expect(logged).toEqual([])
  })

  it("is told of where it answers in an unknown shape, by the name of the call and the field", async () => {
    const context = fresh()
    context.session.get = async () => ({ id: 7 })
    const end = await setup(context)
    const start = context.tools.find(({ name }) => name === "agents_start")
    await expect(start?.execute({ tasks: [{ prompt: "go" }] }, callOf("call_1"))).rejects.toThrow()
    await expect
      .poll(() => logged.join("\n"))
      .toContain("2.0.15 does not answer session.get as expected (id: ")
    await end()
  })

  it("is told of where its events are of an unknown shape, and the others are heard", async () => {
    const context = fresh()
    context.event.subscribe = async function* ({ signal }) {
      yield { type: "session.execution.started", data: { session: "ses_1" } }
      yield { type: "a.new.one", data: {} }
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
    }
    const end = await setup(context)
    await expect
      .poll(() => logged.join("\n"))
      .toContain("tells of session.execution.started in an unknown way")
    expect(logged.join("\n")).not.toContain("a.new.one")
    await end()
  })

  /** The hooks by their names, as opencode calls them. */
  function hooksOf(context: ContextDouble) {
    const hooks = new Map<string, (given: unknown) => unknown>()
    context.session.hook = async (name: string, hear: (given: unknown) => unknown) =>
      void hooks.set(name, hear)
    context.permission.hook = async (name, hear) => void hooks.set(name, hear)
    return hooks
  }

  it.each([
    ["context", { sessionID: "ses_owner" }, "session.context as expected (system: expected a list)"],
    ["compaction", undefined, "session.compaction as expected (all of it: "],
    [
      "evaluate",
      { action: "subagent", sessionID: "ses_owner" },
      "permission.evaluate as expected (resources: ",
    ],
  ])(
    "is told of once where it calls the hook %s in an unknown shape, and goes on",
    async (name, given, words) => {
      const context = fresh()
      const hooks = hooksOf(context)
      const end = await setup(context)
      for (const _ of [1, 2]) await hooks.get(name)?.(given)
      await expect.poll(() => logged.join("\n")).toContain(`2.0.15 does not call the hook ${words}`)
      expect(logged.filter((line) => line.includes(words))).toHaveLength(1)
      await end()
    },
  )

  it("is told of nothing where a permission is checked that is not about subagents", async () => {
    const context = fresh()
    const hooks = hooksOf(context)
    const end = await setup(context)
    await hooks.get("evaluate")?.({ action: "a new one" })
    await expect.poll(() => logged.join("\n")).toContain("loaded: ")
    expect(logged.join("\n")).not.toContain("as expected")
    await end()
  })

  it("fails a tool call that it makes in an unknown shape, with words", async () => {
    const context = fresh()
    const end = await setup(context)
    const status = context.tools.find(({ name }) => name === "agents_status")
    const { signal: _, ...call } = callOf("call_1")
    const words = "opencode 2.0.15 does not call tools as expected (signal: expected an AbortSignal)"
    await expect(status?.execute({}, call)).rejects.toThrow(words)
    await expect(status?.execute({}, undefined)).rejects.toThrow("does not call tools as expected")
    await expect.poll(() => logged.join("\n")).toContain(words)
    await end()
  })

  it.each([
    ["no list", { data: [] }, "all of it: "],
    ["a tool without a name", [{ execute: async () => {} }], "0: expected an id"],
    ["a subagent tool that cannot be called", [{ id: "subagent" }], "all of it: subagent cannot be called"],
  ])("fails a start where its tools are %s, with words", async (_, list, words) => {
    const context = fresh()
    context.made.push({ id: "ses_owner", title: "", permissions: [] })
    context.agent.list = async () => ({ data: [{ id: "general", mode: "subagent" }] })
    context.tool.list = async () => list
    const end = await setup(context)
    const start = context.tools.find(({ name }) => name === "agents_start")
    const answer = await start?.execute({ tasks: [{ prompt: "go" }] }, callOf("call_1"))
    expect(answer?.content).toContain(`opencode 2.0.15 does not answer tool.list as expected (${words}`)
    await expect.poll(() => logged.join("\n")).toContain(`does not answer tool.list as expected (${words}`)
    await end()
  })
})

describe("A problem of opencode 2, which it shows nowhere, is told once, by the agent", () => {
  function begun(offered: object, double?: DoubleOptions) {
    const context = fresh(double)
    context.made.push({ id: "ses_owner", title: "", permissions: [] })
    context.agent.list = async () => ({
      data: [
        { id: "build", mode: "primary", permissions: [{ action: "*", resource: "*", effect: "allow" }] },
        { id: "general", mode: "subagent" },
      ],
    })
    const session = {
      ...context.session,
      prompt: () => new Promise(() => {}),
    }
    const end = setup({ ...context, session, ...offered })
    onTestFinished(async () => (await end)())
    return async (id: string) => {
      await end
      const start = context.tools.find(({ name }) => name === "agents_start")
      return `${(await start?.execute({ tasks: [{ prompt: "go" }] }, callOf(id)))?.content}`
    }
  }

  it("where it lacks something", async () => {
    const start = begun({ model: {} })
    expect(await start("call_1")).toMatch(
      /^Tell your user, from opencode-troupe: opencode 2\.0\.15 offers its plugins no model\.list/m,
    )
    expect(await start("call_2")).not.toContain("Tell your user")
  })

  it("where it lets jobs run in root sessions alone, with the start that makes the first", async () => {
    const start = begun({}, { hasSubagent: false })
    expect(await start("call_1")).toMatch(
      /^Tell your user, from opencode-troupe: opencode 2\.0\.15 does not let plugins create child sessions/m,
    )
    expect(await start("call_2")).not.toContain("Tell your user")
  })
})

describe("Wrong options, which opencode 2 shows nowhere", () => {
  const wrong = { concurrency: "many", inspector: { host: "0.0.0.0", token: "short" } }
  const many =
    'option "concurrency" is "many": it must be a whole number, at least 1 and at most 256; using the default, 8'

  async function began(given: object, owner = "ses_owner") {
    const context = fresh()
    context.made.push({ id: owner, title: "", permissions: [] })
    const end = await setup({ ...context, options: given })
    onTestFinished(end)
    return async (name: string, args: object, call: string) => {
      const tool = context.tools.find((each) => each.name === name)
      return `${(await tool?.execute(args, callOf(call, owner)))?.content}`.split("\n")
    }
  }

  it("are in agents_status, each with what would be right, and no inspector is offered that does not run", async () => {
    const call = await began(wrong)
    expect(await call("agents_status", {}, "call_1")).toEqual([
      "opencode-troupe development: no jobs.",
      `Problem: ${many}`,
      expect.stringMatching(/^Problem: option "inspector\.host" is "0\.0\.0\.0": .*; no inspector runs$/),
      expect.stringMatching(/^Problem: option "inspector\.token" has 5 characters: .*; no inspector runs/),
    ])
    await expect.poll(() => logged.join("\n")).toMatch(/ loaded: concurrency 8, .*, no inspector$/m)
  })

  it("are told with the first start, for the user, and only then", async () => {
    const call = await began(wrong)
    const starts = []
    for (const id of ["call_1", "call_2"]) starts.push(await call("agents_start", { tasks: [7] }, id))
    expect(starts).toEqual([
      [
        "Refused: tasks[0] is 7: it must be an object",
        `Tell your user, from opencode-troupe: ${many} (2 more problems: see agents_status)`,
      ],
      ["Refused: tasks[0] is 7: it must be an object"],
    ])
    const other = await began({ ...options, depth: 0 }, "ses_other")
    expect((await other("agents_start", { tasks: [7] }, "call_1"))[1]).toMatch(
      /^Tell your user, from opencode-troupe: option "depth" is 0: .*; using the default, 1$/,
    )
  })

  it("are none where the options are right: nothing is added", async () => {
    const call = await began(options)
    expect(await call("agents_start", { tasks: [7] }, "call_1")).toHaveLength(1)
    expect(await call("agents_status", {}, "call_2")).toHaveLength(1)
  })
})

describe("Instances of one location", () => {
  it("follow each other, however many opencode makes at once", async () => {
    const context = fresh()
    const lives: string[] = []
    const another = (name: string) =>
      setup({
        ...context,
        event: {
          async *subscribe({ signal }) {
            lives.push(`${name} begins`)
            await new Promise((resolve) => signal.addEventListener("abort", resolve))
            lives.push(`${name} ends`)
          },
        },
      })
    const ends = await Promise.all(["a", "b", "c"].map(another))
    expect(lives).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins"])
    for (const end of ends) await end()
    expect(lives.at(-1)).toBe("c ends")
  })

  describe("when opencode goes on calling what an earlier one has registered", () => {
    const isTheLatest = "offers its plugins no model.list"

    /** The earlier one's, and what is registered later in the same location; only that lacks the list of models. */
    function twoContexts() {
      const earlier = fresh()
      const { location } = earlier
      return { earlier, later: { ...contextDouble(), options, location, model: {} } }
    }

    const askStatus = (context: ContextDouble) =>
      context.tools.find(({ name }) => name === "agents_status")?.execute({}, callOf("call_1"))

    it("answer as the current one, which may still be in the making", async () => {
      const { earlier, later } = twoContexts()
      earlier.made.push({ id: "ses_owner", title: "", permissions: [] })
      await setup(earlier)
      expect((await askStatus(earlier))?.content).not.toContain(isTheLatest)
      const made = setup(later)
      expect((await askStatus(earlier))?.content).toContain(isTheLatest)
      const end = await made
      expect((await askStatus(earlier))?.content).toContain(isTheLatest)
      await end()
    })

    it("answer once the next one is there, where none is there yet", async () => {
      const { earlier, later } = twoContexts()
      const endEarlier = await setup(earlier)
      await endEarlier()
      const asked = askStatus(earlier)
      const end = await setup(later)
      expect((await asked)?.content).toContain(isTheLatest)
      // The end of one that has been replaced leaves the next one alone.
      await endEarlier()
      expect((await askStatus(earlier))?.content).toContain(isTheLatest)
      await end()
    })

    it("say that they were reloaded, where no next one comes", async () => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
      const { earlier } = twoContexts()
      const end = await setup(earlier)
      await end()
      const asked = askStatus(earlier)
      const outcome = expect(asked).rejects.toThrow("was reloaded; its jobs keep running. Call again.")
      await vi.advanceTimersByTimeAsync(10_000)
      await outcome
      vi.useRealTimers()
    })

    it("tell a model of the tools once, however many hooks there are", async () => {
      const { earlier, later } = twoContexts()
      const hooks: ((request: unknown) => unknown)[] = []
      for (const context of [earlier, later]) {
        context.made.push({ id: "ses_owner", title: "", permissions: [] })
        context.session.hook = async (name, hear) => void (name === "context" && hooks.push(hear))
      }
      await setup(earlier)
      const end = await setup(later)
      const request = { sessionID: "ses_owner", system: [] }
      for (const hear of hooks) await hear(request)
      expect(hooks).toHaveLength(2)
      expect(request.system).toHaveLength(1)
      await end()
    })
  })

  it("begin nothing where they are ended at once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const end = await setup(fresh())
    await end()
    await vi.runAllTimersAsync()
    expect(logged).toEqual([])
    vi.useRealTimers()
  })

  it("come into being after one that could not", async () => {
    const context = fresh()
    const broken = setup({
      ...context,
      get agent(): never {
        throw new Error("broken")
      },
    })
    const end = await setup(context)
    await broken
    expect(
      (await context.tools.find(({ name }) => name === "agents_status")?.execute({}, callOf("call_1")))
        ?.content,
    ).toBeDefined()
    await end()
  })

  it("hear events again that have broken off", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const context = fresh()
    let subscriptions = 0
    context.event.subscribe = async function* ({ signal }) {
      if (++subscriptions === 1) throw new Error("the stream broke")
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
    }
    const end = await setup(context)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(subscriptions).toBe(2)
    expect(logged.join("\n")).toContain("events broke off: the stream broke")
    vi.useRealTimers()
    await end()
  })
})
