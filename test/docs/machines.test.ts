import { describe, expect, it } from "vitest"
import { createMachine } from "xstate"
import { themes } from "../../scripts/docs/colours.ts"
import { chapterOf, chapters } from "../../scripts/docs/machines.ts"
import { pictureOf } from "../../scripts/docs/picture.ts"
import { declaredBy, rowsOf, stateName, statesOf } from "../../scripts/docs/transitions.ts"
import { drawMachine } from "../../scripts/draw-machine.ts"
import { transitionsOf } from "../machines/support/transitions.ts"

describe.each(chapters)("The chapter on the $machine.id machine", (chapter) => {
  const { machine, reasons } = chapter
  const rows = rowsOf(machine, reasons)

  it("has a row for each transition that the machine declares", () => {
    const declared = statesOf(machine).flatMap((node) =>
      declaredBy(node).map(({ target }) => [stateName(node), target?.map(stateName)[0]]),
    )
    expect(rows.map(({ from, to }) => [from, to])).toEqual(declared)
    expect(rows).toHaveLength(transitionsOf(machine).length)
  })

  it("gives a reason for each, as a sentence", () => {
    for (const row of rows) expect(row.reason, JSON.stringify(row)).toMatch(/^\S.+\.$/)
  })

  it("says in a sentence what each state means", () => {
    for (const { id, description } of statesOf(machine))
      expect(description, id).toMatch(/^([A-Z]|opencode ).+\.$/)
  })

  it("has no two states of one name, since rows go by the name alone", () => {
    const names = statesOf(machine).map(stateName)
    expect(new Set(names).size).toBe(names.length)
  })

  it("is the same each time", () => {
    expect(chapterOf(chapter)).toBe(chapterOf(chapter))
    expect(pictureOf(machine, themes.dark)).toBe(pictureOf(machine, themes.dark))
  })
})

describe("A machine that changes", () => {
  const reasons = { off: { press: "Someone needs light." } }
  const before = lamp({ press: "on" })
  const chapter = (machine: typeof before, why = reasons) =>
    chapterOf({ machine, reasons: why, source: "src/lamp.ts" })

  it("gives another table and another picture for one more transition", () => {
    const after = lamp({ press: "on", kick: "broken" })
    const why = { off: { ...reasons.off, kick: "Lamps are fragile." } }
    expect(chapter(before)).toContain("| `off` | `press` |  | `on` |  | Someone needs light. |")
    expect(chapter(before)).not.toContain("kick")
    expect(chapter(after, why)).toContain("| `off` | `kick` |  | `broken` |  | Lamps are fragile. |")
    expect(pictureOf(after, themes.light)).not.toBe(pictureOf(before, themes.light))
  })

  it("gives another table for another target, condition or action", () => {
    const variants = [
      lamp({ press: "broken" }),
      lamp({ press: { target: "on", actions: "click" } }),
      lamp({ press: { target: "on", actions: { type: "hum" } } }),
    ].map((machine) => chapter(machine))
    const guarded = chapterOf({
      machine: lamp({ press: { target: "on", guard: "has power" } }),
      reasons: { off: { "press, if has power": "Someone needs light." } },
      source: "src/lamp.ts",
    })
    expect(new Set([chapter(before), guarded, ...variants]).size).toBe(5)
  })

  it("is refused while a transition has no reason, or a reason no transition", () => {
    expect(() => chapter(lamp({ press: "on", kick: "broken" }))).toThrow('no reason for off: "kick"')
    expect(() => chapter(lamp({ kick: "broken" }))).toThrow(
      'a reason for off: "press", which is no transition',
    )
    expect(() => chapter(before, { off: { press: "" } })).toThrow('no reason for off: "press"')
  })

  it("is refused while a state does not say what it means", () => {
    const silent = createMachine({ id: "lamp", description: "A lamp.", initial: "on", states: { on: {} } })
    expect(() => chapterOf({ machine: silent, reasons: {}, source: "src/lamp.ts" })).toThrow(
      "The state lamp.on has no description",
    )
  })
})

