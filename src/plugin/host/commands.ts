/**
 * The commands that a line for the shell is made of, as permissions are asked and given for: `npm ci && npm test > log`
 * is two, and what stands in `$(…)`, in parentheses or behind `then` is one as well. It is no parser of the language: in
 * doubt it finds one more than there is, which only asks for more. Where there is no telling, `sh -c '…'` is among them,
 * which no rule for a harmless command permits.
 */
export function commandsIn(line: string): string[] {
  const reader = new Reader(line)
  reader.read()
  const found = reader.found.toSorted((a, b) => a.from - b.from).map(({ text }) => text)
  const commands = found.length === 0 ? [line.trim()] : found
  return [...new Set(reader.isOpen || isUnclear(line) ? [...commands, shellCall(line)] : commands)]
}

/** The line as a command of its own: what is run is that. */
export const shellCall = (line: string): string => `sh -c '${line.trim().replaceAll("'", "'\\''")}'`

/** Whether shells read it in different ways, or in one that is not read here: wherever it stands, quoted or not. */
export const isUnclear = (line: string): boolean => unclear.some((pattern) => pattern.test(line))

const unclear = [
  // A comment, a here-document, a line that goes on.
  /(?:^|[\s;&|()<>])#/,
  /<</,
  /\\\n/,
  // `${a:-b}`, `$[1]`, `$'a'`, `$"a"`, and a substitution in its older form.
  /\$[[{'"]/,
  /`/,
  // Only some shells have these, and to others they are ends of commands or subshells.
  /&>|>&(?![\d-])|\|&/,
  /\(\(|\[\[/,
  // What takes its commands along as a body or as branches.
  /(?:^|[\s;&|(){}])(?:case|coproc|function|select)\s/,
  /(?:^|[\s;&|(){}])for\s+\w+\s+(?:do|\{)\s/,
  // What is a blank to some, and what cannot be seen.
  /[^\P{Z} ]|[^\P{C}\n\t]/u,
]

/** What comes before a command, or in the place of one. */
const keywords = /^(?:if|then|elif|else|while|until|for\s+\w+\s+do|do|time|!|\{)(?:\s+|$)/
/** What is no command by itself: how a loop or a case begins, and how they end. */
const noCommand =
  /^(?:(?:fi|done|esac|\})(?:\s*\d*[<>&].*)?|for\s+\w+(?:\s+in\b.*)?|(?:select|case|function)\s.*|)$/s
const assignments = /^(?:[A-Za-z_][A-Za-z0-9_]*\+?=(?:[^\s'"\\<>]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)*\s*)+$/s

/** As in `2>&1`, `&> file` and `>| file`, whose `&` and `|` end no command. */
const redirectSign = /^(?:[<>]&|&>|>\|)/

const redirects =
  /(?:\s*(?:\d*(?:>>|>\||>&|<&|<>|<|>)|&>>?)\s*(?:[^\s'"\\<>]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+)+$/s

type Found = { from: number; text: string }

class Reader {
  readonly found: Found[] = []
  /** A quote or a parenthesis has no end. */
  isOpen = false
  readonly #line: string
  #at = 0
  /** Words that end the documents which begin with the next line. */
  #documents: { end: string; isIndented: boolean }[] = []

  constructor(line: string) {
    this.#line = line
  }

  /** Up to the end of the line, or to the one that closes what this stands in. */
  read(close?: ")" | "`"): void {
    let from = this.#at
    /** Whether what is read belongs to the command before it, by `&&` or `|`. */
    let isJoined = false
    const end = (joins = false) => {
      this.#take(from, this.#at, isJoined && !joins)
      isJoined = joins
    }
    for (let depth = 0; this.#at < this.#line.length; ) {
      const character = this.#line[this.#at]
      if (character === close && depth === 0) {
        end()
        this.#at++
        return
      }
      if (this.#skipQuoted(close)) continue
      if (character === "#" && /[\s;&|(]|^$/.test(this.#line[this.#at - 1] ?? "")) {
        end()
        while (this.#at < this.#line.length && this.#line[this.#at] !== "\n") this.#at++
        from = this.#at
      } else if (this.#line.startsWith("<<", this.#at) && !this.#line.startsWith("<<<", this.#at)) {
        this.#document()
      } else if (character === "\n") {
        const isOfDocument = this.#documents.length > 0
        if (!isOfDocument) end()
        this.#at++
        if (isOfDocument) {
          this.#skipDocuments()
          end()
        }
        from = this.#at
      } else if (redirectSign.test(this.#line.slice(this.#at, this.#at + 2))) {
        this.#at += 2
      } else if (character === ";" || character === "|" || character === "&") {
        const [operator = character] =
          /^(?:&&|\|\||\|&|\|)/.exec(this.#line.slice(this.#at, this.#at + 2)) ?? []
        end(operator !== ";" && operator !== "&")
        this.#at += operator.length
        from = this.#at
      } else if (character === "(" || character === ")") {
        depth += character === "(" ? 1 : -1
        // What stands before it is a name of a function, or what a case is about: more than is asked for elsewhere.
        end()
        this.#at++
        from = this.#at
        depth = Math.max(0, depth)
      } else this.#at++
    }
    end()
    if (close !== undefined) this.isOpen = true
  }

  /** Past what the shell takes for itself, whose commands are read. Whether there was any. */
  #skipQuoted(close?: ")" | "`"): boolean {
    const character = this.#line[this.#at]
    if (character === "\\") {
      this.#at += 2
      return true
    }
    if (character === "'") {
      const end = this.#line.indexOf("'", this.#at + 1)
      if (end < 0) this.isOpen = true
      this.#at = end < 0 ? this.#line.length : end + 1
      return true
    }
    if (character === '"') {
      this.#skipDoubleQuoted()
      return true
    }
    return this.#skipSubstitution(close)
  }

  #skipSubstitution(close?: ")" | "`"): boolean {
    if (/^[$<>]\(/.test(this.#line.slice(this.#at, this.#at + 2))) {
      this.#at += 2
      this.read(")")
      return true
    }
    if (this.#line[this.#at] === "`" && close !== "`") {
      this.#at++
      this.read("`")
      return true
    }
    return false
  }

  #skipDoubleQuoted(): void {
    for (this.#at++; this.#at < this.#line.length; ) {
      const character = this.#line[this.#at]
      if (character === '"') {
        this.#at++
        return
      }
      if (character === "\\") this.#at += 2
      else if (!/[$`]/.test(character ?? "") || !this.#skipSubstitution()) this.#at++
    }
    this.isOpen = true
  }

  #document(): void {
    const [whole, dash, word = ""] =
      /^<<(-?)[ \t]*("[^"\n]*"|'[^'\n]*'|[^\s;&|()<>]+)/.exec(this.#line.slice(this.#at)) ?? []
    if (whole === undefined) {
      this.#at += 2
      return
    }
    this.#documents.push({ end: word.replace(/["'\\]/g, ""), isIndented: dash === "-" })
    this.#at += whole.length
  }

  /** Their commands are read as well: the shell carries them out unless the word was quoted. */
  #skipDocuments(): void {
    for (const { end, isIndented } of this.#documents.splice(0)) {
      while (this.#at < this.#line.length) {
        const next = this.#line.indexOf("\n", this.#at)
        const to = next < 0 ? this.#line.length : next
        const text = this.#line.slice(this.#at, to)
        if ((isIndented ? text.replace(/^\t+/, "") : text) === end) {
          this.#at = next < 0 ? to : to + 1
          break
        }
        while (this.#at < to)
          if (this.#line[this.#at] === "\\") this.#at += 2
          else if (!this.#skipSubstitution()) this.#at++
        if (this.#at === to && next >= 0) this.#at++
      }
    }
  }

  /** @param isLast it ends several that are joined: where all of them write to is not asked for, as opencode has it */
  #take(from: number, to: number, isLast: boolean): void {
    const whole = this.#line.slice(from, to).trim()
    let text = isLast && !whole.includes("<<") ? whole.replace(redirects, "") : whole
    for (let before = ""; before !== text; ) {
      before = text
      text = text.replace(keywords, "")
    }
    if (noCommand.test(text) || assignments.test(text)) return
    this.found.push({ from, text })
  }
}
