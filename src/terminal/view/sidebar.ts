import { hasEnded, type ShownJob } from "../jobs.ts"
import { createMemo, type Element, each, h, useTerminalDimensions } from "../solid.ts"
import type { Terminal } from "../terminal.ts"
import { cutLine } from "./cut-line.ts"
import { clock, live } from "./live.ts"
import { countsOf, type Row, rowsOf } from "./rows.ts"

/** Rows of a sidebar, where others live too. */
const mostRows = 8

/** Columns of a terminal in which opencode shows no sidebar. */
const narrow = 120

/** The jobs of a session, for as long as it is shown. Nothing where it has none. */
export function sidebar({ jobs, color, open }: Terminal, owner: string, showAll: () => void): Element {
  const known = jobsOf(jobs, owner)
  const now = clock(() => known().some((job) => !hasEnded(job)))
  const shown = createMemo(() => rowsOf(known(), now(), mostRows))
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

  const hasJobs = createMemo(() => known().length > 0)
  return h("box", { flexShrink: 0 }, () =>
    hasJobs()
      ? h(
          "box",
          { flexShrink: 0 },
          h("text", { fg: () => color("text"), onMouseUp: showAll }, h("b", {}, "Jobs")),
          h("text", { fg: () => color("muted") }, () => shown().counts),
          each(() => [...rows().keys()], row),
          h("text", { fg: () => color("muted"), onMouseUp: showAll }, () =>
            shown().more > 0 ? `and ${shown().more} more` : "",
          ),
        )
      : undefined,
  )
}

/** One line for a terminal that is too narrow for the sidebar. */
export function summary({ jobs, color }: Terminal, owner: string, showAll: () => void): Element {
  const known = jobsOf(jobs, owner)
  const size = useTerminalDimensions()
  const isShown = createMemo(() => size().width <= narrow && known().some((job) => !hasEnded(job)))
  const needsPerson = () => known().some(({ asks }) => asks?.length)
  return h("box", { flexShrink: 0 }, () =>
    isShown()
      ? h(
          "text",
          {
            wrapMode: "none",
            fg: () => color(needsPerson() ? "attention" : "muted"),
            onMouseUp: showAll,
          },
          () => `${countsOf(known().filter((job) => !hasEnded(job)))} · /troupe`,
        )
      : undefined,
  )
}

const jobsOf = (jobs: Terminal["jobs"], owner: string) =>
  live<readonly ShownJob[]>(
    [],
    () => jobs.of(owner),
    (hear) => jobs.subscribe(hear, owner),
  )
