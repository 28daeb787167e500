import { describe, expect, it } from "vitest"
import { finalAnswer, isGiven, isUnended, textSince } from "../../../../src/plugin/host/answers.ts"
import { promptID } from "../../../../src/plugin/host/prompt-ids.ts"
import {
  againMark,
  decodeMessages,
  decodeModels,
  decodeSession,
} from "../../../../src/plugin/host/v2/decode.ts"

const tokens = { input: 10, output: 5, reasoning: 1, cache: { read: 2, write: 3 } }

describe("A session", () => {
  const session = {
    id: "ses_1",
    location: { directory: "/project" },
    cost: 0.5,
    tokens,
    time: { created: 1, updated: 2 },
  }

  it("has the parent that the product keeps, where opencode knows none", () => {
    expect(decodeSession(session, { parent: "ses_owner", stored: { a: 1 } })).toMatchObject({
      parent: "ses_owner",
      directory: "/project",
      stored: { a: 1 },
      usage: { input: 10, output: 5, reasoning: 1, cacheRead: 2, cacheWrite: 3, cost: 0.5 },
      updatedAt: 2,
    })
    expect(decodeSession({ ...session, parentID: "ses_real" }, undefined).parent).toBe("ses_real")
  })

  it("says whether its user has undone messages and may still bring them back", () => {
    expect(decodeSession(session, undefined).isReverted).toBe(false)
    expect(decodeSession({ ...session, revert: { messageID: "msg_1" } }, undefined).isReverted).toBe(true)
  })
})

describe("Models", () => {
  it("are named by provider and model, with their variants", () => {
    const high = { id: "high", settings: {} }
    const data = [
      { providerID: "fake", id: "m1", variants: [] },
      { providerID: "fake", id: "m2", variants: [{ id: "low" }, high] },
      { providerID: "other", id: "a/b" },
    ]
    expect(decodeModels({ data })).toEqual([
      { name: "fake/m1", variants: [] },
      { name: "fake/m2", variants: ["low", "high"] },
      { name: "other/a/b", variants: [] },
    ])
  })

  it("are unpriced where whatever they are used for costs nothing", () => {
    const price = (input: number, output: number) => ({ input, output, cache: { read: 0, write: 0 } })
    const data = [
      { providerID: "fake", id: "free", cost: [price(0, 0), price(0, 0)] },
      { providerID: "fake", id: "unknown", cost: [] },
      { providerID: "fake", id: "dear", cost: [price(0, 0), price(0, 1)] },
    ]
    expect(decodeModels({ data }).map(({ name, isUnpriced }) => [name, isUnpriced])).toEqual([
      ["fake/free", true],
      ["fake/unknown", true],
      ["fake/dear", undefined],
    ])
  })
})

