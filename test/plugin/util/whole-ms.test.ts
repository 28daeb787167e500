import { expect, it } from "vitest"
import { wholeMs } from "../../../src/plugin/util/whole-ms.ts"

it.each([
  [30, 30_000],
  [1.0006, 1_001],
  [0.0004, 0],
])("%s seconds are %i milliseconds", (seconds, ms) => {
  expect(wholeMs(seconds)).toBe(ms)
})
