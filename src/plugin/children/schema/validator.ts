import core, { type ErrorObject } from "ajv/dist/core.js"
import applicator from "ajv/dist/vocabularies/applicator/index.js"
import coreVocabulary from "ajv/dist/vocabularies/core/index.js"
import next from "ajv/dist/vocabularies/next.js"
import unevaluated from "ajv/dist/vocabularies/unevaluated/index.js"
import validation from "ajv/dist/vocabularies/validation/index.js"
import { toDotPath } from "zod/v4/core"
import { excerpt } from "../../records/words.ts"
import { Effort, TooMuchEffort } from "./effort.ts"
import { compilePattern } from "./pattern.ts"
import { EFFORT, type Plain, readSchema } from "./reading.ts"

/*
 * ajv, for it alone lets its regular expressions and keywords be replaced, without which a schema could freeze
 * opencode; it is also the most used and best kept. @cfworker/json-schema has a fifth of its size but no such hooks,
 * @hyperjump/json-schema checks asynchronously and says nothing in words, and zod's fromJSONSchema lacks much of
 * JSON Schema. It compiles with `new Function`, out of what `readSchema` has let through.
 */

/** What a check may cost, in evaluations of schemas and steps of patterns: about a second. */
const mostEffort = 10_000_000
/** Of what is wrong with a value, so much is said. */
const mostProblems = 8
const shownLength = 100

export type Compiled =
  /** `problems`: what is wrong with a value, in words; none where it fits. */
  { ok: true; problems(value: unknown): string[] } | { ok: false; problems: string[] }

/** @param name what people call the schema */
export function compileSchema(given: Plain, name: string): Compiled {
  const read = readSchema(given, name)
  if (!read.ok) return read
  const effort = new Effort()
  const validate = compiled(read.schema, effort)
  if (typeof validate === "string")
    return { ok: false, problems: [`${name} cannot be compiled: ${validate}`] }
  const problems = (value: unknown): string[] => {
    effort.give(mostEffort)
    try {
      if (validate(value)) return []
    } catch (thrown) {
      return [isEndless(thrown) ? endless : excerpt(String(thrown))]
    }
    const found = [...new Set((validate.errors ?? []).map(wordsOf))]
    const more = found.length - mostProblems
    return more > 0 ? [...found.slice(0, mostProblems), `${more} more`] : found
  }
  // What refers to itself without looking any deeper never comes to an end, whatever the value.
  const isSound = probes.every((probe) => !problems(probe).includes(endless))
  return isSound ? { ok: true, problems } : { ok: false, problems: [`${name} refers to itself without end`] }
}

const endless = "it takes too long to check: its schema refers to itself too often"
const probes = [null, true, 0, "", [], {}]

/** The stack may be used up first. */
const isEndless = (thrown: unknown) => thrown instanceof TooMuchEffort || thrown instanceof RangeError

type Validate = { (value: unknown): boolean; errors?: ErrorObject[] | null }

function compiled(schema: Plain, effort: Effort): Validate | string {
  const ajv = new (defaultOf(core))({
    allErrors: true,
    strict: false,
    validateSchema: false,
    validateFormats: false,
    meta: false,
    logger: false,
    // A field that every object inherits is not there.
    ownProperties: true,
    unevaluated: true,
    next: true,
    inlineRefs: false,
    code: { regExp: Object.assign((source: string) => compilePattern(source, effort), { code: "pattern" }) },
  })
  const vocabularies = [
    defaultOf(coreVocabulary),
    defaultOf(validation),
    defaultOf(applicator)(true),
    defaultOf(next),
    defaultOf(unevaluated),
  ]
  for (const vocabulary of vocabularies) ajv.addVocabulary(vocabulary)
  ajv.addKeyword({
    keyword: EFFORT,
    before: "$ref",
    validate: (steps: number) => {
      effort.spend(steps)
      return true
    },
  })
  // ajv compares each with each.
  ajv.removeKeyword("uniqueItems").addKeyword({
    keyword: "uniqueItems",
    type: "array",
    error: { message: "must NOT have duplicate items" },
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || areUnique(items, effort),
  })
  try {
    return ajv.compile(schema)
  } catch (thrown) {
    return excerpt(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

/** What a module of CommonJS exports as its default: some loaders have handed it out by themselves. */
function defaultOf<T>(module: { default: T }): T {
  return "default" in module ? module.default : module
}

/** `findings[0].line must be integer` */
function wordsOf({ instancePath, keyword, params, message = "does not fit" }: ErrorObject): string {
  const steps = instancePath
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
  const place = toDotPath(steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step)))
  return excerpt(`${place || "the value"} ${message}${detailOf(keyword, params)}`, shownLength)
}

/** What ajv leaves out of its words. */
function detailOf(keyword: string, params: Plain): string {
  switch (keyword) {
    case "enum":
      return `: ${JSON.stringify(params.allowedValues)}`
    case "const":
      return `: ${JSON.stringify(params.allowedValue)}`
    case "additionalProperties":
      return `: ${JSON.stringify(params.additionalProperty)}`
    case "unevaluatedProperties":
      return `: ${JSON.stringify(params.unevaluatedProperty)}`
    default:
      return ""
  }
}

function areUnique(items: readonly unknown[], effort: Effort): boolean {
  const seen = new Set(
    items.map((item) => {
      const canonical = canonicalOf(item)
      effort.spend(canonical.length)
      return canonical
    }),
  )
  return seen.size === items.length
}

/** The same for equal values, whatever the order of their fields. */
function canonicalOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each instanceof Object && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}
