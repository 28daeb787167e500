import type { Effort } from "./effort.ts"

/** Characters of a pattern. */
const mostCharacters = 1_000
/** Instructions of a pattern, whose repetitions are written out. */
const mostInstructions = 5_000

/**
 * A regular expression that never goes back: JavaScript's own engine may take longer than the universe for one like
 * `(a+)+$`, and nothing can interrupt it. All ways through the pattern are followed at once, one character after the
 * other. What that cannot do, backreferences and lookbehinds, is refused.
 * @throws Error that says in half a sentence why the pattern cannot be had
 */
export function compilePattern(source: string, effort: Effort): Pattern {
  if (source.length > mostCharacters)
    throw new Error(`has ${source.length} characters: it may have at most ${mostCharacters}`)
  const isUnicode = isRegExp(source, "u")
  if (!isUnicode && !isRegExp(source, "")) throw new Error("is no regular expression")
  const program = assemble(new Parser(source, isUnicode).parse())
  return {
    // One that is not of Unicode sees the halves of a surrogate pair.
    test(text) {
      effort.spend(text.length)
      return run(program, isUnicode ? [...text] : text.split(""), 0, "anywhere", effort)
    },
    // By this ajv tells the patterns of a schema apart.
    toString: () => source,
  }
}

type Pattern = { test(text: string): boolean; toString(): string }

function isRegExp(source: string, flags: string): boolean {
  try {
    new RegExp(source, flags)
    return true
  } catch {
    return false
  }
}

type Test = (character: string) => boolean

type Node =
  | { type: "character"; test: Test }
  | { type: "sequence" | "choice"; nodes: Node[] }
  | { type: "repetition"; node: Node; min: number; max: number }
  | { type: "edge"; edge: Edge }
  | { type: "ahead"; node: Node; isWanted: boolean }

type Edge = "start" | "end" | "word" | "notWord"

/** Of a source that JavaScript accepts, so that only its structure has to be found. */
class Parser {
  readonly #source: string
  readonly #isUnicode: boolean
  #at = 0

  constructor(source: string, isUnicode: boolean) {
    this.#source = source
    this.#isUnicode = isUnicode
  }

