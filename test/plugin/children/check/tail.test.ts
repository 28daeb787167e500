import { describe, expect, it } from "vitest"
import { longestTail, Tail } from "../../../../src/plugin/children/check/tail.ts"

function tailOf(...chunks: (string | Buffer)[]): string {
  const tail = new Tail()
  for (const chunk of chunks) tail.add(Buffer.from(chunk))
  return tail.text()
}

describe("What is kept of what a command writes", () => {
  it("is all of it, where that is short, without the space at its end", () => {
    expect(tailOf("first\n", "second \n\n")).toBe("first\nsecond")
    expect(tailOf()).toBe("")
  })

  it("is no word of what a terminal would carry out", () => {
    expect(tailOf("\x1b[31mred\x1b[0m\r\n")).toBe("red")
  })

  it("is a character that came in two parts", () => {
    const [first, ...rest] = Buffer.from("ü")
    expect(tailOf(Buffer.from([first ?? 0]), Buffer.from(rest))).toBe("ü")
  })

  it("is whole at the longest, and one character more leaves the first one out, which is said", () => {
    const whole = "x".repeat(longestTail)
    expect(tailOf(whole)).toBe(whole)
    expect(tailOf("y", whole)).toBe(`…${whole}`)
  })

  it("has all characters whole", () => {
    expect(tailOf("a😀b")).toBe("a😀b")
  })

  it("begins with no half of a character", () => {
    expect(tailOf("😀", "x".repeat(longestTail - 1))).toBe(`…${"x".repeat(longestTail - 1)}`)
  })

  it.each([
    ["few large chunks", 5, 100_000],
    ["very many small ones", 50_000, 10],
  ])("is the end of %s, and that something is left out", (_, count, size) => {
    const chunks = Array.from({ length: count }, (_, index) => `${index}`.padStart(size, "."))
    expect(tailOf(...chunks)).toBe(`…${chunks.join("").slice(-longestTail)}`)
  })

  it("says that something is left out where only what shows nothing is left", () => {
    expect(tailOf("x", " ".repeat(100_000))).toBe("…")
  })

  it("can be read while more comes", () => {
    const tail = new Tail()
    tail.add(Buffer.from("a"))
    expect(tail.text()).toBe("a")
    tail.add(Buffer.from("b"))
    expect(tail.text()).toBe("ab")
  })
})
