import type { Context } from "hono"
import type { z } from "zod"
import { parse } from "../../util/parse.ts"
import { ApiError } from "./api-error.ts"

/** @throws {ApiError} a 400 that names the field and what it should be. */
export function parseQueryOf<S extends z.ZodType>(c: Context, schema: S): z.output<S> {
  return read(schema, c.req.query(), "query")
}

/** @throws {ApiError} as `parseQueryOf` does. */
export async function parseBodyOf<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  const text = await c.req.text()
  return read(schema, text === "" ? {} : jsonOf(text), "body")
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError(400, "body", "The body is not valid JSON.")
  }
}

function read<S extends z.ZodType>(schema: S, given: unknown, kind: "query" | "body"): z.output<S> {
  const parsed = parse(schema, given)
  if (!parsed.ok) throw new ApiError(400, kind, parsed.problems.join("; "))
  return parsed.value
}
