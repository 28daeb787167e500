// `z.core` would put all of it, with the words of every language, into what opencode loads.
import { toDotPath } from "zod/v4/core"
import { excerpt } from "../../records/words.ts"
import { Effort } from "./effort.ts"
import { compilePattern } from "./pattern.ts"

/** A schema goes to the child's model with its prompt. Characters of JSON. */
const mostCharacters = 30_000
/** How many schemas it may have in it. */
const mostSchemas = 500
/** How deep schemas may stand in each other: what checks them is as deep. */
const mostDepth = 50
/** Of the problems, those that are named. */
const mostProblems = 5
/** Characters of a wrong value, and of its place, that a problem shows. */
const shownLength = 60
const placeLength = 120

/** What makes each evaluation of a schema spend effort: a keyword of this product's own. */
export const EFFORT = "troupeEffort"

type Path = (string | number)[]
export type Plain = Record<string, unknown>
/** `schema`: as JSON Schema 2020-12 has it, without what says nothing of values. */
export type ReadSchema = { ok: true; schema: Plain } | { ok: false; problems: string[] }

/**
 * Reads a JSON Schema of whichever draft. What is wrong is named with its place, what reaches beyond the schema itself
 * is refused, and what is no keyword as well: it would silently permit everything.
 * @param name what people call it
 */
export function readSchema(given: Plain, name: string): ReadSchema {
  const size = sizeOf(given)
  if (size === undefined || size > mostCharacters) {
    const is = size === undefined ? "is nested too deep" : `has ${size} characters of JSON`
    return { ok: false, problems: [`${name} ${is}: it may have at most ${mostCharacters}`] }
  }
  const reading = new Reading(name)
  const schema = reading.schema(given, [])
  reading.references()
  reading.combinations()
  const { problems } = reading
  const more = problems.length - mostProblems
  if (more > 0) problems.splice(mostProblems, Infinity, `${more} more`)
  return problems.length > 0 || !isPlain(schema) ? { ok: false, problems } : { ok: true, schema }
}

function sizeOf(given: unknown): number | undefined {
  try {
    return JSON.stringify(given).length
  } catch {
    return undefined
  }
}

class Reading {
  readonly problems: string[] = []
  readonly #name: string
  /** Where there are schemas. */
  readonly #places = new Set<string>()
  readonly #references: { to: string; path: Path }[] = []
  #hasContains = false
  readonly #unevaluated: Path[] = []

  constructor(name: string) {
    this.#name = name
  }

