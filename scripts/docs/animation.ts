import stringWidth from "string-width"
import type { Colours } from "./colours.ts"

/** What a terminal shows from `at` on. Lines may hold the escape codes in `styles`. */
export type Frame = { at: number; lines: readonly string[] }

/** Times are in milliseconds. */
export type Recording = {
  title: string
  /** For readers who cannot see it. */
  description: string
  columns: number
  /** The first one starts at 0. */
  frames: readonly Frame[]
  /** After which it begins again. */
  duration: number
}

/** Escape codes of picocolors and the class that stands for each. */
const styles = { 1: "b", 2: "d", 31: "r", 32: "g", 33: "y", 35: "m", 36: "c" } as const
const ends = [22, 39]

/** Pixels. Monospace fonts are 0.6 em wide or a little less. */
const font = 13
const cell = { width: 7.8, height: 18 }
const margin = { x: 18, y: 16 }

type Piece = { row: number; column: number; text: string; style: string }
type Span = { from: number; to: number }

/**
 * Draws a recording as one SVG file without scripts or external resources. Each piece of text is in the file once for
 * each span of time in which it was shown, and a CSS animation makes it visible then. Without animations, as for readers
 * who prefer reduced motion, it is the last frame.
 */
export function animate(recording: Recording, colours: Colours): string {
  const { title, description, columns, frames, duration } = recording
  const rows = Math.max(...frames.map(({ lines }) => lines.length))
  const width = round(columns * cell.width + 2 * margin.x)
  const height = rows * cell.height + 2 * margin.y
  const groups = [...groupedBySpan(shownPieces(frames, duration))]
  const always = spanKey({ from: 0, to: duration })
  const classes = groups.map(([key, { span }], index) => ({
    name: key === always ? "" : `k${index.toString(36)}`,
    span,
  }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description)}</desc>`,
    "<style>",
    ...rules(colours, duration),
    ...classes.filter(({ name }) => name !== "").flatMap(({ name, span }) => keyframes(name, span, duration)),
    "</style>",
    `<rect class="ground" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="10"/>`,
    ...groups.map(([, { span, pieces }], index) => {
      const name = classes[index]?.name ?? ""
      const last = span.to === duration ? " z" : ""
      return `<g${name && ` class="k ${name}${last}"`}>${pieces.map(text).join("")}</g>`
    }),
    "</svg>",
    "",
  ].join("\n")
}

/** Each piece with a span in which it was shown without a break. */
function* shownPieces(frames: readonly Frame[], duration: number): Generator<{ piece: Piece; span: Span }> {
  let open = new Map<string, { piece: Piece; from: number }>()
  for (const { at, lines } of [...frames, { at: duration, lines: [] }]) {
    const pieces = lines.flatMap(piecesOf)
    const next = new Map(
      pieces.map((piece) => {
        const key = JSON.stringify(piece)
        return [key, open.get(key) ?? { piece, from: at }]
      }),
    )
    for (const [key, { piece, from }] of open) if (!next.has(key)) yield { piece, span: { from, to: at } }
    open = next
  }
}

function groupedBySpan(shown: Iterable<{ piece: Piece; span: Span }>) {
  const groups = new Map<string, { span: Span; pieces: Piece[] }>()
  for (const { piece, span } of shown) {
    const group = groups.get(spanKey(span)) ?? { span, pieces: [] }
    groups.set(spanKey(span), group)
    group.pieces.push(piece)
  }
  return groups
}

const spanKey = ({ from, to }: Span) => `${from}-${to}`

/** The pieces of a line: text of one style, up to two spaces or more. */
function piecesOf(line: string, row: number): Piece[] {
  const pieces: Piece[] = []
  const active = new Set<string>()
  let column = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes begin with one.
  for (const [found, code] of line.matchAll(/\x1b\[(\d+)m|[^\x1b]+/g)) {
    if (code === undefined) {
      for (const [part] of found.matchAll(/ {2,}|(?:[^ ]| (?! ))+/g)) {
        const start = column + part.length - part.trimStart().length
        const style = [...active].sort().join(" ")
        if (part.trim() !== "") pieces.push({ row, column: start, text: part.trim(), style })
        column += stringWidth(part)
      }
    } else if (ends.includes(Number(code))) {
      const closed = Number(code) === 22 ? ["b", "d"] : ["r", "g", "y", "m", "c"]
      for (const each of closed) active.delete(each)
    } else active.add(styleOf(Number(code)))
  }
  return pieces
}

function styleOf(code: number): string {
  const style = Object.entries(styles).find(([each]) => Number(each) === code)
  if (!style) throw new Error(`The picture of the demo has no style for the escape code ${code}`)
  return style[1]
}

function text({ row, column, text, style }: Piece): string {
  const x = round(margin.x + column * cell.width)
  const y = margin.y + row * cell.height + 13
  return `<text x="${x}" y="${y}"${style && ` class="${style}"`}>${escaped(text)}</text>`
}

function rules({ nested, line, ink, quiet, states }: Colours, duration: number): string[] {
  return [
    `text{font:${font}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:${ink};white-space:pre}`,
    `.ground{fill:${nested[0]};stroke:${line}}`,
    ".b{font-weight:600}",
    `.d{fill:${quiet}}`,
    `.g{fill:${states.done}}`,
    `.r{fill:${states.failed}}`,
    `.y{fill:${states.timedOut}}`,
    `.m{fill:${states.cancelled}}`,
    `.c{fill:${states.prompting}}`,
    `.k{opacity:0;animation:${duration}ms step-end infinite}`,
    ".z{opacity:1}",
    "@media (prefers-reduced-motion:reduce){.k{animation:none}}",
  ]
}

/** Visible from the one to the other; `step-end` makes it jump. */
function keyframes(name: string, { from, to }: Span, duration: number): string[] {
  const percent = (ms: number) => `${round((ms / duration) * 100, 3)}%`
  const before = from === 0 ? "" : "0%{opacity:0}"
  const after = to === duration ? "" : `${percent(to)}{opacity:0}`
  return [
    `.${name}{animation-name:${name}}`,
    `@keyframes ${name}{${before}${percent(from)}{opacity:1}${after}}`,
  ]
}

const round = (value: number, digits = 1) => Number(value.toFixed(digits))

const escaped = (words: string) =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
