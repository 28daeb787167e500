import { describe, expect, it } from "vitest"
import { Drafts } from "../../../src/plugin/children/drafts.ts"
import { hear } from "../support/hear.ts"

/** Drafts of a child `ses_1` at work. */
function drafting() {
  const drafts = new Drafts()
  const handle = hear((event) => drafts.handle(event))
  drafts.begin("ses_1")
  const part = (id: string, type = "text", sessionID = "ses_1") =>
    handle({ type: "message.part.updated", properties: { part: { id, type, sessionID, time: {} } } })
  const delta = (partID: string, text: string, sessionID = "ses_1") =>
    handle({ type: "message.part.delta", properties: { sessionID, partID, delta: text } })
  return { drafts, part, delta, draft: () => drafts.of("ses_1") }
}

describe("What a child is writing", () => {
  it("is the text that has come of its latest part", () => {
    const { part, delta, draft } = drafting()
    expect(draft()).toBe("")
    part("p1")
    delta("p1", "So ")
    delta("p1", "far. \n")
    expect(draft()).toBe("So far.")
  })

  it("is not what it thinks in between, nor what its tools do", () => {
    const { part, delta, draft } = drafting()
    part("p1")
    delta("p1", "So far")
    part("p2", "reasoning")
    delta("p2", "hm")
    delta("p1", ".")
    expect(draft()).toBe("So far.")
  })

  it("stays until the next attempt has words of its own, which take its place", () => {
    const { part, delta, draft } = drafting()
    part("p1")
    delta("p1", "of the first attempt")
    part("p2")
    expect(draft()).toBe("of the first attempt")
    delta("p1", ", late")
    expect(draft()).toBe("of the first attempt")
    delta("p2", "of the ")
    delta("p2", "second")
    expect(draft()).toBe("of the second")
  })

  it("is nothing once its turn is over, and begins anew with the next", () => {
    const { drafts, part, delta, draft } = drafting()
    part("p1")
    delta("p1", "old")
    drafts.end("ses_1")
    delta("p1", " and late")
    part("p1")
    expect(draft()).toBe("")
    drafts.begin("ses_1")
    expect(draft()).toBe("")
    delta("p1", "late")
    expect(draft()).toBe("")
  })

  it("is not what other sessions write", () => {
    const { part, delta, draft, drafts } = drafting()
    drafts.begin("ses_2")
    part("p1")
    part("p2", "text", "ses_2")
    delta("p2", "of the other", "ses_2")
    part("p3", "text", "somebody")
    delta("p3", "of nobody", "somebody")
    delta("p1", "mine")
    expect([draft(), drafts.of("ses_2"), drafts.of("somebody")]).toEqual(["mine", "of the other", ""])
  })

  it.each([
    ["without a type", {}],
    ["with an odd type", { type: 7 }],
    ["of another kind", { type: "session.idle", properties: { sessionID: "ses_1" } }],
    ["in an unknown shape", { type: "message.part.delta", properties: { sessionID: "ses_1" } }],
    ["without its part", { type: "message.part.updated", properties: {} }],
  ])("is not disturbed by an event %s", (_, event) => {
    const { drafts, part, delta, draft } = drafting()
    part("p1")
    delta("p1", "So far")
    expect(() => drafts.handle(event)).not.toThrow()
    expect(draft()).toBe("So far")
  })
})
