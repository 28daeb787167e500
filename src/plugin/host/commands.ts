/**
 * The commands that a line for the shell is made of, as permissions are asked and given for: `npm ci && npm test > log`
 * is two, and what stands in `$(…)`, in parentheses or behind `then` is one as well. It is no parser of the language: in
 * doubt it finds one more than there is, which only asks for more. Where there is no telling, all that may be one is, and
 * `sh -c '…'` is the last of them, which no rule for a harmless command permits.
 */
export function commandsIn(line: string): string[] {
  const reader = new Reader(line)
  reader.read()
  const isKnown = !reader.isOpen && !isUnclear(line)
  const found = (isKnown ? reader.found() : piecesOf(line)).flatMap(commandIn)
  const commands = found.length === 0 ? [line.trim()] : found
  return [...new Set(isKnown ? commands : [...commands, shellCall(line)])]
}

/** Wherever a command may begin or end, in quotes, comments and documents too. */
const piecesOf = (line: string): string[] => line.split(/[\n;&|()`]/)

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
const keywords = /^(?:(?:if|then|elif|else|while|until|for\s+\w+\s+do|do|time|!|\{)(?:\s+|$))+/
/** What is no command by itself: how a loop begins, and how it and others end. */
const noCommand = /^(?:fi|done|esac|\}|for\s+\w+(?:\s+in\b.*)?)?$/s

// Whatever these match they match in one way: where there are several, a line can be made that takes for ever.
const part = String.raw`(?:[^\s'"\\<>&|]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)`
const assignment = String.raw`[A-Za-z_]\w*\+?=${part}*`
const assignments = new RegExp(String.raw`^${assignment}(?:\s+${assignment})*$`)
/** At the end of a command: `< in 2>> log`. */
const redirects = new RegExp(String.raw`(?:(?:\s+\d+|\s*)[<>]+[&|]?\s*${part}+)+$`)

function commandIn(given: string): string[] {
  const text = given.trim().replace(keywords, "")
  const bare = text.replace(redirects, "") || text
  return noCommand.test(bare) || assignments.test(text) ? [] : [text]
}

/** What the shell takes as it is, the signs of redirects, what ends a command, and any other character. */
const tokens = /\\.|'[^']*'|[$<>]\(|[<>]&|>\||&&|\|\||./sy
const tokensInQuotes = /\\.|\$\(|./sy

const ending = new Set([";", "\n", "&"])
const joining = new Set(["&&", "||", "|"])

/** Reads a line that all shells read alike. */
class Reader {
  /** A quote or a parenthesis has no end. */
  isOpen = false
  readonly #line: string
  readonly #found: { from: number; text: string }[] = []
  #at = 0

  constructor(line: string) {
    this.#line = line
  }

  /** In the order in which they begin. */
  found(): string[] {
    return this.#found.toSorted((a, b) => a.from - b.from).map(({ text }) => text)
  }

  /** Up to the end of the line, or to the parenthesis that closes what this stands in. */
  read(isInner = false): void {
    let from = this.#at
    /** Whether what is read belongs to the command before it, by `&&` or `|`. */
    let isJoined = false
    const end = (to: number, joins = false) => {
      this.#take(this.#line.slice(from, to), from, isJoined && !joins)
      isJoined = joins
      from = this.#at
    }
    for (;;) {
      const start = this.#at
      const token = this.#next(tokens)
      if (token === "" || token === ")") {
        end(start)
        this.isOpen ||= isInner && token === ""
        if (isInner || token === "") return
      } else if (ending.has(token)) end(start)
      else if (joining.has(token)) end(start, true)
      else if (token === "(") {
        // What stands before it is a name of a function: more than is asked for elsewhere.
        end(start)
        this.read(true)
        from = this.#at
      } else if (token.endsWith("(")) this.read(true)
      else if (token === '"') this.#skipQuoted()
      else this.isOpen ||= token === "'"
    }
  }

  /** Past what is in double quotes, whose substitutions are read. */
  #skipQuoted(): void {
    for (;;) {
      const token = this.#next(tokensInQuotes)
      this.isOpen ||= token === ""
      if (token === '"' || token === "") return
      if (token === "$(") this.read(true)
    }
  }

  #next(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [token = ""] = pattern.exec(this.#line) ?? []
    this.#at += token.length
    return token
  }

  /** @param isLast it ends several that are joined: where all of them write to is not asked for, as opencode has it */
  #take(whole: string, from: number, isLast: boolean): void {
    this.#found.push({ from, text: isLast ? whole.trim().replace(redirects, "") : whole })
  }
}
