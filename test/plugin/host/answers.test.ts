import { describe, expect, it } from "vitest"
import {
  ABORTED,
  answerOf,
  finalAnswer,
  isSummary,
  lastAnswer,
  placeOf,
  textSince,
} from "../../../src/plugin/host/answers.ts"
import type { AssistantMessage, UserMessage } from "../../../src/plugin/host/port.ts"
import { promptID } from "../../../src/plugin/host/prompt-ids.ts"

const askedAt = Date.UTC(2026, 10, 25)
const asked = promptID("ses_1", askedAt)

const user = (id: string, fields: Partial<UserMessage> = {}): UserMessage => ({
  id,
  role: "user",
  text: `asked ${id}`,
  model: "fake/m",
  agent: "general",
  marks: [],
  ...fields,
})
const assistant = (id: string, fields: Partial<AssistantMessage> = {}): AssistantMessage => ({
  id,
  role: "assistant",
  text: `said ${id}`,
  model: "fake/m",
  marks: [],
  answers: [asked],
  ...fields,
})
const summaryUntil = (summarizesUntil: number) => user("msg_sum", { summarizesUntil })

describe("The place of a prompt", () => {
  const prompt = user(asked)
  const later = summaryUntil(askedAt + 1)

  it("is its own message, and else the summary of what was said until after it", () => {
    expect(placeOf([later, prompt], asked)).toBe(prompt)
    expect(placeOf([user("msg_other"), later], asked)).toBe(later)
    expect(placeOf([summaryUntil(askedAt - 1)], asked)).toBeUndefined()
    expect(placeOf([user("msg_other"), assistant("msg_2")], asked)).toBeUndefined()
  })

  it("is told from a summary, which stands for what is not to be had any more", () => {
    expect([later, prompt, assistant("msg_2")].map(isSummary)).toEqual([true, false, false])
  })
})

describe("The answer to a prompt", () => {
  const conversation = [
    user(asked),
    assistant("msg_2"),
    assistant("msg_3"),
    user("msg_4"),
    assistant("msg_5", { answers: ["msg_4"], end: {} }),
  ]

  it("is the last message of its turn, final once the turn is over", () => {
    expect(lastAnswer(conversation, asked)).toMatchObject({ id: "msg_3" })
    expect(finalAnswer(conversation, asked)).toBeUndefined()
    expect(finalAnswer(conversation, "msg_4")).toMatchObject({ id: "msg_5" })
  })

  it("is none where nothing answers it", () => {
    expect(lastAnswer([user(asked)], asked)).toBeUndefined()
    expect(finalAnswer([user(asked)], asked)).toBeUndefined()
  })

  it("answers the summary that has taken the prompt's place", () => {
    const messages = [summaryUntil(askedAt + 1), assistant("msg_9", { answers: ["msg_sum"], end: {} })]
    expect(finalAnswer(messages, asked)).toMatchObject({ id: "msg_9" })
  })

  it("is known by the prompt's id where the prompt itself is not to be had", () => {
    expect(lastAnswer([assistant("msg_2")], asked)).toMatchObject({ id: "msg_2" })
  })
})

describe("What was written in a run", () => {
  it("is all that was said since its prompt, with the answers to what came meanwhile", () => {
    const messages = [
      assistant("msg_1"),
      user(asked),
      assistant("msg_2"),
      assistant("msg_3", { text: "" }),
      user("msg_4"),
      assistant("msg_5"),
    ]
    expect(textSince(messages, asked)).toBe("said msg_2\n\nsaid msg_5")
  })

  it("is nothing where its prompt is not there", () => {
    expect(textSince([assistant("msg_1"), assistant("msg_2")], asked)).toBe("")
  })
})

describe("A message as the answer to a prompt whose turn is over", () => {
  const failure = { kind: "provider", message: "401" } as const

  it.each([
    ["what ended its turn", assistant("msg_2", { end: { error: failure } }), failure],
    ["no error where the turn ended well", assistant("msg_2", { end: {} }), undefined],
    [
      "no refusal where the turn ended well after one",
      assistant("msg_2", { end: {}, refusal: "bash" }),
      undefined,
    ],
    [
      "the call at which the turn ended",
      assistant("msg_2", { refusal: "bash (denied)" }),
      { kind: "interrupted", message: "its turn ended at a call to bash (denied)" },
    ],
    ["that it was aborted, where nothing says more", assistant("msg_2"), ABORTED],
    ["that it was aborted, where it is no answer", user("msg_2"), ABORTED],
  ])("says %s", (_, message, error) => {
    expect(answerOf(message)).toEqual({ text: message.text, error })
  })

  it("names who aborted it", () => {
    expect(ABORTED).toEqual({
      kind: "interrupted",
      message: "the child session was aborted from outside opencode-troupe",
    })
  })
})
