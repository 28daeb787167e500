import { describe, expect, it, onTestFinished } from "vitest"
import { SimulatedClock } from "xstate"
import { type JobError, type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { createTroupe } from "../../../src/machines/troupe.ts"
import type { Toast } from "../../../src/plugin/host/port.ts"
import { createToasts, logRequests } from "../../../src/plugin/person/toasts.ts"
import { ok } from "../support/host-double.ts"

const never = () => new Promise<never>(() => {})
const effects = {
  openSession: never,
  promptChild: never,
  lookForAnswer: never,
  recordEnd: never,
  runCheck: never,
  leaveChild: never,
  stopChild: never,
}

/** A person, and jobs whose records the test changes. */
function person() {
  const shown: Toast[] = []
  const clock = new SimulatedClock()
  const troupe = createTroupe({ effects, concurrency: 1 })
  const host = {
    async toast(toast: Toast) {
      shown.push(toast)
      return ok(true)
    },
  }
  const defects: unknown[] = []
  const toasts = createToasts({
    host,
    records: troupe.records,
    clock,
    reportError: (error) => void defects.push(error),
  })
  onTestFinished(() => {
    toasts.stop()
    expect(defects).toEqual([])
  })
  const put = (id: string, fields: Partial<JobRecord> = {}) => troupe.adopt({ ...recordOf(id), ...fields })
  return {
    toasts,
    shown,
    put,
    messages: () => shown.map(({ message }) => message),
    starts(...ids: string[]) {
      for (const id of ids) put(id)
    },
    ends: (id: string, state: JobRecord["state"] = "done", error?: JobError) =>
      put(id, { state, endedAt: 1, ...(error && { error }) }),
    pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 100) clock.increment(100)
    },
  }
}

const recordOf = (id: string): JobRecord => ({
  id,
  session: `ses_${id}`,
  owner: "owner",
  description: `Do ${id}`,
  agent: "general",
  state: "prompting",
  phase: "working",
  run: 1,
  createdAt: 0,
  usage: NO_USAGE,
})

const permission = (id: string, text = "bash: rm -rf dist") => ({ id, kind: "permission" as const, text })
const question = (id: string) => ({ id, kind: "question" as const, text: "Which\nport?" })

