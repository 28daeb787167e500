import { describe, expect, it, vi } from "vitest"
import type { HostEvent } from "../../../../src/plugin/host/port.ts"
import { decodeEvent } from "../../../../src/plugin/host/v1/events.ts"

const sessionID = "ses_1"
const session = sessionID
const mark = { delivered: [{ session: "ses_2", run: 1 }] }
const part = (fields: object) => ({ part: { id: "prt_1", sessionID, messageID: "msg_1", ...fields } })
const tool = (state: object) => part({ type: "tool", callID: "call", tool: "bash", state })

describe("An event of opencode", () => {
  it.each<[string, object, HostEvent]>([
    [
      "session.created",
      { sessionID, info: { id: sessionID, parentID: "ses_0" } },
      { type: "session.created", session, parent: "ses_0" },
    ],
    [
      "session.created",
      { sessionID, info: { id: sessionID } },
      { type: "session.created", session, parent: undefined },
    ],
    ["session.deleted", { sessionID, info: {} }, { type: "session.deleted", session }],
    ["session.status", { sessionID, status: { type: "busy" } }, { type: "session.busy", session }],
    ["session.status", { sessionID, status: { type: "idle" } }, { type: "session.idle", session }],
    [
      "session.status",
      { sessionID, status: { type: "retry", attempt: 2, message: "overloaded", next: 5 } },
      { type: "session.retrying", session, attempt: 2, reason: "overloaded", next: 5 },
    ],
    [
      "session.error",
      { sessionID, error: { name: "MessageAbortedError", data: {} } },
      { type: "session.interrupted", session },
    ],
    [
      "session.updated",
      {
        info: {
          id: sessionID,
          tokens: { input: 1, output: 2, reasoning: 3, cache: { read: 4, write: 5 } },
          cost: 0.5,
        },
      },
      {
        type: "usage.changed",
        session,
        usage: { input: 1, output: 2, reasoning: 3, cacheRead: 4, cacheWrite: 5, cost: 0.5 },
      },
    ],
    ["message.removed", { sessionID, messageID: "msg_1" }, { type: "messages.removed", session }],
    [
      "message.part.removed",
      { sessionID, messageID: "msg_1", partID: "prt_1" },
      { type: "messages.removed", session },
    ],
    ["message.updated", { info: { id: "msg_1", sessionID } }, { type: "message.stored", session }],
    [
      "message.part.delta",
      { sessionID, partID: "prt_1", field: "text", delta: "and" },
      { type: "text.streamed", session, part: "prt_1", delta: "and" },
    ],
    [
      "message.part.updated",
      part({ type: "text", text: "so far", time: { start: 1 } }),
      { type: "text.updated", session, part: "prt_1", text: "so far" },
    ],
    [
      "message.part.updated",
      part({ type: "reasoning", text: "hm", time: { start: 1 } }),
      { type: "reasoning.updated", session, part: "prt_1" },
    ],
    [
      "message.part.updated",
      part({ type: "text", text: "A job of yours has ended", synthetic: true, metadata: { troupe: mark } }),
      { type: "mark.stored", session, mark },
    ],
    [
      "message.part.updated",
      tool({ status: "pending", input: {} }),
      { type: "tool.pending", session, call: "call", tool: "bash" },
    ],
    [
      "message.part.updated",
      tool({ status: "running", title: "ls" }),
      { type: "tool.running", session, call: "call", tool: "bash", isSubagent: false, title: "ls" },
    ],
    [
      "message.part.updated",
      tool({ status: "completed", title: "ls", metadata: { troupe: mark } }),
      { type: "tool.ended", session, call: "call", tool: "bash", mark },
    ],
    [
      "message.part.updated",
      tool({ status: "error", error: "no" }),
      { type: "tool.ended", session, call: "call", tool: "bash", mark: undefined },
    ],
    [
      "permission.asked",
      { id: "per_1", sessionID, permission: "bash", patterns: ["rm a", "rm b"] },
      {
        type: "request.opened",
        session,
        request: { id: "per_1", kind: "permission", text: "bash: rm a, rm b" },
      },
    ],
    [
      "question.asked",
      { id: "que_1", sessionID, questions: [{ question: "Which?" }, { question: "Why?" }] },
      { type: "request.opened", session, request: { id: "que_1", kind: "question", text: "Which? Why?" } },
    ],
    [
      "permission.replied",
      { sessionID, requestID: "per_1" },
      { type: "request.closed", session, request: "per_1" },
    ],
    [
      "question.replied",
      { sessionID, requestID: "que_1" },
      { type: "request.closed", session, request: "que_1" },
    ],
    [
      "question.rejected",
      { sessionID, requestID: "que_1" },
      { type: "request.closed", session, request: "que_1" },
    ],
  ])("%s %o is decoded", (type, properties, decoded) => {
    expect(decodeEvent({ type, properties })).toEqual(decoded)
  })

  it.each<[string, object]>([
    ["of a kind that is of no interest", { type: "file.edited", properties: { file: "a.ts" } }],
    [
      "of a user's prompt, which is no text of a model's",
      { type: "message.part.updated", properties: part({ type: "text", text: "go" }) },
    ],
    [
      "of an error that is no interrupt",
      { type: "session.error", properties: { sessionID, error: { name: "APIError" } } },
    ],
    ["of an error without a name", { type: "session.error", properties: { sessionID } }],
    [
      "of an error of no session",
      { type: "session.error", properties: { error: { name: "MessageAbortedError" } } },
    ],
    ["without a type", {}],
    ["whose type is no word", { type: 7, properties: { sessionID } }],
    ["whose type every object has", { type: "toString", properties: { sessionID } }],
  ])("%s is nothing, and nothing unknown: %o", (_, event) => {
    const onUnknown = vi.fn()
    expect(decodeEvent(event, onUnknown)).toBeUndefined()
    expect(onUnknown).not.toHaveBeenCalled()
  })

  it.each([
    ["without a session", { type: "session.status", properties: { status: { type: "busy" } } }],
    ["without what it is about", { type: "permission.asked", properties: { id: "per_1", sessionID } }],
    [
      "of an unknown status",
      { type: "session.status", properties: { sessionID, status: { type: "asleep" } } },
    ],
    ["without properties", { type: "session.deleted" }],
    ["whose properties are no object", { type: "session.deleted", properties: null }],
  ])("%s is nothing, and its type is told of: %o", (_, event) => {
    const onUnknown = vi.fn()
    expect(decodeEvent(event, onUnknown)).toBeUndefined()
    expect(onUnknown.mock.calls).toEqual([[event.type]])
  })
})