  parse(): Node {
    const nodes = [this.#sequence()]
    while (this.#take("|")) nodes.push(this.#sequence())
    return nodes.length === 1 && nodes[0] ? nodes[0] : { type: "choice", nodes }
  }

  #sequence(): Node {
    const nodes: Node[] = []
    while (this.#at < this.#source.length && !/[|)]/.test(this.#next())) nodes.push(this.#repeated())
    return { type: "sequence", nodes }
  }

  #repeated(): Node {
    const node = this.#single()
    const found = this.#match(/(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y)
    if (!found) return node
    const [, sign, least, comma, most] = found
    const [min, max] = sign
      ? [sign === "+" ? 1 : 0, sign === "?" ? 1 : Infinity]
      : [Number(least), comma === "" ? Number(least) : most === "" ? Infinity : Number(most)]
    return { type: "repetition", node, min, max }
  }

  #single(): Node {
    if (this.#take("^")) return { type: "edge", edge: "start" }
    if (this.#take("$")) return { type: "edge", edge: "end" }
    if (this.#take("\\b")) return { type: "edge", edge: "word" }
    if (this.#take("\\B")) return { type: "edge", edge: "notWord" }
    if (this.#take("(?=")) return this.#group((node) => ({ type: "ahead", node, isWanted: true }))
    if (this.#take("(?!")) return this.#group((node) => ({ type: "ahead", node, isWanted: false }))
    if (this.#match(/\(\?<[=!]/y)) throw new Error("looks behind, which is not supported")
    if (this.#match(/\((?:\?:|\?<[^>]*>)/y)) return this.#group((node) => node)
    if (this.#match(/\(\?/y)) throw new Error("changes its own flags, which is not supported")
    if (this.#take("(")) return this.#group((node) => node)
    return { type: "character", test: this.#character() }
  }

  #group(as: (node: Node) => Node): Node {
    const node = as(this.parse())
    this.#take(")")
    return node
  }

  #character(): Test {
    if (this.#match(/\\(?:[1-9]|k<)/y)) throw new Error("refers back to a group, which is not supported")
    const special = this.#match(
      this.#isUnicode
        ? /\\(?:u\{[^}]*\}|u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|x..|[pP]\{[^}]*\}|c.|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|\./uy
        : /\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|0[0-7]{0,2}|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|\./y,
    )
    if (special) return ofOneCharacter(special[0], this.#isUnicode ? "u" : "")
    const [literal = ""] = this.#match(this.#isUnicode ? /[\s\S]/uy : /[\s\S]/y) ?? []
    return (character) => character === literal
  }

  #next(): string {
    return this.#source.charAt(this.#at)
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  /** @param expression sticky */
  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#source)
    if (found) this.#at = expression.lastIndex
    return found
  }
}

/** JavaScript itself knows what a class or an escape stands for: for one character it cannot go back. */
function ofOneCharacter(source: string, flags: string): Test {
  const expression = new RegExp(`^${source}$`, flags)
  const known = new Map<string, boolean>()
  return (character) => {
    const before = known.get(character)
    if (before !== undefined) return before
    const matches = expression.test(character)
    known.set(character, matches)
    return matches
  }
}

type Instruction =
  | { do: "match"; test: Test }
  | { do: "fork"; to: number }
  | { do: "jump"; to: number }
  | { do: "edge"; edge: Edge }
  | { do: "ahead"; program: Program; isWanted: boolean }
  | { do: "accept" }
type Program = Instruction[]

function assemble(node: Node): Program {
  let size = 0
  const program = (root: Node): Program => {
    const made: Program = []
    const add = <T extends Instruction>(instruction: T): T => {
      made.push(instruction)
      return instruction
    }
    const write = (node: Node): void => {
      // Nothing, repeated without end, is no instruction either.
      if (++size > mostInstructions) throw new Error("is too large: its repetitions are written out")
      switch (node.type) {
        case "character":
          add({ do: "match", test: node.test })
          return
        case "edge":
          add({ do: "edge", edge: node.edge })
          return
        case "ahead":
          add({ do: "ahead", program: program(node.node), isWanted: node.isWanted })
          return
        case "sequence":
          for (const each of node.nodes) write(each)
          return
        case "choice": {
          const jumps = node.nodes.slice(0, -1).map((each) => {
            const fork = add({ do: "fork", to: 0 })
            write(each)
            const jump = add({ do: "jump", to: 0 })
            fork.to = made.length
            return jump
          })
          for (const last of node.nodes.slice(-1)) write(last)
          for (const jump of jumps) jump.to = made.length
          return
        }
        case "repetition": {
          for (let count = 0; count < node.min; count++) write(node.node)
          if (node.max === Infinity) {
            const start = made.length
            const fork = add({ do: "fork", to: 0 })
            write(node.node)
            add({ do: "jump", to: start })
            fork.to = made.length
            return
          }
          const forks: { to: number }[] = []
          for (let count = node.min; count < node.max; count++) {
            forks.push(add({ do: "fork", to: 0 }))
            write(node.node)
          }
          for (const fork of forks) fork.to = made.length
        }
      }
    }
    write(root)
    add({ do: "accept" })
    return made
  }
  return program(node)
}

/** Whether the program accepts the text from there on, or from any later character on. */
function run(
  program: Program,
  text: readonly string[],
  from: number,
  where: "here" | "anywhere",
  effort: Effort,
): boolean {
  effort.spend(program.length)
  /** At which character each instruction was last come to. */
  const seen = new Int32Array(program.length).fill(-1)
  let current: number[] = []
  for (let at = from; ; at++) {
    const next: number[] = []
    const open = where === "anywhere" || at === from ? [...current, 0] : current
    while (open.length > 0) {
      const index = open.pop() ?? 0
      if (seen[index] === at) continue
      seen[index] = at
      effort.spend(1)
      const instruction = program[index]
      switch (instruction?.do) {
        case "accept":
          return true
        case "match":
          if (at < text.length && instruction.test(text[at] ?? "")) next.push(index + 1)
          break
        case "fork":
          open.push(instruction.to, index + 1)
          break
        case "jump":
          open.push(instruction.to)
          break
        case "edge":
          if (isAt(instruction.edge, text, at)) open.push(index + 1)
          break
        case "ahead":
          if (run(instruction.program, text, at, "here", effort) === instruction.isWanted)
            open.push(index + 1)
      }
    }
    if (at >= text.length || (next.length === 0 && where === "here")) return false
    current = next
  }
}

function isAt(edge: Edge, text: readonly string[], at: number): boolean {
  switch (edge) {
    case "start":
      return at === 0
    case "end":
      return at === text.length
    default: {
      const isEdge = isWord(text[at - 1]) !== isWord(text[at])
      return isEdge === (edge === "word")
    }
  }
}

const isWord = (character: string | undefined) => character !== undefined && /^\w$/.test(character)