describe("The person at the terminal", () => {
  it("sees what a child asks, once, on one line", () => {
    const { put, shown, starts } = person()
    starts("lint")
    put("lint", { phase: "permission", asks: [permission("p1")] })
    put("lint", { phase: "permission", asks: [permission("p1")], usage: { ...NO_USAGE, input: 1 } })
    expect(shown).toEqual([
      {
        message: "lint (Do lint) asks for permission: bash: rm -rf dist",
        variant: "warning",
        duration: 20_000,
        leadsTo: { session: "ses_lint", command: "answer" },
      },
    ])
    put("lint", { phase: "permission", asks: [permission("p1"), question("q1")] })
    expect(shown[1]?.message).toBe("lint (Do lint) asks: Which port? · 1 more request is open")
    put("lint", { phase: "permission", asks: [permission("p1"), question("q1"), question("q2")] })
    expect(shown[2]?.message).toBe("lint (Do lint) asks: Which port? · 2 more requests are open")
  })

  it("sees no request longer than a line of 160 characters", () => {
    const { put, shown, starts } = person()
    starts("lint")
    put("lint", { phase: "permission", asks: [permission("p1", "x".repeat(1_000))] })
    expect(shown[0]?.message).toHaveLength(161)
  })

  it("sees other things as soon as a request is answered, or its job has ended", () => {
    const { put, starts, ends, toasts, messages } = person()
    starts("lint", "docs")
    put("lint", { phase: "permission", asks: [permission("p1")] })
    toasts.link("http://here")
    expect(messages()).toHaveLength(1)
    put("lint")
    expect(messages()).toHaveLength(2)
    put("docs", { phase: "question", asks: [question("q1")] })
    toasts.show({ message: "last", variant: "info" })
    ends("docs", "cancelled")
    toasts.stop()
    expect(messages()).toEqual([
      "lint (Do lint) asks for permission: bash: rm -rf dist",
      "Watch the jobs:\nhttp://here",
    ])
  })

  it("sees a request once more than one job asks under the same id", () => {
    const { put, starts, messages } = person()
    starts("lint", "docs")
    put("lint", { phase: "permission", asks: [permission("p1")] })
    put("docs", { phase: "permission", asks: [permission("p1")] })
    put("docs")
    expect(messages()).toHaveLength(3)
  })

  it("sees which jobs have ended, why some have failed, and how many are still to come", () => {
    const { starts, ends, pass, shown } = person()
    starts("lint", "docs", "build", "test")
    ends("docs")
    ends("lint", "failed", { kind: "provider", message: "401" })
    pass(400)
    expect(shown).toEqual([
      {
        message: "lint failed: 401, docs done · 2 of 4 ended",
        variant: "error",
        duration: 5_000,
        leadsTo: { session: "owner", command: "jobs" },
      },
    ])
    ends("test")
    ends("build")
    pass(3_000)
    expect(shown[1]).toEqual({
      message: "test, build done · all 4 ended",
      variant: "success",
      duration: 5_000,
      leadsTo: { session: "owner", command: "jobs" },
    })
  })

  it("sees nothing of jobs that an earlier process had ended", () => {
    const { ends, pass, shown } = person()
    ends("old")
    ends("old")
    pass(10_000)
    expect(shown).toEqual([])
  })

  it("sees each job counted once, whatever changes in it, and none that an earlier process had ended", () => {
    const { starts, put, ends, pass, messages } = person()
    ends("old")
    starts("lint", "docs")
    put("lint", { usage: { ...NO_USAGE, input: 1 } })
    ends("lint", "failed")
    pass(10_000)
    expect(messages()).toEqual(["lint failed · 1 of 2 ended"])
  })

  it("sees the end of each batch, and of each owner's", () => {
    const { put, pass, messages } = person()
    put("lint", { batch: "one" })
    put("docs", { batch: "two" })
    put("test", { batch: "two", owner: "other" })
    put("lint", { batch: "one", state: "done", endedAt: 1 })
    pass(10_000)
    expect(messages()).toEqual(["lint done"])
    put("test", { batch: "two", owner: "other", state: "done", endedAt: 1 })
    pass(10_000)
    expect(messages()[1]).toBe("test done")
  })

  it("sees the end of a follow-up too", () => {
    const { starts, ends, put, pass, messages } = person()
    starts("lint")
    ends("lint")
    pass(10_000)
    put("lint", { run: 2 })
    ends("lint", "failed", { kind: "provider", message: "401" })
    pass(10_000)
    expect(messages()).toEqual(["lint done", "lint failed: 401"])
  })

  it("sees all wrong options together, with time to read them, and the link after them", () => {
    const { toasts, shown, pass } = person()
    toasts.problems([])
    toasts.problems(['option "a" is wrong', 'option "b" is wrong'])
    toasts.link("http://here")
    expect(shown).toEqual([
      { message: 'option "a" is wrong\noption "b" is wrong', variant: "warning", duration: 15_000 },
    ])
    pass(15_000)
    expect(shown[1]).toEqual({ message: "Watch the jobs:\nhttp://here", variant: "info", duration: 15_000 })
  })

  it.each([
    [
      1,
      "Fix the build",
      "1 result is waiting in “Fix the build”; continue that session to have it delivered",
    ],
    [
      2,
      "Fix the build",
      "2 results are waiting in “Fix the build”; continue that session to have them delivered",
    ],
    [3, undefined, "3 results are waiting in earlier sessions; continue one to have its results delivered"],
  ])("sees that results of earlier sessions wait: %i, %s", (count, title, message) => {
    const { toasts, shown } = person()
    toasts.waiting(count, title)
    expect(shown).toEqual([{ message, variant: "info", duration: 10_000 }])
  })

  it("sees nothing more once the plugin stops", () => {
    const { toasts, starts, ends, pass, shown } = person()
    starts("lint")
    toasts.stop()
    ends("lint")
    pass(10_000)
    expect(shown).toEqual([])
  })
})

