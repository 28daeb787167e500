import { describe, expect, it, vi } from "vitest"
import type { JobInput } from "../../../src/machines/events.ts"
import { Ledger } from "../../../src/machines/ledger.ts"
import { type JobRecord, NO_USAGE, type Subagent, type Usage } from "../../../src/machines/record.ts"
import type { HostModel } from "../../../src/plugin/host/port.ts"
import { readOptions } from "../../../src/plugin/options.ts"
import { Budgets } from "../../../src/plugin/owners/budgets.ts"
import { newStoredJob } from "../../../src/plugin/records/stored-job.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import { ok } from "../support/host-double.ts"
import { askedBy, sessionOf } from "../support/opencode-data.ts"
import { frozenTime } from "../support/races.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

frozenTime()

type Given = Parameters<typeof testServices>[1]

const task = (id: string, fields: object = {}) => ({ id, prompt: `do ${id}`, ...fields })
/** A second toast comes once the first was there to be read. Milliseconds. */
const toastMs = 15_000
const used = (usage: Partial<Usage>): Usage => ({ ...NO_USAGE, ...usage })

/** The product over an opencode in memory, in which children use what the test says. */
function product(options: Given = {}) {
  const services = testServices({}, options)
  const { call, host, troupe, hear } = services
  const record = (id: string, owner = "owner") => troupe.records.get(owner, id)
  return {
    ...services,
    record,
    states: (...ids: string[]) => ids.map((id) => record(id)?.error?.kind ?? record(id)?.state),
    start: (ids: string[], args: object = {}, owner = "owner") =>
      call("agents_start", { tasks: ids.map((id) => task(id)), ...args }, { owner }),
    prompted: () => host.prompts.map(({ prompt }) => prompt.text),
    async answer(id: string, text = `${id} is done`) {
      host.prompts.findLast(({ prompt }) => prompt.session === record(id)?.session)?.answer(text)
      await settled()
    },
    /** A step of this job's child has ended: all its steps together have used this. */
    async spends(id: string, usage: Partial<Usage>, owner = "owner") {
      hear({ type: "usage.changed", session: record(id, owner)?.session ?? "", usage: used(usage) })
      await settled()
    },
    async passes(ms: number) {
      await vi.advanceTimersByTimeAsync(ms)
      await settled()
    },
  }
}

