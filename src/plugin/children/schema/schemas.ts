import { setImmediate as nextTurn } from "node:timers/promises"
import { wordsOf } from "../../util/error-words.ts"
import { type Check, checkOf } from "./answer.ts"

export type Schema = Record<string, unknown>

/** Why a schema cannot be had, or what checks answers against it. */
export type Loaded = { ok: true; check: Check } | { ok: false; problems: string[] }

/** Compiled ones that are kept, for the jobs of one call often have the same. */
const mostKept = 64
const kept = new Map<string, Promise<Loaded>>()

/**
 * Compiles a schema. What it takes for that is loaded when the first one comes.
 * @param name what people call it
 */
export async function loadSchema(schema: Schema, name = "the schema"): Promise<Loaded> {
  const key = keyOf(schema, name)
  const loading = kept.get(key) ?? load(schema, name)
  kept.set(key, loading)
  for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - mostKept))) kept.delete(oldest)
  try {
    return await loading
  } catch (thrown) {
    // What cannot be loaded now may be there the next time.
    kept.delete(key)
    return { ok: false, problems: [`${name} could not be compiled: ${wordsOf(thrown)}`] }
  }
}

async function load(schema: Schema, name: string): Promise<Loaded> {
  const { compileSchema } = await import("./validator.ts")
  // Many that are large do not keep all else waiting.
  await nextTurn()
  const compiled = compileSchema(schema, name)
  return compiled.ok ? { ok: true, check: checkOf(compiled.problems) } : compiled
}

function keyOf(schema: Schema, name: string): string {
  try {
    return JSON.stringify([name, schema])
  } catch {
    // Nested too deep, which is said as it is compiled.
    return name
  }
}

/** Checks each answer, also against a schema that cannot be had: then none fits. */
export async function checkFor(schema: Schema): Promise<Check> {
  const loaded = await loadSchema(schema)
  return loaded.ok ? loaded.check : () => ({ problems: loaded.problems })
}

/** What a child is asked whose answer is to be data. */
export const askingFor = (prompt: string, schema: Schema) =>
  `${prompt}\n\nYour final answer must be one JSON value that fits this JSON Schema, and nothing besides it:\n${JSON.stringify(schema)}`

/** What it is told more meanwhile. */
export const stillAskingFor = (message: string) =>
  `${message}\n\n(Your final answer must still be that one JSON value, whole, and nothing besides it.)`

/** What it is asked where its answer does not fit. */
export const repairOf = (problems: readonly string[]) =>
  `Your final answer is not the JSON value that was asked for: ${problems.join("; ")}.\n` +
  "Answer again with the whole value, corrected, and nothing besides it."
