import * as z from "zod"
import { isLoopback, TOKEN_LENGTH } from "../inspector/options.ts"
import { parse } from "../util/parse.ts"

const seconds = z.number().positive().max(2_000_000)

const modelName = z
  .string()
  .regex(/^[^/]+\/.+$/)
  .meta({ requirement: "provider/model" })

/** Without the models themselves, which are read one by one. */
const models = z.array(z.unknown()).min(1).meta({ requirement: 'a list of models, such as ["openai/gpt-5"]' })

const slots = z.number().int().min(1).max(256)
const defaultSlots = 8

const Concurrency = z.strictObject({
  total: slots.default(defaultSlots).describe("How many in all."),
  providers: z
    .record(z.string(), slots)
    .default({})
    .describe('How many of one provider: `{"anthropic": 4}`. Default: no limit of its own.'),
  models: z
    .record(z.string(), slots)
    .default({})
    .describe('How many of one model: `{"anthropic/claude-opus-4-1": 2}`. Default: no limit of its own.'),
})
const amount = z.number().positive().meta({ requirement: "a number above 0" })

/** What a batch or an owner may spend, with all that its jobs start. */
export const GivenBudget = z
  .strictObject({ tokens: amount.optional(), cost: amount.optional() })
  .refine(({ tokens, cost }) => tokens !== undefined || cost !== undefined)
  .meta({ requirement: "an object with tokens, cost (US$) or both" })

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
    .union([slots, Concurrency])
    .default(defaultSlots)
    .describe("How many prompts may be in flight at once, across all owners: in all, by provider, by model."),
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
    .enum(["batch", "each", "never"])
    .default("batch")
    .describe(
      "When results are delivered to an owner, always while it is idle: those of one `agents_start` together, each as it comes, or never.",
    ),
  notifySeconds: seconds
    .default(60)
    .describe("How long a result waits at most for the other jobs of its `agents_start`."),
  fallback: z
    .record(modelName, z.array(modelName).min(1))
    .meta({
      requirement:
        'a list of models for each model, such as {"anthropic/claude-sonnet-4-5": ["openai/gpt-5"]}',
    })
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
  budget: GivenBudget.optional().describe(
    "What the jobs of one owner may use up, with all that they start: `tokens`, `cost` (US$) or both. Default: no limit.",
  ),
  inspector: Inspector.prefault({}).describe("The page in the browser, served on the loopback interface."),
})
export type Options = z.infer<typeof Options>

/** Those that are read key by key: where all slots alone are limited, their number is all that is asked. */
const shape = { ...Options.shape, concurrency: slots.default(defaultSlots) }

/** What limits is not taken for no limit: rather than in another way than asked, nothing starts. */
const otherwise: Record<string, string> = {
  budget: "no job starts",
  "inspector.host": "no inspector runs",
  "inspector.token": "no inspector runs (`openssl rand -hex 32` makes a token that is long enough)",
}

/**
 * Reads the options key by key: a bad value is named in `problems`, with what would be right, and takes its default;
 * the rest holds.
 */
export function readOptions(given: unknown): ReadOptions {
  const problems: string[] = []
  const { inspector: inspectorGiven, ...rest } = asObject(given ?? {}, "", problems)
  // What is no object is taken for the number of all slots.
  const { concurrency, fallback, ...others } = withoutOldNames(rest)
  const good = {
    ...readInside("concurrency", concurrency, readLimits, problems),
    ...readKeys(shape, others, "", problems),
    ...readInside("fallback", fallback, readFallbacks, problems),
  }
  const asked = asObject(inspectorGiven ?? {}, "inspector", problems)
  const inspector = readKeys(Inspector.shape, asked, "inspector.", problems)
  const isUnsafe = Object.keys(asked).some((key) => `inspector.${key}` in otherwise && !(key in inspector))
  const safe = isUnsafe ? { ...inspector, enabled: false } : inspector
  const options = Options.parse({ ...good, inspector: safe })
  const isBudgetWrong = "budget" in rest && options.budget === undefined
  return { options, problems, ...(isBudgetWrong && { noStarts: wrongBudget }) }
}

const wrongBudget =
  'the plugin\'s option "budget" cannot be read (agents_status says why), so what it limits is not known.'

type ReadOptions = {
  options: Options
  problems: string[]
  /** Why no job may start, where that is so. */
  noStarts?: string
}

/** `idle` was the only way to be told. */
const withoutOldNames = (given: Record<string, unknown>) =>
  given.notify === "idle" ? { ...given, notify: "each" } : given

/** Reads an option entry by entry where it has entries. */
function readInside(
  key: "concurrency" | "fallback",
  given: unknown,
  read: (given: object, problems: string[]) => object,
  problems: string[],
): object {
  if (given === undefined) return {}
  const hasEntries = typeof given === "object" && given !== null && !Array.isArray(given)
  return hasEntries ? { [key]: read(given, problems) } : readKeys(shape, { [key]: given }, "", problems)
}

/** Each model keeps those of its fallbacks that are right. */
function readFallbacks(given: object, problems: string[]): Record<string, string[]> {
  const right = <T>(schema: z.ZodType<T>, value: unknown, name: string): T[] => {
    const read = parse(schema, value, name)
    if (read.ok) return [read.value]
    problems.push(...read.problems.map((problem) => `${problem}; continuing without it`))
    return []
  }
  const lists = Object.entries(given).flatMap(([model, others]): [string, string[]][] => {
    const name = `fallback.${model}`
    const fallbacks = right(models, others, `option "${name}"`)
      .flat()
      .flatMap((other, index) => right(modelName, other, `option "${name}[${index}]"`))
      .filter((other, index, all) => {
        if (other !== model && !all.slice(0, index).includes(other)) return true
        const wanted = "it must list other models, each once"
        problems.push(`option "${name}" names "${other}" again: ${wanted}; continuing without it`)
        return false
      })
    if (fallbacks.length === 0) return []
    return right(modelName, model, 'a model in option "fallback"').map((named) => [named, fallbacks])
  })
  return Object.fromEntries(lists)
}

function readLimits(given: object, problems: string[]): object {
  const { providers, models, ...rest } = { providers: {}, models: {}, ...given }
  const limitsOf = (key: "providers" | "models", given: unknown, isName: (name: string) => boolean) => {
    const name = `concurrency.${key}`
    const asked = Object.entries(asObject(given, name, problems))
    for (const [of] of asked)
      if (!isName(of))
        problems.push(`option "${name}" has a limit of "${of}": ${nameWords[key]}; continuing without it`)
    const named = asked.filter(([of]) => isName(of))
    const shape = Object.fromEntries(named.map(([of]) => [of, slots.optional()]))
    return readKeys(shape, Object.fromEntries(named), `${name}.`, problems)
  }
  return {
    ...readKeys(Concurrency.shape, rest, "concurrency.", problems),
    providers: limitsOf("providers", providers, (name) => /^[^/]+$/.test(name)),
    models: limitsOf("models", models, (name) => /^[^/]+\/./.test(name)),
  }
}

const nameWords = {
  providers: "it must be of a provider, such as anthropic",
  models: "it must be of a model, such as anthropic/claude-opus-4-1",
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
      const instead = otherwise[`${prefix}${key}`] ?? fallback(schema)
      problems.push(...read.problems.map((problem) => `${problem}; ${instead}`))
    }
  }
  return good
}

function fallback(schema: z.core.$ZodType): string {
  const value = z.parse(schema, undefined)
  return value === undefined ? "continuing without it" : `using the default, ${JSON.stringify(value)}`
}
