import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { ModelRequest } from "../../src/plugin/host/v2/api.ts"
import { setup } from "../../src/plugin/opencode-2.ts"
import { type ContextDouble, contextDouble } from "./host/v2/support/context-double.ts"

let logged: string[]
beforeEach(() => {
  logged = []
  for (const level of ["debug", "info", "warn", "error"] as const)
    vi.spyOn(console, level).mockImplementation((line) => void logged.push(`${level}: ${line}`))
})
afterEach(() => void vi.restoreAllMocks())

const options = { inspector: { enabled: false } }
let count = 0
/** Each test has a location of its own. */
const fresh = () => ({ ...contextDouble(), options, location: { directory: `/project ${count++}` } })

const callOf = (id: string) => ({
  sessionID: "ses_owner",
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
})

describe("Wrong options, which opencode 2 shows nowhere", () => {
  const wrong = { concurrency: "many", inspector: { host: "0.0.0.0", token: "short" } }
  const many =
    'option "concurrency" is "many": it must be a whole number, at least 1 and at most 256; using the default, 8'

  async function began(given: object) {
    const context = fresh()
    context.made.push({ id: "ses_owner", title: "", permissions: [] })
    const end = await setup({ ...context, options: given })
    onTestFinished(end)
    return async (name: string, args: object, call: string) => {
      const tool = context.tools.find((each) => each.name === name)
      return `${(await tool?.execute(args, callOf(call)))?.content}`.split("\n")
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
        `Tell your user: ${many} (2 more problems: see agents_status)`,
      ],
      ["Refused: tasks[0] is 7: it must be an object"],
    ])
    const other = await began({ ...options, depth: 0 })
    expect((await other("agents_start", { tasks: [7] }, "call_1"))[1]).toMatch(
      /^Tell your user: option "depth" is 0: .*; using the default, 1$/,
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
      const hooks: ((request: ModelRequest) => unknown)[] = []
      for (const context of [earlier, later]) {
        context.made.push({ id: "ses_owner", title: "", permissions: [] })
        context.session.hook = async (name, hear) => void (name === "context" && hooks.push(hear))
      }
      await setup(earlier)
      const end = await setup(later)
      const request: ModelRequest = { sessionID: "ses_owner", system: [] }
      for (const hear of hooks) await hear(request)
      expect(hooks).toHaveLength(2)
      expect(request.system).toHaveLength(1)
      await end()
    })
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
