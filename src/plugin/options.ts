import * as z from "zod"

const seconds = z.number().positive().max(2_000_000)

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
})
export type Options = z.infer<typeof Options>

/**
 * Reads the options key by key: a bad value is named in `problems`, with what would be right, and takes its default;
 * the rest holds.
 */
export function readOptions(given: unknown): { options: Options; problems: string[] } {
  const problems: string[] = []
  const entries = typeof given === "object" && given !== null ? Object.entries(given) : []
  const good: Record<string, unknown> = {}
  for (const [key, value] of entries) {
    if (!isOption(key)) {
      problems.push(`option "${key}" is unknown; there are: ${Object.keys(Options.shape).join(", ")}`)
      continue
    }
    const read = Options.shape[key].safeParse(value)
    if (read.success) good[key] = read.data
    else
      problems.push(
        `option "${key}" is ${JSON.stringify(value)}, but ${wordsOf(read.error)}; ${fallback(key)}`,
      )
  }
  return { options: Options.parse(good), problems }
}

const isOption = (key: string): key is keyof Options => Object.hasOwn(Options.shape, key)

const fallback = (key: keyof Options) =>
  `using the default, ${JSON.stringify(Options.shape[key].parse(undefined))}`

const wordsOf = (error: z.ZodError) => error.issues.map(({ message }) => lowerFirst(message)).join("; ")

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
