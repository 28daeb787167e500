import type { Checked, Json } from "../../records/checked.ts"

export type Check = (answer: string) => Checked

/** Longer answers are not read, and deeper ones neither. Characters, and levels. */
const mostCharacters = 1_000_000
const mostDepth = 100
/** Characters that are looked at in the search for values, which may begin anywhere. */
const mostLooks = 10_000_000

/** Reads an answer: the value may have words around it, or stand in a fenced block. */
export function checkOf(problemsOf: (value: unknown) => string[]): Check {
  return (answer) => {
    if (answer.length > mostCharacters)
      return { problems: [`it has ${answer.length} characters: more than ${mostCharacters} are not read`] }
    let first: string[] | undefined
    for (const value of valuesIn(answer.trim())) {
      const problems = problemsOf(value)
      if (problems.length === 0) return { value }
      first ??= problems
    }
    return { problems: first ?? ["it has no JSON value"] }
  }
}

/** The values that a text may mean, the likeliest first. */
function* valuesIn(text: string): Generator<Json> {
  const whole = parsed(text)
  if (whole !== undefined) return yield whole
  for (const [, inner = ""] of [...text.matchAll(fences)].reverse()) {
    const value = parsed(inner)
    if (value !== undefined) yield value
  }
  yield* outermost(text).reverse()
}

const fences = /^[ \t]*(?:```|~~~)[^\n]*\n([\s\S]*?)^[ \t]*(?:```|~~~)[ \t]*$/gm

/** The objects and lists of a text that stand in no other. */
function outermost(text: string): Json[] {
  const found: Json[] = []
  let looks = mostLooks
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "{" && text[at] !== "[") continue
    const end = endOf(text, at, looks)
    looks -= (end ?? text.length) - at
    if (looks < 0) break
    const value = end === undefined ? undefined : parsed(text.slice(at, end))
    if (value === undefined || end === undefined) continue
    found.push(value)
    at = end - 1
  }
  return found
}

/** Where the value that begins there ends, if it does. */
function endOf(text: string, from: number, looks: number): number | undefined {
  let depth = 0
  let isInText = false
  for (let at = from; at < text.length && at - from <= looks; at++) {
    const character = text[at]
    if (isInText) {
      if (character === "\\") at++
      else if (character === '"') isInText = false
    } else if (character === '"') isInText = true
    else if (character === "{" || character === "[") depth++
    else if ((character === "}" || character === "]") && --depth === 0) return at + 1
  }
  return undefined
}

function parsed(text: string): Json | undefined {
  try {
    // What JSON cannot say, as 1e999, does not come back.
    const value: Json = JSON.parse(JSON.stringify(JSON.parse(text)))
    return isShallow(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isShallow(value: Json): boolean {
  let level = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > mostDepth) return false
    level = level.flatMap((each) => (each instanceof Object ? Object.values(each) : []))
  }
  return true
}
