import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Block, type Inline, parseMarkdown } from "../../src/inspector/page/model/markdown.ts"

describe("Markdown of models", () => {
  it.each([
    ["a heading", "# One", "h0(One)"],
    [
      "headings that skip levels",
      "### One\n##### Two\n### Three\n# Four",
      "h0(One) h1(Two) h0(Three) h0(Four)",
    ],
    ["lines of one paragraph", "one\ntwo\n\nthree", "p(one⏎two) p(three)"],
    ["emphasis", "**a _b_** *c* ~~d~~ ***e***", "p(strong(a em(b)) em(c) s(d) em(strong(e)))"],
    ["names with underscores", "the_long_name and 2 * 3 * 4", "p(the_long_name and 2 * 3 * 4)"],
    ["code in a line", "`a*b*` ``c ` d``", "p(code(a*b*) code(c ` d))"],
    ["escapes", "\\*a\\* \\d", "p(*a* \\d)"],
    ["a link", '[the docs](https://a.b/c_(d) "title")', 'p(link(the docs → https://a.b/c_(d) "title"))'],
    ["an address", "see https://a.b/c.", "p(see link( → https://a.b/c).)"],
    ["an image", "![a picture](x.png)", "p(!link(a picture → x.png))"],
    ["an address that would run", "[a](javascript:alert)", "p(link(a → javascript:alert))"],
    ["HTML", "<b onclick=x>a</b>", "p(<b onclick=x>a</b>)"],
    ["code", "```ts\nconst a = `*b*`\n\n  c\n```\nafter", "code:ts(const a = `*b*`⏎⏎  c) p(after)"],
    ["words behind a fence", "```sh rm -rf\na\n```", "code:(sh rm -rf⏎a)"],
    ["a row that is longer than its head", "|a|\n|-|\n|b|c|", "table(a / b | c)"],
    ["code that is still being written", "~~~\nabc", "code:(abc)"],
    ["a list", "- a\n- b\n  - c\n  - d\n\n  e\n- f", "ul(p(a) | p(b) ul(p(c) | p(d)) p(e) | p(f))"],
    ["a numbered list", "3. a\n   ```\n   b\n   ```\n4. c", "ol3(p(a) code:(b) | p(c))"],
    ["tasks", "- [ ] a\n- [x] b", "ul(p(☐ a) | p(☑ b))"],
    ["a list after a line", "so:\n- a", "p(so:) ul(p(a))"],
    ["a quote", "> a\n> - b\n\nc", "quote(p(a) ul(p(b))) p(c)"],
    ["a rule", "a\n\n---\nb", "p(a) rule p(b)"],
    ["a table", "| a | b |\n|---|:-:|\n| `1` | 2\\|3 |\n| 4 |", "table(a | b / code(1) | 2|3 / 4)"],
    ["a line with a bar", "a | b\nc", "p(a | b⏎c)"],
  ])("reads %s", (_what, text, tree) => expect(parseMarkdown(text).map(written).join(" ")).toBe(tree))

  it("loses no word, whatever stands around it", () => {
    const pieces = [
      ..."`*_~[]()|#>-+!\\\n ",
      "1. ",
      "```",
      "  ",
      "    ",
      "https://",
      "\n- ",
      "|---|",
      "word",
      "x",
    ]
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(""))
    fc.assert(
      fc.property(texts, (text) => {
        const words = (all: string) => all.match(/word/g)?.length ?? 0
        // The language of a block of code is not shown.
        expect(words(parseMarkdown(text).map(written).join(" "))).toBe(words(text))
      }),
    )
  })

  it("makes no more of a table than there is", () => {
    const wide = 3_000
    const [table] = parseMarkdown(`${"a|".repeat(wide)}\n${"-|".repeat(wide)}\n${"b|\n".repeat(wide)}`)
    const rows = table?.kind === "table" ? table.rows : []
    expect(rows.flat().length).toBe(wide)
  })

  it("takes no longer than the text, whatever it is", { timeout: 20_000 }, () => {
    for (const piece of [
      "*a ",
      "`",
      "[",
      "[a](",
      "_a",
      "- ",
      "> ",
      "| ",
      " ",
      "**a*",
      "``a`",
      "  - \n",
      "|-",
    ]) {
      // Where it grew with the square of the text, each of these would take minutes.
      const text = piece.repeat(200_000 / piece.length)
      expect(parseMarkdown(`a ${text}`).length + parseMarkdown(`${text}a`).length).toBeGreaterThan(1)
    }
  })
})

function written(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `h${block.rank}(${all(block.inlines)})`
    case "paragraph":
      return `p(${all(block.inlines)})`
    case "code":
      return `code:${block.language}(${block.text.replaceAll("\n", "⏎")})`
    case "list":
      return `${block.start === undefined ? "ul" : `ol${block.start}`}(${block.items.map((item) => item.map(written).join(" ")).join(" | ")})`
    case "quote":
      return `quote(${block.blocks.map(written).join(" ")})`
    case "table":
      return `table(${[block.head, ...block.rows].map((row) => row.map(all).join(" | ")).join(" / ")})`
    case "rule":
      return "rule"
  }
}

const all = (inlines: Inline[]) => inlines.map(inlineWritten).join("")

function inlineWritten(inline: Inline): string {
  switch (inline.kind) {
    case "text":
      return inline.text
    case "code":
      return `code(${inline.text})`
    case "break":
      return "⏎"
    case "link":
      return `link(${all(inline.inlines)} → ${inline.address})`
    default:
      return `${{ strong: "strong", emphasis: "em", struck: "s" }[inline.kind]}(${all(inline.inlines)})`
  }
}
