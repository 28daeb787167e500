import type { Checked, Json } from "../../records/checked.ts"

export type Check = (answer: string) => Checked

/** Longer answers are not read, and deeper ones neither. Characters, and levels. */
const mostCharacters = 500_000
const mostDepth = 100
/** Characters that are looked at in the search for values, which may begin anywhere; and how many values are tried. */
const mostLooks = 10_000_000
const mostTries = 200

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
  const fenced = [...text.matchAll(fences)].map(([, inner = ""]) => inner)
  for (const inner of fenced.slice(-mostTries).reverse()) {
    const value = parsed(inner)
    if (value !== undefined) yield value
  }
  yield* outermost(text, { looks: mostLooks, tries: mostTries })
}

const fences = /^[ \t]*(?:```|~~~)[^\n]*\n([\s\S]*?)^[ \t]*(?:```|~~~)[ \t]*$/gm

/** The objects and lists of a text that stand in no other, the last first. */
function* outermost(text: string, left: { looks: number; tries: number }): Generator<Json> {
  const found: string[] = []
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "{" && text[at] !== "[") continue
    const { end, isDeep } = extentOf(text, at)
    left.looks -= (end ?? text.length) - at
    if (left.looks < 0) break
    if (end === undefined) continue
    if (!isDeep) found.push(text.slice(at, end))
    at = end - 1
  }
  for (const each of found.reverse()) {
    if (--left.tries < 0) return
    const value = parsed(each)
    if (value === undefined) yield* outermost(each.slice(1, -1), left)
    else yield value
  }
}

/** Where the value that begins there ends, if it does, and whether it is too deep. */
function extentOf(text: string, from: number): { end?: number; isDeep: boolean } {
  let depth = 0
  let isDeep = false
  let isInText = false
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (isInText) {
      if (character === "\\") at++
      else if (character === '"') isInText = false
    } else if (character === '"') isInText = true
    else if (character === "{" || character === "[") isDeep = ++depth > mostDepth || isDeep
    else if ((character === "}" || character === "]") && --depth === 0) return { end: at + 1, isDeep }
  }
  return { isDeep }
}

function parsed(text: string): Json | undefined {
  if (extentOf(text, 0).isDeep) return undefined
  try {
    // What JSON cannot say, as 1e999, does not come back.
    return JSON.parse(JSON.stringify(JSON.parse(text)))
  } catch {
    return undefined
  }
}
