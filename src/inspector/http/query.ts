import type { JobRecord } from "../../machines/record.ts"

/** A search: every field and every word must match; the values of a field are alternatives. */
export type Query = { fields: Map<Field, string[]>; words: string[] }

type Field = (typeof FIELDS)[number]
type Searched = Omit<JobRecord, "text" | "structured">

/** What is allowed before a colon. */
export const FIELDS = ["state", "phase", "agent", "model", "owner", "id", "error", "needs"] as const

/** `state:failed agent:x text`; quotes hold words together. An unknown field is a word. */
export function parseQuery(text: string): Query {
  const query: Query = { fields: new Map(), words: [] }
  for (const [term] of text.toLowerCase().matchAll(/(?:[^\s"]|"[^"]*"?)+/g)) {
    const [name, value] = splitOnce(term.replaceAll('"', ""), ":")
    const field = FIELDS.find((each) => each === name)
    if (field && value) query.fields.set(field, [...(query.fields.get(field) ?? []), ...value.split(",")])
    else if (term !== '""') query.words.push(term.replaceAll('"', ""))
  }
  return query
}

export function matches(record: Searched, { fields, words }: Query): boolean {
  for (const [field, values] of fields) {
    const texts = textsOf(record, field)
    const isIn = (value: string) =>
      texts.some((text) => (isExact(field) ? text === value : text.includes(value)))
    if (!values.some(isIn)) return false
  }
  if (words.length === 0) return true
  const text = textOf(record)
  return words.every((word) => text.includes(word))
}

const exact: readonly Field[] = ["state", "phase", "id", "needs"]
const isExact = (field: Field) => exact.includes(field)

/** What a field of a record says: of what it needs, the id of each. One whose provider is on hold is in no queue. */
function textsOf(record: Searched, field: Field): string[] {
  if (field === "needs") return (record.needs ?? []).map(({ id }) => id.toLowerCase())
  if (field === "phase" && record.holdUntil !== undefined) return ["held"]
  const value = field === "error" ? record.error?.kind : record[field]
  return [(value ?? "").toLowerCase()]
}

/** The searchable text of each record, computed once: records are replaced, never changed. */
const texts = new WeakMap<Searched, string>()

function textOf(record: Searched): string {
  const known = texts.get(record)
  if (known !== undefined) return known
  const { id, description, agent, model, session, activity, error } = record
  const parts = [id, description, agent, model, session, activity?.tool, activity?.text, error?.message]
  const text = parts.join("\n").toLowerCase()
  texts.set(record, text)
  return text
}

function splitOnce(text: string, by: string): [string, string | undefined] {
  const at = text.indexOf(by)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + by.length)]
}
