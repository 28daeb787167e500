import { describe, expect, it } from "vitest"
import { JOB_ID } from "../../../src/machines/record.ts"
import {
  storedRecord,
  toldGlance,
  toldJobs,
  toldStanding,
} from "../../../src/terminal/opencode/shown-record.ts"
import { storedJob } from "../support/stored-job.ts"

const left = storedJob("auth")
const { record } = left
const metadataWith = (changes: object) => ({ troupe: { ...left, record: { ...record, ...changes } } })

describe("A job in the metadata of a child", () => {
  it("is what the server part wrote", () => {
    expect(storedRecord({ troupe: left })).toEqual(record)
    const error = { kind: "total", message: "not done within 60 s" }
    const end = { batch: "b1", state: "timedOut", startedAt: 2_000, endedAt: 3_000, waitedMs: 5, error }
    expect(storedRecord(metadataWith(end))).toEqual({ ...record, ...end })
    const group = { isGroup: true, formerItems: ["auth.2"] }
    expect(storedRecord(metadataWith(group))).toEqual({ ...record, ...group })
    const attempts = [{ model: "anthropic/x", error }, { error }]
    expect(storedRecord(metadataWith({ attempts: [...attempts, { model: 5, error }, "x"] }))).toEqual({
      ...record,
      attempts,
    })
  })

  it.each<[string, unknown]>([
    ["no metadata", undefined],
    ["somebody else's", { other: 1 }],
    ["no object", { troupe: "jobs" }],
    ["nothing", { troupe: null }],
    ["without a record", { troupe: { version: 1 } }],
    ["one that goes on in another session", { troupe: { ...left, movedTo: "ses_2" } }],
    ["a state of a later version", metadataWith({ state: "paused" })],
    ["a state that every object has", metadataWith({ state: "constructor" })],
    ["a number for its id", metadataWith({ id: 5 })],
    ["an id that no job has", metadataWith({ id: "a\u001b[2Jb" })],
    ["an end of which the time is damaged", metadataWith({ state: "done", endedAt: "soon" })],
    ["no time at which it was made", metadataWith({ createdAt: "yesterday" })],
    ["an endless time", metadataWith({ createdAt: Number.POSITIVE_INFINITY })],
  ])("is none where there is %s", (_, metadata) => {
    expect(storedRecord(metadata)).toBeUndefined()
  })

  it("is there without what alone is damaged", () => {
    const damaged = metadataWith({ error: "all wrong", usage: { input: "many" }, endedAt: "soon", model: 7 })
    const { model: _, ...rest } = record
    expect(storedRecord(damaged)).toEqual(rest)
  })
})

describe("The jobs of which the server part of opencode 2 tells", () => {
  const asks = [{ id: "per_1", kind: "permission", text: "shell: ls" }]
  const job = {
    ...record,
    session: "ses_1",
    phase: "permission",
    waitingSince: 5,
    activity: { tool: "shell", at: 4 },
    asks,
    retry: { attempt: 1, reason: "busy", next: 9 },
    before: 2,
    holdUntil: 12,
    items: { all: 3, done: 1, failed: 0, cancelled: 0 },
  }

  it("are shown as they are", () => {
    expect(toldJobs({ jobs: [job] })).toEqual([job])
  })

  it("are shown without what this version does not know", () => {
    const other = {
      ...job,
      phase: "thinking",
      waitingSince: "long",
      activity: "shell",
      asks: [...asks, { id: 5 }, { id: "x", kind: "payment", text: "5 $" }],
      retry: { attempt: "many" },
      before: null,
      holdUntil: "soon",
      items: 3,
      later: true,
    }
    expect(toldJobs({ jobs: [other] })).toEqual([{ ...record, session: "ses_1", asks }])
    expect(toldJobs({ jobs: [{ ...job, asks: { length: 1 } }] })[0]).not.toHaveProperty("asks")
  })

  it.each<[string, unknown]>([
    ["null", null],
    ["a text", "job"],
    ["a state of a later version", { ...job, state: "paused" }],
    ["no session", { ...job, session: undefined }],
    ["a title that is none", { ...job, description: 7 }],
  ])("are shown without those that cannot be: %s", (_, damaged) => {
    expect(toldJobs({ jobs: [damaged, job] })).toEqual([job])
  })

  it.each([undefined, null, {}, { jobs: {} }, "jobs"])("cannot be told from %j", (answer) => {
    expect(() => toldJobs(answer)).toThrow("of another version")
  })
})

describe("What is spent of budgets", () => {
  const budget = {
    ...{ of: "batch", name: "b1", limit: { tokens: 10, cost: 0.5 }, isSpent: true },
    spent: { tokens: 12, cost: 0.1 },
  }

  it("is told with the jobs, as far as this version knows it", () => {
    const owner = { ...budget, of: "owner", limit: { tokens: "many", cost: 2 }, isSpent: 1 }
    const damaged = [5, { ...budget, of: "team" }, { ...budget, limit: {} }, { ...budget, spent: {} }]
    const counts = { running: 2, held: 1, later: 3, done: "all" }
    expect(toldGlance({ counts, jobs: [], budgets: [budget, owner, ...damaged] })).toEqual({
      counts: {
        ...{ asking: 0, running: 2, queued: 0, held: 1, blocked: 0, done: 0, failed: 0, cancelled: 0 },
      },
      jobs: [],
      budgets: [budget, { ...owner, limit: { cost: 2 }, isSpent: false }],
    })
    expect(toldGlance({ jobs: [] }).budgets).toEqual([])
  })

  it("and what is on hold is told by a command in 1.18", () => {
    const said = (news: unknown) => toldStanding(`opencode-troupe ${JSON.stringify(news)}`)
    const standing = { owner: "ses_owner", budgets: [budget], holds: { ses_1: 5 } }
    const news = { tell: "standing", ...standing, holds: { ses_1: 5, ses_2: "soon" } }
    expect(said(news)).toEqual(standing)
    for (const other of [{ ...news, tell: "joke" }, { ...news, owner: 5 }, { act: "arrive" }, null])
      expect(said(other)).toBeUndefined()
    for (const command of [5, "session.new", "opencode-troupe {", JSON.stringify(news)])
      expect(toldStanding(command)).toBeUndefined()
  })
})

it("An id is what the machines take for one", () => {
  for (const id of ["a", "A-1_b.c", "-a", "", "a b", "a\n", "x".repeat(40), "x".repeat(41)])
    expect(storedRecord(metadataWith({ id })) !== undefined, id).toBe(JOB_ID.test(id))
})
