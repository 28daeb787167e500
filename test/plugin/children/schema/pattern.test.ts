import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Effort, TooMuchEffort } from "../../../../src/plugin/children/schema/effort.ts"
import { compilePattern } from "../../../../src/plugin/children/schema/pattern.ts"

function matches(pattern: string, text: string, steps = 1_000_000): boolean {
  const effort = new Effort()
  effort.give(steps)
  return compilePattern(pattern, effort).test(text)
}

/** As JavaScript's own does, in the same two ways. */
function isExpected(pattern: string, text: string): boolean {
  const expression = wholeCharacters(pattern)
  if (!expression) return new RegExp(pattern).test(text)
  // At each character: by itself V8 looks between the two halves of one, too, where `\B` has nothing to find.
  const characters = [...text]
  return [...characters, ""].some((_, count) => {
    expression.lastIndex = characters.slice(0, count).join("").length
    return expression.test(text)
  })
}

function wholeCharacters(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, "uy")
  } catch {
    return undefined
  }
}

const atom = fc.constantFrom(
  ...[
    "a",
    "b",
    "c",
    ".",
    "\\d",
    "\\w",
    "\\s",
    "\\.",
    "[ab]",
    "[^a]",
    "[a-c\\d]",
    "[\\]]",
    "é",
    "😀",
    "-",
    "\\-",
    "}",
  ],
  ...[
    "\\u0061",
    "\\x62",
    "\\u{1F600}",
    "\\uD83D\\uDE00",
    "\\p{L}",
    "\\n",
    "\\cJ",
    "\\0",
    "\\061",
    "\\k",
    "^",
    "$",
    "\\b",
    "\\B",
    "[]",
    "[^]",
    "{",
    "]",
  ],
)
const quantifier = fc.constantFrom("", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?", "{2,3}?")
const { pattern } = fc.letrec<{ pattern: string; group: string; part: string }>((tie) => ({
  pattern: fc
    .array(
      fc.array(tie("part"), { maxLength: 4 }).map((parts) => parts.join("")),
      { minLength: 1, maxLength: 3 },
    )
    .map((choices) => choices.join("|")),
  group: fc
    .tuple(fc.constantFrom("(", "(?:", "(?<name>", "(?=", "(?!"), tie("pattern"))
    .map(([open, inner]) => `${open}${inner})`),
  part: fc
    .tuple(fc.oneof({ depthSize: "small" }, atom, tie("group")), quantifier)
    .map(([what, often]) => what + often),
}))
const text = fc.string({
  unit: fc.constantFrom("a", "b", "c", "1", "-", " ", ".", "é", "😀", "\n", "]"),
  maxLength: 7,
})

/** Repetitions of repetitions come to more than may be written out. */
function isTooLarge(source: string): boolean {
  try {
    matches(source, "")
    return false
  } catch (thrown) {
    return String(thrown).includes("is too large")
  }
}

describe("A pattern of a schema", () => {
  it.each<[string, string[], string[]]>([
    ["^a*$", ["", "aaa"], ["aab"]],
    ["^a+$", ["a", "aaa"], [""]],
    ["^a?$", ["", "a"], ["aa"]],
    ["^a{2}$", ["aa"], ["a", "aaa"]],
    ["^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]],
    ["^a{2,}$", ["aa", "aaaaaaa"], ["a"]],
    ["^a{10,12}$", ["a".repeat(10), "a".repeat(12)], ["a".repeat(9), "a".repeat(13)]],
    ["^a??b*?c+?d{1,2}?$", ["abbccd", "cdd"], ["abbd", "cddd"]],
    ["^a|b$", ["ax", "xb"], ["xax"]],
    ["^(?:a|bc|)$", ["a", "bc", ""], ["abc", "b"]],
    ["^(a|b)(?<name>c)$", ["ac", "bc"], ["abc", "c"]],
    ["a(?=bc)b", ["abc"], ["abd", "abbc"]],
    ["a(?!bc)b", ["abd"], ["abc"]],
    ["\\ba", ["a", "b a"], ["ba", "b"]],
    ["\\Ba", ["ba"], ["a", "b a", "b"]],
    ["^.$", ["a", "😀"], ["\n", "ab"]],
    ["^[^a-c\\]]$", ["d", "😀"], ["a", "]"]],
    ["^[\\]a]\\.$", ["].", "a."], ["b.", "aa"]],
    ["^[]$", [], ["", "a"]],
    ["^[^]$", ["a", "\n"], [""]],
    ["^\\d\\D$", ["1a"], ["11", "aa"]],
    ["^\\u0041\\u{42}\\u{1F600}$", ["AB😀"], ["AB"]],
    ["^\\uD83D\\uDE00\\ud83d\\ude01$", ["😀😁"], ["😀😀"]],
    ["^\\x41\\cI\\n\\0$", ["A\t\n\0"], ["A\t\n"]],
    ["^\\p{Lu}\\P{Lu}$", ["Aa", "Ä1"], ["aa", "AA"]],
    ["^é 😀$", ["é 😀"], ["é😀", "é  😀"]],
    // What is no pattern of Unicode, as "\-" is none, is one of JavaScript's older kind.
    ["^\\-\\u0041\\u004a\\u004A$", ["-AJJ"], ["-AJ"]],
    ["^\\-\\ug\\xg$", ["-ugxg"], ["-g"]],
    ["^\\-\\x41\\x4a\\x4A$", ["-AJJ"], ["-AJ"]],
    ["^\\-\\cI\\ci$", ["-\t\t"], ["-\t"]],
    ["^\\-\\0\\07\\011\\08$", ["-\0\u0007\t\u00008"], ["-\0\u0007\t\u0008"]],
    ["^\\-\\ [\\ ]\\\n$", ["-  \n"], ["- a\n"]],
    ["^\\-[^a\\]]$", ["-b"], ["-a", "-]"]],
    ["^\\-.a$", ["-ba"], ["-\na", "-a"]],
    ["^\\-]\n{$", ["-]\n{"], ["-]{"]],
    ["^\\-😀$", ["-😀"], ["-"]],
    ["^\\-..$", ["-😀"], ["-a"]],
  ])("reads %j", (source, fitting, others) => {
    for (const each of fitting) expect([each, matches(source, each)]).toEqual([each, true])
    for (const each of others) expect([each, matches(source, each)]).toEqual([each, false])
    for (const each of [...fitting, ...others]) expect(isExpected(source, each)).toBe(fitting.includes(each))
  })

  it("matches what JavaScript's regular expression does", () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 4, maxLength: 4 }), (source, texts) => {
        fc.pre(isExpression(source) && !isTooLarge(source))
        for (const each of texts) {
          const is = matches(source, each)
          if (is !== isExpected(source, each))
            throw new Error(`/${source}/ on ${JSON.stringify(each)} is ${is}`)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it("looks for nothing between the two halves of a character", () => {
    expect(matches("\\B", "a😀a")).toBe(false)
    expect(matches("\\B", "a😀😀a")).toBe(true)
  })

  it.each([
    ["^(a+)+$", `${"a".repeat(5_000)}!`],
    ["^(a|a)*$", `${"a".repeat(5_000)}!`],
    ["^(.*,){11}P", ",".repeat(5_000)],
    ["^(([a-z])+.)+[A-Z]([a-z])+$", "a".repeat(5_000)],
    ["(x+x+)+y", "x".repeat(5_000)],
    ["(?=xx)", "y".repeat(100_000)],
  ])("is over at once where others would go on and on: %s", (source, given) => {
    expect(matches(source, given)).toBe(false)
  })

  it("costs a step for each character, each instruction that is come to, and each that a look ahead has", () => {
    const isOver = (source: string, text: string, steps: number) => {
      try {
        return matches(source, text, steps)
      } catch (thrown) {
        return thrown
      }
    }
    expect(isOver("x", "y".repeat(1_000), 2_100)).toBe(false)
    expect(isOver("x", "y".repeat(1_000), 1_900)).toBeInstanceOf(TooMuchEffort)
    // At each character another one, which fails at its first instruction.
    expect(isOver("(?=x{1000})", "y".repeat(100), 110_000)).toBe(false)
    expect(isOver("(?=x{1000})", "y".repeat(100), 90_000)).toBeInstanceOf(TooMuchEffort)
  })

  it("has up to 1,000 characters, and 5,000 parts with its repetitions written out", () => {
    expect(matches("a".repeat(1_000), "a".repeat(1_000))).toBe(true)
    expect(matches("a{4998}", "a")).toBe(false)
    expect(() => matches("a{4999}", "")).toThrow("is too large")
  })

  it("gives up where a look ahead at each character would take too long", () => {
    expect(() => matches("^(?:(?=.*x).)*$", `${"a".repeat(100_000)}x`)).toThrow(TooMuchEffort)
  })

  it.each([
    ["(", "is no regular expression"],
    ["a{2,1}", "is no regular expression"],
    ["(a)\\1", "refers back to a group, which is not supported"],
    ["(?<n>a)\\k<n>", "refers back to a group, which is not supported"],
    ["(?<=a)b", "looks behind, which is not supported"],
    ["(?<!a)b", "looks behind, which is not supported"],
    ["a".repeat(1_001), "has 1001 characters: it may have at most 1000"],
    ["a{6000}", "is too large: its repetitions are written out"],
    ["((((a{9}){9}){9}){9}){9}", "is too large: its repetitions are written out"],
    ["((((){99}){99}){99}){99}", "is too large: its repetitions are written out"],
  ])("is refused where it cannot be checked in time: %s", (source, why) => {
    expect(() => compilePattern(source, new Effort())).toThrow(why)
  })
})

function isExpression(source: string): boolean {
  try {
    if (!wholeCharacters(source)) new RegExp(source)
    return true
  } catch {
    return false
  }
}
