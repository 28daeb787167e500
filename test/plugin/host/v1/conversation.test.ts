import type { Part } from "@opencode-ai/sdk/v2"
import { describe, expect, it } from "vitest"
import { finalAnswer, lastAnswer, textSince } from "../../../../src/plugin/host/answers.ts"
import { decodeConversation } from "../../../../src/plugin/host/v1/conversation.ts"
import type { MessageWithParts } from "../../../../src/plugin/host/v1/decode.ts"
import { answerTo, askedBy, textPart } from "../../support/opencode-data.ts"

const session = "ses_1"

function asked(id: string, created: number, parts?: Part[]): MessageWithParts {
  const message = askedBy({ session, messageID: id, text: id, agent: "general" })
  return {
    info: { ...message.info, time: { created } } as MessageWithParts["info"],
    parts: parts ?? message.parts,
  }
}

type Fields = NonNullable<Parameters<typeof answerTo>[2]>
const answer = (to: string, text: string, created: number, completed?: number, fields: Fields = {}) =>
  answerTo({ session, messageID: to }, text, {
    id: `${text}-${created}`,
    time: { created, ...(completed !== undefined && { completed }) },
    ...fields,
  })

const compaction = (auto: boolean): Part[] => [
  { id: "prt_c", sessionID: session, messageID: "compact", type: "compaction", auto },
]

describe("The answer to a prompt", () => {
  it("is that to what the child was told while it worked", () => {
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "first", 2, 5),
      asked("told", 3),
      answer("told", "final", 6, 7),
    ])
    expect(finalAnswer(messages, "prompt")?.text).toBe("final")
    expect(textSince(messages, "prompt")).toBe("first\n\nfinal")
  })

  it("is not there yet where the child has not come to what it was told", () => {
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "first", 2, 5),
      asked("told", 3),
    ])
    expect(lastAnswer(messages, "prompt")?.text).toBe("first")
    expect(finalAnswer(messages, "prompt")).toBeUndefined()
  })

  it("is not that to what was asked when its turn was over", () => {
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "first", 2, 5),
      asked("later", 6),
      answer("later", "another", 7, 8),
    ])
    expect(finalAnswer(messages, "prompt")?.text).toBe("first")
    expect(finalAnswer(messages, "later")?.text).toBe("another")
  })

  it("is an error, whatever came meanwhile: opencode gives up then", () => {
    const error = { name: "UnknownError", data: { message: "broken" } } as const
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "", 2, 5, { error }),
      asked("told", 3),
    ])
    expect(finalAnswer(messages, "prompt")?.end?.error).toMatchObject({ message: "broken" })
  })

  it.each([
    ["in the middle of its turn", "tool-calls"],
    ["at its end, which was too long", "stop"],
  ])("comes after a compaction %s, without opencode's summary", (_, finish) => {
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "first", 2, 3, { finish }),
      asked("compact", 4, compaction(true)),
      answer("compact", "a summary", 5, 6, { summary: true }),
      asked("continue", 7, [{ ...textPart(session, "continue", "Continue"), synthetic: true } as Part]),
      answer("continue", "final", 8, 9),
    ])
    expect(finalAnswer(messages, "prompt")?.text).toBe("final")
    expect(textSince(messages, "prompt")).toBe("first\n\nfinal")
    expect(finalAnswer(messages.slice(0, 4), "prompt")).toBeUndefined()
  })

  it("is why opencode could not compact it, where it is too long for that, too", () => {
    const message = "Session too large to compact"
    const error = { name: "ContextOverflowError", data: { message } } as const
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "first", 2, 3, { finish: "tool-calls" }),
      asked("compact", 4, compaction(true)),
      answer("compact", "half a summary", 5, 6, { summary: true, finish: "error", error }),
      asked("later", 7),
      answer("later", "another", 8, 9),
    ])
    expect(finalAnswer(messages, "prompt")).toMatchObject({
      text: "",
      end: { error: { kind: "provider", message } },
    })
    expect(finalAnswer(messages, "later")?.text).toBe("another")
  })

  it("stays the same where a person compacts the session afterwards", () => {
    const messages = decodeConversation([
      asked("prompt", 1),
      answer("prompt", "final", 2, 3),
      asked("compact", 4, compaction(false)),
      answer("compact", "a summary", 5, 6, { summary: true }),
      asked("later", 7),
      answer("later", "another", 8, 9),
    ])
    expect(finalAnswer(messages, "prompt")?.text).toBe("final")
  })
})
