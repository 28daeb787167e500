import { beforeEach, describe, expect, it } from "vitest"
import { eventDecoder } from "../../../../src/plugin/host/v2/events.ts"

let decode: ReturnType<typeof eventDecoder>
beforeEach(() => {
  decode = eventDecoder()
})

/** An event as opencode 2.0.15 sends it. */
const event = (type: string, data: object = {}) => ({
  id: "evt_1",
  type,
  data: { sessionID: "ses_1", ...data },
})

it("An undo takes messages out of a conversation once it is final", () => {
  expect(decode(event("session.revert.staged", { revert: { messageID: "msg_1" } }))).toEqual([])
  expect(decode(event("session.revert.committed", { to: "msg_1" }))).toEqual([
    { type: "messages.removed", session: "ses_1" },
  ])
})

describe("The end of a turn", () => {
  it.each(["succeeded", "failed"])("that %s is one", (how) => {
    expect(decode(event(`session.execution.${how}`))).toEqual([{ type: "session.idle", session: "ses_1" }])
  })

  it("by its user is told as such first, so that no result starts the session again", () => {
    expect(decode(event("session.execution.interrupted", { reason: "user" }))).toEqual([
      { type: "session.interrupted", session: "ses_1" },
      { type: "session.idle", session: "ses_1" },
    ])
  })

  it.each(["shutdown", "superseded", "inactivity"])("by %s is no wish of the user's", (reason) => {
    expect(decode(event("session.execution.interrupted", { reason }))).toEqual([
      { type: "session.idle", session: "ses_1" },
    ])
  })
})

describe("A tool call", () => {
  it("keeps the name that only its first event has, until it ends", () => {
    decode(event("session.tool.input.started", { id: "call_1", name: "shell" }))
    expect(decode(event("session.tool.called", { id: "call_1" }))).toMatchObject([
      { type: "tool.running", tool: "shell" },
    ])
    expect(
      decode(event("session.tool.success", { id: "call_1", metadata: { troupe: { runs: [] } } })),
    ).toMatchObject([{ type: "tool.ended", tool: "shell", mark: { runs: [] }, isInDoubt: true }])
    expect(decode(event("session.tool.failed", { id: "call_1" }))).toMatchObject([
      { tool: "a tool", isInDoubt: false },
    ])
  })

  it("keeps its name while another session has a call with the same id", () => {
    for (const [sessionID, name] of [
      ["ses_1", "shell"],
      ["ses_2", "read"],
    ])
      decode(event("session.tool.input.started", { id: "call_1", name, sessionID }))
    decode(event("session.tool.success", { id: "call_1", sessionID: "ses_2" }))
    expect(decode(event("session.tool.called", { id: "call_1" }))).toMatchObject([{ tool: "shell" }])
  })
})

describe("What waits for a person", () => {
  it("is a permission, in the words of the request", () => {
    const asked = { id: "per_1", action: "shell", resources: ["rm -rf build", "ls"] }
    expect(decode(event("permission.asked", asked))).toEqual([
      {
        type: "request.opened",
        session: "ses_1",
        request: { id: "per_1", kind: "permission", text: "shell: rm -rf build, ls" },
      },
    ])
    expect(decode(event("permission.replied", { requestID: "per_1" }))).toEqual([
      { type: "request.closed", session: "ses_1", request: "per_1" },
    ])
  })
})

it("An undo takes messages out once it is final, not while the person may still take it back", () => {
  expect(decode(event("session.revert.staged", { revert: { messageID: "msg_1" } }))).toEqual([])
  expect(decode(event("session.revert.committed", { to: "msg_1" }))).toEqual([
    { type: "messages.removed", session: "ses_1" },
  ])
})

describe("A question to the person", () => {
  it("is asked in its own words, not its heading", () => {
    const fields = [{ key: "q0", title: "Colour", description: "Which colour?", type: "string" }]
    const created = { type: "form.created", data: { form: { id: "frm_1", sessionID: "ses_1", fields } } }
    expect(decode(created)).toEqual([
      {
        type: "request.opened",
        session: "ses_1",
        request: { id: "frm_1", kind: "question", text: "Which colour?" },
      },
    ])
  })
})

describe("A pause before the provider is asked again", () => {
  it("tells which attempt has failed, not which is to come", () => {
    const scheduled = { attempt: 2, at: 5_000, error: { type: "provider", message: "overloaded" } }
    expect(decode(event("session.retry.scheduled", scheduled))).toEqual([
      { type: "session.retrying", session: "ses_1", attempt: 1, reason: "overloaded", next: 5_000 },
    ])
  })
})

describe("A step of a turn", () => {
  it("says which model is asked, and for which message", () => {
    const model = { id: "m1", providerID: "fake", variant: "high" }
    expect(decode(event("session.step.started", { assistantMessageID: "msg_2", model }))).toEqual([
      {
        type: "session.busy",
        session: "ses_1",
        message: "msg_2",
        asked: { model: "fake/m1", variant: "high" },
      },
    ])
  })
})

it("A known event in an unknown shape is told of by its type; a form of no session is not", () => {
  const unknown: string[] = []
  const told = eventDecoder((type) => void unknown.push(type))
  told({ type: "session.text.delta", data: { sessionID: "ses_1" } })
  told({ type: "a.new.one", data: {} })
  told({ type: "form.created", data: { form: { id: "form_1" } } })
  expect(unknown).toEqual(["session.text.delta"])
})

it("Foreign events, and those in another shape than was seen, are none", () => {
  const foreign = [undefined, "text", {}, event("a.new.one"), { type: "session.execution.started", data: {} }]
  expect(foreign.flatMap((each) => decode(each))).toEqual([])
})
