import { expect, it } from "vitest"
import { beginning, oneLine, plainLines, plainText } from "../../src/util/plain.ts"

it.each([
  ["colours", "\u001b[1;31mred\u001b[0m and \u009b32mgreen", "red and green"],
  ["a terminal's title", "\u001b]0;owned\u0007text", "text"],
  ["a link", "\u001b]8;;http://evil\u001b\\text\u001b]8;;\u001b\\", "text"],
  ["a clipboard", "\u009d52;c;aGk=\u009ctext", "text"],
  ["a screen that is cleared", "\u001bc\u001b[2J\u001b[Htext", "text"],
  ["bells, backspaces and zeros", "a\u0007b\u0008c\u0000d\u007fe\u0085f", "abcdef"],
  ["lines that overwrite each other", "10%\r20%\r\n30%", "10%\n20%\n30%"],
])("A text does without %s", (_, text, plain) => {
  expect(plainText(text)).toBe(plain)
  expect(oneLine(text)).toBe(plain.replaceAll("\n", " "))
})

it("Of a sequence that never ends, the text stays", () => {
  expect(plainText("\u001b]0;the whole answer\nand more")).toBe("0;the whole answer\nand more")
  expect(plainText("the end\u001b")).toBe("the end")
  expect(plainText("the end\u001b[31")).toBe("the end31")
})

it("A text keeps its lines, tabs, scripts and pictures", () => {
  const text = "\tif (a) {\n\n  b\n}\nשלום\u200f عالم 👩‍👩‍👧 é 漢"
  expect(plainText(text)).toBe(text)
})

it("A line cannot be broken or turned around", () => {
  expect(oneLine(" a\u2028b\n\tc\u2029d ")).toBe("a b c d")
  expect(oneLine("\u202Egnp.exe\u202C \u2067x\u2069")).toBe("gnp.exe x")
})

it("A few lines stay apart, each of them as a line alone", () => {
  expect(plainLines("a  b\n\u202Ec \r\n d")).toBe("a b\nc\nd")
})

it("A beginning holds whole characters", () => {
  expect(beginning("ab", 5)).toBe("ab")
  expect(beginning("a👍b", 2)).toBe("a")
  expect(beginning("a👍b", 3)).toBe("a👍")
})

it("A half of a character, as a broken text has it, is one of its own in a beginning", () => {
  const [high, low] = ["\uD83D", "\uDC4D"]
  expect(beginning(`👍a${low}b`, 3)).toBe("👍a")
  expect(beginning(`👍${high}b`, 3)).toBe(`👍${high}`)
})

it("Ten megabytes of what never ends are read in one go", () => {
  expect(plainText("\u001b]\u001b[".repeat(2_500_000))).toBe("")
  expect(plainText("\u009d".repeat(2_500_000))).toBe("")
  expect(plainText("\u009b".repeat(2_500_000))).toBe("")
})
