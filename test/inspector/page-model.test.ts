import { describe, expect, it } from "vitest"
import { drawMachine } from "../../scripts/draw-machine.ts"
import type { JobView } from "../../src/inspector/feed/job-view.ts"
import type { JobAnswer } from "../../src/inspector/http/api.ts"
import { boundedData } from "../../src/inspector/http/bounded-data.ts"
import { matches, parseQuery } from "../../src/inspector/http/query.ts"
import { spentWords } from "../../src/inspector/page/model/budget.ts"
import { type Message, type Part, waitingCalls } from "../../src/inspector/page/model/conversation.ts"
import { type Json, summaryOf } from "../../src/inspector/page/model/data.ts"
import {
  concurrencyOf,
  lanesOf,
  linesOf,
  partsOf,
  spentOf,
  ticksOf,
} from "../../src/inspector/page/model/lanes.ts"
import { needOf } from "../../src/inspector/page/model/needs.ts"
import { litNodes, takenArrows } from "../../src/inspector/page/model/statechart.ts"
import { meantWords, treeOf } from "../../src/inspector/page/model/tree.ts"
import {
  amount,
  byNumber,
  clockTime,
  costWords,
  duration,
  timeOf,
} from "../../src/inspector/page/model/words.ts"
import { inLineSince } from "../../src/machines/durations.ts"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { type Ask, NO_USAGE } from "../../src/machines/record.ts"

const job = (fields: Partial<JobView>): JobView => ({
  id: "j1",
  session: "ses_child",
  owner: "ses_owner",
  project: "/work",
  description: "",
  agent: "general",
  state: "prompting",
  phase: "working",
  run: 1,
  createdAt: 0,
  usage: NO_USAGE,
  ...fields,
})

describe("the statechart", () => {
  const chart = drawMachine(jobMachine)
  const taken = (from: string, event: string, to: string) =>
    [...takenArrows(chart, { from, event, to })].map(([arrow, text]) => `${arrow.from} ${text}> ${arrow.to}`)

  it("lights a state with what is around it", () => {
    expect([...litNodes(chart, "prompting.working")]).toEqual([
      "job.prompting",
      "job.prompting.running",
      "job.prompting.running.active",
      "job.prompting.running.active.working",
    ])
  })

  it.each([
    [
      "created.opening",
      "openSession done",
      "created.queued",
      ["job.created.opening openSession done> job.created.opened", "job.created.opened > job.created.queued"],
    ],
    [
      "created.opening",
      "openSession done",
      "prompting.working",
      ["job.created.opening openSession done> job.created.opened", "job.created > job.prompting"],
    ],
    ["created.queued", "slot.granted", "prompting.working", ["job.created slot.granted> job.prompting"]],
    ["prompting.working", "promptChild done", "done", ["job.prompting promptChild done> job.done"]],
    ["prompting.working", "promptChild done", "failed", ["job.prompting promptChild done> job.failed"]],
    [
      "prompting.working",
      "after idle",
      "prompting.stopping",
      ["job.prompting.running after idle> job.prompting.stopping"],
    ],
    [
      "prompting.stopping",
      "stopChild done",
      "cancelled",
      [
        "job.prompting.stopping.aborting stopChild done> job.prompting.stopping.stopped",
        "job.prompting stopping over> job.cancelled",
      ],
    ],
    [
      "created.queued",
      "job.cancel",
      "created.stopping",
      ["job.created.queued job.cancel> job.created.stopping"],
    ],
    [
      "created.stopping",
      "recordEnd done",
      "cancelled",
      ["job.created.stopping recordEnd done> job.created.stopped", "job.created > job.cancelled"],
    ],
    [
      "created.stopping",
      "recordEnd done",
      "failed",
      ["job.created.stopping recordEnd done> job.created.stopped", "job.created > job.failed"],
    ],
    [
      "created.opening",
      "openSession done",
      "created.blocked",
      [
        "job.created.opening openSession done> job.created.opened",
        "job.created.opened > job.created.blocked",
      ],
    ],
    ["created.blocked", "needs.met", "created.queued", ["job.created.blocked needs.met> job.created.queued"]],
    [
      "created.blocked",
      "need.broken",
      "created.stopping",
      ["job.created.blocked need.broken> job.created.stopping"],
    ],
    [
      "prompting.working",
      "child.retrying",
      "prompting.retrying",
      ["job.prompting.running.active.working child.retrying> job.prompting.running.active.retrying"],
    ],
    [
      "prompting.retrying",
      "child.active",
      "prompting.working",
      ["job.prompting.running.active.retrying child.active> job.prompting.running.active.working"],
    ],
    [
      "prompting.retrying",
      "child.asked",
      "prompting.permission",
      ["job.prompting.running.active child.asked> job.prompting.running.waiting"],
    ],
    ["nowhere", "nothing", "done", []],
  ])("marks the step %s, %s, %s", (from, event, to, arrows) => {
    expect(taken(from, event, to)).toEqual(arrows)
  })

  it("says in a node which events leave it where it is", () => {
    const inside = (name: string) => chart.nodes.find((node) => node.name === name)?.inside
    expect([inside("working"), inside("retrying"), inside("active"), inside("running")]).toEqual([
      ["child.active"],
      ["child.retrying"],
      ["child.active"],
      ["child.spent"],
    ])
  })

  it("keeps every node in the drawing, and no two siblings one over the other", () => {
    for (const node of chart.nodes) {
      expect(node.x).toBeGreaterThanOrEqual(0)
      expect(node.x + node.width).toBeLessThanOrEqual(chart.width)
      expect(node.y + node.height).toBeLessThanOrEqual(chart.height)
      for (const other of chart.nodes) {
        if (node === other || node.id.startsWith(`${other.id}.`) || other.id.startsWith(`${node.id}.`))
          continue
        const isApart =
          node.x + node.width <= other.x ||
          other.x + other.width <= node.x ||
          node.y + node.height <= other.y ||
          other.y + other.height <= node.y
        expect([node.id, other.id, isApart]).toEqual([node.id, other.id, true])
      }
    }
  })
})