describe("States of one key", () => {
  const machine = createMachine({
    id: "lift",
    description: "A lift.",
    initial: "up",
    states: {
      up: {
        description: "It goes up.",
        initial: "moving",
        states: { moving: { description: "It moves.", on: { stop: "standing" } }, standing: standing() },
      },
      down: {
        description: "It goes down.",
        initial: "moving",
        states: { moving: { description: "It moves." } },
      },
    },
  })

  it("are named with the state around them, others by their key alone", () => {
    const names = statesOf(machine).map(stateName)
    expect(names).toEqual(["root", "up", "up.moving", "standing", "down", "down.moving"])
    const reasons = { "up.moving": { stop: "Somebody gets out." } }
    const chapter = chapterOf({ machine, reasons, source: "src/lift.ts" })
    expect(chapter).toContain("| `up.moving` | `stop` |  | `standing` |  | Somebody gets out. |")
    expect(chapter).toContain("| &emsp;`moving` initial |  | It moves. |")
  })
})

describe("A chapter", () => {
  it("says what records call a state, where the machine is that of a job", () => {
    const [job, ...others] = chapters.map(chapterOf)
    expect(job).toContain("| &emsp;&emsp;&emsp;`runningTool` | `prompting.working` |")
    expect(job).toContain("| &emsp;`stopping` | `created.stopping` |")
    for (const other of others) expect(other).not.toContain("in records")
  })

  it("stands for a machine of any folder", () => {
    const { machine, reasons } = { machine: lamp({ press: "on" }), reasons: { off: { press: "Dark." } } }
    expect(chapterOf({ machine, reasons, source: "src/plugin/lamps/lamp-machine.ts" })).toContain(
      "[src/plugin/lamps/lamp-machine.ts](../src/plugin/lamps/lamp-machine.ts)",
    )
  })
})

describe("A drawing", () => {
  const machine = createMachine({
    id: "lamp",
    initial: "off",
    on: { break: ".broken", dust: {} },
    states: { off: { on: { press: "on" } }, on: {}, broken: { type: "final" } },
  })

  it("has an arrow for what the machine itself does from each state that goes on, and none from the end", () => {
    const { arrows, nodes } = drawMachine(machine)
    const breaks = arrows.filter(({ texts }) => texts.includes("break")).map(({ from, to }) => [from, to])
    expect(breaks).toEqual([
      ["lamp.off", "lamp.broken"],
      ["lamp.on", "lamp.broken"],
    ])
    expect(nodes.find(({ name }) => name === "broken")?.inside).toEqual([])
  })

  it("frames the machine where it handles events in every state", () => {
    expect(drawMachine(machine).nodes[0]).toMatchObject({ id: "lamp", inside: ["dust"] })
    expect(pictureOf(machine, themes.light)).toContain("↻ dust")
    expect(drawMachine(lamp({ press: "on" })).nodes.map(({ id }) => id)).not.toContain("lamp")
  })
})

describe("A picture", () => {
  const machine = lamp({ press: { target: "on", actions: "click" }, kick: "broken" })

  it("says in words what it shows", () => {
    const svg = pictureOf(machine, themes.light)
    expect(svg).toContain("<title id=")
    expect(svg).toContain("off to on (press)")
  })

  it("differs between the themes in its colours alone", () => {
    const shape = (svg: string) => svg.replaceAll(/#[0-9a-f]{6}/g, "")
    const [light, dark] = [pictureOf(machine, themes.light), pictureOf(machine, themes.dark)]
    expect(light).not.toBe(dark)
    expect(shape(light)).toBe(shape(dark))
  })
})

type Handlers = Record<
  string,
  string | { target: string; actions?: string | { type: string }; guard?: string }
>

function lamp(on: Handlers) {
  return createMachine({
    id: "lamp",
    description: "A lamp.",
    initial: "off",
    states: {
      off: { description: "It is dark.", on },
      on: { description: "It shines." },
      broken: { description: "It never will again.", type: "final" },
    },
  })
}

function standing() {
  return { description: "It stands." }
}
