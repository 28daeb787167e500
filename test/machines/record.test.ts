import { describe, expect, it } from "vitest"
import { Ask, JobError, JobRecord, NO_USAGE } from "../../src/machines/record.ts"

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
