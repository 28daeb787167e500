/** JSON as people read it: one level at a time. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What an object or a list holds, each under its key or its place. */
export function entriesOf(value: Json): [name: string, value: Json][] {
  if (Array.isArray(value)) return value.map((each: Json, index) => [String(index), each])
  return isNested(value) ? Object.entries(value) : []
}

export const isNested = (value: Json): value is object & Json => typeof value === "object" && value !== null

/** Characters of a preview. */
const shortest = 60

/** An object or a list in a few words: `{file, line, …}`, `3 items`. */
export function summaryOf(value: Json): string {
  if (Array.isArray(value)) return value.length === 1 ? "1 item" : `${value.length} items`
  const names = entriesOf(value).map(([name]) => name)
  if (names.length === 0) return "{}"
  let words = ""
  for (const [index, name] of names.entries()) {
    const next = index === 0 ? name : `${words}, ${name}`
    if (next.length > shortest) return `{${words === "" ? "" : `${words}, `}…}`
    words = next
  }
  return `{${words}}`
}