describe("A batch whose budget is used up", () => {
  async function usedUp() {
    const stage = product({ concurrency: 2 })
    await stage.start(["a", "b", "waits"], { budget: { tokens: 1_000 } })
    await stage.spends("a", { input: 600, output: 200, reasoning: 100, cacheRead: 9_000, cacheWrite: 99 })
    expect(stage.states("a", "b", "waits")).toEqual(["prompting", "prompting", "created"])
    await stage.spends("b", { output: 1, cacheRead: 70_000 })
    return stage
  }

  it("has what waits cancelled at once and what works two seconds later; what is read from a cache does not count", async () => {
    const stage = await usedUp()
    expect(stage.states("a", "b", "waits")).toEqual(["prompting", "prompting", "budget"])
    await stage.passes(1_999)
    expect(stage.states("a", "b")).toEqual(["prompting", "prompting"])
    await stage.passes(1)
    await until(() => stage.record("b")?.state === "cancelled")
    expect(stage.record("a")).toMatchObject({
      state: "cancelled",
      error: { kind: "budget", message: "its batch has spent 1,000 of 1,000 tokens" },
    })
    expect(stage.host.aborted).toHaveLength(2)
    expect(stage.prompted()).toEqual(["do a", "do b"])
  })

  it("has those cancelled that wait for others, because of the budget and not for want of what they wait for", async () => {
    const stage = product()
    const tasks = [task("a"), task("b", { needs: ["a"] }), task("c", { needs: ["b"] })]
    await stage.call("agents_start", { tasks, budget: { tokens: 1_000 } })
    expect(stage.record("c")?.phase).toBe("blocked")
    await stage.spends("a", { input: 1_000 })
    expect(stage.states("a", "b", "c")).toEqual(["prompting", "budget", "budget"])
    await stage.passes(2_000)
    await until(() => stage.states("a")[0] === "budget")
    expect(stage.prompted()).toEqual(["do a"])
  })

  it("lets an answer stand that comes meanwhile: it is what the rest was spent on", async () => {
    const stage = await usedUp()
    await stage.answer("b")
    await stage.passes(5_000)
    expect(stage.states("a", "b", "waits")).toEqual(["budget", "done", "budget"])
    expect([...stage.budgets.actors()].map(({ state }) => state)).toEqual(["spent"])
    // Its slot is free: nobody takes it any more.
    expect(stage.prompted()).toEqual(["do a", "do b"])
  })

  it("tells its owner once what was spent and what is left undone", async () => {
    const stage = await usedUp()
    await stage.answer("b")
    await stage.passes(2_000)
    // Until it was stopped.
    await stage.spends("a", { input: 1_234 })
    const first = await stage.call("agents_wait", { ids: ["b"] })
    expect(first.output).not.toContain("budget")
    const { output } = await stage.call("agents_wait", {})
    expect(output).toMatch(
      /^The budget of their batch is spent: [\d,]+ of 1,000 tokens\. Left undone: a, waits \(never begun: waits\)\.\n<job id="a"/,
    )
    expect(output).toContain('reason="budget: its batch has spent 1,000 of 1,000 tokens"')
    expect(stage.host.toasts.map(({ message }) => message)).toContain(
      "A budget is spent (1,000 of 1,000 tokens): 1 job is cancelled.",
    )
  })

  it("tells an owner that does not wait with the message of its results", async () => {
    const stage = product({ concurrency: 2, notify: "batch" })
    const words = { session: "owner", messageID: "msg_1", text: "hello", agent: "build" }
    stage.host.said.set("owner", [askedBy(words)])
    await stage.start(["a", "b"], { budget: { tokens: 1_000 } })
    await stage.spends("a", { input: 1_000 })
    await stage.answer("b")
    for (let pass = 0; pass < 5; pass++) await stage.passes(2_000)
    const [told, ...others] = (stage.host.said.get("owner") ?? []).slice(1).map(({ parts }) => parts)
    expect(others).toEqual([])
    expect(JSON.stringify(told)).toContain(
      "The budget of their batch is spent: 1,000 of 1,000 tokens. Left undone: a.",
    )
  })

  it("names with the first of them all that is left undone, and not again", async () => {
    const stage = await usedUp()
    await stage.passes(2_000)
    await until(() => stage.states("a", "b", "waits").every((state) => state === "budget"))
    const [first, second] = [
      await stage.call("agents_wait", { ids: ["b"] }),
      await stage.call("agents_wait", { ids: ["a"] }, { id: "second" }),
    ]
    expect(first.output).toContain("Left undone: a, b, waits (never begun: waits).")
    expect(second.output).toMatch(/^<job id="a"/)
  })

  it("names it again to an owner that asks for the same again", async () => {
    const stage = await usedUp()
    await stage.passes(2_000)
    await until(() => stage.states("a", "b", "waits").every((state) => state === "budget"))
    const all = { ids: ["a", "b", "waits"] }
    const [first, second] = [
      await stage.call("agents_wait", all),
      await stage.call("agents_wait", all, { id: "second" }),
    ]
    for (const { output } of [first, second]) expect(output).toContain("Left undone: a, b, waits")
  })

  it("runs none of its jobs again, whoever asks, and says what to do instead", async () => {
    const stage = await usedUp()
    await stage.answer("b")
    await stage.passes(5_000)
    const words =
      /^the budget of the batch of b is spent: 1,000 of 1,000 tokens\. A new job can do the rest\. Nothing was sent\.$/
    await expect(stage.call("agents_send", { id: "b", message: "go on" })).rejects.toThrow(words)
    const record = stage.record("b")
    if (!record) throw new Error("b is gone")
    await expect(stage.messenger.send(record, "go on")).rejects.toThrow(words)
    expect(stage.record("b")?.run).toBe(1)
  })

  it("leaves other batches of its owner alone", async () => {
    const stage = await usedUp()
    await stage.passes(5_000)
    await stage.start(["other"])
    expect(stage.states("other")).toEqual(["prompting"])
    await stage.spends("other", { input: 1e6 })
    await stage.passes(5_000)
    expect(stage.states("other")).toEqual(["prompting"])
  })

  it("does not prompt a follow-up that was being stored, but cancels it", async () => {
    const stage = product()
    await stage.start(["a", "b"], { budget: { tokens: 1_000 } })
    await stage.answer("a")
    await stage.call("agents_wait", { ids: ["a"] })
    // opencode takes its time to store it.
    const stored = gate<void>()
    stage.store.saveRun = () => stored.passed
    const sending = stage.call("agents_send", { id: "a", message: "go on" })
    await settled()
    await stage.spends("b", { input: 1_000 })
    // By then nothing runs any more.
    await stage.passes(2_000)
    await until(() => stage.record("b")?.state === "cancelled")
    stored.open()
    await sending
    await stage.passes(5_000)
    expect(stage.record("a")).toMatchObject({ run: 2, state: "cancelled", error: { kind: "budget" } })
    expect(stage.prompted()).toEqual(["do a", "do b"])
  })
})

