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
import { atOnce, namesOf, type Row, rowsOf, stateName, statesOf } from "./transitions.ts"

/** A machine as its page tells of it. */
export type Chapter = {
  machine: AnyStateMachine
  reasons: Reasons
  /** Where it stands, from the root. */
  source: string
}

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
  return [
    "<!-- Written by `npm run docs`, from src/machines. -->",
    "# The state machines",
    "Each actor runs one of three: a [job](#job), the [supervisor](#supervisor) of an owner's jobs, the " +
      "[system](#system) over all. States say in the machine what they mean; why a transition is there stands in " +
      "[reasons.ts](../src/machines/reasons.ts). How the actors work together: [architecture.md](architecture.md).",
    howToRead,
    ...chapters.map(chapterOf),
    "",
  ].join("\n\n")
}

const howToRead = table(
  ["in a picture", "it means"],
  [
    ["dot with an arrow", "where a state begins"],
    ["double border", "final: nothing comes after"],
    ["dashed arrow", "taken at once, when its condition holds"],
    [code("do / …"), "an effect that runs while the state lasts; `… done` and `… failed` are its outcomes"],
    ["`entry / …`, `exit / …`", "what is done when the state is entered or left"],
    [code("spawn / …"), "the actors that it starts and answers for"],
    [code("↻ …"), "an event that does not leave the node that names it"],
    [code("after …"), "a timer that starts when the state is entered"],
    [code("… over"), "a final state inside was reached"],
    ["`* done`, `* failed`, `xstate.snapshot.*`", "an actor that it spawned has ended, crashed, changed"],
  ],
)

export function chapterOf({ machine, reasons, source }: Chapter): string {
  const { id, root } = machine
  const paths = { light: `machines/${id}.light.svg`, dark: `machines/${id}.dark.svg` }
  return [
    `## ${id}`,
    `${meaningOf(root)} Its source: [${source}](../${source}).`,
    picture(paths, `The statechart of the ${id} machine; the tables below say the same in words.`),
    ...(Object.keys(root.states).length > 0 ? ["### Its states", stateTable(machine)] : []),
    "### Its transitions",
    transitionTable(rowsOf(machine, reasons)),
  ].join("\n\n")
}

function stateTable(machine: AnyStateMachine): string {
  const places = new Map(drawMachine(machine).nodes.map(({ id, place }) => [id, place]))
  const rows = statesOf(machine)
    .slice(1)
    .map((node) => {
      const place = places.get(node.id)
      return [
        "&emsp;".repeat(node.path.length - 1) + code(stateName(node)) + markOf(node),
        place === undefined ? "" : code(place),
        doneIn(node).join(", "),
        meaningOf(node),
      ]
    })
  return table(["state", "in records", "does", "meaning"], rows)
}

function markOf(node: AnyStateNode): string {
  if (node.type === "final") return " final"
  return node.parent?.initial.target.includes(node) ? " first" : ""
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
