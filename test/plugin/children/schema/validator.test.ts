import { Ajv2020 } from "ajv/dist/2020.js"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Plain } from "../../../../src/plugin/children/schema/reading.ts"
import { compileSchema } from "../../../../src/plugin/children/schema/validator.ts"

function problemsWith(schema: Plain, value: unknown): string[] {
  const compiled = compileSchema(schema, "the schema")
  if (!compiled.ok) throw new Error(compiled.problems.join("; "))
  return compiled.problems(value)
}

function refusal(schema: Plain): string[] {
  const compiled = compileSchema(schema, "tasks[0].schema")
  return compiled.ok ? [] : compiled.problems
}

/** So many schemas, each of which refers to the next one twice: checking the first would double with each. */
const bomb = (length: number): Plain => ({
  $ref: "#/$defs/d0",
  $defs: Object.fromEntries(
    Array.from({ length }, (_, index) => {
      const next = { $ref: `#/$defs/d${index + 1}` }
      return [`d${index}`, index === length - 1 ? {} : { allOf: [next, next] }]
    }),
  ),
})
const nested = (levels: number): Plain =>
  Array.from({ length: levels }).reduce<Plain>((inner) => ({ not: inner }), {})
const texts = (length: number) => Array.from({ length }, (_, index) => `field${index}`)

