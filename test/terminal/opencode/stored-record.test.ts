import { describe, expect, it } from "vitest"
import { storedRecord } from "../../../src/terminal/opencode/stored-record.ts"
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
  })

  it.each<[string, unknown]>([
    ["no metadata", undefined],
    ["somebody else's", { other: 1 }],
    ["no object", { troupe: "jobs" }],
    ["nothing", { troupe: null }],
    ["without a record", { troupe: { version: 1 } }],
    ["a state of a later version", metadataWith({ state: "paused" })],
    ["a state that every object has", metadataWith({ state: "constructor" })],
    ["a number for its id", metadataWith({ id: 5 })],
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