describe("the list by owner", () => {
  it("holds jobs that started jobs that started jobs, three thousand deep", () => {
    const deep = Array.from({ length: 3_000 }, (_, index) =>
      job({ id: "j", session: `ses_${index + 1}`, owner: `ses_${index}` }),
    )
    const rows = treeOf(deep)
    expect(rows).toHaveLength(3_001)
    expect(rows.at(-1)).toMatchObject({ kind: "job", depth: 2_999, under: "ses_0" })
  })

  it("has each job under the one that started it, in order", () => {
    const jobs = [
      job({ id: "b", session: "ses_b", owner: "ses_o" }),
      job({ id: "b1", session: "ses_b1", owner: "ses_b" }),
      job({ id: "a", session: "ses_a", owner: "ses_o" }),
      job({ id: "a1", session: "ses_a1", owner: "ses_a" }),
    ]
    const ids = treeOf(jobs).map((row) => (row.kind === "job" ? `${row.depth} ${row.job.id}` : row.owner))
    expect(ids).toEqual(["ses_o", "0 b", "1 b1", "0 a", "1 a1"])
  })

  it("counts jobs in what is done with all, and a group where it has none yet", () => {
    const failed = { state: "failed", endedAt: 5, session: "ses_j" } as const
    const group = job({ ...failed, id: "all", isGroup: true })
    const item = (id: string) => job({ ...failed, id })
    const told = (...jobs: JobView[]) => [treeOf(jobs)[0], meantWords(jobs)]
    expect(told(group, item("all.1"))).toMatchObject([{ again: 1 }, "1 job"])
    expect(told(group, item("all.1"), item("all.2"))).toMatchObject([{ again: 2 }, "2 jobs"])
    expect(told(group)).toMatchObject([{ again: 1 }, "1 group"])
    expect(told(group, { ...group, id: "others" })).toMatchObject([{ again: 2 }, "2 groups"])
    expect(told(group, job({ id: "all.1" }))).toMatchObject([{ again: 1 }, "1 job"])
  })
})