describe("A schema is refused", () => {
  it.each<[string, Plain, string]>([
    [
      "a keyword that is none",
      { name: "string" },
      `.name is no keyword of JSON Schema that is supported; fields stand under "properties"`,
    ],
    [
      "one further in",
      { properties: { "odd one": { kind: 1 } } },
      `.properties["odd one"].kind is no keyword of JSON Schema that is supported`,
    ],
    [
      "a type that is none",
      { items: { type: "strng" } },
      `.items.type is "strng": it must be "object", "array", `,
    ],
    ["no type at all", { type: [] }, ".type is []: it must be "],
    [
      "a schema that is none",
      { properties: { a: "number" } },
      `.properties.a is "number": it must be a schema`,
    ],
    ["fields that are none", { properties: ["a"] }, `.properties is ["a"]: it must be an object of schemas`],
    [
      "a length that is none",
      { anyOf: [{}, { maxLength: -1 }] },
      ".anyOf[1].maxLength is -1: it must be a whole number, at least 0",
    ],
    ["names that are none", { required: "a" }, `.required is "a": it must be a list of texts`],
    ["a bound that is none", { minimum: "1" }, `.minimum is "1": it must be a number`],
    ["a bound of draft 4", { exclusiveMinimum: true }, ".exclusiveMinimum is true: it must be a number"],
    [
      "a field that nothing can check",
      JSON.parse('{"properties": {"a": {"properties": {"__proto__": {"type": "string"}}}}}'),
      ".properties.a.properties.__proto__ is a name that cannot be checked: choose another",
    ],
    [
      "a field that nothing can check, which is taken for what the others inherit",
      { properties: Object.create({ type: "string" }) },
      ".properties.__proto__ is a name that cannot be checked",
    ],
    [
      "a keyword of that name",
      JSON.parse('{"__proto__": {}}'),
      ".__proto__ is a name that cannot be checked",
    ],
    [
      "a pattern of that name",
      JSON.parse('{"patternProperties": {"__proto__": {}}}'),
      ".patternProperties.__proto__ is a name that cannot be checked",
    ],
    [
      "a dependency of that name",
      JSON.parse('{"dependencies": {"__proto__": {}}}'),
      ".dependencies.__proto__ is a name that cannot be checked",
    ],
    [
      "a requirement of that name",
      JSON.parse('{"dependentRequired": {"__proto__": ["a"]}}'),
      ".dependentRequired.__proto__ is a name that cannot be checked",
    ],
    ["a step of nothing", { multipleOf: 0 }, ".multipleOf is 0: it must be a number above 0"],
    ["no choice", { enum: [] }, ".enum is []: it must be a list that is not empty"],
    ["no choice of schemas", { oneOf: [] }, ".oneOf is []: it must be a list of schemas that is not empty"],
    ["a flag that is none", { uniqueItems: 1 }, ".uniqueItems is 1: it must be true or false"],
    ["a pattern that is none", { pattern: "(" }, ".pattern is no regular expression"],
    ["another one", { patternProperties: { "[": {} } }, `.patternProperties["["] is no regular expression`],
    [
      "a pattern that cannot be checked safely",
      { pattern: "(a)\\1" },
      ".pattern refers back to a group, which is not supported",
    ],
    [
      "another document",
      { $ref: "https://example.com/s.json" },
      `.$ref is "https://example.com/s.json": it must be a place in this schema, as "#/$defs/name": others are not read`,
    ],
    [
      "a file",
      { items: { $ref: "file:///etc/passwd" } },
      `.items.$ref is "file:///etc/passwd": it must be a place in this schema`,
    ],
    [
      "a place that is not there",
      { $ref: "#/$defs/a", $defs: { b: {} } },
      `.$ref is "#/$defs/a": there is no schema there`,
    ],
    [
      "a place that is no schema",
      { $ref: "#/enum", enum: [1] },
      `.$ref is "#/enum": there is no schema there`,
    ],
    ["a place that cannot be read", { $ref: "#/%" }, `.$ref is "#/%": there is no schema there`],
    [
      'items that nothing has looked at, where what "contains" has looked at would count',
      { unevaluatedItems: false, allOf: [{ contains: { const: 1 } }] },
      '.unevaluatedItems cannot be checked where the schema also has "contains": use "items" and "prefixItems"',
    ],
    ["itself", { $ref: "#" }, " refers to itself without end, or is too deep"],
    [
      "itself by way of others",
      { allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { anyOf: [{ $ref: "#" }] } } },
      " refers to itself without end",
    ],
    ["more evaluations than anybody can wait for", bomb(40), " refers to itself without end"],
    ["too many levels", nested(60), "is nested too deep: at most 50 levels"],
    ["levels without end", nested(20_000), " is nested too deep: it may have at most 30000"],
    ["too much", { enum: texts(3_000) }, " has 34900 characters of JSON: it may have at most 30000"],
    [
      "too many schemas",
      { properties: Object.fromEntries(texts(600).map((name) => [name, {}])) },
      " has more than 500 schemas in it",
    ],
  ])("for %s, with the place", (_, schema, words) => {
    expect(refusal(schema)[0]).toMatch(/^tasks\[0\]\.schema/)
    expect(refusal(schema)[0]?.replace("tasks[0].schema", "")).toContain(words)
  })

  it.each<[string, Plain, string]>([
    [
      "an odd keyword",
      { "odd one": 1 },
      '["odd one"] is no keyword of JSON Schema that is supported; fields stand under "properties"',
    ],
    [
      "one further in, which is no field's",
      { items: { name: 1 } },
      ".items.name is no keyword of JSON Schema that is supported",
    ],
    [
      "too many schemas",
      { allOf: Array.from({ length: 500 }, () => ({})) },
      " has more than 500 schemas in it",
    ],
    ["dependencies that are none", { dependencies: 7 }, ".dependencies is 7: it must be an object"],
    [
      "a mistake in one of them",
      { dependencies: { a: { not: 7 } } },
      ".dependencies.a.not is 7: it must be a schema",
    ],
    [
      "a list of fields that is none",
      { dependentRequired: { a: ["b"], c: "d" } },
      '.dependentRequired is {"a":["b"],"c":"d"}: it must be an object of lists of texts',
    ],
    ["a bound that is no number", { minimum: "1" }, '.minimum is "1": it must be a number'],
    ["a step that is no number", { multipleOf: "2" }, '.multipleOf is "2": it must be a number above 0'],
    ["a pattern that is no text", { pattern: 7 }, ".pattern is 7: it must be a regular expression"],
    [
      "a place in a list",
      { $ref: ["#"] },
      '.$ref is ["#"]: it must be a place in this schema, as "#/$defs/name": others are not read',
    ],
    [
      "a place in another",
      { $ref: "a.json#/b" },
      '.$ref is "a.json#/b": it must be a place in this schema, as "#/$defs/name": others are not read',
    ],
  ])("for %s, in these words", (_, schema, words) => {
    expect(refusal(schema)).toEqual([`tasks[0].schema${words}`])
  })

  it("for a type that is none beside one that is", () => {
    expect(refusal({ type: ["text", "null"] })).toEqual([
      expect.stringContaining('.type is ["text","null"]: '),
    ])
  })

  it.each<[string, Plain]>([
    ["a bound of 0, or below", { minimum: 0, maximum: -1 }],
    ["names that would be no patterns", { properties: { "a(": {} } }],
  ])("not for %s", (_, schema) => {
    expect(refusal(schema)).toEqual([])
  })

  it("with all that is wrong with it, up to a few", () => {
    expect(refusal({ type: 1, properties: { a: 2, b: { pattern: "[" } } })).toEqual([
      expect.stringContaining(".type is 1"),
      expect.stringContaining(".properties.a is 2"),
      expect.stringContaining(".properties.b.pattern is no regular expression"),
    ])
    const wrong = (count: number) =>
      refusal({ properties: Object.fromEntries(texts(count).map((name) => [name, 1])) })
    expect(wrong(5).at(-1)).toContain(".properties.field4 is 1")
    expect(wrong(9)).toHaveLength(6)
    expect(wrong(9).at(-1)).toBe("4 more")
  })

  it("for what is too much of it, and not before", () => {
    const fields = (count: number) => ({
      properties: Object.fromEntries(texts(count).map((name) => [name, {}])),
    })
    const ofCharacters = (count: number) => ({ title: "x".repeat(count - '{"title":""}'.length) })
    for (const sound of [nested(50), fields(499), ofCharacters(30_000)]) expect(refusal(sound)).toEqual([])
    for (const large of [nested(51), fields(500), ofCharacters(30_001)])
      expect(refusal(large)).toHaveLength(1)
  })

  it("where a place or a value is long, with the beginning of it", () => {
    const name = "n".repeat(300)
    expect(refusal({ properties: { [name]: { type: "t".repeat(300) } } })[0]).toMatch(
      /^tasks\[0\]\.schema\.properties\.n{109}… is "t{59}…: it must be/,
    )
  })
})

