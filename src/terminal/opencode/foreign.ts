/** For the person, in either generation. */
export const unreachable = "opencode cannot be reached."

export const fieldIn = (given: unknown, name: string): unknown =>
  typeof given === "object" && given !== null ? Reflect.get(given, name) : undefined

/** Empty where it has none of this name. */
export function textIn(given: unknown, name: string): string {
  const text = fieldIn(given, name)
  return typeof text === "string" ? text : ""
}
