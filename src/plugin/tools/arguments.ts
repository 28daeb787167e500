import * as z from "zod"
import { JOB_ID, type Need } from "../../machines/record.ts"
import { type Parsed, parse } from "../../util/parse.ts"
import type { Tool } from "../host/port.ts"
import { GivenBudget } from "../options.ts"

/** The longest wait or timeout that may be asked for, seconds: what timers can count to. */
const seconds = z.number().positive().max(2_000_000)

const words = z.string().regex(/\S/).meta({ requirement: "text that is not blank" })

const jobId = z
  .string()
  .regex(JOB_ID)
  .meta({ requirement: "1 to 40 letters, digits, '_', '-' or '.', the first a letter or digit" })

const need = z
  .union([jobId, z.strictObject({ id: jobId, on: z.enum(["done", "ended"]).optional() })])
  .transform((given): Need => {
    const { id, on = "done" } = typeof given === "string" ? { id: given } : given
    return { id, on }
  })
const needs = z
  .array(need.meta({ requirement: 'the id of a job, or {id, on: "done" or "ended"}' }))
  .meta({ requirement: 'a list of job ids, or of {id, on: "done" or "ended"}' })
  .describe("Start after these, with their results (at {{id}}). on ended: even if they fail")

const each = z
  .union([z.array(words), z.strictObject({ from: jobId, path: words.optional() })])
  .meta({ requirement: "a list of texts, or {from: the id of a job, path}" })
  .describe("One job per item ({{item}}). from: a job with schema; path: of its list")

const ids = z.array(z.string()).min(1).meta({ requirement: "a list of job ids" }).optional()

/** What a shell is given as one argument. Characters. */
const longestCommand = 10_000
const check = z
  .strictObject({
    command: z
      .string()
      .max(longestCommand)
      .regex(/^[^\0]*\S[^\0]*$/)
      .meta({ requirement: `a command of at most ${longestCommand} characters, not blank` }),
    attempts: z.number().int().min(0).max(10).meta({ requirement: "a whole number from 0 to 10" }).optional(),
  })
  .meta({ requirement: "{command, attempts}" })
  .describe("Must exit with 0; else its output goes back, attempts times")

const Task = z.strictObject({
  prompt: words.describe("All it needs: it cannot see this conversation"),
  id: jobId.optional(),
  description: words.optional().describe("3-5 words"),
  agent: words.optional(),
  model: z
    .union([words.trim(), z.array(words.trim()).min(1)])
    .meta({ requirement: "provider/model, or a list of these" })
    .optional()
    .describe("provider/model[#variant]; a list: with fallbacks"),
  timeout: seconds.optional().describe("Seconds"),
  needs: needs.optional(),
  each: each.optional(),
  schema: z
    .record(z.string(), z.unknown())
    .meta({ requirement: "a JSON Schema, an object" })
    .optional()
    .describe("JSON Schema of its result"),
  check: check.optional(),
  isolation: z
    .union([z.literal("worktree"), z.strictObject({ from: jobId })])
    .meta({ requirement: '"worktree", or {from: the id of a job that has one}' })
    .optional()
    .describe("Own git worktree; from: as that job ended"),
})
export type Task = z.infer<typeof Task>

const budget = GivenBudget.optional().describe("For all. cost in US$")
const wait = z.boolean().optional()

export const StartArguments = {
  tasks: z.array(Task).min(1).max(64),
  wait,
  budget,
}
/** Without its tasks, which are read one by one, so that a bad one does not take the others along. */
export const UncheckedTasks = {
  tasks: z.array(z.unknown()).min(1).max(64).meta({ requirement: "a list of 1 to 64 tasks" }),
  wait,
  budget,
}
export const StatusArguments = { ids }
export const WaitArguments = {
  ids,
  until: z.enum(["all", "any"]).optional(),
  timeout: seconds.optional().describe("Seconds"),
}
export const CancelArguments = {
  ids,
  all: z.boolean().optional(),
  reason: z.string().optional(),
}
export const ApplyArguments = {
  ids: z.array(z.string()).min(1).meta({ requirement: "a list of job ids" }),
  discard: z.boolean().optional().describe("Remove worktrees instead"),
}
export const SendArguments = {
  id: z.string(),
  message: words,
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
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input" })
  return withoutDetails(json)
}

/** The model needs no bounds and patterns to call a tool; every request pays for them. */
const details = new Set([
  "additionalProperties",
  "pattern",
  "propertyNames",
  "requirement",
  "exclusiveMinimum",
  "minimum",
  "maxLength",
  "maximum",
  "minItems",
])

function withoutDetails(json: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(json)
      .filter(([key]) => !details.has(key))
      .map(([key, value]) => [key, partWithoutDetails(value)]),
  )
}

function partWithoutDetails(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(partWithoutDetails)
  return value instanceof Object ? withoutDetails(value) : value
}

/** Of a call of agents_start, one of its tasks. */
export function readTask(given: unknown, index: number): Parsed<Task> {
  return parse(Task, given, { whole: z.strictObject(StartArguments), path: ["tasks", index] })
}

/**
 * @param whole what the shape stands for, where it leaves out what is read later
 * @throws Error that names each wrong field and what would be right.
 */
export function readArguments<Shape extends z.ZodRawShape>(
  shape: Shape,
  given: unknown,
  whole: z.ZodRawShape = shape,
): z.infer<z.ZodObject<Shape>> {
  const read = parse(z.strictObject(shape), given, { whole: z.strictObject(whole), path: [] })
  if (read.ok) return read.value
  throw new Error(`${read.problems.join("; ")}. Nothing was done: correct this and call again.`)
}
