import type { Question } from "./requests.ts"

/** A question of opencode 1.18. Seen in 1.18.33. */
export type QuestionOfOne = {
  question: string
  header: string
  options: readonly { label: string; description: string }[]
  multiple?: boolean
  custom?: boolean
}

/** Their places are their keys: opencode takes answers in this order. */
export const questionsOfOne = (questions: readonly QuestionOfOne[]): Question[] =>
  questions.map(({ question, header, options, multiple, custom }, index) => ({
    key: String(index),
    title: header,
    text: question,
    choices: options.map(({ label, description }) => ({ value: label, label, description })),
    isMultiple: multiple === true,
    takesText: custom !== false,
  }))

/** By the questions' keys, in the order of the questions. */
export const answersOfOne = (
  questions: readonly Question[],
  answers: Readonly<Record<string, readonly string[]>>,
): string[][] => questions.map(({ key }) => [...(answers[key] ?? [])])