describe("A conversation", () => {
  const asked = (id: string, fields: object = {}) => ({
    id,
    type: "user",
    time: { created: 1 },
    text: "work",
    ...fields,
  })
  const answer = (id: string, text: string, fields: object = {}) => ({
    id,
    type: "assistant",
    time: { created: 2, completed: 3 },
    agent: "general",
    model: { id: "m", providerID: "fake" },
    content: [{ type: "text", text }],
    ...fields,
  })
  const idle = (outcome: string) => ({ id: "msg_idle", type: "idle", time: { created: 4 }, outcome })

  it("has no answer where opencode failed between two steps of the turn", () => {
    const steps = [asked("msg_1"), answer("msg_2", "first step", { finish: "tool-calls" }), idle("failed")]
    const messages = decodeMessages(steps)
    expect(finalAnswer(messages, "msg_1")).toMatchObject({ end: { error: { kind: "interrupted" } } })
    expect(isGiven(finalAnswer(messages, "msg_1"))).toBe(false)
    expect(isUnended(messages, "msg_1")).toBe(true)
  })

  it("answers all that was asked in a turn with that turn's last answer", () => {
    const steps = [
      asked("msg_1"),
      answer("msg_2", "first step", { finish: "tool-calls" }),
      asked("msg_3"),
      answer("msg_4", "the end", { finish: "stop" }),
      idle("succeeded"),
    ]
    const messages = decodeMessages(steps)
    for (const id of ["msg_1", "msg_3"]) expect(finalAnswer(messages, id)).toMatchObject({ text: "the end" })
  })

  it("does not answer what the next turn asks with the answer before it", () => {
    const messages = decodeMessages([
      asked("msg_1"),
      answer("msg_2", "the end", { finish: "stop" }),
      idle("succeeded"),
      asked("msg_3"),
    ])
    expect(finalAnswer(messages, "msg_3")).toBeUndefined()
  })

  it("takes a prompt that was asked anew after a crash for the one that was cut off", () => {
    const messages = decodeMessages([
      asked("msg_1"),
      answer("msg_2", "half", {}),
      asked("msg_9", { metadata: againMark("msg_1") }),
      answer("msg_10", "whole", { finish: "stop" }),
      idle("succeeded"),
    ])
    expect(finalAnswer(messages, "msg_1")).toMatchObject({ text: "whole" })
  })

  it("says that the model's output limit cut an answer off", () => {
    const cutOff = [asked("msg_1"), answer("msg_2", "in the mid", { finish: "length" }), idle("succeeded")]
    expect(finalAnswer(decodeMessages(cutOff), "msg_1")?.end).toMatchObject({ isTruncated: true })
  })

  it("says of a user's message which agent and model answered it", () => {
    const [user] = decodeMessages([asked("msg_1"), answer("msg_2", "yes", { finish: "stop" })])
    expect(user).toMatchObject({ role: "user", agent: "general", model: "fake/m" })
  })

  it.each([
    ["Invalid API key", 401, "Invalid API key (HTTP 401)"],
    ["scripted 503", 503, "scripted 503"],
    ["", 403, "provider.auth (HTTP 403)"],
    ["the connection broke", undefined, "the connection broke"],
  ])("tells of a provider's error %j with its status %s", (message, status, words) => {
    const failed = answer("msg_2", "", { error: { type: "provider.auth", message, status }, finish: "error" })
    const messages = decodeMessages([asked("msg_1"), failed, idle("failed")])
    expect(messages.at(-1)).toMatchObject({ end: { error: { kind: "provider", message: words } } })
  })

  it("has no variant where opencode says it is the default, which it would not take as one", () => {
    const model = { id: "m", providerID: "fake", variant: "default" }
    const messages = decodeMessages([asked("msg_1"), answer("msg_2", "done", { model }), idle("succeeded")])
    expect(messages.at(-1)).toMatchObject({ model: "fake/m", variant: undefined })
  })

  it.each([
    ["shell", "The user declined this tool call"],
    ["question", "The user dismissed this question"],
  ])("tells a turn that ended because the person refused what a call of %s asked for", (name, words) => {
    const refused = { type: "aborted", message: words }
    const content = [{ type: "tool", id: "c1", name, state: { status: "error", error: refused } }]
    const error = { type: "aborted", message: "Step interrupted" }
    const messages = [
      asked("msg_1"),
      answer("msg_2", "", { content, error, finish: "error" }),
      idle("interrupted"),
    ]
    expect(decodeMessages(messages).at(-1)).toMatchObject({
      end: {
        error: {
          kind: "interrupted",
          message: `its turn ended at a call to ${name}: ${words}`,
        },
      },
    })
  })

  describe("whose provider broke off an answer", () => {
    const error = { type: "provider.transport", message: "ECONNRESET", status: 200 }
    const broken = (id: string, text: string) =>
      answer(id, text, { finish: "error", error, retry: { attempt: 2, at: 5, error } })
    /** How opencode asks for the rest. */
    const goOn = (id: string) => ({ id, type: "synthetic", time: { created: 6 }, text: "Continue." })

    it("has what came before and after as one answer", () => {
      const messages = decodeMessages([
        asked("msg_1"),
        broken("msg_2", "one, tw"),
        goOn("msg_3"),
        broken("msg_4", "o, "),
        goOn("msg_5"),
        answer("msg_6", "three", { finish: "stop" }),
        idle("succeeded"),
      ])
      expect(finalAnswer(messages, "msg_1")).toMatchObject({ text: "one, two, three", end: { at: 3 } })
      expect(textSince(messages, "msg_1")).toBe("one, two, three")
    })

    it("has no answer while opencode is about to ask for the rest, but what has come", () => {
      const messages = decodeMessages([asked("msg_1"), broken("msg_2", "one, tw")])
      expect(finalAnswer(messages, "msg_1")).toBeUndefined()
      expect(textSince(messages, "msg_1")).toBe("one, tw")
    })

    it.each([
      ["failed", { kind: "provider", message: "ECONNRESET (HTTP 200)" }],
      ["interrupted", { kind: "interrupted" }],
    ])("ends with what has come where its turn %s before the rest was asked for", (outcome, end) => {
      const messages = decodeMessages([asked("msg_1"), broken("msg_2", "one, tw"), idle(outcome)])
      expect(finalAnswer(messages, "msg_1")).toMatchObject({ text: "one, tw", end: { error: end } })
    })

    it("does not join what answers the same prompt asked anew, or another one", () => {
      for (const again of [asked("msg_9", { metadata: againMark("msg_1") }), idle("interrupted")]) {
        const messages = decodeMessages([
          asked("msg_1"),
          broken("msg_2", "one, tw"),
          again,
          asked("msg_10"),
          answer("msg_11", "all", { finish: "stop" }),
          idle("succeeded"),
        ])
        expect(finalAnswer(messages, "msg_10")).toMatchObject({ text: "all" })
      }
    })
  })

  describe("that opencode has compacted", () => {
    const at = Date.UTC(2026, 10, 25)
    const idAt = (time: number) => promptID("ses_1", time)
    const summary = (status = "completed") => ({
      id: "msg_sum",
      type: "compaction",
      time: { created: at },
      status,
      model: { id: "m", providerID: "fake" },
    })

    it("in the middle of a turn answers what was asked before with that turn's last answer", () => {
      const messages = decodeMessages([
        summary(),
        answer("msg_2", "on with it", { finish: "tool-calls" }),
        answer("msg_4", "the end", { finish: "stop" }),
        idle("succeeded"),
      ])
      expect(finalAnswer(messages, idAt(at - 60_000))).toMatchObject({ text: "the end" })
      expect(textSince(messages, idAt(at - 60_000))).toBe("on with it\n\nthe end")
      expect(finalAnswer(messages, idAt(at + 60_000))).toBeUndefined()
      expect(textSince(messages, idAt(at + 60_000))).toBe("")
    })

    it("between two turns does not answer the first with the second", () => {
      const messages = decodeMessages([
        summary(),
        idle("succeeded"),
        asked("msg_3"),
        answer("msg_4", "another answer", { finish: "stop" }),
        idle("succeeded"),
      ])
      expect(finalAnswer(messages, idAt(at - 60_000))).toBeUndefined()
      expect(finalAnswer(messages, "msg_3")).toMatchObject({ text: "another answer" })
    })

    it("still has a message that says on what the session runs", () => {
      const after = answer("msg_4", "yes", { finish: "stop" })
      expect(decodeMessages([summary(), after])[0]).toMatchObject({
        role: "user",
        agent: "general",
        model: "fake/m",
        text: "",
      })
    })

    it("in vain goes on as if nothing had been tried", () => {
      const messages = decodeMessages([
        asked("msg_1"),
        answer("msg_2", "first step", { finish: "tool-calls" }),
        summary("failed"),
        answer("msg_4", "the end", { finish: "stop" }),
        idle("succeeded"),
      ])
      expect(messages.map(({ id }) => id)).toEqual(["msg_1", "msg_2", "msg_4"])
      expect(finalAnswer(messages, "msg_1")).toMatchObject({ text: "the end" })
    })
  })

  it("tells an interrupted turn from a finished one", () => {
    const messages = decodeMessages([asked("msg_1"), answer("msg_2", "half"), idle("interrupted")])
    expect(messages.at(-1)).toMatchObject({ text: "half", end: { error: { kind: "interrupted" } } })
  })
})