  /** To be called once all is read. */
  references(): void {
    for (const { to, path } of this.#references)
      if (!this.#places.has(placeIn(to))) this.#add(path, `is ${shown(to)}: there is no schema there`)
  }

  /**
   * To be called once all is read. What `contains` has found counts as evaluated, item by item: ajv takes all for
   * evaluated then, or none.
   */
  combinations(): void {
    if (!this.#hasContains) return
    for (const path of this.#unevaluated)
      this.#add(path, 'cannot be checked where the schema also has "contains": use "items" and "prefixItems"')
  }

  schema(given: unknown, path: Path): Plain | boolean {
    if (typeof given === "boolean") return given
    if (!isPlain(given)) return this.#wrong(path, given, "a schema")
    if (hasProto(given)) return this.#proto(path)
    if (path.length > mostDepth) {
      this.#add(path, `is nested too deep: at most ${mostDepth} levels`)
      return {}
    }
    this.#places.add(placeOf(path))
    if (this.#places.size === mostSchemas + 1) this.#add([], `has more than ${mostSchemas} schemas in it`)
    const read: Plain = {}
    if (Object.hasOwn(given, "contains")) this.#hasContains = true
    if (Object.hasOwn(given, "unevaluatedItems")) this.#unevaluated.push([...path, "unevaluatedItems"])
    for (const [keyword, value] of Object.entries(given)) {
      const kind = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
      if (kind) Object.assign(read, this.#keyword(kind, keyword, value, [...path, keyword]))
      else if (!isAnnotation(keyword)) this.#unknown(keyword, [...path, keyword])
    }
    return { ...containing(ofToday(read)), [EFFORT]: effortOf(given) }
  }

  #keyword(kind: Kind, keyword: string, value: unknown, path: Path): Plain {
    const whereRight = (isRight: boolean, requirement: string) => {
      if (!isRight) this.#wrong(path, value, requirement)
      return { [keyword]: value }
    }
    switch (kind) {
      case "schema":
        return { [keyword]: this.schema(value, path) }
      case "items":
        return Array.isArray(value)
          ? this.#keyword("schemas", keyword, value, path)
          : this.#keyword("schema", keyword, value, path)
      case "schemas":
        return Array.isArray(value) && value.length > 0
          ? { [keyword]: value.map((each, index) => this.schema(each, [...path, index])) }
          : whereRight(false, "a list of schemas that is not empty")
      case "named":
      case "patterns":
        if (!isPlain(value)) return whereRight(false, "an object of schemas")
        if (hasProto(value)) return { [keyword]: this.#proto(path) }
        if (kind === "patterns")
          for (const pattern of Object.keys(value)) this.#pattern(pattern, [...path, pattern])
        return {
          [keyword]: Object.fromEntries(
            Object.entries(value).map(([key, each]) => [key, this.schema(each, [...path, key])]),
          ),
        }
      case "dependencies":
        // Each is a schema, or what `dependentRequired` has.
        if (!isPlain(value)) return whereRight(false, "an object")
        if (hasProto(value)) return { [keyword]: this.#proto(path) }
        return {
          [keyword]: Object.fromEntries(
            Object.entries(value).map(([key, each]) => [
              key,
              isTexts(each) ? each : this.schema(each, [...path, key]),
            ]),
          ),
        }
      case "number":
        return whereRight(typeof value === "number", "a number")
      case "step":
        return whereRight(typeof value === "number" && value > 0, "a number above 0")
      case "count":
        return whereRight(Number.isSafeInteger(value) && Number(value) >= 0, "a whole number, at least 0")
      case "flag":
        return whereRight(typeof value === "boolean", "true or false")
      case "texts":
        return whereRight(isTexts(value), "a list of texts")
      case "textsOf":
        if (isPlain(value) && hasProto(value)) return { [keyword]: this.#proto(path) }
        return whereRight(
          isPlain(value) && Object.values(value).every(isTexts),
          "an object of lists of texts",
        )
      case "values":
        return whereRight(Array.isArray(value) && value.length > 0, "a list that is not empty")
      case "value":
        return { [keyword]: value }
      case "type": {
        const names = Array.isArray(value) ? value : [value]
        const isRight = names.length > 0 && names.every((each) => types.includes(each))
        return whereRight(isRight, `${types.map((each) => `"${each}"`).join(", ")}, or a list of these`)
      }
      case "pattern":
        if (typeof value !== "string") return whereRight(false, "a regular expression")
        this.#pattern(value, path)
        return { [keyword]: value }
      case "reference":
        this.#reference(value, path)
        return { [keyword]: value }
    }
  }

  #pattern(pattern: string, path: Path): void {
    try {
      compilePattern(pattern, new Effort())
    } catch (thrown) {
      this.#add(path, thrown instanceof Error ? thrown.message : String(thrown))
    }
  }

  #reference(value: unknown, path: Path): void {
    if (typeof value !== "string" || !/^#(?:\/|$)/.test(value))
      this.#wrong(path, value, 'a place in this schema, as "#/$defs/name": others are not read')
    else this.#references.push({ to: value, path })
  }

  #unknown(_keyword: string, path: Path): void {
    const hint = path.length === 1 ? '; fields stand under "properties"' : ""
    this.#add(path, `is no keyword of JSON Schema that is supported${hint}`)
  }

  #proto(path: Path): Plain {
    this.#add([...path, proto], "is a name that cannot be checked: choose another")
    return {}
  }

  #wrong(path: Path, value: unknown, requirement: string): Plain {
    this.#add(path, `is ${shown(value)}: it must be ${requirement}`)
    return {}
  }

  #add(path: Path, words: string): void {
    const place = excerpt(toDotPath(path), placeLength)
    const dot = place === "" || place.startsWith("[") ? "" : "."
    this.problems.push(`${this.#name}${dot}${place} ${words}`)
  }
}

const types: unknown[] = ["object", "array", "string", "number", "integer", "boolean", "null"]

type Kind =
  | "schema"
  | "schemas"
  | "items"
  | "named"
  | "patterns"
  | "dependencies"
  | "number"
  | "step"
  | "count"
  | "flag"
  | "texts"
  | "textsOf"
  | "values"
  | "value"
  | "type"
  | "pattern"
  | "reference"

const keywords: Record<string, Kind> = {
  type: "type",
  enum: "values",
  const: "value",
  multipleOf: "step",
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  minLength: "count",
  maxLength: "count",
  pattern: "pattern",
  items: "items",
  prefixItems: "schemas",
  additionalItems: "schema",
  contains: "schema",
  minContains: "count",
  maxContains: "count",
  minItems: "count",
  maxItems: "count",
  uniqueItems: "flag",
  unevaluatedItems: "schema",
  properties: "named",
  patternProperties: "patterns",
  additionalProperties: "schema",
  unevaluatedProperties: "schema",
  propertyNames: "schema",
  required: "texts",
  minProperties: "count",
  maxProperties: "count",
  dependentRequired: "textsOf",
  dependentSchemas: "named",
  dependencies: "dependencies",
  allOf: "schemas",
  anyOf: "schemas",
  oneOf: "schemas",
  not: "schema",
  if: "schema",
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: "schema",
  else: "schema",
  $ref: "reference",
  $defs: "named",
  definitions: "named",
}

/** What says nothing of values. */
const isAnnotation = (keyword: string) => annotations.has(keyword) || keyword.startsWith("x-")

const annotations = new Set([
  "$schema",
  "$id",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  // An annotation since 2019-09.
  "format",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
])

/** Up to draft 2019-09, `items` could be a list, with `additionalItems` for the rest. */
function ofToday({ items, additionalItems, ...schema }: Plain): Plain {
  if (!Array.isArray(items)) return { ...schema, ...(items !== undefined && { items }) }
  return { ...schema, prefixItems: items, ...(additionalItems !== undefined && { items: additionalItems }) }
}

/** Beside `prefixItems`, ajv takes an empty list for one that contains what it has to. */
function containing(schema: Plain): Plain {
  const { prefixItems, contains, minContains = 1, minItems = 0 } = schema
  if (prefixItems === undefined || contains === undefined) return schema
  return minContains === 1 && minItems === 0 ? { ...schema, minItems: 1 } : schema
}

/** It grows with what has to be looked at, most of which is quickly done. */
function effortOf(schema: Plain): number {
  const sizes = Object.values(schema).map((value) =>
    value instanceof Object ? Object.keys(value).length : 1,
  )
  return sizes.reduce((sum, size) => sum + Math.floor(size / 16), 1)
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === "string")

export const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What reads it leaves this name out, or takes what stands under it for what the object inherits. */
const proto = "__proto__"

function hasProto(value: Plain): boolean {
  const inherited: unknown = Object.getPrototypeOf(value)
  const isUsual = inherited === null || Object.getPrototypeOf(inherited) === null
  return Object.hasOwn(value, proto) || !isUsual
}

const placeOf = (path: Path) => JSON.stringify(path.map(String))

/** Of a JSON Pointer. */
function placeIn(reference: string): string {
  try {
    const steps = decodeURIComponent(reference).split("/").slice(1)
    return placeOf(steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")))
  } catch {
    return ""
  }
}

const shown = (value: unknown) => excerpt(JSON.stringify(value) ?? "nothing", shownLength)