describe("the timeline", () => {
  const sinceMade = ({ createdAt }: JobView) => createdAt
  const jobs = [
    job({ id: "a", createdAt: 0, startedAt: 0, endedAt: 10, state: "done" }),
    job({ id: "b", createdAt: 0, startedAt: 5, endedAt: 20, state: "done" }),
    job({ id: "c", createdAt: 0, startedAt: 10 }),
    job({ id: "d", createdAt: 0, state: "created", phase: "queued" }),
  ]

  it("puts jobs that were not there at once into one lane of their owner and batch", () => {
    const later = [
      job({ id: "a", batch: "b1", startedAt: 0, endedAt: 10, state: "done" }),
      job({ id: "b", batch: "b1", startedAt: 5, endedAt: 20, state: "done" }),
      job({ id: "c", batch: "b1", createdAt: 10 }),
      job({ id: "d", batch: "b2", createdAt: 20 }),
    ]
    const lines = linesOf(later, 30, 0, sinceMade)
    expect(
      lines.map((line) => (line.kind === "lane" ? line.bars.map((bar) => bar.job.id) : line.batch)),
    ).toEqual(["b1", ["a", "c"], ["b"], "b2", ["d"]])
    // Short ones do not lie one on another.
    expect(lanesOf(later.slice(0, 3), 30, 11, sinceMade).map((lane) => lane.length)).toEqual([1, 1, 1])
  })

  it("shows what each spent its time on", () => {
    const parts = (fields: Partial<JobView>) =>
      partsOf(job(fields), 30, 0).map(({ kind, from, to }) => [kind, from, to])
    expect(parts({ phase: "queued", state: "created" })).toEqual([["queued", 0, 30]])
    expect(parts({ state: "cancelled", endedAt: 9 })).toEqual([["queued", 0, 9]])
    expect(parts({ startedAt: 5, waitingSince: 20 })).toEqual([
      ["queued", 0, 5],
      ["run", 5, 20],
      ["waiting", 20, 30],
    ])
    expect(parts({ startedAt: 0, phase: "retrying", activity: { at: 12 } })).toEqual([
      ["run", 0, 12],
      ["retry", 12, 30],
    ])
    const was = partsOf(job({ startedAt: 5, endedAt: 25, state: "done" }), 30, 0, [
      [0, "created.queued"],
      [5, "prompting.working"],
      [10, "prompting.permission"],
      [20, "prompting.working"],
      [25, "done"],
    ])
    expect(was.map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ["queued", 0, 5],
      ["run", 5, 10],
      ["waiting", 10, 20],
      ["run", 20, 25],
    ])
  })

  it("shows how long each was blocked, as far as its record and the ends of its needs tell", () => {
    const needs = [
      { id: "a", on: "done" as const },
      { id: "b", on: "ended" as const },
    ]
    const parts = (fields: Partial<JobView>, ends: Record<string, number | undefined>) => {
      const blocked = job({ needs, ...fields })
      const since = inLineSince(blocked, (id) => ends[id], 30)
      return partsOf(blocked, 30, since).map(({ kind, from, to }) => [kind, from, to])
    }
    const ended = { startedAt: 20, endedAt: 25, state: "done" } as const
    expect(parts({ state: "created", phase: "blocked" }, { a: 10 })).toEqual([["blocked", 0, 30]])
    expect(parts(ended, { a: 5, b: 10 })).toEqual([
      ["blocked", 0, 10],
      ["queued", 10, 20],
      ["run", 20, 25],
    ])
    // One of them has run again since, of the other nobody knows any more.
    expect(parts(ended, { a: 28 })).toEqual([
      ["blocked", 0, 20],
      ["run", 20, 25],
    ])
    const unstarted = { state: "cancelled", endedAt: 25 } as const
    expect(parts(unstarted, { a: 5 })).toEqual([["blocked", 0, 25]])
    expect(parts(unstarted, { a: 5, b: 10 })).toEqual([
      ["blocked", 0, 10],
      ["queued", 10, 25],
    ])
  })

  it("has round moments, and adds up what was used", () => {
    const minute = 60_000
    expect(ticksOf(7 * minute + 1, 17 * minute, 10).map((at) => at / minute)).toEqual([
      8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
    ])
    expect(ticksOf(0, 300 * 24 * 60 * minute, 10).length).toBeLessThanOrEqual(11)
    const usage = { ...NO_USAGE, input: 100, cost: 1 }
    const spent = spentOf(
      [job({ startedAt: 0, endedAt: 20, usage }), job({ startedAt: 15, usage })],
      30,
      0,
      30,
    )
    expect([spent[0], spent[20], spent.at(-1)].map((each) => each?.tokens)).toEqual([0, 50, 200])
  })

  it("counts who ran and who waited", () => {
    const steps = concurrencyOf(jobs, 30, sinceMade)
    expect(Math.max(...steps.map(({ running }) => running))).toBe(2)
    expect(Math.max(...steps.map(({ waiting }) => waiting))).toBe(4)
    expect(steps.at(-1)).toEqual({ at: 30, running: 0, waiting: 0 })
  })
})