describe("A budget of the owner, from the options", () => {
  it("holds all its batches together; then it starts nothing more, and is told who can change that", async () => {
    const stage = product({ budget: { cost: 0.3 } })
    await stage.start(["a"])
    await stage.start(["b"])
    await stage.start(["c"])
    // Fractions do not add up to the last digit.
    for (const id of ["a", "b", "c"]) await stage.spends(id, { cost: 0.1 })
    await stage.passes(2_000)
    await until(() => stage.states("a", "b", "c").every((state) => state === "budget"))
    expect(stage.record("a")?.error?.message).toBe("its session's jobs have spent $0.3 of $0.3")
    await expect(stage.start(["d"])).rejects.toThrow(
      `the budget of this session's jobs is spent: $0.3 of $0.3. Only your user can raise it: it is the plugin's option "budget". Nothing was started.`,
    )
    await expect(stage.call("agents_send", { id: "a", message: "go on" })).rejects.toThrow(
      /^the budget of this session's jobs is spent.*Nothing was sent\.$/,
    )
    expect((await stage.call("agents_wait", {})).output).toMatch(
      /^The budget of this session's jobs is spent: \$0\.3 of \$0\.3\. Left undone: a, b, c\.\n/,
    )
    expect(stage.record("d")).toBeUndefined()
  })

  it("is each owner's own", async () => {
    const stage = product({ budget: { tokens: 1_000 } })
    stage.host.sessions.set("other", sessionOf("other"))
    await stage.start(["a"])
    await stage.start(["a"], {}, "other")
    await stage.spends("a", { output: 5_000 })
    await stage.passes(2_000)
    expect(stage.states("a")).toEqual(["budget"])
    expect(stage.record("a", "other")?.state).toBe("prompting")
  })

  it("is asked about again once the user has permitted the start", async () => {
    const stage = product({ budget: { tokens: 1_000 } })
    await stage.start(["a"])
    const ask = async () => {
      await stage.spends("a", { output: 5_000 })
      return { type: "granted" } as const
    }
    await expect(stage.call("agents_start", { tasks: [task("b")] }, { ask })).rejects.toThrow(
      /Nothing was started\.$/,
    )
    expect(stage.record("b")).toBeUndefined()
  })

  it.each([
    [{ budget: { tokens: 0 } }, 'option "budget".tokens is 0: it must be a number above 0; no job starts'],
    [{ budget: { cost: -1 } }, 'option "budget".cost is -1: it must be a number above 0; no job starts'],
    [
      { budget: {} },
      'option "budget" is {}: it must be an object with tokens, cost (US$) or both; no job starts',
    ],
    [
      { budget: 5 },
      'option "budget" is 5: it must be an object with tokens, cost (US$) or both; no job starts',
    ],
    [
      { budget: null },
      'option "budget" is null: it must be an object with tokens, cost (US$) or both; no job starts',
    ],
    [{ budget: { token: 1 } }, 'option "budget".token is unknown; valid names: tokens, cost; no job starts'],
  ])("that says nothing sound is named, and no job starts rather than all of them: %o", (given, words) => {
    const { problems, noStarts, options } = readOptions(given)
    expect(problems).toContain(words)
    expect(options.budget).toBeUndefined()
    expect(noStarts).toMatch(/^the plugin's option "budget" cannot be read/)
  })

  it("that says nothing sound keeps jobs from starting, and from running again", async () => {
    const noStarts = "what the budget is, nobody can tell."
    const stage = testServices({}, {}, undefined, { noStarts })
    await expect(stage.call("agents_start", { tasks: [task("a")] })).rejects.toThrow(
      `${noStarts} Nothing was started.`,
    )
    stage.troupe.adopt({
      ...{ id: "old", owner: "owner", session: "ses_old", description: "old", agent: "general" },
      ...{ state: "done", run: 1, createdAt: 1, endedAt: 2, usage: NO_USAGE },
    })
    stage.host.sessions.set("ses_old", sessionOf("ses_old", { parentID: "owner" }))
    await expect(stage.call("agents_send", { id: "old", message: "go on" })).rejects.toThrow(
      `${noStarts} Nothing was sent.`,
    )
  })

  it("is nothing where none is given, or a sound one", () => {
    expect(readOptions({}).noStarts).toBeUndefined()
    expect(readOptions({ budget: { cost: 2.5 } })).toMatchObject({
      options: { budget: { cost: 2.5 } },
      problems: [],
    })
  })
})

describe("A budget of nothing, as an argument", () => {
  it.each([
    [{ tokens: 0 }, "budget.tokens is 0: it must be a number above 0"],
    [{ cost: -0.5 }, "budget.cost is -0.5: it must be a number above 0"],
    [{ tokens: "many" }, 'budget.tokens is "many": it must be a number above 0'],
    [{}, "budget is {}: it must be an object with tokens, cost (US$) or both"],
    [null, "budget is null: it must be an object with tokens, cost (US$) or both"],
    [{ dollars: 5 }, "budget.dollars is unknown; valid names: tokens, cost"],
  ])("is refused by name before anything starts: %o", async (budget, words) => {
    const stage = product()
    await expect(stage.start(["a"], { budget })).rejects.toThrow(words)
    expect(stage.record("a")).toBeUndefined()
  })
})

describe("What a job's child starts", () => {
  /** A job whose child has started one itself. */
  async function family(options: Given = {}, budget?: object, inner?: object) {
    const stage = product({ depth: 3, ...options })
    await stage.start(["top"], budget && { budget })
    const top = stage.record("top")?.session ?? ""
    await stage.start(["below"], inner && { budget: inner }, top)
    return { ...stage, top }
  }

  it("counts towards the batch above it, and is cancelled with it", async () => {
    const stage = await family({}, { tokens: 1_000 })
    await stage.spends("top", { input: 400 })
    await stage.spends("below", { input: 600 }, stage.top)
    await expect(stage.start(["more"], {}, stage.top)).rejects.toThrow(
      "the budget of the batch that this session works for is spent: 1,000 of 1,000 tokens. Nothing was started.",
    )
    await stage.passes(2_000)
    await until(() => stage.record("below", stage.top)?.state === "cancelled")
    expect([stage.record("top")?.error?.kind, stage.record("below", stage.top)?.error?.kind]).toEqual([
      "budget",
      "budget",
    ])
  })

  it("counts towards the owner at the top, and may not go on by itself", async () => {
    const stage = await family({ budget: { cost: 5 } })
    await stage.spends("below", { cost: 5.25 }, stage.top)
    await expect(stage.start(["more"], {}, stage.top)).rejects.toThrow(/\$5\.25 of \$5\.00/)
    await stage.passes(2_000)
    await until(() => stage.record("top")?.state === "cancelled")
    expect((await stage.call("agents_wait", {})).output).toMatch(/Left undone: top\.\n/)
  })

  it("has a budget of its own, without the jobs above", async () => {
    const stage = await family({}, undefined, { tokens: 100 })
    await stage.spends("top", { input: 5_000 })
    expect(stage.record("below", stage.top)?.state).toBe("prompting")
    await stage.spends("below", { input: 100 }, stage.top)
    await stage.passes(2_000)
    await until(() => stage.record("below", stage.top)?.state === "cancelled")
    expect(stage.record("top")?.state).toBe("prompting")
    expect((await stage.call("agents_wait", {}, { owner: stage.top })).output).toMatch(
      /^The budget of their batch is spent: 100 of 100 tokens\. Left undone: below\.\n/,
    )
  })

  it("counts also where it is a subagent of opencode's own", async () => {
    const stage = product()
    await stage.start(["a"], { budget: { tokens: 1_000 } })
    const parent = stage.record("a")?.session
    stage.hear({ type: "session.created", session: "ses_task", parent })
    stage.hear({ type: "session.created", session: "ses_task_of_task", parent: "ses_task" })
    stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 600 }) })
    stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 700 }) })
    expect(stage.states("a")).toEqual(["prompting"])
    stage.hear({ type: "usage.changed", session: "ses_task_of_task", usage: used({ input: 300 }) })
    await stage.passes(2_000)
    expect(stage.states("a")).toEqual(["budget"])
  })

  it("counts once where a job of a job has subagents of opencode's own", async () => {
    const stage = await family({}, { tokens: 1_000 })
    const parent = stage.record("below", stage.top)?.session
    stage.hear({ type: "session.created", session: "ses_task", parent })
    stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 600 }) })
    await stage.passes(2_000)
    expect(stage.states("top")).toEqual(["prompting"])
    expect(stage.record("below", stage.top)?.subagents).toHaveLength(1)
    expect(stage.record("top")).not.toHaveProperty("subagents")
    stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 1_000 }) })
    await stage.passes(2_000)
    await until(() => stage.states("top")[0] === "budget")
  })

  it("is not among what is cancelled once its session is deleted", async () => {
    const stage = await family({}, { tokens: 1_000 })
    stage.troupe.forgetOwner(stage.top)
    await stage.spends("top", { input: 1_000 })
    await stage.passes(2_000)
    expect(stage.host.toasts[0]?.message).toMatch(/: 1 job is cancelled\.$/)
    await until(() => stage.states("top")[0] === "budget")
    expect([...stage.budgets.actors()].map(({ state }) => state)).toEqual(["spent"])
  })

  it("has been used once its session is deleted, too", async () => {
    const stage = await family({}, { tokens: 1_000 })
    await stage.spends("below", { input: 700 }, stage.top)
    stage.troupe.forgetOwner(stage.top)
    await stage.spends("top", { input: 300 })
    await stage.passes(2_000)
    await until(() => stage.states("top")[0] === "budget")
  })
})