describe("A defect of opencode's client", () => {
  it("is reported, and disturbs nobody", () => {
    const defects: unknown[] = []
    const broken = new Error("no such call")
    const toasts = createToasts({
      host: {
        toast: () => {
          throw broken
        },
      },
      records: createTroupe({ effects, concurrency: 1 }).records,
      reportError: (error) => void defects.push(error),
    })
    toasts.link("http://here")
    toasts.link("http://there")
    expect(defects).toEqual([broken])
    toasts.stop()
  })
})

describe("Where no terminal may be there to show toasts", () => {
  it("the log says what a child asks, once, until the plugin stops", () => {
    const logged: string[] = []
    const troupe = createTroupe({ effects, concurrency: 1 })
    const stop = logRequests({
      host: {
        async log(level, message) {
          logged.push(`${level}: ${message}`)
          return ok(true)
        },
      },
      records: troupe.records,
    })
    const put = (fields: Partial<JobRecord>) => troupe.adopt({ ...recordOf("lint"), ...fields })
    put({ phase: "permission", asks: [permission("p1")] })
    for (const input of [0, 1])
      put({ asks: [permission("p1"), question("q1")], usage: { ...NO_USAGE, input } })
    put({})
    put({ state: "cancelled", endedAt: 1, asks: [question("q2")] })
    stop()
    put({ phase: "permission", asks: [permission("p2")] })
    expect(logged).toEqual([
      "info: lint (Do lint) asks for permission: bash: rm -rf dist",
      "info: lint (Do lint) asks: Which port?",
    ])
  })
})

describe("The words for jobs that have ended", () => {
  const messageFor = (ends: [string, JobRecord["state"], JobError?][], others = 0) => {
    const seen = person()
    seen.starts(...ends.map(([id]) => id), ...Array.from({ length: others }, (_, index) => `other${index}`))
    for (const end of ends) seen.ends(...end)
    seen.pass(400)
    const { leadsTo: _, ...toast } = seen.shown[0] ?? {}
    return toast
  }
  const failure = (message: string) => ({ kind: "provider" as const, message })

  it.each<[string, [string, JobRecord["state"], JobError?][], number, string, string]>([
    ["one alone needs no count", [["a", "done"]], 0, "a done", "success"],
    [
      "three are named",
      ["a", "b", "c"].map((id) => [id, "done"]),
      0,
      "a, b, c done · all 3 ended",
      "success",
    ],
    [
      "more are counted",
      ["a", "b", "c", "d"].map((id) => [id, "done"]),
      0,
      "4 done · all 4 ended",
      "success",
    ],
    [
      "two failures are named, more are counted",
      ["a", "b", "c", "d"].map((id) => [id, "failed", failure("no")]),
      0,
      "a failed: no, b failed: no, 2 more failed · all 4 ended",
      "error",
    ],
    [
      "two failures are all that there are",
      ["a", "b"].map((id) => [id, "failed", failure("no")]),
      0,
      "a failed: no, b failed: no · all 2 ended",
      "error",
    ],
    [
      "what was cancelled is no success",
      [
        ["a", "done"],
        ["b", "cancelled"],
      ],
      0,
      "b cancelled, a done · all 2 ended",
      "info",
    ],
    [
      "a timeout says which",
      [["a", "timedOut", { kind: "idle", message: "no activity for 300 s" }]],
      0,
      "a timed out: no activity for 300 s",
      "error",
    ],
    ["a failure may lack its reason", [["a", "failed"]], 0, "a failed", "error"],
    [
      "a cancel needs no reason",
      [["a", "cancelled", { kind: "cancelled", message: "by x" }]],
      0,
      "a cancelled",
      "info",
    ],
    ["others may still run", [["a", "failed"]], 1, "a failed · 1 of 2 ended", "error"],
    [
      "failures come first, then what was cancelled",
      [
        ["a", "done"],
        ["b", "cancelled"],
        ["c", "failed", failure("no\nway")],
      ],
      0,
      "c failed: no way, b cancelled, a done · all 3 ended",
      "error",
    ],
    [
      "a long reason is cut",
      [["a", "failed", failure("x".repeat(500))]],
      0,
      `a failed: ${"x".repeat(80)}…`,
      "error",
    ],
  ])("%s", (_, ends, others, message, variant) => {
    expect(messageFor(ends, others)).toEqual({ message, variant, duration: 5_000 })
  })
})
