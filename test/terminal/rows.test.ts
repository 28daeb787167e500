import { describe, expect, it } from "vitest"
import { glanceAt } from "../../src/terminal/glance.ts"
import type { ShownJob, Spending } from "../../src/terminal/jobs.ts"
import { rowOf, rowsOf } from "../../src/terminal/view/rows.ts"
import { withWaits } from "../../src/terminal/waiting.ts"
import { shownJob } from "./support/shown-job.ts"

const now = 100_000

const ended = (state: ShownJob["state"], changes: Partial<ShownJob> = {}) => {
  const { phase: _, ...rest } = shownJob({ endedAt: 95_000, ...changes })
  return { ...rest, state }
}

/** `• auth working 12 s` */
const line = (shown: ShownJob) => {
  const { glyph, id, words, time } = rowOf(shown, now)
  return [glyph, id, words, time].join(" ")
}

const place = { directory: "/data/worktrees/auth", branch: "troupe/1f/auth", base: "b".repeat(40) }
const sealed = { ...place, commit: "c".repeat(40), files: 3, insertions: 10, deletions: 2 }

describe("A job in the sidebar", () => {
  it.each<[string, ShownJob]>([
    [
      "• auth checking: npm test, round 2 12 s",
      shownJob({ phase: "checking", check: { command: "npm test", rounds: 1, output: "" } }),
    ],
    ["✓ auth done, +10 −2 in 3 files 7.0 s", ended("done", { worktree: sealed })],
    ["✓ auth done, +10 −2 in 1 file 7.0 s", ended("done", { worktree: { ...sealed, files: 1 } })],
    ["✓ auth done 7.0 s", ended("done", { worktree: { ...sealed, files: 0 } })],
    ["✓ auth done 7.0 s", ended("done", { worktree: place })],
    ["• auth working 12 s", shownJob()],
    ["• auth bash: npm test 12 s", shownJob({ activity: { tool: "bash: npm test", at: now } })],
    ["• auth …and so on 12 s", shownJob({ activity: { text: "and so on", at: now } })],
    [
      "? auth allow bash: rm -rf dist? 12 s",
      shownJob({ phase: "permission", asks: [{ id: "r", kind: "permission", text: "bash: rm -rf dist" }] }),
    ],
    [
      "? auth Which one? 12 s",
      shownJob({ phase: "question", asks: [{ id: "r", kind: "question", text: "Which one?" }] }),
    ],
    [
      "↻ auth retrying in 30 s: overloaded 12 s",
      shownJob({ phase: "retrying", retry: { attempt: 2, reason: "overloaded", next: now + 30_000 } }),
    ],
    ["✓ auth done 7.0 s", ended("done")],
    ["✗ auth failed: 401 7.0 s", ended("failed", { error: { kind: "provider", message: "401" } })],
    [
      "✗ auth timed out: not done within 5 s 7.0 s",
      ended("timedOut", { error: { kind: "total", message: "not done within 5 s" } }),
    ],
    [
      "- auth cancelled: budget spent 7.0 s",
      ended("cancelled", { error: { kind: "budget", message: "its batch has spent 9 of 8 tokens" } }),
    ],
    ["• auth moving on to its next model 12 s", shownJob({ phase: "opening", model: "openai/y" })],
    ["- auth cancelled 7.0 s", ended("cancelled", { error: { kind: "cancelled", message: "enough" } })],
  ])("is one line: %s", (expected, shown) => {
    expect(line(shown)).toBe(expected)
  })

  it("says how long it has waited for the person, not how long it worked before", () => {
    const asks = [{ id: "r", kind: "question" as const, text: "Which one?" }]
    expect(line(shownJob({ phase: "question", asks, waitingSince: 97_000 }))).toBe("? auth Which one? 3 s")
  })

  it.each([
    ["its beginning, in general", shownJob({ activity: { tool: "bash: npm test", at: now } }), "start"],
    ["its end, where that is what it writes", shownJob({ activity: { text: "and so on", at: now } }), "end"],
  ])("is cut so that the person sees %s", (_, shown, keep) => {
    expect(rowOf(shown, now).keep).toBe(keep)
    expect(rowOf(shown, now, "described").keep).toBe("start")
  })

  it("is queued until its turn has come", () => {
    const { startedAt: _, ...waiting } = shownJob({ state: "created", phase: "queued" })
    expect(line(waiting)).toBe("· auth queued 20 s")
    expect(line({ ...waiting, before: 3 })).toBe("· auth queued, 3 before it 20 s")
    expect(line({ ...waiting, before: 0 })).toBe("· auth queued 20 s")
  })

  it("says what it waits for while it is blocked, and until when its provider is on hold", () => {
    const { startedAt: _, ...waiting } = shownJob({ state: "created", phase: "blocked" })
    expect(line(waiting)).toBe("· auth blocked 20 s")
    expect(line({ ...waiting, waitsFor: ["db", "api"] })).toBe("· auth waits for db, api 20 s")
    expect(line({ ...waiting, waitsFor: ["a", "b", "c", "d", "e"] })).toBe(
      "· auth waits for a, b, c and 2 more 20 s",
    )
    const held = {
      ...waiting,
      phase: "queued" as const,
      model: "anthropic/x",
      before: 2,
      holdUntil: now + 41_200,
    }
    expect(line(held)).toBe("· auth on hold for 42 s (anthropic) 20 s")
    const time = (at: number) =>
      new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    const minutes = now + 20 * 60_000
    expect(line({ ...held, holdUntil: minutes })).toBe(
      `· auth on hold until ${time(minutes)} (anthropic) 20 s`,
    )
    // In the evening, 00:10 is the next one.
    const evening = new Date(2026, 0, 1, 23, 50).getTime()
    expect(rowOf({ ...held, holdUntil: evening + 20 * 60_000 }, evening).words).toBe(
      "on hold until 00:10 (anthropic)",
    )
    const { model: _model, ...unknown } = { ...held, holdUntil: now + 5 * 86_400_000 }
    expect(line(unknown)).toMatch(/^· auth on hold until 6 Jan \d\d:\d\d \(its provider\) 20 s$/)
    expect(line({ ...held, holdUntil: now })).toBe("· auth queued, 2 before it 20 s")
  })

  it("is a group by how far its jobs are, with a sign of its own", () => {
    // Its list once had one more.
    const group = shownJob({ isGroup: true, needs: [{ id: "list", on: "done" }], formerItems: ["auth.2"] })
    const item = (index: number, changes: Partial<ShownJob> = {}) =>
      shownJob({ id: `auth.${index}`, session: `ses_${index}`, ...changes })
    const over = { state: "done", endedAt: 95_000 } as const
    const items = [item(1, over), item(3), item(4, over), item(5, { state: "created", phase: "queued" })]
    const lineWith = (shown: ShownJob, ...others: ShownJob[]) => {
      const [first = shown] = withWaits([shown, ...others, item(2)], now)
      return line(first)
    }
    expect(lineWith(group, ...items)).toBe("≡ auth 2 of 4 done 12 s")
    const others = [item(6, { ...over, state: "timedOut" }), item(10, { ...over, state: "cancelled" })]
    expect(lineWith(group, ...items, ...others)).toBe("≡ auth 2 of 6 done, 1 failed, 1 cancelled 12 s")
    expect(lineWith({ ...group, ...over }, items[0] ?? group)).toBe("≡ auth 1 of 1 done 7.0 s")
    expect(lineWith({ ...group, ...over })).toBe("≡ auth done 7.0 s")
    const { startedAt: _, ...blocked } = { ...group, state: "created" as const, phase: "blocked" as const }
    expect(lineWith(blocked, shownJob({ id: "list" }))).toBe("≡ auth waits for list 20 s")
    expect(lineWith(group)).toBe("≡ auth no items yet 12 s")
  })

  it("is described as what its group is for, without the place of an item", () => {
    const described = (changes: object) =>
      rowOf(shownJob({ description: "Review {{item}}, all of {{item}}", ...changes }), now, "described").words
    expect(described({ isGroup: true })).toBe("no items yet · Review each item, all of each item")
    expect(described({})).toBe("working · Review {{item}}, all of {{item}}")
  })

  it("says which model has answered where others were tried before", () => {
    const error = { kind: "provider" as const, message: "429" }
    const attempts = [{ model: "anthropic/x", error }, { error }]
    expect(line(ended("done", { model: "openai/y", attempts }))).toBe(
      "✓ auth done, by openai/y after anthropic/x, opencode's choice 7.0 s",
    )
  })

  it("says nothing that a terminal would carry out, or that hides or turns words", () => {
    const hostile = "a\u001b[2J\u0007b\u202Ec\u200B\u2028d\n\te"
    expect(line(shownJob({ id: hostile, activity: { tool: hostile, at: now } }))).toBe(
      "• abc d e abc d e 12 s",
    )
  })

  it("stays short, however much it has to say", () => {
    const long = "x".repeat(10_000)
    const row = rowOf(shownJob({ id: long, activity: { tool: long, at: now } }), now)
    expect([row.id.length, row.words.length]).toEqual([16, 80])
  })
})

