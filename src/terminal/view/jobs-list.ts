import { fitted } from "../../util/columns.ts"
import { countsOf } from "../glance.ts"
import { hasEnded, type Overview } from "../jobs.ts"
import {
  createEffect,
  createMemo,
  createSignal,
  type Element,
  each,
  h,
  onCleanup,
  type ScrollBox,
  useTerminalDimensions,
} from "../solid.ts"
import type { Terminal } from "../terminal.ts"
import { type Act, actNames, acts, actsFor, staysInList } from "./acts.ts"
import { cutLine } from "./cut-line.ts"
import { dialogWidth, frame, hints } from "./frame.ts"
import type { Chosen, List, Place } from "./jobs-dialog.ts"
import { firstOf, type Line, linesOf, matching, moved, scrolledTo } from "./list.ts"
import { clock, live } from "./live.ts"
import { visible } from "./plain.ts"
import { clip, countWords, idLength, keyOf, type Row, rowOf } from "./rows.ts"
import { wordsOf } from "./told.ts"

/** Lines that a page moves on. */
const page = 10

/** Lines of the dialog beside those of the list. */
const otherLines = 12

/** Characters of the title of a session. */
const titleLength = 80

export const jobsList: List = (terminal, place, perform) =>
  terminal.dialog((settle) =>
    draw(terminal, place, (chosen) => (staysInList(chosen.act) ? perform : settle)(chosen)),
  )

