import { describe, expect, it } from "vitest"
import {
  Ask,
  JobError,
  JobRecord,
  NO_USAGE,
  type Subagent,
  withSubagent,
  withSubagents,
} from "../../src/machines/record.ts"

// Records are read back from opencode's own store: what was written once must be readable ever after.
describe("A stored record", () => {
  const record = {
    id: "j1",
    session: "ses_1",
    owner: "owner",
    description: "Find the bug",
    agent: "general",
    state: "done",
    run: 1,
    createdAt: 1,
    usage: NO_USAGE,
  }

  it.each(["created", "prompting", "done", "failed", "timedOut", "cancelled"])("may be %s", (state) => {
    expect(JobRecord.parse({ ...record, state })).toEqual({ ...record, state })
  })

  it.each(["opening", "queued", "working", "retrying", "permission", "question", "stopping"])(
    "may be in phase %s",
    (phase) => {
      expect(JobRecord.parse({ ...record, phase })).toEqual({ ...record, phase })
    },
  )

  it.each([
    "create",
    "prompt",
    "provider",
    "schema",
    "dependency",
    "interrupted",
    "total",
    "idle",
    "cancelled",
  ])("may have an error of kind %s", (kind) => {
    expect(JobError.parse({ kind, message: "why" })).toEqual({ kind, message: "why" })
  })

  it.each(["permission", "question"])("may wait for a %s", (kind) => {
    expect(Ask.parse({ id: "a", kind, text: "?" })).toEqual({ id: "a", kind, text: "?" })
  })

  it.each(["a", "7", "lint", "a-b_c.d", "x".repeat(40)])("may have the id %s", (id) => {
    expect(JobRecord.parse({ ...record, id }).id).toBe(id)
  })

  it("may say that its answer was cut off", () => {
    expect(JobRecord.parse({ ...record, isTruncated: true }).isTruncated).toBe(true)
  })

  it.each([
    ["no id", { id: "" }],
    ["an id that begins otherwise", { id: "-a" }],
    ["an id with words in front", { id: "the job" }],
    ["an id that ends a line", { id: "a\n" }],
    ["an id that is too long", { id: "x".repeat(41) }],
    ["an unknown state", { state: "lost" }],
    ["an unknown phase", { phase: "dreaming" }],
    ["no run", { run: 0 }],
    ["a time that is none", { createdAt: -1 }],
    ["a half run", { run: 1.5 }],
    ["an error without words", { error: { kind: "prompt" } }],
  ])("is refused with %s", (_, wrong) => {
    expect(JobRecord.safeParse({ ...record, ...wrong }).success).toBe(false)
  })
})

describe("What opencode's own subagents of a job have used", () => {
  const used = (input: number) => ({ ...NO_USAGE, input, cost: input / 4 })
  const told = (news: [session: string, input: number][], known?: Subagent[]) =>
    news.reduce<Subagent[] | undefined>(
      (all, [session, input]) => withSubagent(all, { session, usage: used(input) }),
      known,
    )
  const total = (subagents: Subagent[] | undefined) => withSubagents({ usage: used(8), subagents })
  /** As many as are told apart. */
  const many = Array.from({ length: 32 }, (_, index): [string, number] => [`ses_${index}`, 1])

  it("is counted beside what its own child has used, each session once, as it was told last", () => {
    expect(total(undefined)).toEqual(used(8))
    expect(total(told([["ses_a", 100]]))).toEqual(used(108))
    const subagents = told([
      ["ses_a", 100],
      ["ses_b", 40],
      ["ses_a", 300],
    ])
    expect(total(subagents)).toEqual(used(348))
    expect(JobRecord.shape.subagents.parse(subagents)).toEqual(subagents)
  })

  it("is in one sum for those that have been silent the longest, where there are very many", () => {
    const known = told([...many, ["ses_0", 5], ["ses_32", 7], ["ses_33", 9]])
    expect(known?.map(({ session }) => session)).toEqual([
      undefined,
      ...many.slice(3).map(([session]) => session),
      "ses_0",
      "ses_32",
      "ses_33",
    ])
    expect(known?.[0]).toEqual({ usage: used(2) })
    expect(total(known)).toEqual(used(8 + 31 + 5 + 7 + 9))
    expect(told(many)).toHaveLength(32)
    expect(told(many.slice(16), known)).toHaveLength(33)
  })
})
