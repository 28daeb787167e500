import { hasEnded, type ShownJob } from "../jobs.ts"
import { createMemo, type Element, each, h } from "../solid.ts"
import type { Terminal } from "../terminal.ts"
import { clock, live } from "./live.ts"
import { type Row, rowsOf } from "./rows.ts"

/** Rows of a sidebar, where others live too. */
const mostRows = 8

/** The jobs of a session, for as long as it is shown. Nothing where it has none. */
export function sidebar({ jobs, color, open }: Terminal, owner: string): Element {
  const known = live<readonly ShownJob[]>(
    [],
    () => jobs.of(owner),
    (hear) => jobs.subscribe((changed) => changed === owner && hear()),
  )
  const now = clock(() => known().some((job) => !hasEnded(job)))
  const shown = createMemo(() => rowsOf(known(), now(), mostRows))
  const rows = createMemo(() => new Map(shown().rows.map((row) => [row.session || row.id, row])))

  const row = (key: string): Element => {
    const of = <Value>(read: (row: Row) => Value) => {
      const found = rows().get(key)
      return found && read(found)
    }
    return h(
      "box",
      { flexDirection: "row", gap: 1, onMouseUp: () => of(({ session }) => session && open(session)) },
      h("text", { flexShrink: 0, fg: () => color(of(({ color }) => color) ?? "text") }, () =>
        of(({ glyph }) => glyph),
      ),
      h("text", { flexShrink: 0, fg: () => color("text") }, () => of(({ id }) => id)),
      h("text", { flexGrow: 1, flexShrink: 1, wrapMode: "none", fg: () => color("muted") }, () =>
        of(({ words }) => words),
      ),
      h("text", { flexShrink: 0, fg: () => color("muted") }, () => of(({ time }) => time)),
    )
  }

  return h("box", { flexShrink: 0 }, () =>
    known().length === 0
      ? undefined
      : h(
          "box",
          { flexShrink: 0 },
          h("text", { fg: () => color("text") }, h("b", {}, "Jobs")),
          h("text", { fg: () => color("muted") }, () => shown().counts),
          each(() => [...rows().keys()], row),
          h("text", { fg: () => color("muted") }, () => (shown().more > 0 ? `and ${shown().more} more` : "")),
        ),
  )
}