function draw(terminal: Terminal, place: Place, settle: (chosen: Chosen) => void): Element {
  const { jobs: source, color } = terminal
  const [failure, setFailure] = createSignal("Reading the jobs.")
  const seen = live<Overview | undefined>(
    place.seen,
    () => source.all(),
    (hear) => source.subscribe(hear),
    (error) => setFailure(`The jobs cannot be read: ${visible(wordsOf(error))}`),
  )
  const known = createMemo(() => seen()?.jobs ?? [])
  const now = clock(() => known().some((job) => !hasEnded(job)))
  const [query, setQuery] = createSignal(place.query)
  const [chosen, choose] = createSignal(place.selected)

  const lines = createMemo(() => {
    const jobs = matching(known(), query(), source.title, now())
    return linesOf({ jobs, budgets: seen()?.budgets ?? [] }, source.title, now())
  })
  const byKey = createMemo(() => new Map(lines().map((line) => [line.key, line])))
  const rows = createMemo(() => new Map(known().map((job) => [keyOf(job), rowOf(job, now(), "described")])))
  const owners = createMemo(() => new Set(known().map(({ owner }) => owner)).size)
  const idWidth = createMemo(() => Math.min(idLength, Math.max(0, ...known().map(({ id }) => id.length))))
  /** Whom the keys are for. One that the search hides comes back with it. */
  const selected = createMemo(() => {
    const key = chosen()
    return key !== undefined && byKey().has(key) ? key : firstOf(lines())
  })
  const job = createMemo(() => {
    const line = byKey().get(selected() ?? "")
    return line?.kind === "job" ? line.job : undefined
  })
  const size = useTerminalDimensions()
  // A dialog's upper edge is at a quarter of the terminal.
  const room = () => Math.max(3, Math.floor(size().height * 0.75) - otherLines)
  /** It leaves some room to the counts. */
  const titleWidth = () => Math.floor(Math.min(dialogWidth, size().width) / 2)
  const height = createMemo(() => Math.max(1, Math.min(lines().length, room())))

  const box: ScrollBox = h(
    "scrollbox",
    { maxHeight: height, scrollbarOptions: { visible: false }, paddingLeft: 1, paddingRight: 1 },
    each(
      () => lines().map(({ key }) => key),
      (key) => line(key),
    ),
  )

  function scroll(): void {
    const key = selected()
    if (key !== undefined) box.scrollTo(scrolledTo(lines(), key, box.scrollTop, height()))
  }
  // Where its lines have their place only once they are drawn.
  createEffect(() => {
    selected()
    lines()
    height()
    const drawn = setTimeout(scroll, 20)
    onCleanup(() => clearTimeout(drawn))
  })
  const placed = setTimeout(() => box.scrollTo(place.top), 15)
  onCleanup(() => clearTimeout(placed))
  // Stays with the job that a person sees selected, wherever it moves.
  createEffect(() => {
    if (chosen() === undefined) choose(selected())
  })

  function act(name: Act): void {
    const shown = job()
    if (!shown || !acts[name].isFor(shown)) return
    settle({ act: name, job: shown })
  }
  onCleanup(() =>
    Object.assign(place, { query: query(), selected: selected(), top: box.scrollTop, seen: seen() }),
  )
  const move = (by: number) => choose(moved(lines(), selected(), by))
  const shortcuts = terminal.keys([
    { id: "dialog.select.prev", title: "Previous job", bind: "up", run: () => move(-1) },
    { id: "dialog.select.next", title: "Next job", bind: "down", run: () => move(1) },
    { id: "dialog.select.page_up", title: "Page up", bind: "pageup", run: () => move(-page) },
    { id: "dialog.select.page_down", title: "Page down", bind: "pagedown", run: () => move(page) },
    { id: "dialog.select.home", title: "First job", bind: "home", run: () => move(-Infinity) },
    { id: "dialog.select.end", title: "Last job", bind: "end", run: () => move(Infinity) },
    ...actNames.map((name) => {
      const { id, title, bind } = acts[name]
      return { id, title, bind, run: () => act(name) }
    }),
  ])

  const input = h("input", {
    value: place.query,
    placeholder: "Search",
    placeholderColor: () => color("muted"),
    focusedTextColor: () => color("text"),
    focusedBackgroundColor: () => color("field"),
    cursorColor: () => color("text"),
    onInput: (typed: string) => {
      if (typed === query()) return
      setQuery(typed)
      choose(undefined)
    },
  })
  const focused = setTimeout(() => input.isDestroyed || input.focus(), 1)
  onCleanup(() => clearTimeout(focused))

  function line(key: string): Element {
    const found = byKey().get(key)
    return found?.kind === "job" ? jobLine(key) : heading(key)
  }

  function heading(key: string): Element {
    const of = (read: (line: Line) => string) => () => {
      const found = byKey().get(key)
      return found ? read(found) : ""
    }
    return h(
      "box",
      { flexDirection: "row", gap: 1, height: 1, paddingLeft: 1, paddingRight: 1, flexShrink: 0 },
      h(
        "text",
        { flexShrink: 0, wrapMode: "none", fg: () => color("accent") },
        h(
          "b",
          {},
          of((line) =>
            line.kind === "owner" ? fitted(clip(line.title, titleLength), titleWidth(), "start") : "",
          ),
        ),
      ),
      cutLine(
        of((line) => (line.kind === "owner" ? line.counts : line.kind === "batch" ? line.words : "")),
        () => color("muted"),
        () => "start",
      ),
    )
  }

  function jobLine(key: string): Element {
    const isSelected = () => selected() === key
    const of = (read: (row: Row) => string) => () => {
      const row = rows().get(key)
      return row ? read(row) : ""
    }
    const ink = (name: "text" | "muted") => () => color(isSelected() ? "chosen" : name)
    const glyphInk = () => color(isSelected() ? "chosen" : (rows().get(key)?.color ?? "text"))
    return h(
      "box",
      {
        flexDirection: "row",
        gap: 1,
        height: 1,
        flexShrink: 0,
        paddingLeft: 1,
        paddingRight: 1,
        backgroundColor: () => (isSelected() ? color("chosenBackground") : undefined),
        onMouseMove: () => isSelected() || choose(key),
        onMouseDown: () => choose(key),
        onMouseUp: () => act("open"),
      },
      h(
        "text",
        { flexShrink: 0, fg: glyphInk },
        of(({ glyph }) => glyph),
      ),
      h(
        "text",
        { flexShrink: 0, width: idWidth, wrapMode: "none", fg: ink("text") },
        of(({ id }) => id),
      ),
      cutLine(
        of(({ words }) => words),
        ink("muted"),
        () => "start",
      ),
      h(
        "text",
        { flexShrink: 0, fg: ink("muted") },
        of(({ time }) => time),
      ),
    )
  }

  const empty = () => {
    if (seen() === undefined) return failure()
    if (known().length === 0) return "No jobs. Ask the agent for parallel work to start some."
    return lines().length === 0 ? "No job matches." : undefined
  }

  return frame(
    terminal,
    { title: "Jobs", note: () => (owners() > 1 ? countWords(countsOf(known(), now())) : "") },
    h("box", { paddingLeft: 2, paddingRight: 2 }, input),
    h("box", {}, box, () => {
      const words = empty()
      return words === undefined ? undefined : h("text", { paddingLeft: 2, fg: () => color("muted") }, words)
    }),
    hints(terminal, () => {
      const shown = job()
      return shown
        ? actsFor(shown).map((name) => ({
            title: acts[name].title,
            keys: shortcuts(acts[name].id),
            run: () => act(name),
          }))
        : []
    }),
  )
}