describe("The jobs of a session", () => {
  const jobs = [
    ended("done", { id: "first", endedAt: 90_000 }),
    ended("failed", { id: "last", endedAt: 99_000, error: { kind: "provider", message: "401" } }),
    shownJob({ id: "held", state: "created", phase: "queued", holdUntil: now + 1 }),
    shownJob({ id: "waits", state: "created", phase: "queued", holdUntil: now }),
    shownJob({ id: "blocked", state: "created", phase: "blocked" }),
    shownJob({ id: "works" }),
    shownJob({ id: "retries", phase: "retrying", retry: { attempt: 1, reason: "503", next: now } }),
    shownJob({ id: "asks", phase: "permission", asks: [{ id: "r", kind: "permission", text: "bash" }] }),
  ]

  it("are counted", () => {
    expect(rowsOf(glanceAt({ jobs, budgets: [] }, 8, now), now).counts).toBe(
      "1 waiting for you, 2 running, 1 queued, 1 on hold, 1 blocked, 1 done, 1 failed",
    )
  })

  it("stand in the order of how much they need the person, the last that ended first", () => {
    expect(rowsOf(glanceAt({ jobs, budgets: [] }, 8, now), now).rows.map(({ id }) => id)).toEqual([
      "asks",
      "retries",
      "works",
      "waits",
      "held",
      "blocked",
      "last",
      "first",
    ])
  })

  it("are no more lines than there is room for; the others are counted", () => {
    const { rows, more } = rowsOf(glanceAt({ jobs, budgets: [] }, 4, now), now)
    expect([rows.length, more]).toEqual([4, 4])
  })

  it("are those of a group, which is no job itself and stands above the first of them", () => {
    const group = shownJob({ id: "each", isGroup: true })
    const item = (index: number, changes = {}) => shownJob({ id: `each.${index}`, ...changes })
    const over = { state: "done", endedAt: 95_000 } as const
    const inGroup = [item(1, over), item(2), group, shownJob({ id: "other.1" }), shownJob({ id: "each.2.1" })]
    const { counts, rows, more } = rowsOf(glanceAt({ jobs: inGroup, budgets: [] }, 4, now), now)
    expect([counts, more]).toEqual(["3 running, 1 done", 1])
    expect(rows.map(({ id }) => id)).toEqual(["each", "each.2", "other.1", "each.2.1"])
  })

  describe("with budgets", () => {
    const spending = (of: Spending["of"], name: string, more: Partial<Spending> = {}): Spending => ({
      ...{ of, name, limit: { tokens: 100_000 }, spent: { tokens: 12_345, cost: 0 }, isSpent: false },
      ...more,
    })
    const budgets = [
      spending("batch", "new"),
      spending("batch", "old"),
      spending("batch", "above"),
      spending("owner", "ses_owner", {
        limit: { cost: 1, tokens: 2_500_000 },
        spent: { tokens: 999, cost: 0.0123 },
        isSpent: true,
      }),
    ]
    const linesOf = (...of: ShownJob[]) =>
      rowsOf(glanceAt({ jobs: of, budgets }, 8, now), now).budgets.map(({ words }) => words)

    it("say what is spent of what, for those that run and for all of them", () => {
      const [old, young] = [ended("done", { batch: "old", createdAt: 1 }), shownJob({ batch: "new" })]
      const all = "budget spent: 999 of 2.5M tokens, $0.012 of $1.00"
      const batch = "batch budget: 12.3k of 100k tokens"
      expect(linesOf(old, young)).toEqual([batch, batch, all])
    })

    it("say it of the last batch once none runs", () => {
      const [old, young] = [ended("done", { batch: "old", createdAt: 1 }), ended("done", { batch: "new" })]
      const named = glanceAt({ jobs: [old, young], budgets }, 8, now).budgets.map(({ name }) => name)
      expect(named).toEqual(["new", "above", "ses_owner"])
    })
  })
})
