import dagre from "@dagrejs/dagre"
import type { AnyStateMachine, AnyStateNode } from "xstate"
import { toDirectedGraph } from "xstate/graph"
import type { MachineAnswer } from "../src/inspector/http/api.ts"
import { eventName } from "../src/machines/history.ts"
import { ENDED_STATES, JOB_PHASES } from "../src/machines/record.ts"

type Graph = ReturnType<typeof toDirectedGraph>
type Point = [number, number]
type Node = MachineAnswer["nodes"][number]
type Arrow = MachineAnswer["arrows"][number]
type Transition = Arrow["transitions"][number]
/** A node with all that is in it, at 0,0. */
type Drawing = { width: number; height: number; nodes: Node[]; arrows: Arrow[] }

/** What leads from node to node, and by node the events that lead back to it. */
type Steps = { transitions: Transition[]; loops: ReadonlyMap<string, readonly string[]> }

/** Pixels: what the page's font takes, as near as a build can know it. */
const size = { letter: 6.2, line: 14, title: 30, minWidth: 84 }

export type Layout = {
  /** How much wider than high a node may be before its content is laid out the other way. */
  widthToHeight: number
  /** The same for inner nodes that hold plain nodes alone: flat ones make those around them fit a page. */
  innermostWidthToHeight: number
  /** Room around what is in a node. Pixels. */
  padding: number
  /** Room between a node and the labels of its arrows. Pixels. */
  ranks: number
  /** What a node says below its name, or behind it where others are inside. */
  linesOf: (node: AnyStateNode, inside: readonly string[]) => string[]
}

/** As the page draws it: screens are wider than they are high. */
const pageLayout: Layout = {
  widthToHeight: 2.4,
  innermostWidthToHeight: 2.4,
  padding: 14,
  ranks: 26,
  linesOf: (_, inside) => inside.map((event) => `↻ ${event}`),
}

/**
 * Lays a machine out for drawing, with everything in it taken from the machine itself. Each node is laid out by
 * itself, then placed as one box among its siblings; an arrow goes between siblings, whatever is in them.
 */
export function drawMachine(machine: AnyStateMachine, layout = pageLayout): MachineAnswer {
  const root = toDirectedGraph(machine)
  const all = withDescendants(root)
  const steps = { transitions: all.flatMap(transitionsOf), loops: loopsOf(all) }
  const { width, height, nodes, arrows } = draw(root, steps, layout)
  const isFrame = root.children.length > 0 && !steps.loops.has(root.id)
  const shown = isFrame ? nodes.filter(({ id }) => id !== root.id) : nodes
  return { id: machine.id, width, height, nodes: shown, arrows }
}

const withDescendants = (node: Graph): Graph[] => [node, ...node.children.flatMap(withDescendants)]

function transitionsOf({ edges, children, stateNode }: Graph): Transition[] {
  const withEvents = edges.filter(isStep).flatMap(({ source, target, transition }) => {
    const event = eventName(transition.eventType)
    // What a node does to choose among its own is an arrow from each of the others that goes on.
    const from = isWithin(target.id, source.id)
      ? children.filter((child) => !isWithin(target.id, child.id) && !isFinal(child)).map(({ id }) => id)
      : [source.id]
    return from.map((id) => ({ from: id, to: target.id, event }))
  })
  // The graph leaves out the transitions that need no event.
  const automatic = (stateNode.always ?? []).flatMap(({ target }) =>
    (target ?? []).map(({ id }) => ({ from: stateNode.id, to: id, event: "" })),
  )
  return [...withEvents, ...automatic]
}

/** Drawn as lines in the node instead: loops draw badly. */
function loopsOf(all: Graph[]): Steps["loops"] {
  const loops = new Map<string, string[]>()
  for (const { id, edges, children } of all) {
    for (const edge of edges) {
      const chosen = children.find((child) => isStep(edge) && isWithin(edge.target.id, child.id))
      if (isStep(edge) && (!chosen || isFinal(chosen))) continue
      const at = chosen?.id ?? id
      const events = new Set(loops.get(at)).add(eventName(edge.transition.eventType))
      loops.set(at, [...events])
    }
  }
  return loops
}

const isFinal = ({ stateNode }: Graph) => stateNode.type === "final"

const isStep = ({ source, target, transition }: Graph["edges"][number]) =>
  transition.target !== undefined && target.id !== source.id

