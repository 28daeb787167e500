import core, { type ErrorObject } from "ajv/dist/core.js"
import applicator from "ajv/dist/vocabularies/applicator/index.js"
import coreVocabulary from "ajv/dist/vocabularies/core/index.js"
import next from "ajv/dist/vocabularies/next.js"
import unevaluated from "ajv/dist/vocabularies/unevaluated/index.js"
import validation from "ajv/dist/vocabularies/validation/index.js"
import { wordsOf } from "../../util/error-words.ts"
import { Effort, TooMuchEffort } from "./effort.ts"
import { compilePattern } from "./pattern.ts"
import { problemWords } from "./problem-words.ts"
import { EFFORT, type Plain, readSchema } from "./reading.ts"

/*
 * ajv, for it alone lets its regular expressions and keywords be replaced, without which a schema could freeze
 * opencode; it is also the most used and best kept. @cfworker/json-schema has a fifth of its size but no such hooks,
 * @hyperjump/json-schema checks asynchronously and says nothing in words, and zod's fromJSONSchema lacks much of
 * JSON Schema. It compiles with `new Function`, out of what `readSchema` has let through.
 */

/** What a check may cost, in evaluations of schemas and steps of patterns: well below a second. */
const mostEffort = 1_000_000
/** The same for finding all that is wrong: each of it has its cost. */
const mostEffortForWords = 100_000
/** Of what is wrong with a value, so much is said. */
const mostProblems = 8

export type Compiled =
  /** `problems`: what is wrong with a value, in words; none where it fits. */
  { ok: true; problems(value: unknown): string[] } | { ok: false; problems: string[] }

/** @param name what people call the schema */
export function compileSchema(given: Plain, name: string): Compiled {
  const read = readSchema(given, name)
  if (!read.ok) return read
  const { schema } = read
  try {
    const check = checker(schema, "first", mostEffort)
    // What refers to itself without looking any deeper never comes to an end, whatever the value.
    for (const probe of probes) check(probe)
    const all = once(() => checker(schema, "all", mostEffortForWords))
    const problems = (value: unknown): string[] => {
      const first = attempt(() => check(value))
      if (typeof first === "string") return [first]
      if (first.length === 0) return []
      const found = attempt(() => all()(value))
      return wordsOfAll(typeof found === "string" ? first : found)
    }
    return { ok: true, problems }
  } catch (thrown) {
    const words = isEndless(thrown)
      ? "refers to itself without end, or is too deep"
      : `cannot be compiled: ${wordsOf(thrown)}`
    return { ok: false, problems: [`${name} ${words}`] }
  }
}

const probes = [null, true, 0, "", [], {}]

function attempt(check: () => ErrorObject[]): ErrorObject[] | string {
  try {
    return check()
  } catch (thrown) {
    return isEndless(thrown) ? "it takes too long to check against its schema" : wordsOf(thrown)
  }
}

/** The stack may be used up first. */
const isEndless = (thrown: unknown) => thrown instanceof TooMuchEffort || thrown instanceof RangeError

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** What finds out what is wrong with a value. @throws what `isEndless` is about */
function checker(
  schema: Plain,
  which: "first" | "all",
  mostEffort: number,
): (value: unknown) => ErrorObject[] {
  const effort = new Effort()
  const ajv = new (defaultOf(core))({
    allErrors: which === "all",
    messages: false,
    // With each problem comes the value.
    verbose: true,
    strict: false,
    validateSchema: false,
    validateFormats: false,
    meta: false,
    logger: false,
    // A field that every object inherits is not there.
    ownProperties: true,
    // 0.07 is a multiple of 0.01, whatever the processor says.
    multipleOfPrecision: 6,
    // It takes account of what has been looked at, and fails at some schemas that ask for nothing of the kind.
    unevaluated: JSON.stringify(schema).includes('"unevaluated'),
    next: true,
    inlineRefs: false,
    uriResolver: withinSchema,
    code: {
      // Takes longer than it saves.
      optimize: false,
      regExp: Object.assign((source: string) => compilePattern(source, effort), { code: "pattern" }),
    },
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
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || areUnique(items, effort),
  })
  const validate = ajv.compile(schema)
  return (value) => {
    effort.give(mostEffort)
    return validate(value) ? [] : (validate.errors ?? [])
  }
}

/** `readSchema` lets through references to places of the schema itself alone: `#` and `#/…`. */
const withinSchema = {
  parse: (reference: string) => ({ fragment: reference.slice(1) }),
  resolve: (_base: string, reference: string) => reference,
  serialize: () => "",
}

/** What a module of CommonJS exports as its default: some loaders have handed it out by themselves. */
function defaultOf<T>(module: { default: T }): T {
  return "default" in module ? module.default : module
}

function wordsOfAll(errors: readonly ErrorObject[]): string[] {
  // That a name is wrong is said where it is said why.
  const found = [...new Set(errors.filter(({ keyword }) => keyword !== "propertyNames").map(problemWords))]
  const more = found.length - mostProblems
  return more > 0 ? [...found.slice(0, mostProblems), `${more} more`] : found
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
