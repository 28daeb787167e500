import * as z from "zod"
import { isLoopback, TOKEN_LENGTH } from "../inspector/options.ts"
import { parse } from "../util/parse.ts"

const seconds = z.number().positive().max(2_000_000)

const modelName = z
  .string()
  .regex(/^[^/]+\/.+$/)
  .meta({ requirement: "provider/model" })

const Inspector = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether to run the inspector."),
  port: z.number().int().min(0).max(65_535).default(0).describe("0: any free port."),
  readOnly: z.boolean().default(false).describe("Jobs can be watched but not cancelled or steered."),
  host: z
    .string()
    .refine(isLoopback)
    .meta({ requirement: "127.0.0.1 or ::1" })
    .default("127.0.0.1")
    .describe(
      "The address it listens on: 127.0.0.1 or ::1. With any other address the inspector does not start.",
    ),
  token: z
    .string()
    .min(TOKEN_LENGTH)
    .optional()
    .describe(
      "For scripts, sent as `Authorization: Bearer`. With fewer than 32 characters the inspector does not start.",
    ),
})

/** The plugin's options in opencode.json: `"plugin": [["opencode-troupe", { … }]]`. */
export const Options = z.strictObject({
  concurrency: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(8)
    .describe("How many prompts may be in flight at once, across all owners."),
  timeoutSeconds: seconds
    .default(1800)
    .describe("A job's total timeout, not counting the time it waits for a permission or an answer."),
  idleSeconds: seconds.default(300).describe("The idle timeout: how long the child may show no activity."),
  depth: z
    .number()
    .int()
    .min(1)
    .max(10)
    .default(1)
    .describe("How many levels of jobs are allowed. 1: only top-level sessions may start jobs."),
  notify: z
    .enum(["idle", "never"])
    .default("idle")
    .describe("Deliver results to an owner when it is idle, or never."),
  fallback: z
    .record(modelName, z.array(modelName).min(1))
    .default({})
    .describe(
      "By model, those that take its place, in this order, where it cannot be had: for tasks that list no fallbacks.",
    ),
  recover: z
    .enum(["fail", "resume"])
    .default("fail")
    .describe(
      "Jobs that were running when opencode stopped: end them as failed (interrupted), or restart them.",
    ),
  inspector: Inspector.prefault({}).describe("The page in the browser, served on the loopback interface."),
})
export type Options = z.infer<typeof Options>

/** Who may reach the inspector: it does not start rather than start in another way than asked. */
const access: Record<string, string> = {
  "inspector.host": "no inspector runs",
  "inspector.token": "no inspector runs (`openssl rand -hex 32` makes a token that is long enough)",
}

/**
 * Reads the options key by key: a bad value is named in `problems`, with what would be right, and takes its default;
 * the rest holds.
 */
export function readOptions(given: unknown): { options: Options; problems: string[] } {
  const problems: string[] = []
  const { inspector: inspectorGiven, ...rest } = asObject(given ?? {}, "", problems)
  const good = readKeys(Options.shape, rest, "", problems)
  const asked = asObject(inspectorGiven ?? {}, "inspector", problems)
  const inspector = readKeys(Inspector.shape, asked, "inspector.", problems)
  const isUnsafe = Object.keys(asked).some((key) => `inspector.${key}` in access && !(key in inspector))
  const safe = isUnsafe ? { ...inspector, enabled: false } : inspector
  return { options: Options.parse({ ...good, inspector: safe }), problems }
}

function asObject(given: unknown, name: string, problems: string[]): Record<string, unknown> {
  if (typeof given === "object" && !Array.isArray(given)) return { ...given }
  const shown = JSON.stringify(given)
  problems.push(
    name === ""
      ? `the options are ${shown}: they must be an object; using the defaults`
      : `option "${name}" is ${shown}: it must be an object; using the defaults`,
  )
  return {}
}

function readKeys(
  shape: z.ZodRawShape,
  given: object,
  prefix: string,
  problems: string[],
): Record<string, unknown> {
  const good: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(given)) {
    const schema = Object.hasOwn(shape, key) ? shape[key] : undefined
    const name = `option "${prefix}${key}"`
    if (!schema) {
      problems.push(`${name} is unknown; valid names: ${Object.keys(shape).join(", ")}`)
      continue
    }
    const read = parse(schema, value, name)
    if (read.ok) good[key] = read.value
    else {
      const instead = access[`${prefix}${key}`] ?? fallback(schema)
      problems.push(...read.problems.map((problem) => `${problem}; ${instead}`))
    }
  }
  return good
}

function fallback(schema: z.core.$ZodType): string {
  const value = z.parse(schema, undefined)
  return value === undefined ? "continuing without it" : `using the default, ${JSON.stringify(value)}`
}
