import type { Choice, Question } from "./requests.ts"

/** What opencode 2 has a person fill in: its tool `question`, and servers of MCP. Seen in 2.0.15. */
export type Form = { id: string; fields: readonly Field[] }

type Field = {
  key: string
  /** Others there may be are texts to us. */
  type: string
  title?: string | undefined
  description?: string | undefined
  /** Of `string` and `multiselect`. */
  options?: readonly Choice[] | undefined
  /** Something else may be written as well. */
  custom?: boolean | undefined
  /** Of `external`: a page to go to. */
  url?: string | undefined
}

export type FormAnswer = Record<string, string | number | boolean | string[]>

export const questionsOf = ({ fields }: Form): Question[] => fields.map(questionOf)

function questionOf({ key, type, title = "", description, options = [], custom, url }: Field): Question {
  const isBoolean = type === "boolean"
  return {
    key,
    title,
    text: [description ?? title, ...(url === undefined ? [] : [url])].join("\n"),
    choices: isBoolean ? yesOrNo : options,
    isMultiple: type === "multiselect",
    takesText: custom ?? (options.length === 0 && !isBoolean && type !== "external"),
  }
}

const yesOrNo: readonly Choice[] = [
  { value: "true", label: "Yes" },
  { value: "false", label: "No" },
]

/** By the keys of its fields. What was left open is left out. */
export function formAnswer(
  { fields }: Form,
  answers: Readonly<Record<string, readonly string[]>>,
): FormAnswer {
  const found = fields.flatMap(({ key, type }): [string, FormAnswer[string]][] => {
    // The keys are whatever a server of MCP has chosen: `constructor` as well.
    const values = (Object.hasOwn(answers, key) && answers[key]) || []
    const [value] = values
    if (type === "external" || value === undefined) return []
    if (type === "multiselect") return [[key, [...values]]]
    if (type === "boolean") return [[key, value === "true"]]
    return [[key, type === "number" || type === "integer" ? numberIn(value) : value]]
  })
  return Object.fromEntries(found)
}

/** What is none goes as it is: opencode says what is wrong with it. */
function numberIn(written: string): number | string {
  const number = Number(written)
  return Number.isFinite(number) ? number : written
}