describe("After a restart", () => {
  const input = (id: string, owner: string, fields: Partial<JobInput> = {}): JobInput => ({
    ...{ id, owner, batch: "batch", description: id, prompt: `do ${id}`, agent: "general" },
    ...{ createdAt: 1, askedAt: 1, run: 1, timeoutMs: 60_000, idleMs: 60_000 },
    ...fields,
  })
  const dead = { pid: 7, process: "start", instance: "dead" }

  /** What an earlier opencode has left: jobs that have used this much, ended or not. */
  function leftBehind(
    options: Given,
    jobs: { job: JobInput; session: string; tokens: number; ended?: true; subagents?: Subagent[] }[],
  ) {
    const stage = product(options)
    for (const { job, session, tokens, ended, subagents } of jobs) {
      const stored = { ...newStoredJob(job, dead), subagents }
      const record = ended ? { ...stored.record, state: "done" as const, endedAt: 2 } : stored.record
      const counted = { input: tokens, output: 0, reasoning: 0, cache: { read: 0, write: 0 } }
      stage.host.sessions.set(
        session,
        sessionOf(session, {
          parentID: job.owner,
          tokens: counted,
          cost: 0,
          metadata: { troupe: { ...stored, record } },
        }),
      )
    }
    return stage
  }

  it("what earlier jobs have used counts, and so does what their children had started", async () => {
    const stage = leftBehind({ depth: 2, budget: { tokens: 1_000 } }, [
      { job: input("a", "owner"), session: "ses_a", tokens: 500, ended: true },
      { job: input("below", "ses_a"), session: "ses_below", tokens: 500, ended: true },
    ])
    await expect(stage.start(["b"])).rejects.toThrow(/1,000 of 1,000 tokens\..*Nothing was started\.$/)
  })

  it.each([
    ["nor looked for where nothing is limited", {}, ["owner"]],
    ["but looked for where something is", { budget: { tokens: 1_000 } }, ["owner", "ses_a"]],
  ])("what those have started is not known, %s", async (_, options, asked) => {
    const stage = leftBehind({ depth: 2, ...options }, [
      { job: input("a", "owner"), session: "ses_a", tokens: 500, ended: true },
    ])
    const { children } = stage.host
    const looked: string[] = []
    stage.host.children = async (session) => {
      looked.push(session)
      return children(session)
    }
    await stage.start(["b"])
    expect(looked).toEqual(asked)
  })

  it("keeps a job of theirs from running again, of which the same is known", async () => {
    const budget = { tokens: 1_000 }
    const stage = leftBehind({ depth: 2 }, [
      { job: input("a", "owner", { budget }), session: "ses_a", tokens: 500, ended: true },
      { job: input("below", "ses_a", { batch: "inner" }), session: "ses_below", tokens: 500, ended: true },
    ])
    await expect(stage.call("agents_send", { id: "a", message: "go on" })).rejects.toThrow(
      /1,000 of 1,000 tokens\..*Nothing was sent\.$/,
    )
  })

  it("a batch goes on within what is left of its budget, which is stored with its jobs", async () => {
    const budget = { tokens: 1_000 }
    const stage = leftBehind({ recover: "resume" }, [
      { job: input("a", "owner", { budget }), session: "ses_a", tokens: 600, ended: true },
      { job: input("b", "owner", { budget }), session: "ses_b", tokens: 300 },
    ])
    await stage.recovery.owner("owner")
    await until(() => stage.prompted().length === 1)
    expect(stage.states("a", "b")).toEqual(["done", "prompting"])
    await stage.spends("b", { input: 400 })
    await stage.passes(2_000)
    await until(() => stage.states("b")[0] === "budget")
  })

  describe("what opencode's own subagents had used", () => {
    const budget = { tokens: 1_000 }
    const task = (input: number): Subagent => ({ session: "ses_task", usage: used({ input }) })

    it("counts as before, and keeps their job from running again once all is spent", async () => {
      const stage = leftBehind({}, [
        { job: input("a", "owner", { budget }), session: "ses_a", tokens: 300, subagents: [task(700)] },
      ])
      await expect(stage.call("agents_send", { id: "a", message: "go on" })).rejects.toThrow(
        /1,000 of 1,000 tokens\..*Nothing was sent\.$/,
      )
    })

    it("counts once where they go on with their job, after which there is less left", async () => {
      const stage = leftBehind({ recover: "resume" }, [
        { job: input("a", "owner", { budget }), session: "ses_a", tokens: 100, subagents: [task(500)] },
      ])
      await stage.recovery.owner("owner")
      await until(() => stage.prompted().length === 1)
      stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 800 }) })
      await stage.passes(2_000)
      expect(stage.states("a")).toEqual(["prompting"])
      await stage.spends("a", { input: 199 })
      await stage.passes(2_000)
      expect(stage.states("a")).toEqual(["prompting"])
      stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 801 }) })
      await stage.passes(2_000)
      await until(() => stage.states("a")[0] === "budget")
    })

    it("counts once where their job is sent a follow-up, and is there after another restart", async () => {
      const stage = leftBehind({}, [
        { job: input("a", "owner", { budget }), session: "ses_a", tokens: 100, subagents: [task(500)] },
      ])
      await stage.recovery.owner("owner")
      await stage.call("agents_send", { id: "a", message: "go on" })
      stage.hear({ type: "usage.changed", session: "ses_task", usage: used({ input: 600 }) })
      await until(() => stage.prompted().length === 1)
      await stage.passes(3_000)
      expect(stage.states("a")).toEqual(["prompting"])
      expect(await stage.store.read("ses_a")).toMatchObject({ subagents: [task(600)] })
      await stage.spends("a", { input: 400 })
      await stage.passes(2_000)
      await until(() => stage.states("a")[0] === "budget")
    })
  })

  it("a job that was to be cancelled is not prompted, but cancelled", async () => {
    const budget = { tokens: 1_000 }
    const stage = leftBehind({ recover: "resume" }, [
      { job: input("a", "owner", { budget }), session: "ses_a", tokens: 900, ended: true },
      { job: input("b", "owner", { budget }), session: "ses_b", tokens: 300 },
    ])
    await stage.recovery.owner("owner")
    await until(() => stage.record("b")?.state === "cancelled")
    expect(stage.states("a", "b")).toEqual(["done", "budget"])
    expect(stage.prompted()).toEqual([])
  })

  it("what a child had started counts where that child's job does, whichever is found first", async () => {
    const stage = product({ depth: 2, budget: { tokens: 1_000 } })
    const record = (id: string, owner: string, session: string, tokens: number): JobRecord => ({
      ...{ id, owner, session, batch: "batch", description: id, agent: "general", state: "done", run: 1 },
      ...{ createdAt: 1, endedAt: 2, usage: used({ input: tokens }) },
    })
    stage.troupe.adopt(record("deepest", "ses_below", "ses_deepest", 400))
    stage.troupe.adopt(record("below", "ses_a", "ses_below", 300))
    expect(stage.budgets.refusal("owner")).toBeUndefined()
    stage.troupe.adopt(record("a", "owner", "ses_a", 300))
    expect(stage.budgets.refusal("owner")).toMatch(/1,000 of 1,000 tokens/)
  })
})

