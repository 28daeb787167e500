import { describe, expect, it, onTestFinished, vi } from "vitest"
import { loadSchema } from "../../../src/plugin/children/schema/schemas.ts"
import type { HostEvent, PermissionRule } from "../../../src/plugin/host/port.ts"
import { settled } from "../../machines/support/play.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, okAgents } from "../support/host-double.ts"
import { agentOf, sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

quietXState()

const task = (id: string, fields: object = {}) => ({ id, prompt: `do ${id}`, ...fields })

/** A call of agents_start that waits for these jobs, each to be answered by the test. */
async function waitingFor(ids: string[], { bad = [] as object[], abort = new AbortController() } = {}) {
  const services = testServices()
  const tasks = [...ids.map((id) => task(id)), ...bad]
  let isOver = false
  const start = services.call("agents_start", { tasks, wait: true }, { id: "start", abort: abort.signal })
  void start.then(() => (isOver = true))
  const { host, troupe } = services
  await until(() => host.prompts.length === ids.length)
  const answer = async (id: string, text = `of ${id}`) => {
    host.prompts.find(({ prompt }) => prompt.text === `do ${id}`)?.answer(text)
    await until(() => troupe.records.get("owner", id)?.state === "done")
  }
  return { ...services, start, abort, answer, isOver: () => isOver }
}

describe("agents_start with wait: true", () => {
  it("returns the full results of its jobs once all have ended, and they are delivered", async () => {
    const { start, answer, isOver, inbox } = await waitingFor(["a", "b"])
    await answer("b")
    expect(isOver()).toBe(false)
    await answer("a", "x".repeat(10_000))
    const { title, output, jobs, metadata } = await start
    expect(title).toBe("2/2 done")
    expect(output).toMatch(
      /^<job id="a" state="done"[^>]*>\nx{10000}\n<\/job>\n<job id="b" [^>]*>\nof b\n<\/job>$/,
    )
    expect(jobs.map(({ id, state, text }) => [id, state, text])).toEqual([
      ["a", "done", undefined],
      ["b", "done", undefined],
    ])
    expect(metadata.refused).toEqual([])
    expect(inbox.open("owner")).toEqual([])
  })

  it("shows on its own call how they are doing", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    onTestFinished(() => void vi.useRealTimers())
    const { start, answer, host } = await waitingFor(["a", "b"])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(host.shown.map(({ title }) => title)).toEqual(["0/2 done, 2 working"])
    await answer("a")
    await answer("b")
    await start
  })

  it("says first what was refused, and waits for the rest", async () => {
    const { start, answer } = await waitingFor(["a"], { bad: [task("b", { agent: "wizard" }), { id: "c" }] })
    await answer("a")
    const { output, metadata } = await start
    expect(output.split("\n")).toEqual([
      'Refused: b: no subagent "wizard"; available: general, explore',
      "Refused: c: tasks[2].prompt is missing: it must be text that is not blank",
      expect.stringMatching(/^<job id="a"/),
      "of a",
      "</job>",
    ])
    expect(metadata.refused).toMatchObject([{ id: "b" }, { id: "c" }])
  })

  it("answers at once where nothing could be started", async () => {
    const { start } = await waitingFor([], { bad: [task("b", { agent: "wizard" })] })
    expect(await start).toMatchObject({
      title: "0/1 jobs started",
      output: expect.stringMatching(/^Refused: b: /),
    })
  })

  it("returns with its result a job that never got a session", async () => {
    const { call } = testServices({ createSession: async () => failed("the disk is full") })
    const { title, output } = await call("agents_start", { tasks: [task("a")], wait: true })
    expect(title).toBe("0/1 done, 1 failed")
    expect(output).toMatch(/^<job id="a" state="failed" [^>]*reason="create: the disk is full"/)
    expect((await call("agents_wait", { timeout: 0.01 })).title).toBe("nothing to wait for")
  })

  it("returns what there is when it is interrupted: the others go on, undelivered", async () => {
    const { start, answer, abort, inbox, troupe } = await waitingFor(["a", "b"])
    await answer("a")
    abort.abort()
    const { output } = await start
    expect(output).toMatch(/^The wait was interrupted\. Still running:\nb: [^\n]*\n<job id="a"/)
    expect(inbox.open("owner").map(({ id }) => id)).toEqual(["b"])
    expect(troupe.records.get("owner", "b")?.state).toBe("prompting")
  })

  it.each([
    { how: "it waits", args: undefined, ids: ["find", "review", "review.1", "review.2"] },
    { how: "the group is waited for", args: { ids: ["review"] }, ids: ["review", "review.1", "review.2"] },
    { how: "all is waited for", args: {}, ids: ["find", "review", "review.1", "review.2"] },
  ])("returns the results of the jobs that a group stands for, where $how", async ({ args, ids }) => {
    // The first schema of all loads its library, which takes as long as the machine is busy.
    await loadSchema({})
    const { host, troupe, call } = testServices()
    const tasks = [
      task("find", { schema: {} }),
      { id: "review", each: { from: "find" }, prompt: "review {{item}}" },
    ]
    if (args) await call("agents_start", { tasks })
    const results = args ? call("agents_wait", args) : call("agents_start", { tasks, wait: true })
    const answer = async (start: string, text: string) => {
      const prompted = () => host.prompts.find(({ prompt }) => prompt.text.includes(start))
      await until(() => prompted() !== undefined)
      prompted()?.answer(text)
    }
    await answer("do find", '["x", "y"]')
    await answer("review x", "x is fine")
    await answer("review y", "y is not")
    const { output, metadata } = await results
    expect(output).toMatch(
      /<job id="review\.1" [^>]*>\nx is fine\n<\/job>\n<job id="review\.2" [^>]*>\ny is not\n/,
    )
    expect(metadata.jobs).toMatchObject(ids.map((id) => ({ id, state: "done" })))
    expect(troupe.records.get("owner", "review")?.isGroup).toBe(true)
  })

  it("waits for its own jobs alone", async () => {
    const services = testServices()
    await services.call("agents_start", { tasks: [task("other")] }, { id: "before" })
    const start = services.call("agents_start", { tasks: [task("a")], wait: true })
    await until(() => services.host.prompts.length === 2)
    services.host.prompts.at(-1)?.answer("of a")
    expect(await start).toMatchObject({ jobs: [{ id: "a" }] })
  })

  it("has its jobs refused to be called anything but a yes or a no", async () => {
    const { call, host } = testServices()
    await expect(call("agents_start", { tasks: [task("a")], wait: "yes" })).rejects.toThrow(
      /^wait is "yes": it must be true or false\. Nothing was done/,
    )
    expect(host.prompts).toEqual([])
  })

  describe("is under way for other calls of its message no longer than until its jobs are there:", () => {
    /** opencode tells that a call runs whenever what is shown of it changes. */
    const shown: HostEvent = {
      type: "tool.running",
      session: "owner",
      call: "start",
      tool: "agents_start",
      isSubagent: false,
      title: "0/2 done",
    }

    it("a wait for any of them returns with the first, which the start does not return again", async () => {
      const { call, starts, start, answer, isOver } = await waitingFor(["a", "b"])
      starts.hear(shown)
      const waiting = call("agents_wait", { ids: ["a", "b"], until: "any" })
      await settled()
      await answer("b")
      expect((await waiting).title).toBe("1/2 done, 1 working")
      expect(isOver()).toBe(false)
      await answer("a")
      expect((await start).output).toMatch(
        /^Already returned by another call: b\.\n<job id="a" [^>]*>\nof a\n<\/job>$/,
      )
    })

    it("a cancel stops them, and the start returns with what they had written", async () => {
      const { call, starts, start } = await waitingFor(["a", "b"])
      starts.hear(shown)
      expect((await call("agents_cancel", { all: true })).title).toBe("2 cancelled")
      expect((await start).title).toBe("0/2 done, 2 cancelled")
    })

    it("a wait for all hands over what the start has not, and says where the rest is", async () => {
      const { call, starts, start, answer } = await waitingFor(["a", "b"])
      starts.hear(shown)
      const waiting = call("agents_wait", {}, { id: "wait", isStored: false })
      await settled()
      await answer("a")
      await answer("b")
      const outputs = [(await start).output, (await waiting).output]
      expect(outputs.filter((output) => output.includes("\nof a\n"))).toHaveLength(1)
      expect(outputs).toContain("Already returned by another call: a, b.")
    })

    it("until opencode says that the call has ended, or the turn", async () => {
      const { starts, start, answer } = await waitingFor(["a"])
      const isUnderWay = async () => {
        let isOver = false
        void starts.over("owner", new AbortController().signal).then(() => (isOver = true))
        await settled()
        return !isOver
      }
      await answer("a")
      await start
      for (const end of [
        { ...shown, type: "tool.ended", mark: undefined } as const,
        { type: "session.idle", session: "owner" } as const,
      ]) {
        starts.hear(shown)
        starts.hear({ type: "session.busy", session: "owner" })
        starts.hear(shown)
        expect(await isUnderWay()).toBe(false)
        starts.hear(end)
        // Another of the same name: some providers count their calls anew in each message.
        starts.hear(shown)
        expect(await isUnderWay()).toBe(true)
        await starts.track({ session: "owner", message: "msg_2", call: "start" }, Promise.resolve())
      }
    })
  })
})

