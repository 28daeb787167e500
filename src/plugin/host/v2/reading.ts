import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import type { Problems } from "../../util/problems.ts"

/** Reads what opencode gives. What is not as expected fails, and is a problem of this opencode. */
export class Reader {
  readonly #version: string
  readonly #problems: Problems

  constructor(version: string, problems: Problems) {
    this.#version = version
    this.#problems = problems
  }

  /** @param act what opencode does when it gives the value: `answer session.get` */
  read<T>(act: string, decode: () => T): T {
    try {
      return decode()
    } catch (thrown) {
      throw new Error(this.complain(act, thrown))
    }
  }

  /** Adds the problem, and returns its words. */
  complain(act: string, thrown: unknown): string {
    const message = `opencode ${this.#version} does not ${act} as expected (${shapeOf(thrown)})`
    this.#problems.add(`${message}; it may be too old or too new for opencode-troupe`)
    return message
  }
}

/** Where it has another shape: `parentID: expected string`. */
function shapeOf(thrown: unknown): string {
  if (!(thrown instanceof z.ZodError)) return wordsOf(thrown)
  const [issue] = thrown.issues
  return `${issue?.path.join(".") || "all of it"}: ${issue ? expectationOf(issue) : "another shape"}`
}

function expectationOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${issue.expected}`
    case "invalid_value":
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`
    // Its words are ours.
    case "custom":
      return issue.message
    default:
      return "expected another value"
  }
}
