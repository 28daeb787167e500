import { expect, it } from "vitest"
import { shownMessages } from "../../../../src/plugin/host/v2/shown.ts"

const time = { created: 1 }
const model = { id: "m1", providerID: "fake" }

it("A conversation of opencode 2 is shown with its thoughts and calls, each text by its place", () => {
  const shown = shownMessages([
    { id: "msg_0", type: "model-switched", time, model },
    { id: "msg_1", type: "user", time, text: "do it" },
    {
      id: "msg_2",
      type: "assistant",
      time,
      model,
      content: [
        { type: "reasoning", text: "Let me see." },
        { type: "text", text: "First I read." },
        {
          type: "tool",
          id: "call_1",
          name: "read",
          state: {
            status: "completed",
            input: { path: "a.txt", limit: 3 },
            content: [{ type: "text", text: "of a" }],
          },
          time: { created: 2, ran: 3, completed: 4 },
        },
        {
          type: "tool",
          id: "call_2",
          name: "shell",
          state: {
            status: "error",
            input: { command: "ls" },
            error: { type: "unknown", message: "refused" },
          },
        },
        { type: "tool", id: "call_3", name: "write", state: { status: "pending", input: '{"path": "b' } },
        { type: "text", text: "" },
      ],
      error: { type: "aborted" },
    },
    { id: "msg_3", type: "idle", time, outcome: "interrupted" },
    { id: "msg_4", type: "synthetic", time, text: "A job is done." },
  ])
  expect(shown).toEqual([
    {
      id: "msg_1",
      role: "user",
      at: 1,
      model: undefined,
      parts: [{ type: "text", id: "msg_1/0", text: "do it" }],
    },
    {
      id: "msg_2",
      role: "assistant",
      at: 1,
      model: "fake/m1",
      error: "aborted",
      parts: [
        { type: "reasoning", id: "msg_2/0", text: "Let me see." },
        { type: "text", id: "msg_2/0", text: "First I read." },
        {
          type: "tool",
          tool: "read",
          title: "a.txt",
          status: "completed",
          input: [
            { name: "path", text: "a.txt" },
            { name: "limit", text: "3" },
          ],
          output: "of a",
          startedAt: 3,
          endedAt: 4,
        },
        expect.objectContaining({ tool: "shell", status: "error", output: "refused" }),
        expect.objectContaining({ tool: "write", status: "pending", input: [] }),
        { type: "text", id: "msg_2/1", text: "" },
      ],
    },
    {
      id: "msg_4",
      role: "user",
      origin: "notice",
      at: 1,
      model: undefined,
      parts: [{ type: "text", id: "msg_4/0", text: "A job is done." }],
    },
  ])
})

it("A summary is said to be one", () => {
  expect(
    shownMessages([{ id: "msg_1", type: "compaction", status: "completed", time, summary: "All before." }]),
  ).toMatchObject([{ origin: "summary", parts: [{ text: "All before." }] }])
})
