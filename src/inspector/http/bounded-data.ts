import type { JobAnswer } from "./api.ts"

/** Characters of JSON, and levels of it: what is deeper overflows the stacks of those who write or read it. */
const longest = 1_000_000
const deepest = 200

/** A structured answer, or why it is left out. */
export function boundedData(value: unknown): Pick<JobAnswer, "structured" | "noStructured"> {
  if (value === undefined) return {}
  if (isDeeper(value, deepest))
    return {
      structured: undefined,
      noStructured: `It is nested more than ${deepest} levels deep, too deep to be shown as data: the conversation has its text.`,
    }
  const { length } = JSON.stringify(value)
  if (length <= longest) return { structured: value }
  return {
    structured: undefined,
    noStructured: `It has ${length.toLocaleString("en")} characters, too many to be shown as data: the conversation has its text.`,
  }
}

/** Without recursion, whose stack it would overflow. */
function isDeeper(value: unknown, levels: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []))
  }
  return false
}
