/** JSON as people read it: one level at a time. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What an object or a list holds, each under its key or its place. */
export function entriesOf(value: Json): [name: string, value: Json][] {
  if (Array.isArray(value)) return value.map((each: Json, index) => [String(index), each])
  return isNested(value) ? Object.entries(value) : []
}

export const isNested = (value: Json): value is object & Json => typeof value === "object" && value !== null

/** Characters of a preview, and of a text in it. */
const longest = { preview: 100, text: 40 }

/** An object or a list in a few words: `file: src/a.ts, line: 3, notes: 2 items, …`. */
export function summaryOf(value: Json): string {
  if (Array.isArray(value)) return value.length === 1 ? "1 item" : `${value.length} items`
  const entries = entriesOf(value)
  const shown: string[] = []
  let room = longest.preview
  for (const [name, each] of entries) {
    const words = `${cut(name)}: ${leafWords(each)}`
    room -= words.length
    if (room < 0 && shown.length > 0) break
    shown.push(words)
  }
  return [...shown, ...(shown.length < entries.length ? ["…"] : [])].join(", ")
}

function leafWords(value: Json): string {
  if (typeof value === "string") return cut(value)
  if (!isNested(value)) return String(value)
  return Array.isArray(value) ? summaryOf(value) : "{…}"
}

const cut = (text: string) => (text.length > longest.text ? `${text.slice(0, longest.text)}…` : text)
