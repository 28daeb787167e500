import { describe, expect, it } from "vitest"
import { fitting } from "../../../src/plugin/tools/output-limit.ts"

const bytes = (count: number) => "x".repeat(count)
const lines = (count: number) => Array(count).fill("x").join("\n")

describe("What fits into a tool's answer", () => {
  it("is all of it, up to 46,000 bytes", () => {
    expect(fitting([])).toBe(0)
    expect(fitting([bytes(23_000), bytes(23_000)])).toBe(2)
    expect(fitting([bytes(23_000), bytes(23_001)])).toBe(1)
    expect(fitting([bytes(20_000), bytes(20_000), bytes(20_000), bytes(1)])).toBe(2)
  })

  it("counts bytes, not characters", () => {
    expect(fitting([bytes(23_000), "ä".repeat(11_500)])).toBe(2)
    expect(fitting([bytes(23_000), "ä".repeat(11_501)])).toBe(1)
  })

  it("is all of it, up to 1,800 lines", () => {
    expect(fitting([lines(900), lines(900)])).toBe(2)
    expect(fitting([lines(900), lines(901)])).toBe(1)
    expect(fitting([lines(900), lines(800), lines(101)])).toBe(2)
  })

  it("is what leaves room for the other lines", () => {
    expect(fitting([bytes(20_000), bytes(20_000)], [bytes(6_000)])).toBe(2)
    expect(fitting([bytes(20_000), bytes(20_000)], [bytes(6_001)])).toBe(1)
    expect(fitting([lines(899), lines(899)], ["x", "x"])).toBe(2)
    expect(fitting([lines(899), lines(900)], ["x", "x"])).toBe(1)
  })

  it("is the first in any case: opencode keeps the whole of it in a file", () => {
    expect(fitting([bytes(100_000)])).toBe(1)
    expect(fitting([bytes(100_000), "x"])).toBe(1)
    expect(fitting([lines(5_000), "x"])).toBe(1)
  })
})
