import { describe, expect, it } from "vitest"
import * as z from "zod"
import { parse } from "../../src/util/parse.ts"

const Task = z.strictObject({
  prompt: z.string().regex(/\S/).meta({ requirement: "text that is not blank" }),
  agent: z.string().optional().describe("Default general"),
  timeout: z.number().positive().max(100).optional(),
  tries: z.number().int().min(1).max(5).optional(),
  ratio: z.number().optional(),
  secret: z.string().min(8).optional(),
})
const Schema = z.strictObject({
  tasks: z.array(Task).min(1).max(3).optional(),
  ids: z.array(z.string()).min(1).optional(),
  names: z.array(z.string()).optional(),
  until: z.enum(["all", "any"]).optional(),
  isAll: z.boolean().optional(),
  version: z.literal(2).optional(),
  size: z.number().int().min(1).optional(),
  port: z.string().transform(Number).optional(),
  states: z
    .string()
    .max(20)
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(["on", "off"])))
    .meta({ requirement: "on or off, separated by commas" })
    .optional(),
})

const problemsOf = (given: unknown, name?: string) => {
  const read = parse(Schema, given, name)
  return read.ok ? [] : read.problems
}

describe("A value from outside", () => {
  it("is taken as it is where it is right", () => {
    const given = { tasks: [{ prompt: "go", timeout: 5 }], until: "any" }
    expect(parse(Schema, given)).toEqual({ ok: true, value: given })
  })

  it.each<[object, string]>([
    [{ tasks: [{}] }, "tasks[0].prompt is missing: it must be text that is not blank"],
    [{ tasks: [{ prompt: " \n" }] }, 'tasks[0].prompt is " \\n": it must be text that is not blank'],
    [{ tasks: [{ prompt: "x", agent: 7 }] }, "tasks[0].agent is 7: it must be text"],
    [
      { tasks: [{ prompt: "x", timeout: 0 }] },
      "tasks[0].timeout is 0: it must be a number, above 0 and at most 100",
    ],
    [
      { tasks: [{ prompt: "x", tries: 1.5 }] },
      "tasks[0].tries is 1.5: it must be a whole number, at least 1 and at most 5",
    ],
    [{ tasks: [{ prompt: "x", ratio: "half" }] }, 'tasks[0].ratio is "half": it must be a number'],
    [
      { tasks: [{ prompt: "x", colour: "red" }] },
      "tasks[0].colour is unknown; valid names: prompt, agent, timeout, tries, ratio, secret",
    ],
    [
      { tasks: [{ prompt: "x", secret: "short" }] },
      "tasks[0].secret has 5 characters: it must have at least 8",
    ],
    [
      { tasks: [{ prompt: "x", secret: 7 }] },
      "tasks[0].secret is 7: it must be text of at least 8 characters",
    ],
    [{ tasks: [7] }, "tasks[0] is 7: it must be an object"],
    [{ tasks: [null] }, "tasks[0] is null: it must be an object"],
    [{ tasks: [] }, "tasks is empty: it must be a list of 1 to 3"],
    [{ tasks: "all" }, 'tasks is "all": it must be a list of 1 to 3'],
    [
      { tasks: Array(4).fill({ prompt: "go and look" }) },
      "tasks is a list of 4: it must be a list of 1 to 3",
    ],
    [{ ids: [] }, "ids is empty: it must be a list that is not empty"],
    [{ ids: ["a", 1] }, "ids[1] is 1: it must be text"],
    [{ names: {} }, "names is {}: it must be a list"],
    [{ until: "most" }, 'until is "most": it must be "all" or "any"'],
    [{ isAll: "yes" }, 'isAll is "yes": it must be true or false'],
    [{ version: 3 }, "version is 3: it must be 2"],
    [{ size: 0 }, "size is 0: it must be a whole number, at least 1"],
    [{ port: 80 }, "port is 80: it must be text"],
    [{ states: "on,up" }, 'states is "on,up": it must be on or off, separated by commas'],
    [{ states: "on,".repeat(7) }, "states has 21 characters: it must have at most 20"],
    [
      { wait: true },
      "wait is unknown; valid names: tasks, ids, names, until, isAll, version, size, port, states",
    ],
  ])("is named where it is wrong, with what would be right: %o", (given, problem) => {
    expect(problemsOf(given)).toEqual([problem])
  })

  it("is told where a field belongs that stands in the wrong place", () => {
    const Entry = z.strictObject({
      name: z.string().optional(),
      from: z.union([z.string(), z.strictObject({ id: z.string() })]).optional(),
      limits: z.strictObject({ cost: z.number() }).optional(),
    })
    const Call = z.strictObject({
      entries: z.array(Entry).optional(),
      wait: z.boolean().optional(),
      budget: z.strictObject({ tokens: z.number() }).optional(),
      needs: z.array(z.union([z.string(), z.strictObject({ on: z.string() })])).optional(),
    })
    const placesOf = (given: unknown) => {
      const read = parse(Call, given)
      return read.ok ? [] : read.problems
    }
    const belongs = (name: string, place: string) => `${name} is out of place: it belongs ${place}`
    expect(placesOf({ entries: [{}, { wait: true }] })).toEqual([
      belongs("entries[1].wait", "beside entries"),
    ])
    expect(placesOf({ entries: [{ limits: { cost: 1, wait: true } }] })).toEqual([
      belongs("entries[0].limits.wait", "beside entries"),
    ])
    expect(placesOf({ entries: [{ limits: { cost: 1, name: "x" } }] })).toEqual([
      belongs("entries[0].limits.name", "beside entries[0].limits"),
    ])
    expect(placesOf({ entries: [{ tokens: 1 }] })).toEqual([belongs("entries[0].tokens", "in budget")])
    expect(placesOf({ entries: [{ cost: 1 }] })).toEqual([belongs("entries[0].cost", "in entries[0].limits")])
    expect(placesOf({ entries: [{ id: "a" }] })).toEqual([belongs("entries[0].id", "in entries[0].from")])
    expect(placesOf({ name: "x" })).toEqual([belongs("name", "in the entries of entries")])
    expect(placesOf({ on: "end" })).toEqual([belongs("on", "in the entries of needs")])
    expect(placesOf({ toString: 1 })).toEqual([
      "toString is unknown; valid names: entries, wait, budget, needs",
    ])
    const part = { whole: Call, path: ["entries", 3] }
    expect(parse(Entry, { wait: true, colour: "red" }, part)).toEqual({
      ok: false,
      problems: [
        belongs("entries[3].wait", "beside entries"),
        "entries[3].colour is unknown; valid names: name, from, limits",
      ],
    })
  })

  it("is shown in a line, however long it is", () => {
    const [problem = ""] = problemsOf({ ids: `one\n${"x".repeat(1_000)}` })
    expect(problem).toMatch(/^ids is "one\\nx{50,}…: it must be a list that is not empty$/)
    expect(problem.length).toBeLessThan(120)
  })

  it("is shown whole up to 60 characters", () => {
    const [whole, longer] = [58, 59].map((length) => "x".repeat(length))
    expect(problemsOf({ ids: whole })).toEqual([`ids is "${whole}": it must be a list that is not empty`])
    expect(problemsOf({ ids: longer })).toEqual([`ids is "${longer}…: it must be a list that is not empty`])
  })

  it("has each of its problems named, each field once", () => {
    expect(problemsOf({ tasks: [{ tries: 0.5 }], wait: 1, parallel: 2 })).toEqual([
      "tasks[0].prompt is missing: it must be text that is not blank",
      "tasks[0].tries is 0.5: it must be a whole number, at least 1 and at most 5",
      "wait is unknown; valid names: tasks, ids, names, until, isAll, version, size, port, states",
      "parallel is unknown; valid names: tasks, ids, names, until, isAll, version, size, port, states",
    ])
  })

  it("goes by the name that people know it by", () => {
    expect(problemsOf(7)).toEqual(["the value is 7: it must be an object"])
    expect(problemsOf(7, "the options")).toEqual(["the options is 7: it must be an object"])
    expect(problemsOf({ until: 1 }, "the options")).toEqual([
      'the options.until is 1: it must be "all" or "any"',
    ])
    const list = parse(z.array(Task), [{}], "tasks")
    expect(list).toMatchObject({
      problems: ["tasks[0].prompt is missing: it must be text that is not blank"],
    })
  })
})
