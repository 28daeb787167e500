/**
 * Reads what models write as Markdown, into a tree that the page draws with elements of its own: no HTML is read, and a
 * link is its words and its address. It takes time in proportion to the text, whatever that is.
 *
 * It is ours because a model can write anything, by mistake or on purpose: marked 18 takes a minute for 60,000
 * characters of `_a` and overflows the stack on nested lists, micromark 4 two minutes for 20,000 characters of `- `.
 */

export type Inline =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "emphasis" | "struck"; inlines: Inline[] }
  /** `address`: with the link's title, if it has one. */
  | { kind: "link"; inlines: Inline[]; address: string }
  | { kind: "break" }

export type Block =
  /** `rank`: 0 for a heading that is under no other; each is at most one below the heading before it. */
  | { kind: "heading"; rank: number; inlines: Inline[] }
  | { kind: "paragraph"; inlines: Inline[] }
  | { kind: "code"; language: string; text: string }
  /** `start`: of a numbered list. */
  | { kind: "list"; start: number | undefined; items: Block[][] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" }

/** What is nested deeper is text. */
const deepest = 8

const fence = /^ {0,3}(`{3,}|~{3,})/
/** Whatever else stands behind a fence is shown: words could hide there. */
const languageName = /^[\w+#.-]{0,20}$/
const heading = /^ {0,3}(#{1,6})(?:\s+|$)/
const rule = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/
const quote = /^ {0,3}> ?/
const item = /^(\s*)([-*+]|\d{1,9}[.)])(\s+|$)/
const indented = /^(?: {4}|\t)/

export function parseMarkdown(text: string): Block[] {
  return blocksOf(text.split("\n"), 0, [])
}

/** @param levels of the headings that the next one may stand under */
function blocksOf(lines: string[], depth: number, levels: number[]): Block[] {
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    const line = lines[at] ?? ""
    if (line.trim() === "") {
      at++
      continue
    }
    const [block, next] =
      fenced(lines, at) ??
      titled(line, at, levels) ??
      ruled(line, at) ??
      (depth < deepest
        ? (quoted(lines, at, depth, levels) ?? listed(lines, at, depth, levels))
        : undefined) ??
      tabular(lines, at) ??
      indentedCode(lines, at) ??
      paragraph(lines, at)
    blocks.push(block)
    at = next
  }
  return blocks
}

type Read = [block: Block, next: number] | undefined

function fenced(lines: string[], at: number): Read {
  const [opening, mark = ""] = fence.exec(lines[at] ?? "") ?? []
  if (opening === undefined) return undefined
  const info = (lines[at] ?? "").slice(opening.length).trim()
  const isEnd = (line: string) => {
    const trimmed = line.trim()
    return trimmed.length >= mark.length && trimmed === (mark[0] ?? "").repeat(trimmed.length)
  }
  // One that is still being written has no end.
  const end = indexFrom(lines, at + 1, isEnd)
  const inner = lines.slice(at + 1, end)
  const block = languageName.test(info)
    ? { language: info, text: inner.join("\n") }
    : { language: "", text: [info, ...inner].join("\n") }
  return [{ kind: "code", ...block }, end + 1]
}

function titled(line: string, at: number, levels: number[]): Read {
  const marks = heading.exec(line)
  if (!marks) return undefined
  const level = marks[1]?.length ?? 1
  while ((levels.at(-1) ?? 0) >= level) levels.pop()
  const rank = levels.push(level) - 1
  return [
    { kind: "heading", rank, inlines: inlinesOf(line.slice(marks[0].length).replace(/\s#+\s*$/, "")) },
    at + 1,
  ]
}

function ruled(line: string, at: number): Read {
  return rule.test(line) ? [{ kind: "rule" }, at + 1] : undefined
}

function quoted(lines: string[], at: number, depth: number, levels: number[]): Read {
  if (!quote.test(lines[at] ?? "")) return undefined
  const end = indexFrom(lines, at + 1, (line) => !quote.test(line))
  const inner = lines.slice(at, end).map((line) => line.replace(quote, ""))
  return [{ kind: "quote", blocks: blocksOf(inner, depth + 1, levels) }, end]
}

function listed(lines: string[], at: number, depth: number, levels: number[]): Read {
  const first = item.exec(lines[at] ?? "")
  if (!first) return undefined
  const isNumbered = /\d/.test(first[2] ?? "")
  const items: Block[][] = []
  let next = at
  for (;;) {
    const line = lines[next] ?? ""
    const mark = item.exec(line)
    if (!mark || rule.test(line) || /\d/.test(mark[2] ?? "") !== isNumbered) break
    const indent = (mark[1] ?? "").length
    const content = mark[0].length
    const end = endOfItem(lines, next, indent)
    const inner = lines.slice(next + 1, end).map((each) => each.slice(Math.min(content, indentOf(each))))
    items.push(blocksOf([taskSign(line.slice(content)), ...inner], depth + 1, levels))
    next = end
    const following = indexFrom(lines, end, (each) => each.trim() !== "")
    const nextMark = item.exec(lines[following] ?? "")
    if (!nextMark || indentOf(lines[following] ?? "") < indent) break
    next = following
  }
  return [{ kind: "list", start: isNumbered ? Number.parseInt(first[2] ?? "1", 10) : undefined, items }, next]
}

/** What is indented further belongs to the item, and so does text that goes on without an empty line. */
function endOfItem(lines: string[], at: number, indent: number): number {
  let wasEmpty = false
  let end = at + 1
  for (let next = at + 1; next < lines.length; next++) {
    const line = lines[next] ?? ""
    if (line.trim() === "") {
      wasEmpty = true
      continue
    }
    const isInner = indentOf(line) > indent
    if (!isInner && (wasEmpty || startsBlock(line))) break
    wasEmpty = false
    end = next + 1
  }
  return end
}

const taskSign = (text: string) =>
  text.replace(/^\[([ xX])\]\s/, (_whole, mark: string) => (mark === " " ? "☐ " : "☑ "))

function tabular(lines: string[], at: number): Read {
  const head = lines[at] ?? ""
  if (!head.includes("|")) return undefined
  const width = cellsOf(head).length
  const ruler = cellsOf(lines[at + 1] ?? "")
  if (ruler.length !== width || !ruler.every((cell) => /^:?-+:?$/.test(cell))) return undefined
  const end = indexFrom(lines, at + 2, (line) => !line.includes("|"))
  // As many in each row as it has: none is lost, and a wide head over many rows makes no more cells than there are.
  const cells = (line: string) => cellsOf(line).map((cell) => inlinesOf(cell))
  return [{ kind: "table", head: cells(head), rows: lines.slice(at + 2, end).map(cells) }, end]
}

function cellsOf(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "")
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"))
}

function indentedCode(lines: string[], at: number): Read {
  if (!indented.test(lines[at] ?? "")) return undefined
  const end = indexFrom(lines, at, (line) => !indented.test(line))
  const text = lines.slice(at, end).map((line) => line.replace(indented, ""))
  return [{ kind: "code", language: "", text: text.join("\n") }, end]
}

function paragraph(lines: string[], at: number): [Block, number] {
  const end = indexFrom(lines, at + 1, (line) => line.trim() === "" || startsBlock(line))
  const text = lines.slice(at, end).map((line) => line.trim())
  return [{ kind: "paragraph", inlines: inlinesOf(text.join("\n")) }, end]
}

const startsBlock = (line: string) =>
  fence.test(line) || heading.test(line) || rule.test(line) || quote.test(line) || item.test(line)

function indexFrom(lines: string[], start: number, is: (line: string) => boolean): number {
  for (let index = start; index < lines.length; index++) if (is(lines[index] ?? "")) return index
  return lines.length
}

const indentOf = (line: string) => /^\s*/.exec(line)?.[0].length ?? 0

/** What may begin something; the rest between is text. */
const special = /[\\`*_~[\n]|https?:\/\//g
const linked =
  /!?\[([^[\]]{1,500})\]\(([^()\s]{1,2000}(?:\([^()\s]{0,500}\)[^()\s]{0,500})?(?: "[^"\n]{0,500}")?)\)/y
const bare = /https?:\/\/[^\s<>"'`)\]*|]{1,2000}/y
const word = /[\p{L}\p{N}]/u

function inlinesOf(text: string, depth = 0): Inline[] {
  const inlines: Inline[] = []
  /** Closing marks of which no more are to come. */
  const missing = new Set<string>()
  let plain = 0
  for (let at = 0; ; ) {
    special.lastIndex = at
    const found = special.exec(text)
    if (!found) break
    const [inline, next] = inlineAt(text, found.index, depth, missing) ?? []
    if (inline && next !== undefined) {
      if (found.index > plain) inlines.push({ kind: "text", text: text.slice(plain, found.index) })
      inlines.push(inline)
      plain = next
      at = next
    } else at = found.index + (/[`*_~]/.test(found[0]) ? runOf(text, found.index) : 1)
  }
  if (plain < text.length) inlines.push({ kind: "text", text: text.slice(plain) })
  return inlines
}

function inlineAt(
  text: string,
  at: number,
  depth: number,
  missing: Set<string>,
): [inline: Inline, next: number] | undefined {
  switch (text[at]) {
    case "\n":
      return [{ kind: "break" }, at + 1]
    case "\\":
      return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")
        ? [{ kind: "text", text: text[at + 1] ?? "" }, at + 2]
        : undefined
    case "`":
      return codeAt(text, at, missing)
    case "[":
      return depth < deepest ? linkAt(text, at) : undefined
    case "h":
      return depth < deepest ? addressAt(text, at) : undefined
    default:
      return depth < deepest ? markedAt(text, at, depth, missing) : undefined
  }
}

function codeAt(text: string, at: number, missing: Set<string>): [Inline, number] | undefined {
  const mark = text.slice(at, at + runOf(text, at))
  if (missing.has(mark)) return undefined
  const start = at + mark.length
  for (let end = text.indexOf(mark, start); end >= 0; ) {
    const length = runOf(text, end)
    if (length === mark.length) {
      const inner = text.slice(start, end).replaceAll("\n", " ")
      const isPadded = inner.startsWith(" ") && inner.endsWith(" ") && inner.trim() !== ""
      return [{ kind: "code", text: isPadded ? inner.slice(1, -1) : inner }, end + length]
    }
    end = text.indexOf(mark, end + length)
  }
  missing.add(mark)
  return undefined
}

function linkAt(text: string, at: number): [Inline, number] | undefined {
  linked.lastIndex = at
  const [whole, words = "", address = ""] = linked.exec(text) ?? []
  if (whole === undefined) return undefined
  const inlines = words === address ? [] : inlinesOf(words, deepest)
  return [{ kind: "link", inlines, address }, at + whole.length]
}

function addressAt(text: string, at: number): [Inline, number] | undefined {
  bare.lastIndex = at
  const address = bare.exec(text)?.[0].replace(/(?<![.,;:!?])[.,;:!?]+$/, "")
  return address ? [{ kind: "link", inlines: [], address }, at + address.length] : undefined
}

function markedAt(
  text: string,
  at: number,
  depth: number,
  missing: Set<string>,
): [Inline, number] | undefined {
  const sign = text[at] ?? ""
  const run = runOf(text, at)
  if (sign === "~" ? run !== 2 : run > 3) return undefined
  const mark = sign.repeat(run)
  const start = at + run
  if (missing.has(mark) || isSpace(text[start])) return undefined
  if (sign === "_" && word.test(text[at - 1] ?? "")) return undefined
  for (let end = text.indexOf(mark, start + 1); end >= 0; ) {
    const length = runOf(text, end)
    const isInWord = sign === "_" && word.test(text[end + length] ?? "")
    if (length === run && !isSpace(text[end - 1]) && !isInWord) {
      const inlines = inlinesOf(text.slice(start, end), depth + 1)
      const kind = sign === "~" ? "struck" : run === 1 ? "emphasis" : "strong"
      const inner: Inline = { kind, inlines }
      return [run === 3 ? { kind: "emphasis", inlines: [inner] } : inner, end + run]
    }
    end = text.indexOf(mark, end + length)
  }
  missing.add(mark)
  return undefined
}

const isSpace = (char: string | undefined) => char === undefined || /\s/.test(char)

/** How many of the same sign there are from here on. */
function runOf(text: string, at: number): number {
  let end = at + 1
  while (text[end] === text[at]) end++
  return end - at
}