describe("A budget is kept", () => {
  const kept = ({ budgets }: ReturnType<typeof product>) =>
    [...budgets.actors()].map(({ owner, state }) => `${owner} ${state}`)

  it("as long as its owner's session is there", async () => {
    const stage = product({ budget: { tokens: 1_000 } })
    await stage.start(["a"], { budget: { tokens: 500 } })
    expect(kept(stage)).toEqual(["owner keeping", "owner keeping"])
    stage.troupe.forgetOwner("owner")
    expect(kept(stage)).toEqual([])
  })

  it("by the opencode that its jobs run in, until that ends: nothing is cancelled any more", async () => {
    const stage = product({ budget: { tokens: 1_000 } })
    await stage.start(["a"], { budget: { tokens: 500 } })
    stage.budgets.stop()
    await stage.spends("a", { input: 5_000 })
    await stage.passes(5_000)
    expect(stage.states("a")).toEqual(["prompting"])
    expect(kept(stage)).toEqual([])
  })
})

it("A defect of a budget is told, and ends nothing else", () => {
  const defects: unknown[] = []
  const reportError = (error: unknown) => void defects.push(error)
  const records = new Ledger(reportError)
  const defect = new Error("a defect")
  const cancel = () => {
    throw defect
  }
  const budgets = new Budgets({
    troupe: { records, cancel },
    budget: { tokens: 1 },
    show: () => {},
    reportError,
  })
  const record: JobRecord = {
    ...{ id: "a", owner: "owner", session: "ses_a", description: "a", agent: "general", state: "created" },
    ...{ run: 1, createdAt: 1, usage: used({ input: 1 }) },
  }
  records.put(record)
  records.put({ ...record, id: "b", session: "ses_b", usage: NO_USAGE })
  expect(defects).toEqual([defect])
  budgets.stop()
})

