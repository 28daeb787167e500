import { describe, expect, it } from "vitest"
import { wordsOf } from "../../../src/plugin/util/error-words.ts"

describe("The words of an error", () => {
  it.each<[unknown, string]>([
    ["plain", "plain"],
    [new Error("thrown"), "thrown"],
    [{ data: { message: "inner" }, message: "outer" }, "inner"],
    [{ name: "APIError", data: { message: "" } }, "APIError"],
    [{ name: "APIError", data: {} }, "APIError"],
    [{ name: "APIError", message: 7 }, "APIError"],
    [{ name: 7 }, ""],
    [null, ""],
    [undefined, ""],
    [7, ""],
  ])("of %o", (error, words) => {
    expect(wordsOf(error)).toBe(words)
  })
})
