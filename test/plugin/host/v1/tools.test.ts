import type { ToolContext } from "@opencode-ai/plugin"
import { describe, expect, it } from "vitest"
import * as z from "zod"
import type { Tool, ToolCall } from "../../../../src/plugin/host/port.ts"
import { pluginTools, withoutDialect } from "../../../../src/plugin/host/v1/tools.ts"

const seen: { given: unknown; call: ToolCall }[] = []
const tool: Tool = {
  description: "Waits.",
  arguments: {
    ids: { schema: { type: "array", items: { type: "string" }, description: "Whose" }, isOptional: true },
    message: { schema: { type: "string" }, isOptional: false },
  },
  async run(given, call) {
    seen.push({ given, call })
    return { title: "1/1 done", output: "here", metadata: { jobs: [] } }
  },
}

const contextOf = (fields: object = {}) => {
  const asked: unknown[] = []
  const context: ToolContext & { callID?: string } = {
    sessionID: "ses_1",
    messageID: "msg_1",
    callID: "call",
    agent: "plan",
    directory: "/project",
    worktree: "/project",
    abort: new AbortController().signal,
    metadata: () => {},
    ask: async (input: unknown) => void asked.push(input),
    ...fields,
  }
  return { context, asked }
}

describe("A tool in opencode's shape", () => {
  const defined = pluginTools({ agents_test: tool }).agents_test

  it("has its words, and its arguments as they are shown to the model", () => {
    expect(defined?.description).toBe("Waits.")
    expect(z.toJSONSchema(z.object(defined?.args ?? {}))).toMatchObject({
      required: ["message"],
      properties: {
        ids: { type: "array", items: { type: "string" }, description: "Whose" },
        message: { type: "string" },
      },
    })
  })

  it("is shown without the dialect of its schema, which opencode adds", () => {
    const jsonSchema = { $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" }
    const definition = { description: "Waits.", parameters: {}, jsonSchema }
    withoutDialect(definition)
    expect(definition).toEqual({ description: "Waits.", parameters: {}, jsonSchema: { type: "object" } })
    expect(jsonSchema, "opencode keeps it for the next request").toHaveProperty("$schema")
  })

  it("is shown as it is by an opencode that tells no schema", () => {
    const definition = { description: "Waits.", parameters: {} }
    withoutDialect(definition)
    expect(definition).toEqual({ description: "Waits.", parameters: {} })
  })

  it("is never refused by opencode, which would not name the field", () => {
    for (const field of Object.values(defined?.args ?? {}))
      expect(z.safeParse(field, { odd: true }).success).toBe(true)
  })

  it("runs with what it was given, at its place in the conversation", async () => {
    const { context } = contextOf()
    const answer = await defined?.execute({ ids: 7 }, context)
    expect(answer).toEqual({ title: "1/1 done", output: "here", metadata: { jobs: [] } })
    const { given, call } = seen.at(-1) ?? {}
    expect(given).toEqual({ ids: 7 })
    expect(call).toMatchObject({ place: { session: "ses_1", message: "msg_1", call: "call" }, agent: "plan" })
    expect(call?.signal).toBe(context.abort)
  })

  it("runs where opencode does not say which call it is", async () => {
    await defined?.execute({}, contextOf({ callID: undefined }).context)
    expect(seen.at(-1)?.call.place).toEqual({ session: "ses_1", message: "msg_1", call: undefined })
  })

  it("asks to start a subagent as opencode's own task does, so that the user's rules for it hold", async () => {
    const { context, asked } = contextOf()
    await defined?.execute({}, context)
    expect(await seen.at(-1)?.call.askToStart("explore", "Look around")).toEqual({ type: "granted" })
    expect(asked).toEqual([
      {
        permission: "task",
        patterns: ["explore"],
        always: ["*"],
        metadata: { description: "Look around", subagent_type: "explore" },
      },
    ])
  })

  // As opencode 1.18.33 rejects; the messages of the first have its rules as JSON.
  it.each([
    [
      { _tag: "PermissionDeniedError", ruleset: [], message: "Here are some of the rules [{}]" },
      { type: "denied" },
    ],
    [{ _tag: "PermissionRejectedError", message: "The user rejected" }, { type: "rejected" }],
    [
      { _tag: "PermissionCorrectedError", feedback: "use explore", message: "The user rejected" },
      { type: "rejected", feedback: "use explore" },
    ],
    [new Error("gone"), { type: "failed", reason: "gone" }],
    [undefined, { type: "failed", reason: "undefined" }],
  ])("is told why that is not permitted: %o", async (thrown, permission) => {
    await defined?.execute({}, contextOf({ ask: () => Promise.reject(thrown) }).context)
    expect(await seen.at(-1)?.call.askToStart("explore", "Look around")).toEqual(permission)
  })

  it("no longer waits for a person who has interrupted the call instead, and asks for nothing more", async () => {
    const interrupt = new AbortController()
    let asked = 0
    const ask = () => {
      asked++
      return new Promise(() => {})
    }
    await defined?.execute({}, contextOf({ ask, abort: interrupt.signal }).context)
    const askToStart = () => seen.at(-1)?.call.askToStart("explore", "Look around")
    const asking = askToStart()
    interrupt.abort()
    const failed = { type: "failed", reason: "it was interrupted" }
    expect([await asking, await askToStart(), asked]).toEqual([failed, failed, 1])
  })
})
