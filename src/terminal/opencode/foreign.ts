/** For the person, in either generation. */
export const unreachable = "opencode cannot be reached."
export const absent = "opencode-troupe is not loaded in opencode's server, or not yet."

/**
 * What it gives, if that does not take too long: who hangs is not waited for without a word.
 * @throws Error with words for the person
 */
export async function answeredIn<Value>(limitMs: number, calling: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise<never>((_, reject) => {
    const error = new Error(`opencode-troupe's server part has not answered for ${limitMs / 1_000} seconds.`)
    timer = setTimeout(() => reject(error), limitMs)
  })
  try {
    return await Promise.race([calling, limit])
  } finally {
    clearTimeout(timer)
  }
}

export const fieldIn = (given: unknown, name: string): unknown =>
  typeof given === "object" && given !== null ? Reflect.get(given, name) : undefined

/** Empty where it has none of this name. */
export function textIn(given: unknown, name: string): string {
  const text = fieldIn(given, name)
  return typeof text === "string" ? text : ""
}
