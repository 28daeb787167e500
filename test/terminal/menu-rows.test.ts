import { describe, expect, it } from "vitest"
import { around, rowOf } from "../../src/terminal/view/menu-rows.ts"

const item = (title: string, description?: string) => ({ title, description, value: 1 })

describe("An item of a menu", () => {
  it.each([
    ["has its description beside it", item("Allow always", "npm *"), 40, { beside: "npm *", isCut: false }],
    ["has none", item("Deny"), 40, { beside: "", isCut: false }],
    [
      "has a description that is shown elsewhere where it is too long for its line",
      item("Allow always", "npm run *, rm *"),
      24,
      { beside: "npm run *…", isCut: true },
    ],
    ["is as wide as its characters", item("日本", "日本日本"), 10, { beside: "日…", isCut: true }],
  ])("%s", (_, each, width, shown) => {
    expect(rowOf(each, width)).toMatchObject({ height: 1, ...shown })
  })

  it("takes as many lines as its title needs", () => {
    expect(rowOf(item("x".repeat(95)), 40).height).toBe(3)
  })
})

describe("The items that are shown", () => {
  const rows = (...heights: number[]) => heights.map((height) => ({ height }))

  it.each([
    ["are all where there is room", 0, rows(1, 1, 1), 5, [0, 1, 2]],
    ["are those around the cursor", 3, rows(1, 1, 1, 1, 1, 1), 3, [2, 3, 4]],
    ["end with the last", 5, rows(1, 1, 1, 1, 1, 1), 3, [3, 4, 5]],
    ["are as many as there are lines", 1, rows(1, 2, 3, 1), 4, [0, 1]],
    ["are at least the one with the cursor", 1, rows(1, 9, 1), 3, [1]],
  ])("%s", (_, cursor, all, room, shown) => {
    expect(around(cursor, all, room)).toEqual(shown)
  })
})