describe("What a store says of who started whom", () => {
  it("may go round in circles: each budget on the way is held once", () => {
    const { troupe, budgets, defects } = product({ budget: { tokens: 1_000 } })
    const record = (id: string, owner: string): JobRecord => ({
      ...{ id, owner, session: `ses_${id}`, batch: `batch of ${id}`, description: id, agent: "general" },
      ...{
        state: "done",
        run: 1,
        createdAt: 1,
        endedAt: 2,
        usage: used({ input: 300 }),
        budget: { tokens: 500 },
      },
    })
    troupe.adopt(record("a", "ses_b"))
    troupe.adopt(record("b", "ses_a"))
    const names = budgets.of(record("a", "ses_b")).map(({ of, name }) => `${of} ${name}`)
    expect(names).toEqual(["batch batch of a", "batch batch of b", "owner ses_b"])
    expect(defects).toEqual([])
  })
})

describe("A job that has moved to another model's session", () => {
  it("has used once what it had used in the one before", () => {
    const stage = product({ budget: { tokens: 1_000 } })
    const before: JobRecord = {
      ...{ id: "a", owner: "owner", session: "ses_1", description: "a", agent: "general", run: 1 },
      ...{ state: "prompting", createdAt: 1, usage: used({ input: 600 }) },
    }
    const attempts = [{ error: { kind: "provider" as const, message: "401" }, session: "ses_1" }]
    const after: JobRecord = { ...before, session: "ses_2", attempts, usage: used({ input: 700 }) }
    for (const record of [before, after]) stage.troupe.adopt(record)
    expect(stage.budgets.of(after)).toMatchObject([{ spent: { tokens: 700 }, isSpent: false }])
  })
})

