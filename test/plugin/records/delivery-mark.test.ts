import type { Part } from "@opencode-ai/sdk/v2"
import { describe, expect, it } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { decodeMessage } from "../../../src/plugin/host/v1/decode.ts"
import { deliveredRuns, deliveryMark } from "../../../src/plugin/records/delivery-mark.ts"
import { askedBy } from "../support/opencode-data.ts"

const record: JobRecord = {
  id: "a",
  session: "ses_1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "done",
  run: 2,
  createdAt: 1,
  text: "a text that does not belong into a mark",
  usage: NO_USAGE,
}
const delivered = [
  { session: "ses_1", run: 2 },
  { session: "ses_2", run: 1 },
]
const mark = { troupe: deliveryMark([record, { ...record, session: "ses_2", run: 1 }]) }
const ofPart = { id: "prt_1", sessionID: "owner", messageID: "msg_1" }

function runsOf(...parts: Part[]) {
  const asked = { session: "owner", messageID: "msg_1", text: "", agent: "build" }
  return deliveredRuns(parts.map((part) => decodeMessage({ ...askedBy(asked), parts: [part] })))
}

const text = (metadata?: Record<string, unknown>): Part => ({
  ...ofPart,
  type: "text",
  text: "2 jobs have ended",
  ...(metadata && { metadata }),
})
const call = { ...ofPart, type: "tool" as const, callID: "call", tool: "agents_wait" }
const time = { start: 1, end: 2 }
const completed = (metadata: Record<string, unknown>): Part => ({
  ...call,
  state: { status: "completed", input: {}, output: "", title: "", metadata, time },
})

describe("The runs that an owner's conversation holds", () => {
  it("are those of notifications and of tools' answers", () => {
    expect(mark).toEqual({ troupe: { delivered } })
    expect(runsOf(text(mark))).toEqual(delivered)
    expect(runsOf(completed(mark))).toEqual(delivered)
    expect(runsOf(text(mark), completed(mark))).toHaveLength(4)
  })

  it("have an id where a job never got a session", () => {
    const { troupe } = { troupe: deliveryMark([{ ...record, session: "" }]) }
    expect(troupe.delivered).toEqual([{ session: "", run: 2, id: "a" }])
    expect(runsOf(text({ troupe }))).toEqual(troupe.delivered)
  })

  it("are those, too, that an earlier version has marked, in its words", () => {
    expect(runsOf(text({ troupe: { told: delivered } }))).toEqual(delivered)
  })

  it("are none that a call shows which is not at its end: its answer may never come", () => {
    const running: Part = { ...call, state: { status: "running", input: {}, metadata: mark, time } }
    const broken: Part = { ...call, state: { status: "error", input: {}, error: "", metadata: mark, time } }
    expect(runsOf(running, broken)).toEqual([])
  })

  it("are none where there is no mark, or one of somebody else's making", () => {
    const step: Part = { ...ofPart, type: "step-start" }
    const odd = [
      { troupe: {} },
      { troupe: { delivered: [{ session: 1, run: 1 }] } },
      { troupe: { delivered: "ses_1" } },
    ]
    expect(runsOf(step, text(), text({ other: mark }), ...odd.map(text), completed({}))).toEqual([])
  })
})