describe("A value", () => {
  it.each<[string, Plain, unknown, string[]]>([
    ["fits", { type: "object", properties: { a: { type: "integer" } } }, { a: 1 }, []],
    [
      "has the wrong type somewhere",
      { properties: { a: { items: { type: "integer" } } } },
      { a: [1, "2"] },
      ['a[1] is "2": it must be a whole number'],
    ],
    [
      "does not match its pattern, which is another than that of the field beside it",
      { properties: { a: { pattern: "^x" }, b: { pattern: "^y" } }, patternProperties: { "^c": false } },
      { a: "x", b: "x", d: 1 },
      ['b is "x": it must match the pattern "^y"'],
    ],
    ["lacks a field", { required: ["a"] }, {}, ["a is missing"]],
    ["lacks one that every object inherits", { required: ["toString"] }, {}, ["toString is missing"]],
    ["has a field too many", { additionalProperties: false }, { b: 1 }, ["b is a field too many"]],
    ["is not among the choices", { enum: ["x", 2] }, "y", ['the value is "y": it must be one of "x", 2']],
    ["is not the one", { const: { a: 1 } }, 1, ['the value is 1: it must be {"a":1}']],
    [
      "has a bad name",
      { propertyNames: { maxLength: 1 } },
      { ab: 1 },
      ['the value has the name "ab": it must have at most 1 character'],
    ],
    [
      "has twins",
      { uniqueItems: true },
      [
        { a: 1, b: [{ c: 1, d: 2 }] },
        { b: [{ d: 2, c: 1 }], a: 1 },
      ],
      ["the value has the same item twice"],
    ],
    ["has none", { uniqueItems: true }, [1, "1", [1], { 1: 1 }, null, "null"], []],
    ["need not be unique", { uniqueItems: false }, [1, 1], []],
    ["is a multiple, whatever the processor says", { multipleOf: 0.01 }, 0.07, []],
    ["is none", { multipleOf: 0.01 }, 0.075, ["the value is 0.075: it must be a multiple of 0.01"]],
    [
      "does not match",
      { pattern: "^(a+)+$" },
      `${"a".repeat(99)}!`,
      [`the value is "${"a".repeat(59)}…: it must match the pattern "^(a+)+$"`],
    ],
    [
      "does not match the second of two patterns",
      { properties: { a: { pattern: "^x" }, b: { pattern: "^y" } } },
      { a: "x", b: "x" },
      [`b is "x": it must match the pattern "^y"`],
    ],
    [
      "has a list as drafts up to 2019-09 describe it",
      { items: [{ type: "string" }], additionalItems: false },
      ["a", 1],
      ["the value is a list of 2: it must have at most 1 item"],
    ],
    [
      "is deep in one that refers to itself",
      { properties: { next: { $ref: "#" }, n: { type: "number" } } },
      { next: { next: { n: "1" } } },
      ['next.next.n is "1": it must be a number'],
    ],
    [
      "refers to names that stand otherwise in a reference",
      {
        properties: { a: { $ref: "#/$defs/a~1b" }, b: { $ref: "#/$defs/c%20%25" }, c: { $ref: "#/$defs/ä" } },
        $defs: { "a/b": { type: "null" }, "c %": { type: "null" }, ä: { type: "null" } },
      },
      { a: 1, b: 1, c: 1 },
      ["a is 1: it must be null", "b is 1: it must be null", "c is 1: it must be null"],
    ],
    [
      "is annotated alone",
      {
        title: "t",
        format: "email",
        default: 1,
        "x-order": 2,
        $schema: "http://json-schema.org/draft-07/schema#",
        $id: "https://example.com/a",
      },
      "no address",
      [],
    ],
    [
      "has names out of the ordinary",
      { properties: { "a/b": { items: { type: "null" } } } },
      { "a/b": [1] },
      [`["a/b"][0] is 1: it must be null`],
    ],
    [
      "has names that look like signs or numbers",
      { properties: Object.fromEntries(["a~b", "v1", "1st"].map((name) => [name, { type: "null" }])) },
      { "a~b": 1, v1: 1, "1st": 1 },
      [`["a~b"] is 1: it must be null`, "v1 is 1: it must be null", "1st is 1: it must be null"],
    ],
    [
      "has a wrong item far behind",
      { items: { type: "null" } },
      [...Array.from({ length: 12 }, () => null), 1],
      ["[12] is 1: it must be null"],
    ],
  ])("that %s", (_, schema, value, problems) => {
    expect(problemsWith(schema, value)).toEqual(problems)
  })

  it.each<[string, Plain, unknown, string]>([
    ["is no text", { type: "string" }, 1, "the value is 1: it must be text"],
    ["is no truth", { type: "boolean" }, "no", 'the value is "no": it must be true or false'],
    ["is no list", { type: "array" }, {}, "the value is an object: it must be a list"],
    [
      "is neither",
      { type: ["object", "null"] },
      [1],
      "the value is a list of 1: it must be an object or null",
    ],
    ["is too small", { minimum: 2 }, 1, "the value is 1: it must be at least 2"],
    ["is too large", { maximum: 2 }, 3, "the value is 3: it must be at most 2"],
    ["is too small by a hair", { exclusiveMinimum: 2 }, 2, "the value is 2: it must be above 2"],
    ["is too large by a hair", { exclusiveMaximum: 2 }, 2, "the value is 2: it must be below 2"],
    ["is too short", { minLength: 2 }, "a", 'the value is "a": it must have at least 2 characters'],
    ["is too long", { maxLength: 1 }, "ab", 'the value is "ab": it must have at most 1 character'],
    ["has too few items", { minItems: 1 }, [], "the value is a list of 0: it must have at least 1 item"],
    ["has too many items", { maxItems: 1 }, [1, 2], "the value is a list of 2: it must have at most 1 item"],
    [
      "has an item too many",
      { unevaluatedItems: false, prefixItems: [{}] },
      [1, 2],
      "the value is a list of 2: it must have at most 1 item",
    ],
    [
      "has too few fields",
      { minProperties: 2 },
      { a: 1 },
      "the value is an object: it must have at least 2 fields",
    ],
    [
      "has too many fields",
      { maxProperties: 0 },
      { a: 1 },
      "the value is an object: it must have at most 0 fields",
    ],
    [
      "has a field that no part of it has",
      { unevaluatedProperties: false },
      { a: 1 },
      "a is a field too many",
    ],
    ["has a field that is not to be", { properties: { a: false } }, { a: 1 }, "a must not be there"],
    ["lacks a field further in", { items: { required: ["b.c"] } }, [{}], '[0]["b.c"] is missing'],
    [
      "lacks a field that another calls for",
      { dependentRequired: { a: ["b"] } },
      { a: 1 },
      "b is missing, which must be there where a is",
    ],
    [
      "lacks one that another calls for, in the words of earlier drafts",
      { dependencies: { a: ["b"] } },
      { a: 1 },
      "b is missing, which must be there where a is",
    ],
    [
      "has too few of some items",
      { contains: { const: 1 }, minContains: 2 },
      [1],
      'the value is a list of 1: it must have at least 2 of the items that "contains" asks for',
    ],
    [
      "has too many of some items",
      { contains: { const: 1 }, maxContains: 1 },
      [1, 1],
      'the value is a list of 2: it must have at least 1 and at most 1 of the items that "contains" asks for',
    ],
    ["fits none", { anyOf: [false] }, 1, 'the value is 1: it must fit one of the schemas in "anyOf"'],
    [
      "fits more than one",
      { oneOf: [true, true] },
      1,
      'the value is 1: it must fit one of the schemas in "oneOf", and no other of them',
    ],
    ["fits", { not: true }, null, 'the value is null: it must not fit the schema in "not"'],
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    ["fits no more", { if: true, then: false }, 1, 'the value is 1: it must fit the schema in "then"'],
    [
      "is long",
      { items: { type: "number" } },
      ["x".repeat(500)],
      `[0] is "${"x".repeat(59)}…: it must be a number`,
    ],
  ])("that %s is told so in plain words", (_, schema, value, words) => {
    expect(problemsWith(schema, value)).toContain(words)
  })

  it("with much that is wrong is told of some of it", () => {
    const problems = problemsWith(
      { items: { type: "string" } },
      Array.from({ length: 1_000 }, (_, index) => index),
    )
    expect(problems).toHaveLength(9)
    expect(problems.at(-1)).toBe("992 more")
    const eight = problemsWith({ items: { type: "string" } }, [0, 1, 2, 3, 4, 5, 6, 7])
    expect(eight.at(-1)).toBe("[7] is 7: it must be text")
  })

  it.each([200_000, 1_200_000])(
    "with more that is wrong than can be looked for, %i items, is told what was found first",
    (count) => {
      expect(
        problemsWith(
          { items: { type: "string" } },
          Array.from({ length: count }, () => 0),
        ),
      ).toEqual(["[0] is 0: it must be text"])
    },
  )

  it.each<[string, Plain, unknown]>([
    [
      "doubles the work with each level",
      {
        $ref: "#/$defs/n",
        $defs: {
          n: {
            anyOf: [
              { type: "array", items: { $ref: "#/$defs/n" } },
              { type: "array", items: { $ref: "#/$defs/n" } },
            ],
          },
        },
      },
      JSON.parse(`${"[".repeat(60)}1${"]".repeat(60)}`),
    ],
    [
      "has many patterns for many texts",
      {
        items: {
          allOf: Array.from({ length: 200 }, (_, index) => ({ pattern: `^(a|aa)+$`, title: `${index}` })),
        },
      },
      Array.from({ length: 1_000 }, () => "a".repeat(100)),
    ],
  ])("is given up where it %s", (_, schema, value) => {
    expect(problemsWith(schema, value)).toEqual(["it takes too long to check against its schema"])
  })
})

