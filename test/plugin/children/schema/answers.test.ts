import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkOf } from "../../../../src/plugin/children/schema/answer.ts"
import { checkFor, loadSchema } from "../../../../src/plugin/children/schema/schemas.ts"

const wanted = {
  type: "object",
  properties: { n: { type: "integer" } },
  required: ["n"],
  additionalProperties: false,
}
const check = await checkFor(wanted)
const anything = checkOf(() => [])

describe("An answer is read", () => {
  it.each([
    ["as it is", '{"n":1}'],
    ["with space around it", '\n  {"n": 1}\n'],
    ["in a fenced block", 'Here it is:\n```json\n{"n": 1}\n```\nI hope it helps.'],
    ["in a block of another kind", '~~~\n{"n": 1}\n~~~'],
    ["in an indented block", 'So:\n  ```JSON\n  {"n": 1}\n  ```'],
    ["in the last of several blocks", '```json\n{"n": 7}\n```\nNo, rather:\n```json\n{"n": 1}\n```'],
    ["in the last that fits", '```json\n{"n": 1}\n```\nas in\n```json\n{"name": 7}\n```'],
    ["after prose", 'I looked at [1] and {a}. The result is {"n": 1}'],
    ["before prose", '{"n": 1} is the result, see [2].'],
    ["in prose whose quotes are odd", 'It is 5" long: {"n": 1}'],
    ["behind a bracket that is never closed", 'see [ and {"n": 1}'],
    ["behind a great many brackets", `${"[x] ".repeat(100_000)}{"n": 1}`],
    ["in brackets that are no JSON", 'the result (see {note: {"n": 1}})'],
    ["with a text of brackets before it", '"[{" {"n": 1}'],
  ])("%s", (_, answer) => {
    expect(check(answer)).toEqual({ value: { n: 1 } })
  })

  it.each([
    ["there is none", "I could not find it.", ["it has no JSON value"]],
    ["it is empty", "", ["it has no JSON value"]],
    ["it is cut off", '{"n": ', ["it has no JSON value"]],
    ["it does not fit", 'Well:\n```\n{"n": "1"}\n```', ['n is "1": it must be a whole number']],
    [
      "it is far too long",
      `{"n": 1}${" ".repeat(500_000)}`,
      ["it has 500008 characters: more than 500000 are not read"],
    ],
    ["it is far too deep", `${"[".repeat(10_000)}${"]".repeat(10_000)}`, ["it has no JSON value"]],
  ])("and what is wrong is said where %s", (_, answer, problems) => {
    expect(check(answer)).toEqual({ problems })
  })

  it.each([
    ["a number in a fenced block", "It is:\n```json\n7\n```\nas I said", 7],
    ["behind a block that has none", '```\nwords\n```\nso {"n": 1}', { n: 1 }],
    ["behind a byte order mark", "\uFEFF7", 7],
    ["the last of several", 'not {"n": 1} but {"n": 2}', { n: 2 }],
    ["the last of two without space between them", 'so {"n": 1}{"n": 2}', { n: 2 }],
    ["with brackets in its texts", 'so {"a": "}", "b": "[{"} is it', { a: "}", b: "[{" }],
    ["with quotes in its texts", String.raw`so {"a": "\"}", "b": "\\"} is it`, { a: '"}', b: "\\" }],
  ])("%s", (_, answer, value) => {
    expect(anything(answer)).toEqual({ value })
  })

  it("down to 100 levels, and no deeper", () => {
    const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`
    expect(anything(nested(100))).toHaveProperty("value")
    expect(anything(nested(101))).toEqual({ problems: ["it has no JSON value"] })
  })

  it("of 500,000 characters, and no longer", () => {
    expect(check(`{"n": 1}${" ".repeat(499_992)}`)).toEqual({ value: { n: 1 } })
    expect(check(`{"n": 1}${" ".repeat(499_993)}`)).toHaveProperty("problems")
  })

  it.each([
    ["values", (value: string) => `${value} `],
    ["blocks", (value: string) => `\`\`\`\n${value}\n\`\`\`\n`],
  ])("among the last 200 %s, and not further up", (_, written) => {
    const followedBy = (count: number) => written('{"n": 1}') + written('{"x": 0}').repeat(count)
    expect(check(followedBy(199))).toEqual({ value: { n: 1 } })
    expect(check(followedBy(200))).toHaveProperty("problems")
  })

  it("as what JSON can say: a number beyond all bounds is none", () => {
    expect(anything("1e999")).toEqual({ value: null })
  })

  it("whatever words stand around it", () => {
    const prose = fc.string({ unit: fc.constantFrom("a", " ", "\n", ".", "'", "(", "}", "]", "`") })
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), prose, prose, (value, before, after) => {
        fc.pre(value instanceof Object)
        const same: unknown = JSON.parse(JSON.stringify(value))
        expect(anything(`${before}${JSON.stringify(value)}${after}`)).toEqual({ value: same })
      }),
    )
  })
})

describe("A schema", () => {
  it("is compiled once for all that have the same", async () => {
    const [one, another] = await Promise.all([loadSchema({ ...wanted }), loadSchema({ ...wanted })])
    expect(one).toBe(another)
    expect(await loadSchema(wanted)).toBe(one)
    expect(await loadSchema({ ...wanted, type: "array" })).not.toBe(one)
  })

  it("is kept until 64 others were asked for since", async () => {
    const first = await loadSchema({ const: "first" })
    const second = await loadSchema({ const: "second" })
    for (let index = 0; index < 63; index++) await loadSchema({ const: index })
    expect(await loadSchema({ const: "second" })).toBe(second)
    expect(await loadSchema({ const: "first" })).not.toBe(first)
  })

  it("that could not be compiled once may be the next time, and until then says why", async () => {
    let reads = 0
    const schema = {
      get type() {
        if (++reads === 3) throw new Error("no memory")
        return "object"
      },
    }
    expect(await loadSchema(schema, "tasks[0].schema")).toEqual({
      ok: false,
      problems: ["tasks[0].schema could not be compiled: no memory"],
    })
    expect(await loadSchema(schema, "tasks[0].schema")).toMatchObject({ ok: true })
  })

  it("that is nested without end is refused by the name that it has", async () => {
    const schema = Array.from({ length: 100_000 }).reduce<Record<string, unknown>>(
      (inner) => ({ not: inner }),
      {},
    )
    for (const name of ["tasks[0].schema", "tasks[1].schema"])
      expect(await loadSchema(schema, name)).toEqual({
        ok: false,
        problems: [expect.stringContaining(`${name} is nested too deep`)],
      })
  })

  it("that cannot be had lets nothing fit", async () => {
    expect((await checkFor({ type: "none" }))("1")).toEqual({
      problems: [expect.stringContaining(`the schema.type is "none"`)],
    })
  })
})
