import type * as z from "zod"
// `z.core` would put all of it, with the words of every language, into what opencode loads.
import { toDotPath } from "zod/v4/core"

export type Path = (string | number)[]
export type JsonSchema = z.core.JSONSchema.BaseSchema

/** One of the objects and lists in which a value stands, or the value itself: its own place and schema. */
export type Level = { path: Path; schema: JsonSchema }

/** From the whole down to the value. A path into what a value is turned into ends at that value. */
export function levelsOf(steps: readonly PropertyKey[], whole: JsonSchema): [Level, ...Level[]] {
  let last: Level = { path: [], schema: whole }
  const levels: [Level, ...Level[]] = [last]
  for (const step of steps) {
    if (typeof step === "symbol") continue
    const schema = typeof step === "number" ? last.schema.items : last.schema.properties?.[step]
    if (!isSchema(schema)) break
    last = { path: [...last.path, step], schema }
    levels.push(last)
  }
  return levels
}

/**
 * Where a field belongs that is unknown where it was given, in words: the nearest place that has one of this name.
 * @param levels around the field, from the whole to the object that it was given in
 */
export function belonging(field: string, levels: readonly Level[]): string | undefined {
  const around = levels.map((level, index) => ({ ...level, inner: levels[index + 1]?.path }))
  for (const { path, schema, inner } of around.reverse()) {
    if (inner && hasField(schema, field)) return `beside ${toDotPath(inner)}`
    for (const [name, part] of Object.entries(schema.properties ?? {})) {
      if (!isSchema(part)) continue
      const place = toDotPath([...path, name])
      if (formsOf(part).some((form) => hasField(form, field))) return `in ${place}`
      if (entriesOf(part).some((form) => hasField(form, field))) return `in the entries of ${place}`
    }
  }
  return undefined
}

const hasField = ({ properties = {} }: JsonSchema, field: string) => Object.hasOwn(properties, field)

const entriesOf = (schema: JsonSchema) =>
  formsOf(schema).flatMap(({ items }) => (isSchema(items) ? formsOf(items) : []))

const formsOf = (schema: JsonSchema) => [schema, ...(schema.anyOf ?? []).filter(isSchema)]

const isSchema = (given: unknown): given is JsonSchema =>
  typeof given === "object" && given !== null && !Array.isArray(given)
