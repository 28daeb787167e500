import { describe, expect, it } from "vitest"
import * as z from "zod"
import { pluginTools } from "../../../src/plugin/host/v1/tools.ts"
import { JOB_TOOLS } from "../../../src/plugin/tools/index.ts"
import { testServices } from "../support/services.ts"

/** What the model is shown of a tool's arguments, as opencode makes it from them. */
function shownOf(name: string) {
  const { tools } = testServices()
  const shape = pluginTools(tools)[name]?.args ?? {}
  const { $schema: _, additionalProperties: __, ...schema } = z.toJSONSchema(z.object(shape))
  return schema
}

const optionalIds = { type: "array", items: { type: "string" } }
const seconds = { type: "number", description: "Seconds" }

// Each request pays for every word of this: nothing more than what the model needs for a right call.
describe("What the model sees of", () => {
  it("the tools: their names and a sentence or two", () => {
    const { tools } = testServices()
    expect(Object.keys(tools)).toEqual([...JOB_TOOLS])
    for (const { description } of Object.values(tools)) expect(description).toMatch(/^[A-Z].{20,130}\.$/)
  })

  it("agents_start's arguments", () => {
    expect(shownOf("agents_start")).toEqual({
      type: "object",
      required: ["tasks"],
      properties: {
        tasks: {
          type: "array",
          maxItems: 64,
          items: {
            type: "object",
            required: ["prompt"],
            properties: {
              prompt: { type: "string", description: "All it needs: it cannot see this conversation" },
              id: { type: "string" },
              description: { type: "string", description: "3-5 words" },
              agent: { type: "string" },
              model: {
                anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
                description: "provider/model[#variant]; a list: with fallbacks",
              },
              timeout: seconds,
              needs: {
                type: "array",
                items: {
                  anyOf: [
                    { type: "string" },
                    {
                      type: "object",
                      properties: { id: { type: "string" }, on: { type: "string", enum: ["done", "ended"] } },
                      required: ["id"],
                    },
                  ],
                },
                description: "Start after these, with their results (at {{id}}). on ended: even if they fail",
              },
              each: {
                anyOf: [
                  { type: "array", items: { type: "string" } },
                  {
                    type: "object",
                    properties: { from: { type: "string" }, path: { type: "string" } },
                    required: ["from"],
                  },
                ],
                description: "One job per item ({{item}}). from: a job with schema; path: of its list",
              },
              schema: { type: "object", description: "JSON Schema of its result" },
              check: {
                type: "object",
                properties: { command: { type: "string" }, attempts: { type: "integer" } },
                required: ["command"],
                description: "Must exit with 0; else its output goes back, attempts times",
              },
              isolation: {
                anyOf: [
                  { type: "string", const: "worktree" },
                  { type: "object", properties: { from: { type: "string" } }, required: ["from"] },
                ],
                description: "Own git worktree; from: as that job ended",
              },
            },
          },
        },
        wait: { type: "boolean" },
        budget: {
          type: "object",
          properties: { tokens: { type: "number" }, cost: { type: "number" } },
          description: "For all. cost in US$",
        },
      },
    })
  })

  it.each([
    ["agents_status", { ids: optionalIds }, undefined],
    [
      "agents_wait",
      {
        ids: optionalIds,
        until: { type: "string", enum: ["all", "any"] },
        timeout: seconds,
      },
      undefined,
    ],
    ["agents_cancel", { ids: optionalIds, all: { type: "boolean" }, reason: { type: "string" } }, undefined],
    ["agents_send", { id: { type: "string" }, message: { type: "string" } }, ["id", "message"]],
    [
      "agents_apply",
      { ids: optionalIds, discard: { type: "boolean", description: "Remove worktrees instead" } },
      ["ids"],
    ],
  ])("%s's arguments", (name, properties, required) => {
    expect(shownOf(name)).toEqual({ type: "object", properties, ...(required && { required }) })
  })
})

describe("A model's name", () => {
  it.each([
    ["m1", "did you mean: fake/m1?"],
    ["/m1", "did you mean: fake/m1?"],
    ["fake/", "available: "],
    ["a b", "available: "],
  ])("is refused without provider or model: %s", async (model, words) => {
    const { output, metadata } = await testServices().call("agents_start", {
      tasks: [{ prompt: "x", model }],
    })
    expect(metadata.refused).toHaveLength(1)
    expect(output).toContain(`no model "${model}"; ${words}`)
  })

  it.each([[""], [7], [[]], [["fake/m1", " "]]])("is refused where it is none: %j", async (model) => {
    const { output } = await testServices().call("agents_start", { tasks: [{ prompt: "x", model }] })
    expect(output).toMatch(
      /^Refused: tasks\[0\]\.model is .*: it must be provider\/model, or a list of these/,
    )
  })

  it("may have space around it", async () => {
    const { jobs } = await testServices().call("agents_start", {
      tasks: [{ prompt: "x", model: " fake/m2\n" }],
    })
    expect(jobs[0]?.model).toBe("fake/m2")
  })

  it("may have slashes of its own", async () => {
    const { output } = await testServices().call("agents_start", { tasks: [{ prompt: "x", model: "a/b/c" }] })
    expect(output).toContain('no model "a/b/c"')
  })
})

describe("Several things that are wrong", () => {
  it("are all named", async () => {
    await expect(testServices().call("agents_send", {})).rejects.toThrow(
      /^id is missing: [^;]+; message is missing: [^;]+\. Nothing was done/,
    )
  })
})
