/** The terms of a search as they are written, so that one can be changed and the others stay. */
const termsIn = (q: string) => q.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []

/** The search without all that it says about a field. */
export const without = (q: string, field: string) =>
  termsIn(q)
    .filter((term) => !isOf(term, field))
    .join(" ")

export function valuesOf(q: string, field: string): string[] {
  const terms = termsIn(q).filter((term) => isOf(term, field))
  return terms
    .flatMap((term) =>
      term
        .slice(field.length + 1)
        .toLowerCase()
        .split(","),
    )
    .filter(Boolean)
}

/** Whether the field must be one of these or more. */
export const hasValues = (q: string, field: string, values: readonly string[]) => {
  const known = valuesOf(q, field)
  return values.every((value) => known.includes(value.toLowerCase()))
}

/** The search with these alternatives of a field, or without them where it has them. All else stays. */
export function toggled(q: string, field: string, values: readonly string[]): string {
  const known = valuesOf(q, field)
  const lower = values.map((value) => value.toLowerCase())
  const next = hasValues(q, field, values)
    ? known.filter((value) => !lower.includes(value))
    : [...known.filter((value) => !lower.includes(value)), ...values]
  const term = next.length === 0 ? [] : [`${field}:${next.join(",")}`]
  return [...term, ...termsIn(without(q, field))].join(" ")
}

const isOf = (term: string, field: string) => term.toLowerCase().startsWith(`${field}:`)
