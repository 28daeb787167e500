import * as z from "zod"
// `z.core` would put all of it, with the words of every language, into what opencode loads.
import { toDotPath } from "zod/v4/core"
import { belonging, type JsonSchema, levelsOf, type Path } from "./out-of-place.ts"

export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: string[] }

/** Characters of a wrong value that a problem shows. */
const shownLength = 60

/**
 * Reads a value from outside. Each problem is one line that says what is wrong and what would be right:
 * `tasks[0].prompt is missing: it must be text`. What would be right follows from the schema, or stands in its
 * metadata as `requirement`.
 * @param name what people call the value, in front of the names of its fields; none where those say enough. Of a part
 * of something: its place there, in which a field may belong that is unknown here.
 */
export function parse<Schema extends z.core.$ZodType>(
  schema: Schema,
  given: unknown,
  name: string | Part = "",
): Parsed<z.infer<Schema>> {
  const read = z.safeParse(schema, given)
  if (read.success) return { ok: true, value: read.data }
  const expected = z.toJSONSchema(schema, { io: "input" })
  const { whole, path: start }: Part = typeof name === "string" ? { whole: schema, path: [] } : name
  const words = typeof name === "string" ? name : toDotPath(start)
  const problems = read.error.issues.flatMap((issue) => {
    const [, ...inner] = levelsOf(issue.path, expected)
    const { path, schema } = inner.at(-1) ?? { path: [], schema: expected }
    if (issue.code !== "unrecognized_keys") return wrongValue(path, words, valueAt(given, path), schema)
    const around = [
      ...levelsOf(start, z.toJSONSchema(whole, { io: "input" })),
      ...inner.map((level) => ({ ...level, path: [...start, ...level.path] })),
    ]
    return issue.keys.map((key) => unknownField([...path, key], words, schema, belonging(key, around)))
  })
  // One value may break its rule in several ways; it is named once.
  return { ok: false, problems: [...new Set(problems)] }
}

/** What stands at `path` in something. */
type Part = { whole: z.core.$ZodType; path: Path }

function unknownField(
  path: Path,
  name: string,
  { properties = {} }: JsonSchema,
  belongs: string | undefined,
): string {
  return belongs === undefined
    ? `${nameOf(path, name)} is unknown; valid names: ${Object.keys(properties).join(", ")}`
    : `${nameOf(path, name)} is out of place: it belongs ${belongs}`
}

function wrongValue(path: Path, name: string, value: unknown, schema: JsonSchema): string {
  const { minLength, maxLength } = schema
  // A text that is bounded may be a secret: it is not shown.
  if (typeof value === "string" && maxLength !== undefined && value.length > maxLength)
    return `${nameOf(path, name)} has ${value.length} characters: it must have at most ${maxLength}`
  if (typeof value === "string" && minLength !== undefined)
    return `${nameOf(path, name)} has ${value.length} characters: it must have at least ${minLength}`
  const isEmpty = Array.isArray(value) && value.length === 0 && schema.type === "array"
  const is = isEmpty ? "empty" : value === undefined ? "missing" : shown(value)
  return `${nameOf(path, name)} is ${is}: it must be ${requirementOf(schema)}`
}

function nameOf(path: Path, name: string): string {
  const field = toDotPath(path)
  const whole = [name, field].filter((each) => each !== "").join(field.startsWith("[") ? "" : ".")
  return whole === "" ? "the value" : whole
}

function shown(value: unknown): string {
  const json = jsonOf(value)
  if (json.length <= shownLength) return json
  return Array.isArray(value) ? `a list of ${value.length}` : `${json.slice(0, shownLength)}…`
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // Nested so deep that the stack is too short for it.
    return Array.isArray(value) ? `a list of ${value.length}` : "an object"
  }
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => {
    // A query has no prototype.
    return typeof at === "object" && at !== null ? Reflect.get(at, step) : undefined
  }, value)
}

const oneOf = (words: string[]): string => {
  const [last = "", ...others] = words.toReversed()
  return others.length > 0 ? `${others.toReversed().join(", ")} or ${last}` : last
}

function requirementOf(schema: JsonSchema): string {
  if (typeof schema.requirement === "string") return schema.requirement
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return oneOf(schema.enum.map((each) => JSON.stringify(each)))
  switch (schema.type) {
    case "integer":
      return `a whole number${rangeOf(schema)}`
    case "number":
      return `a number${rangeOf(schema)}`
    case "boolean":
      return "true or false"
    case "array":
      return `a list${lengthOf(schema)}`
    case "object":
      return "an object"
    default:
      return schema.minLength === undefined ? "text" : `text of at least ${schema.minLength} characters`
  }
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const bounds = [
    ...(minimum === undefined ? [] : [`at least ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    // Whole numbers have this one from zod.
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? [] : [`at most ${maximum}`]),
  ]
  return bounds.length > 0 ? `, ${bounds.join(" and ")}` : ""
}

function lengthOf({ minItems = 0, maxItems }: JsonSchema): string {
  if (maxItems !== undefined) return ` of ${minItems} to ${maxItems}`
  return minItems > 0 ? " that is not empty" : ""
}