describe("What fits", () => {
  const name = fc.constantFrom("a", "b", "c")
  const { schema } = fc.letrec<{ schema: object; more: object | boolean }>((tie) => {
    const some = <T>(each: fc.Arbitrary<T>) => fc.array(each, { minLength: 1, maxLength: 2 })
    const keywords = {
      type: fc.oneof(
        fc.constantFrom("object", "array", "string", "integer"),
        fc.constant(["null", "number"]),
      ),
      enum: some(fc.jsonValue({ maxDepth: 1 })),
      minimum: fc.integer({ min: -2, max: 2 }),
      maxLength: fc.integer({ min: 0, max: 3 }),
      pattern: fc.constantFrom("^a", "b+$", "^(a|b)*$", "."),
      properties: fc.dictionary(name, tie("more"), { maxKeys: 2 }),
      patternProperties: fc.dictionary(fc.constantFrom("a", "^b"), tie("more"), { maxKeys: 2 }),
      additionalProperties: tie("more"),
      unevaluatedProperties: fc.boolean(),
      unevaluatedItems: fc.boolean(),
      required: fc.uniqueArray(name, { maxLength: 2 }),
      propertyNames: tie("more"),
      dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), { maxKeys: 2 }),
      dependentSchemas: fc.dictionary(name, tie("more"), { maxKeys: 2 }),
      items: tie("more"),
      prefixItems: some(tie("more")),
      contains: tie("more"),
      uniqueItems: fc.boolean(),
      minItems: fc.integer({ min: 0, max: 2 }),
      allOf: some(tie("more")),
      anyOf: some(tie("more")),
      oneOf: some(tie("more")),
      not: tie("more"),
      if: tie("more"),
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: tie("more"),
      else: tie("more"),
      title: fc.constant("a title"),
    }
    const entries = Object.entries(keywords).map(([keyword, value]) => fc.tuple(fc.constant(keyword), value))
    return {
      more: fc.oneof({ maxDepth: 3 }, fc.boolean(), tie("schema")),
      schema: fc.array(fc.oneof(...entries), { maxLength: 4 }).map((found) => Object.fromEntries(found)),
    }
  })
  const value = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom(null, true, 0, 1, -3, 1.5, "", "a", "ab", "bcd"),
      fc.array(tie("value"), { maxLength: 3 }),
      // No answer, which is JSON, has an object without a prototype.
      fc.dictionary(name, tie("value"), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).value

  const ajv = new Ajv2020({
    strict: false,
    validateSchema: false,
    meta: false,
    logger: false,
    ownProperties: true,
  })

  /** As both come from a text: fast-check also makes objects without a prototype, which ajv takes for others. */
  const asJson = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T> =>
    each.map((made) => JSON.parse(JSON.stringify(made)))

  /** What an `if` has looked at that does not hold, ajv forgets only where it sees that nothing follows from it. */
  const isClear = (asked: object) => {
    const text = JSON.stringify(asked)
    const has = (...keywords: string[]) => keywords.every((keyword) => text.includes(`"${keyword}`))
    // An empty list fits, for ajv, beside `prefixItems` whatever it has to contain.
    if (has("if", "unevaluated") || has("prefixItems", "contains")) return false
    // Refused: what ajv says of it is not what JSON Schema says.
    return !has("contains", "unevaluatedItems")
  }

  /** With account of what has been looked at, as it comes, it fails at some schemas. */
  const outcome = (check: () => boolean) => {
    try {
      return check()
    } catch {
      return "throws"
    }
  }

  it("is no empty list where it has to contain something, whatever its first items are to be", () => {
    const schema = { prefixItems: [{ type: "string" }], contains: { type: "string" } }
    expect(problemsWith(schema, [])).toContain("the value is a list of 0: it must have at least 1 item")
    expect(problemsWith(schema, ["a"])).toEqual([])
    expect(problemsWith({ ...schema, minContains: 0 }, [])).toEqual([])
  })

  it("is what fits for ajv as it comes", () => {
    fc.assert(
      fc.property(
        asJson(schema.filter(isClear)),
        asJson(fc.array(value, { minLength: 3, maxLength: 3 })),
        (asked, values) => {
          const fits = ajv.compile(asked)
          const compiled = compileSchema({ ...asked }, "the schema")
          if (!compiled.ok) throw new Error(compiled.problems.join())
          for (const each of values) {
            const expected = outcome(() => fits(each))
            if (expected !== "throws")
              expect(compiled.problems(each).length === 0, JSON.stringify(each)).toBe(expected)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
