import type { Part } from "../../shown/requests.ts"
import { columnsOf } from "../../util/columns.ts"
import type { Item } from "../terminal.ts"
import { visible, visibleLine } from "./plain.ts"

/** `beside`: what is shown of its description. */
export type Row = { height: number; beside: string; isCut: boolean }

/** An item's title wraps; its description has the rest of the first line, where that is enough. */
export function rowOf({ title, description = "", ...item }: Item<unknown>, width: number): Row {
  const columns = columnsOf(visibleLine(title)) + ("mark" in item ? 4 : 0)
  const beside = cutTo(visibleLine(description), width - columns - 2)
  const height = Math.max(1, Math.ceil(columns / Math.max(1, width - 1)))
  return { height, beside, isCut: beside !== visibleLine(description) }
}

/** What of a line fits into so many columns. */
function cutTo(line: string, columns: number): string {
  if (columnsOf(line) <= columns) return line
  let shown = ""
  for (const char of line) {
    if (columnsOf(shown + char) >= columns) break
    shown += char
  }
  return `${shown}…`
}

/** Those around the cursor for which there is room. */
export function around(cursor: number, rows: readonly Pick<Row, "height">[], room: number): number[] {
  const shown = [cursor]
  let left = room - (rows[cursor]?.height ?? 0)
  const add = (index: number, how: "push" | "unshift"): boolean => {
    const row = rows[index]
    if (!row || row.height > left) return false
    left -= row.height
    shown[how](index)
    return true
  }
  let hasAdded = true
  while (hasAdded) {
    const isBelow = add((shown.at(-1) ?? 0) + 1, "push")
    const isAbove = add((shown[0] ?? 0) - 1, "unshift")
    hasAdded = isBelow || isAbove
  }
  return shown
}

/** About as many as they take: the dialog opens with these. */
export const linesOf = (parts: readonly Part[], width: number) =>
  parts
    .flatMap(({ title, text }) => `${title}${visible(text)}`.split("\n"))
    .reduce((lines, line) => lines + Math.max(1, Math.ceil(columnsOf(line) / width)), 0)
