import { describe, expect, it } from "vitest"
import { columnsOf, fitted } from "../../src/util/columns.ts"

describe("A line in a terminal", () => {
  it.each([
    ["plain", 5],
    ["é·…↻✓", 6],
    ["日本", 4],
    ["🎉", 2],
  ])("takes at most so many columns: %s", (line, columns) => {
    expect(columnsOf(line)).toBe(columns)
  })

  it.each([
    ["all of it", 9, "start", "all of it"],
    ["all of it", 8, "start", "all of…"],
    ["all of it", 8, "end", "…l of it"],
    ["all of it", 7, "end", "…of it"],
    ["…and so on", 8, "end", "…d so on"],
    ["日本語のテキスト", 8, "start", "日本語…"],
    ["日本語のテキスト", 8, "end", "…キスト"],
    ["all of it", Number.POSITIVE_INFINITY, "end", "all of it"],
    ["all", 1, "start", "…"],
  ] as const)("is cut to its room, with a mark: %s, %s columns, from the %s", (line, room, keep, shown) => {
    expect(fitted(line, room, keep)).toBe(shown)
  })
})
