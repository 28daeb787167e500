import type { Answer, Question, Request } from "../../shown/requests.ts"
import { beginning } from "../../util/plain.ts"
import type { ShownRequest } from "../source.ts"
import type { AnswerBody, RequestAnswer } from "./api.ts"
import { ApiError } from "./api-error.ts"

/** Characters of one text. */
const longest = 100_000
const mostItems = 200

/** What is left out is said: somebody decides by what they read. */
export function boundedRequest(request: ShownRequest): RequestAnswer {
  const { id, session, unanswerable } = request
  const asking = { id, session, ...(unanswerable !== undefined && { unanswerable }) }
  if (request.kind === "question") {
    const questions = request.questions.slice(0, mostItems).map(boundedQuestion)
    return { ...asking, kind: "question", questions }
  }
  const { kind, action, parts, always } = request
  const left = parts.length - mostItems
  const more = left > 0 ? [{ title: "not shown", text: `${left} more arguments` }] : []
  return {
    ...asking,
    kind,
    action,
    parts: [...parts.slice(0, mostItems).map(boundedPart), ...more],
    always: boundedPatterns(always),
  }
}

function boundedPatterns(patterns: readonly string[]): string[] {
  const kept = patterns.slice(0, mostItems).map((pattern) => {
    const shown = beginning(pattern, longest)
    return shown.length < pattern.length ? `${shown}… (it goes on)` : shown
  })
  const left = patterns.length - kept.length
  return left > 0 ? [...kept, `… and ${left} more that are not shown`] : kept
}

function boundedPart({ title, text }: { title: string; text: string }) {
  const kept = beginning(text, longest)
  return {
    title: beginning(title, longest),
    text: kept,
    ...(kept.length < text.length && { cut: true as const }),
  }
}

const boundedQuestion = ({ choices, ...question }: Question) => ({
  ...question,
  title: beginning(question.title, longest),
  text: beginning(question.text, longest),
  choices: choices.slice(0, mostItems).map((choice) => ({ ...choice })),
})

/** @throws {ApiError} a 400 that says what would be an answer to this request */
export function answerOf(request: Request, body: AnswerBody): Answer {
  if (request.kind === "permission") {
    if (!("reply" in body)) throw wrong("a permission request is answered by `reply`: once, always or reject")
    const { reply: decision, message } = body
    if (message === undefined) return { kind: "decision", decision }
    if (decision !== "reject") throw wrong("a `message` goes with the reply reject alone")
    return { kind: "decision", decision, message }
  }
  if ("reply" in body) throw wrong("a question is answered by `answers`, or by `dismiss`")
  if ("dismiss" in body) return { kind: "dismissal" }
  return { kind: "answers", answers: answersTo(request.questions, body.answers) }
}

type Given = Extract<AnswerBody, { answers: unknown }>["answers"]

function answersTo(questions: readonly Question[], given: Given): Record<string, string[]> {
  const byKey = Array.isArray(given)
    ? given.map((values, index): [string, string[]] => [questions[index]?.key ?? `${index}`, values])
    : Object.entries(given)
  for (const [key, values] of byKey) {
    const question = questions.find((each) => each.key === key)
    if (!question) throw wrong(`there is no question ${JSON.stringify(key.slice(0, 80))}`)
    if (!question.isMultiple && values.length > 1) throw wrong(`question ${key} takes one answer`)
    const stranger = values.find((value) => !question.choices.some((choice) => choice.value === value))
    if (stranger !== undefined && !question.takesText) {
      const valid = question.choices.map(({ value }) => JSON.stringify(value)).join(", ")
      throw wrong(`question ${key} takes one of ${valid}`)
    }
  }
  return Object.fromEntries(byKey)
}

const wrong = (words: string) => new ApiError(400, "body", `${words[0]?.toUpperCase()}${words.slice(1)}.`)
