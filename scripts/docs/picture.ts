import type { AnyStateMachine, AnyStateNode } from "xstate"
import type { MachineAnswer } from "../../src/inspector/http/api.ts"
import { curve } from "../../src/inspector/page/model/statechart.ts"
import { JOB_STATES } from "../../src/machines/record.ts"
import { drawMachine, type Layout } from "../draw-machine.ts"
import type { Colours } from "./colours.ts"
import { declaredBy, eventOf, guardOf, namesOf, statesOf } from "./transitions.ts"

type Node = MachineAnswer["nodes"][number]
type Arrow = MachineAnswer["arrows"][number]

/** About square, for a column of text. Initial states require room for their mark. */
const layout: Layout = { widthToHeight: 1, innermostWidthToHeight: 6, padding: 22, ranks: 34, linesOf }

/** Around the chart, in pixels. */
const margin = 16

/** Draws a machine as an SVG file. The same machine and colours give the same bytes. */
export function pictureOf(machine: AnyStateMachine, colours: Colours): string {
  const chart = drawMachine(machine, layout)
  const states = new Map(statesOf(machine).map((node) => [node.id, node]))
  const initial = [...states.values()].flatMap(({ initial }) => initial?.target.map(({ id }) => id) ?? [])
  // The layout leaves room for the name of the machine above the outermost nodes.
  const top = Math.min(...chart.nodes.map(({ y }) => y))
  const width = fixed(chart.width + 2 * margin)
  const height = fixed(chart.height - top + 2 * margin)
  const nodes = chart.nodes.flatMap((node) => {
    const state = states.get(node.id)
    return state ? [drawNode(node, state, colours)] : []
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">The state machine "${escaped(machine.id)}"</title>`,
    `<desc id="desc">${escaped(inWords(machine, chart))}</desc>`,
    style(colours),
    `<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 Z"/></marker></defs>`,
    `<rect class="ground" width="${width}" height="${height}" rx="10"/>`,
    `<g transform="translate(${margin} ${fixed(margin - top)})">`,
    ...nodes,
    ...chart.nodes.filter(({ id }) => initial.includes(id)).map(drawInitial),
    // Lines first, so that none crosses a label.
    ...chart.arrows.map(drawLine),
    ...chart.arrows.flatMap((arrow) => drawLabel(arrow, colours)),
    "</g>",
    "</svg>",
    "",
  ].join("\n")
}

/** What a state does, and the events that do not leave it. */
function linesOf(node: AnyStateNode, inside: readonly string[]): string[] {
  const isAlone = node.parent === undefined && Object.keys(node.states).length === 0
  return [
    ...node.invoke.map(({ id }) => `do / ${id}`),
    ...namesOf(node.entry).map((name) => `entry / ${name}`),
    ...namesOf(node.exit).map((name) => `exit / ${name}`),
    // A machine with one state is described by what it does at each event.
    ...(isAlone ? [...spawnedBy(node), ...handledBy(node)] : inside.map((event) => `↻ ${event}`)),
  ]
}

const spawnedBy = ({ machine }: AnyStateNode) =>
  Object.keys(machine.implementations.actors).map((name) => `spawn / ${name}`)

function handledBy(node: AnyStateNode): string[] {
  return declaredBy(node).map((transition) => {
    const guard = guardOf(transition)
    const condition = guard === undefined ? "" : ` [${guard}]`
    return `↻ ${eventOf(transition)}${condition} / ${namesOf(transition.actions).join(", ")}`
  })
}

/** For readers who cannot see it. */
function inWords(machine: AnyStateMachine, { arrows }: MachineAnswer): string {
  const names = statesOf(machine)
    .slice(1)
    .map(({ path }) => path.join("."))
  const nameOf = (id: string) => id.split(".").slice(1).join(".")
  const ways = arrows.map(
    ({ from, to, texts }) => `${nameOf(from)} to ${nameOf(to)} (${texts.join(", ") || "at once"})`,
  )
  if (names.length === 0) return `It has one state: ${handledBy(machine.root).join("; ")}.`
  return `States: ${names.join(", ")}. Arrows: ${ways.join("; ")}.`
}

function style({ ground, node, line, arrow, ink, quiet, states }: Colours): string {
  const rules = [
    `text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:${quiet};white-space:pre}`,
    `.name{font-size:12.5px;font-weight:600;fill:${ink}}`,
    `.more{font-size:11px;font-weight:400;fill:${quiet}}`,
    `.ground{fill:${ground}}`,
    `.box{fill:${node};stroke:${line}}`,
    `.inner{fill:none;stroke:${line}}`,
    `.way{fill:none;stroke:${arrow};stroke-width:1.3}`,
    ".always{stroke-dasharray:4 3}",
    `marker path,.dot{fill:${arrow}}`,
    `.label{text-anchor:middle;fill:${ink}}`,
    ".halo{stroke-width:9px;stroke-linejoin:round}",
    ...Object.entries(states).flatMap(([state, colour]) => [
      `.${state}>.box,.${state}>.inner{stroke:${colour}}`,
      `.${state}>.name{fill:${colour}}`,
    ]),
  ]
  return `<style>\n${rules.join("\n")}\n</style>`
}

function drawNode(node: Node, state: AnyStateNode, colours: Colours): string {
  const { x, y, width, height, kind } = node
  const own = JOB_STATES.find((each) => state.path.length === 1 && each === state.key)
  const fill = kind === "compound" ? ` style="fill:${groundIn(state, colours)}"` : ""
  const box = `<rect class="box" x="${x}" y="${y}" width="${fixed(width)}" height="${fixed(height)}" rx="9"${fill}/>`
  return [
    `<g${own ? ` class="${own}"` : ""}>`,
    box,
    ...(kind === "final" ? [innerBorder(node)] : []),
    ...textsOf(node, linesOf(state, node.inside)),
    "</g>",
  ].join("\n")
}

/** A second border marks a final state. */
function innerBorder({ x, y, width, height }: Node): string {
  return `<rect class="inner" x="${fixed(x + 3)}" y="${fixed(y + 3)}" width="${fixed(width - 6)}" height="${fixed(height - 6)}" rx="6.5"/>`
}

/** Below the name, or after it in a compound state. */
function textsOf({ name, kind, x, y }: Node, lines: readonly string[]): string[] {
  const left = fixed(x + 12)
  const title = (more: string) =>
    `<text class="name" x="${left}" y="${fixed(y + 19)}">${escaped(name)}${more}</text>`
  if (kind === "compound") return [title(lines.map((line) => rest(`   ${line}`)).join(""))]
  const below = lines.map(
    (line, index) => `<text x="${left}" y="${fixed(y + 34 + index * 14)}">${escaped(line)}</text>`,
  )
  return [title(""), ...below]
}

const rest = (line: string) => `<tspan class="more">${escaped(line)}</tspan>`

function drawInitial({ x, y }: Node): string {
  const [left, middle] = [fixed(x - 16), fixed(y + 15)]
  return `<circle class="dot" cx="${left}" cy="${middle}" r="3.5"/><path class="way" d="M${left} ${middle} H${fixed(x)}" marker-end="url(#head)"/>`
}

function drawLine({ points, texts }: Arrow): string {
  const kind = texts.length === 0 ? "way always" : "way"
  return `<path class="${kind}" d="${curve(points)}" marker-end="url(#head)"/>`
}

/** All halos first: the halo of one line would cover the line above. */
function drawLabel({ from, texts, label: [x, y] }: Arrow, colours: Colours): string[] {
  const depth = from.split(".").length - 2
  const halo = depth === 0 ? colours.ground : nestedAt(depth - 1, colours)
  const lines = (more: string) =>
    texts.map((text, index) => {
      const line = y + 4 + (index - (texts.length - 1) / 2) * 14
      return `<text class="label${more} x="${fixed(x)}" y="${fixed(line)}">${escaped(text)}</text>`
    })
  return [...lines(` halo" style="stroke:${halo}" aria-hidden="true"`), ...lines('"')]
}

const groundIn = ({ path }: AnyStateNode, colours: Colours) =>
  path.length === 0 ? colours.ground : nestedAt(path.length - 1, colours)

const nestedAt = (depth: number, { nested }: Colours) => (depth % 2 === 0 ? nested[0] : nested[1])

/** Rounded to one decimal. */
const fixed = (pixels: number) => `${Math.round(pixels * 10) / 10}`

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
