import { expect, it } from "vitest"
import { backoff } from "../../../src/plugin/util/backoff.ts"

const pauses = (limits: Parameters<typeof backoff>[1], attempts: number) =>
  Array.from({ length: attempts }, (_, attempt) => backoff(attempt, limits))

it("A backoff begins with the first pause and doubles up to the last", () => {
  expect(pauses({ firstMs: 1_000, lastMs: 60_000 }, 8)).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
  ])
})

it("A backoff is never longer than the last pause, however many attempts there were", () => {
  expect(backoff(5_000, { firstMs: 1_000, lastMs: 60_000 })).toBe(60_000)
})
