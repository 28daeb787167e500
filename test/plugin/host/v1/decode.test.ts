import type { Part } from "@opencode-ai/sdk/v2"
import { describe, expect, it } from "vitest"
import { decodeAgent, decodeMessage, decodeSession } from "../../../../src/plugin/host/v1/decode.ts"
import { agentOf, answerTo, askedBy, sessionOf, textPart } from "../../support/opencode-data.ts"

const asked = { session: "ses_1", messageID: "msg_1" }

describe("A session", () => {
  it("has its parent, its rules, when it changed, what it used and what it keeps for this product", () => {
    const rules = [{ permission: "edit", pattern: "*", action: "deny" as const }]
    const session = sessionOf("ses_1", {
      parentID: "ses_0",
      permission: rules,
      time: { created: 1, updated: 2 },
      tokens: { input: 1, output: 2, reasoning: 3, cache: { read: 4, write: 5 } },
      cost: 0.5,
      metadata: { theirs: 1, troupe: { run: 1 } },
    })
    expect(decodeSession(session)).toEqual({
      id: "ses_1",
      parent: "ses_0",
      directory: "/project",
      title: "ses_1",
      isReverted: false,
      rules,
      usage: { input: 1, output: 2, reasoning: 3, cacheRead: 4, cacheWrite: 5, cost: 0.5 },
      updatedAt: 2,
      stored: { run: 1 },
    })
  })

  it("that is new has none of these", () => {
    expect(decodeSession(sessionOf("ses_1"))).toEqual({
      id: "ses_1",
      parent: undefined,
      directory: "/project",
      title: "ses_1",
      isReverted: false,
      rules: [],
      usage: { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0, cost: 0 },
      updatedAt: 0,
      stored: undefined,
    })
  })
})

describe("An agent", () => {
  it.each([
    ["subagent", true],
    ["all", true],
    ["primary", false],
  ] as const)("of the mode %s can be a child's: %s", (mode, isSubagent) => {
    expect(decodeAgent(agentOf("it", [], { mode }))).toMatchObject({
      name: "it",
      isSubagent,
      isHidden: false,
    })
  })

  it("may be hidden, and may have a model of its own", () => {
    const model = { providerID: "fake", modelID: "meta/m1" }
    expect(decodeAgent(agentOf("it", [], { hidden: true, model }))).toMatchObject({
      isHidden: true,
      model: "fake/meta/m1",
    })
    expect(decodeAgent(agentOf("it")).model).toBeUndefined()
  })
})

describe("A user's message", () => {
  it("has its agent, its model and its text", () => {
    const message = askedBy({ ...asked, text: "hello", agent: "plan", model: "fake/m2" })
    expect(decodeMessage(message)).toEqual({
      id: "msg_1",
      role: "user",
      agent: "plan",
      model: "fake/m2",
      variant: undefined,
      text: "hello",
      marks: [],
    })
  })
})

describe("An answer", () => {
  it("names the message that it answers, its model and its variant", () => {
    const message = answerTo(asked, "done", { providerID: "fake", modelID: "meta/m1", variant: "high" })
    expect(decodeMessage(message)).toMatchObject({
      role: "assistant",
      answers: ["msg_1"],
      model: "fake/meta/m1",
      variant: "high",
      text: "done",
    })
  })

  it("says what its texts say, without what was added unseen, trimmed", () => {
    const { info } = answerTo(asked, "")
    const parts = [
      textPart("ses_1", info.id, "  one"),
      { ...textPart("ses_1", info.id, "unseen"), synthetic: true },
      toolPart({ status: "completed" }),
      textPart("ses_1", info.id, "two\n"),
    ] as Part[]
    expect(decodeMessage({ info, parts }).text).toBe("one\n\ntwo")
  })

  it.each([
    ["its model has stopped", { finish: "stop" }, { at: 1 }],
    ["its model may write no more", { finish: "length" }, { at: 1, isTruncated: true }],
    ["opencode does not say when", { finish: "stop", time: { created: 0 } }, { at: undefined }],
  ])("is the last of its turn where %s", (_, fields, end) => {
    expect(decodeMessage(answerTo(asked, "x", fields))).toMatchObject({ end })
  })

  it.each([
    ["its model calls tools", "tool-calls"],
    ["it has no end yet", ""],
  ])("is not the last of its turn where %s", (_, finish) => {
    expect(decodeMessage(answerTo(asked, "x", { finish }))).not.toHaveProperty("end", expect.anything())
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
  ])("ended by an error says which, though its model had called tools: %o", (error, expected) => {
    const message = answerTo(asked, "", { error, finish: "tool-calls" })
    expect(decodeMessage(message)).toMatchObject({ end: { error: expected, at: 1 } })
  })

  it("names the call at which a person's refusal ended its turn", () => {
    const { info } = answerTo(asked, "", { finish: "tool-calls" })
    const refused = toolPart({ status: "error", error: "The user rejected permission" })
    const parts = [toolPart({ status: "completed" }), refused]
    expect(decodeMessage({ info, parts })).toMatchObject({ refusal: "bash: The user rejected permission" })
    expect(decodeMessage({ info, parts: parts.slice(0, 1) })).not.toHaveProperty("refusal", expect.anything())
  })
})

describe("What parts carry unseen", () => {
  const mark = { delivered: [{ session: "ses_1", run: 1 }] }
  const { info } = answerTo(asked, "")
  const marksIn = (...parts: Part[]) => decodeMessage({ info, parts }).marks

  it("is found in messages of this product and in the results of its tools", () => {
    const note = { ...textPart("ses_1", info.id, "x"), metadata: { troupe: mark } } as Part
    const result = toolPart({ status: "completed", metadata: { troupe: mark, jobs: [] } })
    expect(marksIn(note, result)).toEqual([mark, mark])
  })

  it.each(["running", "error"])(
    "counts in no result of a call that is %s: nobody may have got it",
    (status) => {
      expect(marksIn(toolPart({ status, metadata: { troupe: mark } }))).toEqual([])
    },
  )

  it("is not taken from what carries nothing of ours", () => {
    const text = textPart("ses_1", info.id, "x")
    expect(marksIn(text, toolPart({ status: "completed", metadata: { other: 1 } }))).toEqual([])
  })
})

function toolPart(state: object): Part {
  const rest = { id: "prt_1", sessionID: "ses_1", messageID: "msg_1-answer", callID: "call" }
  const shared = { input: {}, output: "", title: "", metadata: {}, time: { start: 1, end: 2 } }
  return { ...rest, type: "tool", tool: "bash", state: { ...shared, ...state } } as Part
}