describe("A task that names no agent", () => {
  const rule = (pattern: string, action: "allow" | "ask" | "deny") => ({
    permission: "task",
    pattern,
    action,
  })
  const all = ["general", "explore", "review"].map((name) => agentOf(name))

  /** What a call with such a task, and one that names `general`, answers, and whom it asks for. */
  async function started(
    ofAgent: PermissionRule[],
    { ofSession = [] as PermissionRule[], agents = all, named = [] as object[] } = {},
  ) {
    const asked: string[] = []
    const { call, host } = testServices({
      agents: async () => okAgents(agentOf("plan", ofAgent, { mode: "primary" }), ...agents),
    })
    host.sessions.set("owner", sessionOf("owner", { permission: ofSession }))
    const { output, jobs, metadata } = await call(
      "agents_start",
      { tasks: [task("a"), task("b"), ...named] },
      {
        agent: "plan",
        ask: async (agent) => {
          asked.push(agent)
          const isDenied = [...ofAgent, ...ofSession].findLast(
            ({ pattern }) => pattern === agent || pattern === "*",
          )
          return { type: isDenied?.action === "deny" ? "denied" : "granted" }
        },
      },
    )
    return { lines: output.split("\n"), agents: jobs.map(({ agent }) => agent), asked, metadata }
  }

  it.each<[string, PermissionRule[], PermissionRule[]]>([
    ["by its agent's rules", [rule("*", "allow"), rule("general", "deny")], []],
    ["by its session's", [], [rule("general", "deny")]],
    ["by all but one", [rule("*", "deny"), rule("explore", "ask")], []],
  ])("gets explore where its owner may not start general: %s", async (_, ofAgent, ofSession) => {
    const { lines, agents, asked } = await started(ofAgent, { ofSession })
    expect(lines).toEqual([
      expect.stringMatching(/^Started: a, b\./),
      'As "plan" may not start "general", these run as explore: a, b.',
    ])
    expect([agents, asked]).toEqual([["explore", "explore"], ["explore"]])
  })

  it("gets explore where there is no general, and is told so", async () => {
    const { lines, agents } = await started([], { agents: all.slice(1) })
    expect(lines[1]).toBe('As there is no "general", these run as explore: a, b.')
    expect(agents).toEqual(["explore", "explore"])
  })

  it.each([[[]], [[rule("general", "ask")]], [[rule("explore", "deny")]]])(
    "gets general where its owner may, be it with a question, and not a word is said: %o",
    async (rules) => {
      const { lines, agents } = await started(rules)
      expect([lines.length, agents]).toEqual([1, ["general", "general"]])
    },
  )

  it("says nothing of those that name it themselves", async () => {
    const named = [task("c", { agent: "explore" }), task("d", { agent: "general" })]
    const { lines } = await started([rule("general", "deny")], { named })
    expect(lines).toEqual([
      expect.stringMatching(/^Started: a, b, c\./),
      'As "plan" may not start "general", these run as explore: a, b.',
      'Refused: d: "plan" may not start "general"; it may start: explore, review',
    ])
  })

  it("is refused, with those that there are, where neither is permitted", async () => {
    const rules = [rule("*", "allow"), rule("general", "deny"), rule("explore", "deny")]
    const refused = 'a: "plan" may not start "general"; it may start: review'
    expect((await started(rules)).lines[0]).toBe(`Refused: ${refused}`)
    expect((await started([rule("*", "deny")])).lines[0]).toBe('Refused: a: "plan" may start no subagent')
  })
})
