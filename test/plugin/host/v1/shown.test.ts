import type { Part } from "@opencode-ai/sdk/v2"
import { expect, it } from "vitest"
import { shownMessage } from "../../../../src/plugin/host/v1/shown.ts"
import { answerTo, askedBy, deliveredAs, textPart } from "../../support/opencode-data.ts"

const asked = { session: "ses_1", messageID: "msg_1", text: "do it", agent: "general" }
const of = { sessionID: "ses_1", messageID: "msg_2" }
const call = (state: Extract<Part, { type: "tool" }>["state"]): Part => ({
  ...of,
  id: "prt_call",
  type: "tool",
  callID: "call",
  tool: "read",
  state,
})

it("A prompt is shown as it was given", () => {
  expect(shownMessage(askedBy(asked))).toEqual({
    id: "msg_1",
    role: "user",
    at: 0,
    model: "fake/m1",
    origin: undefined,
    parts: [{ type: "text", id: "msg_1-text", text: "do it" }],
  })
})

it("What an owner was told of its jobs is a notice", () => {
  expect(shownMessage(deliveredAs({ ...asked, mark: {} })).origin).toBe("notice")
})

it("An answer is shown with its thoughts, its calls and why it broke off", () => {
  const { info } = answerTo(asked, "", {
    error: { name: "UnknownError", data: { message: "no such model" } },
  })
  const input = { filePath: "a.txt", limit: 3 }
  const parts: Part[] = [
    { ...of, id: "prt_thought", type: "reasoning", text: "Let me see.", time: { start: 1 } },
    textPart("ses_1", "msg_2", "First I read."),
    { ...of, id: "prt_step", type: "step-start" },
    call({ status: "pending", input: {}, raw: "" }),
    call({ status: "running", input, time: { start: 1 } }),
    call({
      status: "completed",
      input,
      output: "of a",
      title: "src/a.txt",
      metadata: {},
      time: { start: 1, end: 2 },
    }),
    call({ status: "error", input, error: "refused", time: { start: 1, end: 2 } }),
  ]
  expect(shownMessage({ info, parts })).toMatchObject({
    role: "assistant",
    model: "fake/m1",
    error: "no such model",
    parts: [
      { type: "reasoning", id: "prt_thought", text: "Let me see." },
      { type: "text", text: "First I read." },
      { type: "tool", tool: "read", status: "pending", input: [] },
      {
        status: "running",
        title: "a.txt",
        input: [
          { name: "filePath", text: "a.txt" },
          { name: "limit", text: "3" },
        ],
        startedAt: 1,
      },
      { status: "completed", title: "src/a.txt", output: "of a", startedAt: 1, endedAt: 2 },
      { status: "error", title: "a.txt", output: "refused" },
    ],
  })
})
