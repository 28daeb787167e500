import * as z from "zod"

const seconds = z.number().positive().max(2_000_000)

const Inspector = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether there is an inspector at all."),
  port: z.number().int().min(0).max(65_535).default(0).describe("0: any free one."),
  readOnly: z.boolean().default(false).describe("Nothing can be stopped or steered through it."),
  // What these two may be is the inspector's to say: it would rather not start than start otherwise than asked.
  host: z
    .string()
    .default("127.0.0.1")
    .describe("Where it listens: 127.0.0.1 or ::1. With any other address there is no inspector."),
  token: z
    .string()
    .meta({ minLength: 32 })
    .optional()
    .describe("For scripts, as `Authorization: Bearer`; 32 characters or more, or there is no inspector."),
})

/** The plugin's options in opencode.json: `"plugin": [["opencode-troupe", { … }]]`. */
export const Options = z.strictObject({
  concurrency: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(8)
    .describe("Prompts in flight at most, over all owners."),
  timeoutSeconds: seconds
    .default(1800)
    .describe("A job's total time, without the time it waits for a permission or an answer."),
  idleSeconds: seconds.default(300).describe("Longest time without a sign of life from the child."),
  depth: z
    .number()
    .int()
    .min(1)
    .max(10)
    .default(1)
    .describe("How deep subagents may start jobs; 1: only sessions without a parent."),
  notify: z
    .enum(["idle", "never"])
    .default("idle")
    .describe("Tell the owner about ended jobs when it is idle, or never."),
  recover: z
    .enum(["fail", "resume"])
    .default("fail")
    .describe("Jobs found running after a restart: end them as failed (interrupted), or go on with them."),
  inspector: Inspector.prefault({}).describe("The page in the browser, on the loopback interface."),
})
export type Options = z.infer<typeof Options>

/**
 * Reads the options key by key: a bad value is named in `problems`, with what would be right, and takes its default;
 * the rest holds.
 */
export function readOptions(given: unknown): { options: Options; problems: string[] } {
  const problems: string[] = []
  const { inspector, ...rest } = asObject(given ?? {}, "", problems)
  const good = readKeys(Options.shape, rest, "", problems)
  const goodInspector = readKeys(
    Inspector.shape,
    asObject(inspector ?? {}, "inspector", problems),
    "inspector.",
    problems,
  )
  return { options: Options.parse({ ...good, inspector: goodInspector }), problems }
}

function asObject(given: unknown, name: string, problems: string[]): Record<string, unknown> {
  if (typeof given === "object" && !Array.isArray(given)) return { ...given }
  const what = name === "" ? "the plugin's options" : `option "${name}"`
  problems.push(`${what}: ${JSON.stringify(given)} is no object of keys and values; using the defaults`)
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
      problems.push(`${name} is unknown; there are: ${Object.keys(shape).join(", ")}`)
      continue
    }
    const read = z.safeParse(schema, value)
    if (read.success) {
      good[key] = read.data
      continue
    }
    for (const { message } of read.error.issues)
      problems.push(`${name} is ${JSON.stringify(value)}, but ${lowerFirst(message)}; ${fallback(schema)}`)
  }
  return good
}

function fallback(schema: z.core.$ZodType): string {
  const value = z.parse(schema, undefined)
  return value === undefined ? "going on without it" : `using the default, ${JSON.stringify(value)}`
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