const isWithin = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}.`)

function draw(node: Graph, steps: Steps, layout: Layout): Drawing {
  const inside = steps.loops.get(node.id) ?? []
  if (node.children.length === 0) return drawLeaf(node, inside, layout)
  const children = node.children.map((child) => ({ id: child.id, drawing: draw(child, steps, layout) }))
  const arrows = arrowsBetween(
    children.map(({ id }) => id),
    steps.transitions,
  )
  const [across, down] = (["LR", "TB"] as const).map((direction) =>
    arrange(node, inside, children, arrows, direction, layout),
  )
  if (!across || !down) throw new Error("two directions make two drawings")
  const isInnermost = node.stateNode.parent && node.children.every(({ children }) => children.length === 0)
  const ratio = isInnermost ? layout.innermostWidthToHeight : layout.widthToHeight
  const extent = ({ width, height }: Drawing) => Math.max(width / ratio, height)
  return extent(across) <= extent(down) ? across : down
}

function drawLeaf(node: Graph, inside: readonly string[], { linesOf }: Layout): Drawing {
  const lines = [node.stateNode.key, ...linesOf(node.stateNode, inside)]
  const width = Math.max(size.minWidth, ...lines.map((line) => line.length * size.letter + 42))
  const height = size.title + (lines.length - 1) * size.line
  return { width, height, nodes: [nodeAt(node, inside, width, height)], arrows: [] }
}

/** One for each pair of siblings, with all the transitions between what is in the one and what is in the other. */
function arrowsBetween(siblings: string[], transitions: Transition[]): Omit<Arrow, "points" | "label">[] {
  const byEnds = new Map<string, Omit<Arrow, "points" | "label">>()
  for (const transition of transitions) {
    const from = siblings.find((id) => isWithin(transition.from, id))
    const to = siblings.find((id) => isWithin(transition.to, id))
    if (from === undefined || to === undefined || from === to) continue
    const key = `${from}>${to}`
    const arrow = byEnds.get(key) ?? { from, to, texts: [], transitions: [] }
    const text = textOf(transition, from)
    if (text !== "" && !arrow.texts.includes(text)) arrow.texts.push(text)
    arrow.transitions.push(transition)
    byEnds.set(key, arrow)
  }
  return [...byEnds.values()]
}

/** Where the arrow begins at a box around it, it says which of the nodes inside is meant. */
function textOf({ event, from }: Transition, drawnFrom: string): string {
  const name = from.split(".").at(-1) ?? from
  return event === "" || from === drawnFrom || event.startsWith(name) ? event : `${name}: ${event}`
}

type Child = { id: string; drawing: Drawing }

function arrange(
  node: Graph,
  inside: readonly string[],
  children: Child[],
  arrows: Omit<Arrow, "points" | "label">[],
  direction: "LR" | "TB",
  { padding, ranks, linesOf }: Layout,
): Drawing {
  const graph = new dagre.graphlib.Graph()
  graph.setGraph({ rankdir: direction, nodesep: 22, ranksep: ranks, edgesep: 14 })
  for (const { id, drawing } of children) graph.setNode(id, { width: drawing.width, height: drawing.height })
  for (const { from, to, texts } of arrows) {
    const width = Math.max(0, ...texts.map((text) => text.length * size.letter + 10))
    graph.setEdge(from, to, { width, height: texts.length * size.line, labelpos: "c" })
  }
  dagre.layout(graph)

  const [left, top] = [padding, size.title]
  const placed = children.map(({ id, drawing }) => {
    const { x, y } = graph.node(id)
    return moved(drawing, left + x - drawing.width / 2, top + y - drawing.height / 2)
  })
  const between = arrows.map((arrow): Arrow => {
    const { points, x, y } = graph.edge(arrow.from, arrow.to)
    return {
      ...arrow,
      points: points.map((point: { x: number; y: number }) => rounded(left + point.x, top + point.y)),
      label: rounded(left + (x ?? 0), top + (y ?? 0)),
    }
  })
  const bounds = graph.graph()
  const title = [node.stateNode.key, ...linesOf(node.stateNode, inside)].join("  ")
  const width = Math.ceil(Math.max((bounds.width ?? 0) + 2 * padding, title.length * size.letter + 30))
  const height = Math.ceil((bounds.height ?? 0) + size.title + padding)
  return {
    width,
    height,
    nodes: [nodeAt(node, inside, width, height), ...placed.flatMap(({ nodes }) => nodes)],
    arrows: [...placed.flatMap((each) => each.arrows), ...between],
  }
}

function moved({ width, height, nodes, arrows }: Drawing, x: number, y: number): Drawing {
  const move = ([left, top]: Point): Point => rounded(left + x, top + y)
  return {
    width,
    height,
    nodes: nodes.map((node) => {
      const [left, top] = move([node.x, node.y])
      return { ...node, x: left, y: top }
    }),
    arrows: arrows.map((arrow) => ({ ...arrow, points: arrow.points.map(move), label: move(arrow.label) })),
  }
}

const rounded = (x: number, y: number): Point => [Math.round(x * 10) / 10, Math.round(y * 10) / 10]

function nodeAt(node: Graph, inside: readonly string[], width: number, height: number): Node {
  return {
    id: node.id,
    name: node.stateNode.key,
    ...placeOf(node.stateNode),
    kind: kindOf(node),
    inside: [...inside],
    x: 0,
    y: 0,
    width,
    height,
  }
}

/** The word that records of jobs have for it: ended states are the nodes of these names, phases have names of their own. */
function placeOf({ path, key, machine }: AnyStateNode): { place?: string } {
  if (machine.id !== "job") return {}
  if (path.length === 1) return ENDED_STATES.some((ended) => ended === key) ? { place: key } : {}
  // Of several states that are one phase in records, the one that has its name.
  const phase = JOB_PHASES.find((name) => name === key)
  return phase ? { place: `${path[0]}.${phase}` } : {}
}

function kindOf(node: Graph): Node["kind"] {
  if (node.children.length > 0) return "compound"
  return isFinal(node) ? "final" : "atomic"
}
