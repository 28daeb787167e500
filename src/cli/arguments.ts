import { parseArgs } from "node:util"
import { visibleLine } from "../util/visible.ts"
import type { Command, Given } from "./command.ts"

export type Problem = { problem: string }

/** For everybody: what a command explains of itself. */
const explained = ["help", "version"]
const short: Readonly<Record<string, string>> = { "-h": "help", "-v": "version" }

/** @param command nothing where none is known: all but what everybody has is unknown then */
export function parse(args: string[], command?: Command): (Given & { words: string[] }) | Problem {
  const { flags: own = [], values: valued = {} } = command ?? {}
  const known = [...own, ...explained]
  const types = Object.keys(valued).map((name) => [name, { type: "string" as const }])
  // Not strict: its words for what is wrong are for programmers.
  const { tokens } = parseArgs({ args, strict: false, tokens: true, options: Object.fromEntries(types) })
  const words: string[] = []
  const flags = new Set<string>()
  const values = new Map<string, string>()
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue
    if (token.kind === "positional") {
      words.push(token.value)
      continue
    }
    const { rawName, value, inlineValue } = token
    const name = short[rawName] ?? (rawName.startsWith("--") ? rawName.slice(2) : "")
    const wanted = Object.hasOwn(valued, name) ? valued[name] : undefined
    if (wanted !== undefined) {
      // What begins with a dash is the next option, unless it is said to be none.
      if (!value || (!inlineValue && value.startsWith("-"))) {
        return { problem: `The option --${name} needs ${wanted}.` }
      }
      if (values.has(name)) return { problem: `The option --${name} can be given once.` }
      values.set(name, value)
      continue
    }
    if (!known.includes(name)) return { problem: `Unknown option: ${visibleLine(rawName)}` }
    if (value !== undefined) return { problem: `The option --${name} takes no value.` }
    flags.add(name)
  }
  return { words, flags, values }
}
