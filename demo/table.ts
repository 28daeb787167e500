import cliTruncate from "cli-truncate"
import stringWidth from "string-width"
import type { JobRecord } from "../src/machines/record.ts"
import { type Board, stateOf } from "./board.ts"
import type { Colour, Colours } from "./colours.ts"
import { ageOf, doing, tokensOf } from "./words.ts"

/** One line for each job, none wider than `width`. Columns that do not fit are dropped, the least important first. */
export function jobTable(
  board: Board,
  colours: Colours,
  { width, now }: { width: number; now: number },
): string[] {
  const columns = fitting(width)
  const rows = board.jobs.map((record) => {
    const mark = markOf(record, now)
    return columns.map(({ title, cell, side }) => {
      // Of text that is being written, the end is news.
      const cut = title === "now" && record.phase === "working" ? "start" : "end"
      const text = oneCell(cell(record, now, mark), widthOf(columns, title, width), { side, cut })
      return coloured(title, text, mark.colour, colours)
    })
  })
  const head = columns.map(({ title, side }) =>
    colours.dim(oneCell(title, widthOf(columns, title, width), { side, cut: "end" })),
  )
  return [head, ...rows].map((cells) => cells.join(gap))
}

type Column = {
  title: string
  /** In cells. `now` takes the rest of the line, and at least this. */
  width: number
  /** Columns with a low rank stay longest when the terminal is narrow. */
  rank: number
  /** Alignment. The last column is not padded: padding would wrap when the terminal gets narrower. */
  side: "left" | "right" | "none"
  cell(record: JobRecord, now: number, mark: Mark): string
}

const gap = "  "

const columns: Column[] = [
  { title: "", width: 1, rank: 0, side: "left", cell: (_, __, { symbol }) => symbol },
  { title: "id", width: 9, rank: 0, side: "left", cell: ({ id }) => id },
  { title: "work", width: 19, rank: 3, side: "left", cell: ({ description }) => description },
  { title: "state", width: 18, rank: 1, side: "left", cell: stateOf },
  { title: "age", width: 4, rank: 2, side: "right", cell: ageOf },
  { title: "tokens", width: 6, rank: 5, side: "right", cell: tokensOf },
  { title: "now", width: 16, rank: 4, side: "none", cell: doing },
]

function fitting(width: number): Column[] {
  const shown = [...columns]
  while (shown.length > 2 && totalOf(shown) > width) {
    const highest = Math.max(...shown.map(({ rank }) => rank))
    shown.splice(
      shown.findIndex(({ rank }) => rank === highest),
      1,
    )
  }
  return shown
}

const totalOf = (shown: Column[]) =>
  shown.reduce((total, { width }) => total + width, gap.length * (shown.length - 1))

function widthOf(shown: Column[], title: string, width: number): number {
  const own = shown.find((column) => column.title === title)?.width ?? 0
  if (title === "now") return own + width - totalOf(shown)
  // Nothing may wrap, however narrow the terminal.
  return Math.min(own, Math.max(1, width - 3))
}

/** The text, cut or padded to exactly this many cells. */
function oneCell(
  text: string,
  cells: number,
  { side, cut }: { side: Column["side"]; cut: "start" | "end" },
): string {
  // Text of models and providers may hold control characters.
  const fits = cliTruncate(text.replace(/\p{C}/gu, " "), cells, { position: cut })
  const space = " ".repeat(Math.max(0, cells - stringWidth(fits)))
  if (side === "right") return space + fits
  return side === "left" ? fits + space : fits
}

function coloured(title: string, text: string, colour: Colour, colours: Colours): string {
  switch (title) {
    case "":
    case "state":
      return colours[colour](text)
    case "id":
      return colours.bold(text)
    case "now":
      return colour === "red" ? colours.red(text) : colours.dim(text)
    default:
      return text
  }
}

type Mark = { symbol: string; colour: Colour }

const spinner = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"]

export const spin = (now: number) => spinner[Math.floor(now / 100) % spinner.length] ?? ""

/** Shown beside the state, never instead of it. */
function markOf({ state, phase }: JobRecord, now: number): Mark {
  switch (state) {
    case "created":
      return { symbol: "○", colour: "dim" }
    case "done":
      return { symbol: "✓", colour: "green" }
    case "failed":
      return { symbol: "✗", colour: "red" }
    case "timedOut":
      return { symbol: "!", colour: "yellow" }
    case "cancelled":
      return { symbol: "⊘", colour: "magenta" }
    case "prompting":
      if (phase === "retrying") return { symbol: "↻", colour: "yellow" }
      if (phase === "permission" || phase === "question") return { symbol: "?", colour: "yellow" }
      return { symbol: spin(now), colour: "cyan" }
  }
}
