import * as z from "zod"
import type { Tool } from "../host/port.ts"

/** The longest wait or timeout that may be asked for, seconds: what timers can count to. */
const seconds = z.number().positive().max(2_000_000)

export const JobId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/, "must be 1 to 40 letters, digits, '_', '-' or '.'")

const ids = z.array(z.string()).min(1).optional()

export const Task = z.strictObject({
  prompt: z.string().min(1).describe("All the subagent needs: it sees nothing of this conversation"),
  id: JobId.optional().describe("Short name; default j1, j2, …"),
  description: z.string().min(1).optional().describe("3-5 words"),
  agent: z.string().min(1).optional().describe("Default general"),
  model: z
    .string()
    .regex(/^[^/]+\/.+$/, "must be provider/model")
    .optional()
    .describe("provider/model"),
  timeout: seconds.optional().describe("Seconds"),
})
export type Task = z.infer<typeof Task>

export const StartArguments = {
  tasks: z.array(Task).min(1).max(64),
}
export const StatusArguments = { ids }
export const WaitArguments = {
  ids,
  until: z.enum(["all", "any"]).optional().describe("Default all"),
  timeout: seconds.optional().describe("Seconds"),
}
export const CancelArguments = {
  ids,
  all: z.boolean().optional(),
  reason: z.string().optional(),
}
export const SendArguments = {
  id: z.string(),
  message: z.string().min(1),
}

/** The arguments as they are shown to the model; `readArguments` checks them. */
export function shown(shape: z.ZodRawShape): Tool["arguments"] {
  return Object.fromEntries(
    Object.entries(shape).map(([name, schema]) => [
      name,
      { schema: jsonSchemaOf(schema), isOptional: z.safeParse(schema, undefined).success },
    ]),
  )
}

function jsonSchemaOf(schema: z.core.$ZodType): Record<string, unknown> {
  const { $schema: _, ...json } = z.toJSONSchema(schema)
  return withoutDetails(json)
}

/** The model needs no bounds and patterns to call a tool; every request pays for them. */
const details = new Set([
  "additionalProperties",
  "minLength",
  "pattern",
  "exclusiveMinimum",
  "maximum",
  "minItems",
])

function withoutDetails(json: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(json)
      .filter(([key]) => !details.has(key))
      .map(([key, value]) => [key, isPlainObject(value) ? withoutDetails(value) : value]),
  )
}

const isPlainObject = (value: unknown): value is object => value instanceof Object && !Array.isArray(value)

/** @throws Error that names each wrong field and what would be right. */
export function readArguments<Shape extends z.ZodRawShape>(
  shape: Shape,
  given: unknown,
): z.infer<z.ZodObject<Shape>> {
  const read = z.strictObject(shape).safeParse(given)
  if (read.success) return read.data
  throw new Error(`${problemsOf(read.error)}. Nothing was done; call again with this put right.`)
}

/** `tasks[0].prompt: expected string, received undefined` */
export function problemsOf(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => {
      const field = z.core.toDotPath(path)
      return field === "" ? message : `${field}: ${message}`
    })
    .join("; ")
}
