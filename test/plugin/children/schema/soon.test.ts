import { expect, it } from "vitest"
import { checkOf } from "../../../../src/plugin/children/schema/answer.ts"

const anything = checkOf(() => [])

it.each([
  ["brackets", "[".repeat(400_000)],
  ["brackets and quotes", '["'.repeat(200_000)],
  ["small values", "[x] ".repeat(120_000)],
  ["blocks", "```\n".repeat(120_000)],
])("An answer is read soon, also where it is nothing but %s", (_, answer) => {
  const began = performance.now()
  expect(anything(answer)).toEqual({ problems: ["it has no JSON value"] })
  // A tenth of that on an idle machine; without its bounds it would take minutes.
  expect(performance.now() - began).toBeLessThan(5_000)
})
