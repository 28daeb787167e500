import stringWidth from "string-width"

/** A terminal's screen, as `tmux capture-pane -e` tells it. */
export type Screen = { title: string; description: string; columns: number; lines: readonly string[] }

type Style = { ink: string; ground: string | undefined; isBold: boolean }
type Run = { row: number; column: number; text: string; style: Style }

/** Of a terminal whose program sets none. */
const plain: Style = { ink: "#eeeeee", ground: undefined, isBold: false }
const ground = "#0a0a0a"

/** Pixels. Monospace fonts are 0.6 em wide or a little less. */
const font = 13
const cell = { width: 7.8, height: 17 }
const margin = 12

/** Draws the screen as an SVG file without scripts or external resources. */
export function drawScreen({ title, description, columns, lines }: Screen): string {
  const width = round(columns * cell.width + 2 * margin)
  const height = lines.length * cell.height + 2 * margin
  const runs = lines.flatMap(runsOf)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description)}</desc>`,
    `<style>text{font:${font}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;white-space:pre}rect{shape-rendering:crispEdges}.b{font-weight:600}</style>`,
    `<rect width="${width}" height="${height}" rx="10" fill="${ground}"/>`,
    ...runs.flatMap(groundOf),
    ...runs.flatMap(wordsIn).map(inkOf),
    "</svg>",
    "",
  ].join("\n")
}

function groundOf({ row, column, text, style }: Run): string[] {
  if (style.ground === undefined || style.ground === ground) return []
  const [x, y] = placeOf(row, column)
  return [
    `<rect x="${x}" y="${y}" width="${round(stringWidth(text) * cell.width)}" height="${cell.height}" fill="${style.ground}"/>`,
  ]
}

/** Its words, each where it stands: fonts differ in the width of their characters. */
function wordsIn({ row, column, text, style }: Run): Run[] {
  return [...text.matchAll(/\S+(?: \S+)*/g)].map((found) => {
    return { row, column: column + stringWidth(text.slice(0, found.index)), text: found[0], style }
  })
}

function inkOf({ row, column, text, style: { ink, isBold } }: Run): string {
  const [x, y] = placeOf(row, column)
  const weight = isBold ? ' class="b"' : ""
  return `<text x="${x}" y="${round(y + 12.5)}" textLength="${round(stringWidth(text) * cell.width)}" fill="${ink}"${weight}>${escaped(text)}</text>`
}

const placeOf = (row: number, column: number) =>
  [round(margin + column * cell.width), margin + row * cell.height] as const

/** The pieces of a line that are drawn alike. */
function runsOf(line: string, row: number): Run[] {
  const runs: Run[] = []
  let style = plain
  let column = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes begin with one.
  for (const [found, codes] of line.matchAll(/\x1b\[([\d;]*)m|[^\x1b]+/g)) {
    if (codes !== undefined) style = styled(style, codes.split(";").map(Number))
    else {
      runs.push({ row, column, text: found, style })
      column += stringWidth(found)
    }
  }
  return runs
}

/** What opencode sets: colours of 24 bits, and bold. */
function styled(style: Style, [code, ...rest]: number[]): Style {
  if (code === undefined) return style
  const colour = `#${rest.slice(1, 4).map(hex).join("")}`
  const isColour = rest[0] === 2
  switch (code) {
    case 0:
      return styled(plain, rest)
    case 1:
      return styled({ ...style, isBold: true }, rest)
    case 22:
      return styled({ ...style, isBold: false }, rest)
    case 38:
      return isColour ? styled({ ...style, ink: colour }, rest.slice(4)) : style
    case 39:
      return styled({ ...style, ink: plain.ink }, rest)
    case 48:
      return isColour ? styled({ ...style, ground: colour }, rest.slice(4)) : style
    case 49:
      return styled({ ...style, ground: undefined }, rest)
    default:
      return styled(style, rest)
  }
}

const hex = (value: number) => value.toString(16).padStart(2, "0")

const round = (value: number) => Number(value.toFixed(1))

const escaped = (words: string) =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
