import { visible } from "../util/visible.ts"
import type { Part } from "./requests.ts"

/** What a permission is asked for, as both generations of opencode tell of it. */
export type Asked = {
  /** `bash` */
  action: string
  patterns: readonly string[]
  /** What opencode or the tool says of it. */
  metadata?: Record<string, unknown> | undefined
  /** The arguments of the call that asks; nothing where no call does. */
  input?: Input | undefined
}

export type Input = Record<string, unknown> | "unreadable"

/** In full: what it is for, then the change, or all arguments of the call, the command first. */
export function permissionParts({ action, patterns, metadata, input = {} }: Asked): Part[] {
  const command = input === "unreadable" ? undefined : input.command
  // The patterns of a command are parts of it.
  const isCommand = (action === "bash" || action === "shell") && command !== undefined
  const named = isCommand ? [] : patterns.filter((pattern) => pattern !== "*")
  const purpose = named.length > 0 ? [{ title: "for", text: named.map(onOneLine).join("\n") }] : []
  const parts = [...purpose, ...callParts(metadata?.diff, input)].map(({ title, text }) => ({
    title,
    text: withoutGaps(text),
  }))
  const [part] = parts
  const isAlone = parts.length === 1 && part && ["for", "change", "command"].includes(part.title)
  // Of several each has its title: else one could be written so that it looks like two.
  return isAlone ? [{ title: "", text: part.text }] : parts
}

function callParts(diff: unknown, input: Input): Part[] {
  if (typeof diff === "string" && diff !== "") return [{ title: "change", text: diff }]
  if (input === "unreadable")
    return [{ title: "not shown", text: "what its call was given could not be read" }]
  const { command, ...others } = input
  return Object.entries(command === undefined ? others : { command, ...others }).map(([title, value]) => ({
    title,
    text: typeof value === "string" ? value : JSON.stringify(value),
  }))
}

/** Spaces, and empty lines, behind which nobody would look for more; each looked at from its beginning alone. */
const longGap = { spaces: /(?<![^\S\n])[^\S\n]{200,}/g, lines: /(?<![^\S\n])(?:[^\S\n]*\n){10,}/g }

function withoutGaps(text: string): string {
  return text
    .replace(longGap.spaces, (gap) => ` (${gap.length} spaces) `)
    .replace(longGap.lines, (gap) => `\n(${gap.split("\n").length - 2} empty lines)\n`)
}

/** None of them looks like two. */
const onOneLine = (pattern: string) => visible(pattern).replaceAll("\n", "\\u{a}")
