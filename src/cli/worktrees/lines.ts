import { columnsOf } from "../../util/columns.ts"

/** A text in lines of at most so many columns; a word that is longer, as a path may be, has a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && columnsOf(last) + 1 + columnsOf(word) <= width)
      lines.push(`${lines.pop()} ${word}`)
    else lines.push(word)
  }
  return lines
}

/** Filled up with spaces. */
export function padded(text: string, width: number, side: "left" | "right" = "left"): string {
  const space = " ".repeat(Math.max(0, width - columnsOf(text)))
  return side === "left" ? text + space : space + text
}
