import { describe, expect, it } from "vitest"
import { isUnavailable } from "../../../src/plugin/host/unavailable.ts"
import { decodeMessage } from "../../../src/plugin/host/v1/decode.ts"
import { decodeMessages } from "../../../src/plugin/host/v2/decode.ts"
import { answerTo } from "../support/opencode-data.ts"

describe("A model cannot be had, by what its provider answers,", () => {
  it.each([
    [401, "Invalid API key"],
    [402, "Insufficient credits"],
    [403, "Country not supported"],
    [404, "The model `m1` does not exist"],
    [429, "You exceeded your current quota"],
    [503, "no healthy upstream"],
    [529, "Overloaded"],
    [400, "m1 is not a valid model ID"],
    [400, "Invalid model: m1"],
    [undefined, "Model not found: fake/m1"],
  ])("where that is %s %s", (status, words) => {
    expect(isUnavailable(status, words)).toBe(true)
  })

  it.each([
    [400, "messages: too odd"],
    [400, "This model's maximum context length is 128000 tokens"],
    [400, "prompt is too long: 200001 tokens > 200000 maximum"],
    [413, "request too large"],
    [422, "the model does not exist in this shape"],
    [undefined, "fetch failed"],
  ])("but not where it is %s %s", (status, words) => {
    expect(isUnavailable(status, words)).toBe(false)
  })
})

/** As 1.18 was seen to say it. */
describe("opencode 1.18 says so", () => {
  const asked = { session: "ses_1", messageID: "msg_1" }
  type Given = NonNullable<NonNullable<Parameters<typeof answerTo>[2]>["error"]>
  const endOf = (error: Given) => {
    const message = decodeMessage(answerTo(asked, "", { finish: "", error }))
    return message.role === "assistant" ? message.end : undefined
  }

  it.each([
    { name: "APIError", data: { message: "Invalid API key", statusCode: 401, isRetryable: false } },
    { name: "ProviderAuthError", data: { providerID: "p", message: "Anthropic API key is missing" } },
  ] as const)("%j", (error) => {
    expect(endOf(error)).toMatchObject({ isUnavailable: true, error: { kind: "provider" } })
  })

  it.each([
    { name: "APIError", data: { message: "bad", statusCode: 400, isRetryable: false } },
    { name: "MessageAbortedError", data: { message: "Aborted" } },
    { name: "ContextOverflowError", data: { message: "model not found in context" } },
    { name: "UnknownError", data: { message: "JSON parse error" } },
  ] as const)("and not: %j", (error) => {
    expect(endOf(error)?.isUnavailable).toBeUndefined()
  })
})

/** As 2.0.15 was seen to say it. */
describe("opencode 2 says so", () => {
  const endOf = (error: object) => {
    const said = { type: "assistant", model: { id: "m1", providerID: "fake" }, content: [], finish: "error" }
    const [, message] = decodeMessages([
      { id: "msg_1", type: "user", time: { created: 1 }, text: "do it" },
      { id: "msg_2", time: { created: 2, completed: 3 }, ...said, error },
    ])
    return message?.role === "assistant" ? message.end : undefined
  }

  it.each([
    { type: "provider.auth", message: "Country not supported", status: 403 },
    { type: "provider.quota", message: "You exceeded your current quota", status: 429 },
    { type: "provider.rate-limit", message: "Slow down", status: 429 },
    { type: "provider.internal", message: "Overloaded", status: 529 },
    { type: "provider.invalid-request", message: "The model `m1` does not exist", status: 404 },
  ])("%j", (error) => {
    expect(endOf(error)).toMatchObject({ isUnavailable: true, error: { kind: "provider" } })
  })

  it.each([
    { type: "provider.invalid-request", message: "prompt is too long", status: 400 },
    { type: "provider.invalid-request", message: "request too large", status: 413 },
    { type: "aborted", message: "model not found" },
  ])("and not: %j", (error) => {
    expect(endOf(error)?.isUnavailable).toBeUndefined()
  })
})
