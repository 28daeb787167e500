import type { AnyStateMachine, AnyStateNode } from "xstate"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { jobReasons, type Reasons, supervisorReasons, systemReasons } from "../../src/machines/reasons.ts"
import { supervisorMachine } from "../../src/machines/supervisor-machine.ts"
import { systemMachine } from "../../src/machines/system-machine.ts"
import { drawMachine } from "../draw-machine.ts"
import { themes } from "./colours.ts"
import type { Document } from "./documents.ts"
import { code, picture, table } from "./markdown.ts"
import { pictureOf } from "./picture.ts"
import { atOnce, namesOf, type Row, rowsOf, statesOf } from "./transitions.ts"

/** A machine as its page describes it. */
export type Chapter = {
  machine: AnyStateMachine
  reasons: Reasons
  /** Its source file, from the root. */
  source: string
}

/** In the order of the page. A further machine is one more line, wherever its source and its reasons are. */
export const chapters: Chapter[] = [
  { machine: jobMachine, reasons: jobReasons, source: "src/machines/job-machine.ts" },
  { machine: supervisorMachine, reasons: supervisorReasons, source: "src/machines/supervisor-machine.ts" },
  { machine: systemMachine, reasons: systemReasons, source: "src/machines/system-machine.ts" },
]

/** `docs/machines.md` and its pictures. */
export function machineDocuments(): Document[] {
  const pictures = chapters.flatMap(({ machine }) =>
    (["light", "dark"] as const).map((theme) => ({
      path: `docs/machines/${machine.id}.${theme}.svg`,
      text: pictureOf(machine, themes[theme]),
    })),
  )
  return [{ path: "docs/machines.md", text: machinesPage() }, ...pictures]
}

function machinesPage(): string {
  const links = chapters.map(({ machine: { id } }) => `[${id}](#${id.toLowerCase()})`)
  return [
    "<!-- Written by `npm run docs` from the machines. Change those instead. -->",
    "# The state machines",
    `Every actor, and every protocol that has states, is a state machine: ${links.join(", ")}. The pictures and tables ` +
      "below are made from the machines themselves, which say what each state means; the reason for each transition " +
      "is in a table beside its machine. How the actors work together: [architecture.md](architecture.md).",
    howToRead,
    ...chapters.map(chapterOf),
    "",
  ].join("\n\n")
}

const howToRead = table(
  ["in a picture", "meaning"],
  [
    ["dot with an arrow", "the initial state"],
    ["double border", "a final state"],
    ["dashed arrow", "a transition without an event, taken as soon as its condition holds"],
    [
      code("do / …"),
      "an effect that runs while the state is active; `… done` and `… failed` are its outcomes",
    ],
    ["`entry / …`, `exit / …`", "actions on entering or leaving the state"],
    [code("spawn / …"), "the actors that it starts and supervises"],
    [code("↻ …"), "an event that is handled without leaving the state"],
    [code("after …"), "a timer that starts when the state is entered"],
    [code("… over"), "a final state inside was reached"],
    ["`* done`, `* failed`, `xstate.snapshot.*`", "an actor that it started has ended, crashed, changed"],
  ],
)

export function chapterOf({ machine, reasons, source }: Chapter): string {
  const { id, root } = machine
  const paths = { light: `machines/${id}.light.svg`, dark: `machines/${id}.dark.svg` }
  return [
    `## ${id}`,
    `${meaningOf(root)} Source: [${source}](../${source}).`,
    picture(paths, `Statechart of the ${id} machine; the tables below say the same in words.`),
    ...(Object.keys(root.states).length > 0 ? ["### States", stateTable(machine)] : []),
    "### Transitions",
    transitionTable(rowsOf(machine, reasons)),
  ].join("\n\n")
}

function stateTable(machine: AnyStateMachine): string {
  const places = new Map(drawMachine(machine).nodes.map(({ id, place }) => [id, place]))
  const hasRecords = [...places.values()].some((place) => place !== undefined)
  const rows = statesOf(machine)
    .slice(1)
    .map((node) => {
      const place = places.get(node.id)
      return [
        "&emsp;".repeat(node.path.length - 1) + code(node.key) + markOf(node),
        ...(hasRecords ? [place === undefined ? "" : code(place)] : []),
        doneIn(node).join(", "),
        meaningOf(node),
      ]
    })
  return table(["state", ...(hasRecords ? ["in records"] : []), "does", "meaning"], rows)
}

function markOf(node: AnyStateNode): string {
  if (node.type === "final") return " final"
  return node.parent?.initial.target.includes(node) ? " initial" : ""
}

function doneIn(node: AnyStateNode): string[] {
  return [
    ...node.invoke.map(({ id }) => `do ${code(id)}`),
    ...namesOf(node.entry).map((name) => `entry ${code(name)}`),
    ...namesOf(node.exit).map((name) => `exit ${code(name)}`),
  ]
}

/** @throws Error for a state that does not say. */
function meaningOf({ id, description = "" }: AnyStateNode): string {
  if (description === "")
    throw new Error(`The state ${id} has no description: say in the machine what it means.`)
  return description
}

function transitionTable(rows: readonly Row[]): string {
  // A machine of one state has nothing to tell apart.
  const isAlone = rows.every(({ from, to }) => from === "root" && to === undefined)
  const cells = rows.map(({ from, event, guard = "", to, actions, reason }) => {
    const brought = [event === atOnce ? event : code(event), guard]
    const outcome = [actions.map(code).join(", "), reason]
    const target = to === undefined ? "stays" : code(to)
    return isAlone ? [...brought, ...outcome] : [code(from), ...brought, target, ...outcome]
  })
  const head = isAlone ? ["event", "if", "does", "why"] : ["from", "event", "if", "to", "does", "why"]
  return table(head, cells)
}