describe("an answer as data", () => {
  it.each<[Json, string | RegExp]>([
    [{ path: "src/a.ts", lines: 3, issues: [{ line: 1 }] }, "path: src/a.ts, lines: 3, issues: 1 item"],
    [{ a: {}, b: null, c: true, d: [] }, "a: {…}, b: null, c: true, d: 0 items"],
    [JSON.parse('{"__proto__": 1, "constructor": 2}'), "__proto__: 1, constructor: 2"],
    [{ text: "x".repeat(50) }, `text: ${"x".repeat(40)}…`],
    [{ ["k".repeat(300)]: 1, other: 2 }, `${"k".repeat(40)}…: 1, other: 2`],
    [
      Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`key${index}`, index])),
      /^key0: 0, .*, …$/,
    ],
    [[1, 2], "2 items"],
  ])("is said in a few words, whatever it has: %#", (value, words) => {
    expect(summaryOf(value)).toEqual(typeof words === "string" ? words : expect.stringMatching(words))
    expect(summaryOf(value).length).toBeLessThan(160)
  })

  it("is left out where it would overflow somebody's stack, or is too long", () => {
    const deep = (levels: number) => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`)
    expect(boundedData(undefined)).toEqual({})
    expect(boundedData(null)).toEqual({ structured: null })
    expect(boundedData(deep(200))).toEqual({ structured: deep(200) })
    expect(boundedData(deep(202)).noStructured).toContain("more than 200 levels")
    expect(boundedData(deep(10_000))).toHaveProperty("structured", undefined)
    expect(boundedData("x".repeat(1_000_000)).noStructured).toContain("1,000,002 characters")
  })
})

it("puts items in the order of their numbers", () => {
  const ids = ["b", "a.10", "a.2", "a", "a.b", "a.1.9", "a.1.10", "a-1"]
  expect(ids.toSorted(byNumber)).toEqual(["a", "a.2", "a.10", "a-1", "a.1.9", "a.1.10", "a.b", "b"])
})

it("says what is spent of a budget", () => {
  const spent = { tokens: 12_345, cost: 0.034 }
  expect([
    spentWords({ limit: { tokens: 100_000 }, spent }),
    spentWords({ limit: { cost: 0.5 }, spent }),
    spentWords({ limit: { tokens: 1_500_000, cost: 12 }, spent: { tokens: 0, cost: 0 } }),
  ]).toEqual(["12.3k of 100k tokens", "$0.034 of $0.50", "0 of 1.5M tokens, $0.00 of $12.00"])
})

describe("what needs attention", () => {
  const asks = [{ id: "a", kind: "permission" as const, text: "bash: ls" }]
  it.each([
    ["a permission", job({ phase: "permission", asks }), "permission request: bash: ls"],
    ["a question", job({ phase: "question", asks }), "question: bash: ls"],
    [
      "many attempts",
      job({ phase: "retrying", retry: { attempt: 3, reason: "busy", next: 0 } }),
      "3 attempts failed: busy",
    ],
    ["few attempts", job({ phase: "retrying", retry: { attempt: 2, reason: "busy", next: 0 } }), undefined],
    [
      "a long wait for the next attempt",
      job({ phase: "retrying", retry: { attempt: 1, reason: "busy", next: 321_000 } }),
      "next attempt in 2 m 00 s: busy",
    ],
    ["a long silence", job({ startedAt: 0, activity: { at: 80_000 } }), "no activity for 2 m 01 s"],
    ["a short silence", job({ startedAt: 0, activity: { at: 100_000 } }), undefined],
    ["a tool that runs", job({ startedAt: 0, activity: { at: 0, tool: "bash: npm test" } }), undefined],
    [
      "a tool that runs for very long",
      job({ startedAt: -400_000, activity: { at: -400_000, tool: "bash: npm test" } }),
      "running bash: npm test for 10 m 01 s",
    ],
    ["an end", job({ state: "done", startedAt: 0 }), undefined],
  ])("%s", (_what, record, need) => expect(needOf(record, 201_000)).toBe(need))
})

describe("the calls that wait for a person", () => {
  const call = (tool: string, status: "running" | "completed", text: string): Part => ({
    ...{ type: "tool", tool, status },
    input: [{ name: "command", text }],
  })
  const test = call("test", "running", "npm test")
  const read = call("read", "running", "src/a.ts")
  const before = call("before", "completed", "npm test")
  const waiting = (asked: readonly string[], ...parts: Part[]) => {
    const messages: Message[] = [
      { id: "m1", role: "assistant", parts: [call("old", "running", "npm test")] },
      { id: "m2", role: "assistant", parts },
      { id: "m3", role: "user", parts: [] },
    ]
    const asks = asked.map((text): Ask => ({ id: text, kind: "permission", text }))
    const requests = asked.map((text): JobAnswer["requests"][number] => ({
      ...{ id: text, session: "ses_child", kind: "permission", action: "bash", always: [] },
      parts: [{ title: "", text }],
    }))
    const phase = asked.length > 0 ? "permission" : "working"
    return [...waitingCalls(messages, { phase, asks, requests })].map(({ tool }) => tool)
  }

  it("are all that are under way, where there are no more of them than requests", () => {
    expect(waiting(["whatever"], before, test)).toEqual(["test"])
    expect(waiting(["npm test", "src/a.ts"], test, read)).toEqual(["test", "read"])
  })

  it("are those whose arguments are what is asked, where others are under way", () => {
    expect(waiting(["npm test"], read, test)).toEqual(["test"])
    expect(waiting(["edit of src/a.ts"], read, test)).toEqual(["read"])
    expect(waiting(["something else"], read, test)).toEqual([])
  })

  it("are none while nothing is asked", () => {
    expect(waiting([], test)).toEqual([])
  })
})

it("does not count the time that a job waited for people", () => {
  const waited = { startedAt: 1_000, waitedMs: 5_000 }
  expect([
    timeOf(job({ createdAt: 0 }), 9_000),
    timeOf(job({ startedAt: 1_000 }), 9_000),
    timeOf(job({ ...waited, endedAt: 8_000, state: "done" }), 9_000),
    timeOf(job({ ...waited, waitingSince: 7_000, phase: "question" }), 9_000),
  ]).toEqual([9_000, 8_000, 2_000, 1_000])
})

it("reads a search", () => {
  const query = parseQuery(`state:failed,timedOut agent:"my agent" "two words" nope:x Text`)
  expect([...query.fields]).toEqual([
    ["state", ["failed", "timedout"]],
    ["agent", ["my agent"]],
  ])
  expect(query.words).toEqual(["two words", "nope:x", "text"])
})

it("finds the jobs that need one", () => {
  const needs = ["auth", "db"].map((id) => ({ id, on: "done" as const }))
  const finds = (text: string) => matches(job({ needs }), parseQuery(text))
  expect([finds("needs:auth"), finds("needs:x,db"), finds("needs:aut")]).toEqual([true, true, false])
  expect(matches(job({}), parseQuery("needs:auth"))).toBe(false)
})

it("writes numbers for people", () => {
  expect([830, 4_240, 42_000, 187_000, 7_500_000].map(duration)).toEqual([
    "830 ms",
    "4.2 s",
    "42 s",
    "3 m 07 s",
    "2 h 05 m",
  ])
  const at = (text: string) => new Date(text).getTime()
  const now = at("2026-01-20T12:00:00")
  expect([at("2026-01-20T08:05:09"), at("2026-01-14T23:59:59")].map((each) => clockTime(each, now))).toEqual([
    "08:05:09",
    "14 Jan 23:59:59",
  ])
  expect([950, 12_345, 4_100_000].map(amount)).toEqual(["950", "12.3k", "4.1M"])
  const costs = [0, 0.0345, 12.5].map((cost) => costWords({ tokens: 10, cost }))
  // Of tokens without a price opencode says that they cost nothing.
  expect([...costs, costWords({ tokens: 0, cost: 0 })]).toEqual(["—", "$0.0345", "$12.50", "$0"])
})
