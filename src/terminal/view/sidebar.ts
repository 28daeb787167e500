import { type Glance, noCounts } from "../glance.ts"
import { createMemo, type Element, each, h, useTerminalDimensions } from "../solid.ts"
import type { Terminal } from "../terminal.ts"
import { cutLine } from "./cut-line.ts"
import { clock, live } from "./live.ts"
import { countWords, type Row, rowsOf } from "./rows.ts"

/** Rows of a sidebar, where others live too. */
const mostRows = 8

/** Columns of a terminal in which opencode shows no sidebar. */
const narrow = 120

/** The jobs of a session, for as long as it is shown. Nothing where it has none. */
export function sidebar({ jobs, color, open }: Terminal, owner: string, showAll: () => void): Element {
  const known = glanceAt(jobs, owner, mostRows)
  const now = clock(() => countWords(openIn(known())) !== "")
  const shown = createMemo(() => rowsOf(known(), now()))
  const rows = createMemo(() => new Map(shown().rows.map((row) => [row.key, row])))

  const row = (key: string): Element => {
    const of = <Value>(read: (row: Row) => Value) => {
      const found = rows().get(key)
      return found && read(found)
    }
    const ink = (otherwise: "text" | "muted") => () =>
      color(of(({ needsPerson }) => needsPerson) ? "attention" : otherwise)
    return h(
      "box",
      { flexDirection: "row", gap: 1, onMouseUp: () => of(({ session }) => session && open(session)) },
      h("text", { flexShrink: 0, fg: () => color(of(({ color }) => color) ?? "text") }, () =>
        of(({ glyph }) => glyph),
      ),
      h("text", { flexShrink: 0, fg: ink("text") }, () => of(({ id }) => id)),
      cutLine(
        () => of(({ words }) => words) ?? "",
        ink("muted"),
        () => of(({ keep }) => keep) ?? "start",
      ),
      h("text", { flexShrink: 0, fg: () => color("muted") }, () => of(({ time }) => time)),
    )
  }

  const budgets = () => shown().budgets.map((_, index) => String(index))
  const budget = (index: string): Element => {
    const shownBudget = () => shown().budgets[Number(index)]
    const words = cutLine(
      () => shownBudget()?.words ?? "",
      () => color(shownBudget()?.isSpent ? "attention" : "muted"),
      () => "start",
    )
    return h("box", { flexDirection: "row" }, words)
  }

  const hasJobs = createMemo(() => known().jobs.length > 0)
  return h("box", { flexShrink: 0 }, () =>
    hasJobs()
      ? h(
          "box",
          { flexShrink: 0 },
          h("text", { fg: () => color("text"), onMouseUp: showAll }, h("b", {}, "Jobs")),
          h("text", { fg: () => color("muted") }, () => shown().counts),
          each(budgets, budget),
          each(() => [...rows().keys()], row),
          h("text", { fg: () => color("muted"), onMouseUp: showAll }, () =>
            shown().more > 0 ? `and ${shown().more} more` : "",
          ),
        )
      : undefined,
  )
}

/** One line for a terminal that is too narrow for the sidebar. */
export function summary(terminal: Terminal, owner: string, showAll: () => void): Element {
  const size = useTerminalDimensions()
  const isNarrow = createMemo(() => size().width <= narrow)
  return h("box", { flexShrink: 0 }, () => (isNarrow() ? line(terminal, owner, showAll) : undefined))
}

function line({ jobs, color }: Terminal, owner: string, showAll: () => void): Element {
  const known = glanceAt(jobs, owner, 0)
  const words = createMemo(() => countWords(openIn(known())))
  const isAnyOpen = createMemo(() => words() !== "")
  const ink = () => color(known().counts.asking > 0 ? "attention" : "muted")
  return h("box", { flexShrink: 0 }, () =>
    isAnyOpen()
      ? h("text", { wrapMode: "none", fg: ink, onMouseUp: showAll }, () => `${words()} · /troupe`)
      : undefined,
  )
}

/** Those that have not ended. */
const openIn = ({ counts: { asking, running, queued, held, blocked } }: Glance) => ({
  asking,
  running,
  queued,
  held,
  blocked,
})

const glanceAt = (jobs: Terminal["jobs"], owner: string, most: number) =>
  live<Glance>(
    { counts: noCounts, jobs: [], budgets: [] },
    () => jobs.glance(owner, most),
    (hear) => jobs.subscribe(hear, owner),
  )
