import { expect, it } from "vitest"
import { type Form, formAnswer, questionsOf } from "../../src/shown/forms-of-2.ts"

// As opencode 2.0.15 makes it of its tool `question`, and as servers of MCP may ask.
const form: Form = {
  id: "frm_1",
  fields: [
    {
      key: "q0",
      title: "Colour",
      description: "Which colours?",
      type: "multiselect",
      options: [{ value: "Red", label: "Red", description: "As a rose" }],
      custom: true,
    },
    {
      key: "q1",
      title: "Size",
      description: "Which size?",
      type: "string",
      options: [{ value: "S", label: "S" }],
    },
    { key: "q2", title: "Why?", type: "string" },
    { key: "sure", title: "Sure?", type: "boolean" },
    { key: "rows", title: "Rows?", type: "integer" },
    { key: "login", title: "Log in", type: "external", url: "https://example.com" },
  ],
}

it("A form of opencode 2 is a question for each of its fields", () => {
  expect(
    questionsOf(form).map(({ text, choices, isMultiple, takesText }) => [
      text,
      choices.map(({ label }) => label).join("/"),
      isMultiple,
      takesText,
    ]),
  ).toEqual([
    ["Which colours?", "Red", true, true],
    ["Which size?", "S", false, false],
    ["Why?", "", false, true],
    ["Sure?", "Yes/No", false, false],
    ["Rows?", "", false, true],
    ["Log in\nhttps://example.com", "", false, false],
  ])
})

it("Its answer has what each field takes, and leaves out what was left open", () => {
  const answers = { q0: ["Red", "mauve"], q1: [], sure: ["false"], rows: ["12"], login: [] }
  expect(formAnswer(form, answers)).toEqual({ q0: ["Red", "mauve"], sure: false, rows: 12 })
  // opencode says what is wrong with it.
  expect(formAnswer(form, { rows: ["a dozen"] })).toEqual({ rows: "a dozen" })
})

it("Its fields may have any names", () => {
  const fields = ["constructor", "__proto__", "toString"].map((key) => ({ key, type: "string" }))
  expect(formAnswer({ id: "frm_2", fields }, {})).toEqual({})
  const answers = Object.fromEntries([["__proto__", ["x"]]])
  expect(JSON.stringify(formAnswer({ id: "frm_2", fields }, answers))).toBe('{"__proto__":"x"}')
})
