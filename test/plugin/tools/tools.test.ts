import { describe, expect, it } from "vitest"
import { inspectCommand } from "../../../src/inspector/discovery/command.ts"
import { NO_USAGE } from "../../../src/machines/record.ts"
import { Deliveries } from "../../../src/plugin/owners/deliveries.ts"
import { hearOwners } from "../../../src/plugin/owners/events.ts"
import { runsIn } from "../../../src/plugin/records/delivery-mark.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import { type AskedPrompt, failed, type HostDouble, ok, okMessage } from "../support/host-double.ts"
import { answerTo } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"
import { running, task } from "./support/running.ts"

describe("A malformed argument", () => {
  it.each([
    ["agents_start", {}, "tasks is missing: it must be a list of 1 to 64 tasks"],
    ["agents_start", { tasks: "all" }, 'tasks is "all": it must be a list of 1 to 64 tasks'],
    ["agents_start", { tasks: [] }, "tasks is empty: it must be a list of 1 to 64 tasks"],
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
    ["agents_status", { ids: [] }, "ids is empty: it must be a list of job ids"],
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
    const { call, troupe } = await running("a")
    const waiting = call("agents_wait", {}, { abort: turn.signal })
    await settled()
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