describe("What is said of a budget", () => {
  it("at the start: that one of costs holds no model without a price", async () => {
    const models = vi.fn(async () =>
      ok<HostModel[]>([
        { name: "fake/m1", variants: [], isUnpriced: true },
        { name: "fake/m2", variants: [] },
      ]),
    )
    const words = "opencode knows no price for fake/m1: a cost budget cannot hold it, a token budget can."
    const { call } = testServices({ models })
    const started = await call("agents_start", {
      tasks: [task("a"), task("b"), task("c", { model: "fake/m2" })],
      budget: { cost: 1 },
    })
    expect(started.output.split("\n")).toContain(words)
    const priced = await call("agents_start", {
      tasks: [task("d", { model: "fake/m2" })],
      budget: { cost: 1 },
    })
    expect(priced.output).toBe("Started: d. Carry on; agents_wait returns their results.")
    // Once in each call, whoever in it needs them.
    expect(models).toHaveBeenCalledTimes(2)
    const counted = await call("agents_start", { tasks: [task("e")], budget: { tokens: 1 } })
    expect(counted.output).not.toContain("no price")

    const ofTokens = testServices({ models }, { budget: { tokens: 1 } })
    const held = await ofTokens.call("agents_start", { tasks: [task("a")] })
    expect(held.output).not.toContain("no price")
    const limited = testServices({ models }, { budget: { cost: 1 } })
    const { output } = await limited.call("agents_start", { tasks: [task("a")] })
    expect(output.split("\n")).toContain(words)
  })

  it("to the person: how many jobs are cancelled, at once and later, and of two limits the one that is spent", async () => {
    const stage = product({ concurrency: 1 })
    await stage.start(["z"], { budget: { tokens: 1_000 } })
    await stage.answer("z")
    await stage.start(["a", "b", "c"], { budget: { tokens: 1_000, cost: 1 } })
    await stage.spends("a", { input: 2_500, cost: 0.5 })
    await stage.passes(2_000 + toastMs)
    expect(stage.host.toasts.slice(0, 2)).toEqual([
      { message: "A budget is spent (2,500 of 1,000 tokens): 2 jobs are cancelled.", variant: "warning" },
      { message: "A budget is spent (2,500 of 1,000 tokens): 1 job is cancelled.", variant: "warning" },
    ])
  })

  it("to the person: nothing where nobody has to be cancelled", async () => {
    const stage = product()
    await stage.start(["a", "b"], { budget: { tokens: 1_000 } })
    await stage.answer("b")
    await stage.spends("a", { input: 1_000 })
    await stage.answer("a")
    await stage.passes(toastMs)
    expect(stage.states("a", "b")).toEqual(["done", "done"])
    expect(JSON.stringify(stage.host.toasts)).not.toContain("A budget is spent")
  })

  it("where many jobs are left undone: the first of them by name", async () => {
    const stage = product({ concurrency: 1 })
    const ids = Array.from({ length: 21 }, (_, index) => `t${index + 1}`)
    await stage.start(ids, { budget: { tokens: 1e6, cost: 1.5 } })
    await stage.spends("t1", { cost: 1.5 })
    await stage.passes(2_000)
    await until(() => stage.states(...ids).every((state) => state === "budget"))
    const { output } = await stage.call("agents_wait", {})
    const [words = ""] = output.split("\n")
    expect(words).toMatch(/^The budget of their batch is spent: \$1\.50 of \$1\.50\. Left undone: t1, t2, /)
    expect(words).toMatch(/, t20 and 1 more \(never begun: t2, .*, t20, t21\)\.$/)
  })

  it("by agents_status to a job's child: nothing of those that it works for", async () => {
    const stage = product({ depth: 2 })
    await stage.start(["top"], { budget: { tokens: 1_000 } })
    const top = stage.record("top")?.session ?? ""
    await stage.start(["below"], {}, top)
    const { output } = await stage.call("agents_status", {}, { owner: top })
    expect(output).not.toContain("udget")
  })

  it("by agents_status: how much of it is spent, for the owner and for each batch that runs", async () => {
    const stage = product({ budget: { cost: 20, tokens: 50_000 } })
    await stage.start(["a", "b"], { budget: { tokens: 2_000 } })
    await stage.start(["c"], { budget: { cost: 1 } })
    await stage.start(["d"], { budget: { cost: 1 } })
    await stage.spends("a", { input: 1_500, cost: 0.0123456 })
    await stage.answer("b")
    await stage.answer("c")
    const { output } = await stage.call("agents_status", {})
    expect(output.split("\n")).toEqual(
      expect.arrayContaining([
        "Budget of this session's jobs: 1,500 of 50,000 tokens and $0.0123 of $20.00 spent.",
        "Budget of the batch of a, b: 1,500 of 2,000 tokens spent.",
        "Budget of the batch of d: $0 of $1.00 spent.",
      ]),
    )
    expect(output).not.toContain("batch of c")
  })
})
