import { expect, it } from "vitest"
import { visible, visibleLine } from "../../src/terminal/view/plain.ts"

it.each([
  ["several lines stay", "a\n  b\r\nc", "a\n  b\nc"],
  ["what a terminal would carry out is written out", "a\u001b[2Jb\u0007", "a\\u{1b}[2Jb\\u{7}"],
  ["what turns words around is written out", "rm \u202egnp.x", "rm \\u{202e}gnp.x"],
  ["what nobody sees is written out", "a\u200bb\u2028c", "a\\u{200b}b\\u{2028}c"],
  ["what hides among letters is written out", "a\u200db", "a\\u{200d}b"],
  [
    "what is drawn without ink is written out",
    "a\u3164b\u2800c\u115fd\ufe0f",
    "a\\u{3164}b\\u{2800}c\\u{115f}d\\u{fe0f}",
  ],
  ["one emoji made of several stays", "👩‍💻 👩🏽‍🚀 ❤️‍🔥", "👩‍💻 👩🏽‍🚀 ❤️‍🔥"],
  ["wide characters and marks stay", "日本 é 👍 ❤️ 1️⃣", "日本 é 👍 ❤️ 1️⃣"],
])("In a text that a person decides about, %s", (_, text, shown) => {
  expect(visible(text)).toBe(shown)
})

it("A title stays on one line", () => {
  expect(visibleLine(" a\n\tb \u001b[1m")).toBe("a b \\u{1b}[1m")
})
