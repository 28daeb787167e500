import type { Context } from "hono"
import type { z } from "zod"
import { ApiError } from "./api-error.ts"

/** @throws {ApiError} a 400 that names the field and what it should be. */
export function parseQueryOf<S extends z.ZodType>(c: Context, schema: S): z.output<S> {
  return parse(schema, c.req.query(), "query")
}

/** @throws {ApiError} as `parseQueryOf` does. */
export async function parseBodyOf<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  const text = await c.req.text()
  return parse(schema, text === "" ? {} : jsonOf(text), "body")
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError(400, "body", "The body is not valid JSON.")
  }
}

export function parse<S extends z.ZodType>(schema: S, input: unknown, kind: string): z.output<S> {
  const parsed = schema.safeParse(input)
  if (!parsed.success) throw new ApiError(400, kind, wordsOf(parsed.error))
  return parsed.data
}

function wordsOf({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message))
    .join("; ")
}
