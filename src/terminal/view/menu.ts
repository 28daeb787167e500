import type { Part } from "../jobs.ts"
import { type Box, createMemo, createSignal, type Element, each, h, useTerminalDimensions } from "../solid.ts"
import { type Chosen, type Menu, nowhere, type Screen } from "../terminal.ts"
import { around, linesOf, rowOf } from "./menu-rows.ts"
import { visible, visibleLine } from "./plain.ts"

/** What a dialog of opencode's is wide, in either generation, and what stands on both sides of its text. Columns. */
const dialogWidth = 88
const margin = 4
/** Lines of a dialog that are neither parts nor items. */
const frameHeight = 7

/** `choose` of a terminal. */
export function chooseFrom<Value>(
  screen: Screen,
  menu: Menu<Value>,
  until?: Promise<Value>,
): Promise<Chosen<Value> | undefined> {
  return screen.dialog<Chosen<Value>>((settle) => {
    void until?.then((value) => settle({ value, marked: [] }))
    return draw(screen, menu, settle)
  })
}

function draw<Value>(
  { color, keys }: Screen,
  { title, note, about, parts, wrap, items, marked = [], cursor: start = 0 }: Menu<Value>,
  settle: (chosen: Chosen<Value>) => void,
): Element {
  const [cursor, setCursor] = createSignal(start)
  const [marks, setMarks] = createSignal<readonly string[]>(marked)
  const size = useTerminalDimensions()

  // opencode places a dialog a quarter down.
  const room = () => Math.max(2, Math.floor(size().height * 0.7) - frameHeight)
  const textWidth = () => Math.max(1, Math.min(dialogWidth, size().width - 2) - 2 * margin)
  const rows = createMemo(() => items.map((item) => rowOf(item, textWidth())))
  const itemsRoom = () => Math.max(1, Math.floor(room() / 2))
  const shown = createMemo(() => around(Math.max(0, cursor()), rows(), itemsRoom()))
  const itemsHeight = () => shown().reduce((lines, index) => lines + (rows()[index]?.height ?? 0), 0)
  const textRoom = () => Math.max(1, room() - itemsHeight())
  // How many lines they take is known once they are drawn.
  const [drawn, setDrawn] = createSignal<number | undefined>(undefined)
  const textHeight = () => drawn() ?? linesOf(parts, textWidth())
  const shownHeight = () => Math.min(textHeight(), textRoom())

  function choose(index: number): void {
    const item = items[index]
    if (!item) return
    setCursor(index)
    if ("value" in item) settle({ value: item.value, marked: [...marks()] })
    else
      setMarks(
        marks().includes(item.mark) ? marks().filter((each) => each !== item.mark) : [...marks(), item.mark],
      )
  }

  const part = ({ title, text }: Part): Element =>
    h(
      "box",
      { flexDirection: "row", flexShrink: 0 },
      ...(title === ""
        ? []
        : [
            h(
              "text",
              {
                flexShrink: 0,
                maxWidth: () => Math.floor(textWidth() / 2),
                wrapMode: "char",
                fg: () => color("accent"),
              },
              `${visibleLine(title)}: `,
            ),
          ]),
      h("text", { flexGrow: 1, flexShrink: 1, wrapMode: wrap, fg: () => color("text") }, visible(text)),
    )

  /** Descriptions for which there is no room beside their item. */
  const described = () => rows().flatMap(({ isCut }, index) => (isCut ? [String(index)] : []))
  const content: Box = h(
    "box",
    { flexShrink: 0, onSizeChange: () => setDrawn(content.height) },
    ...parts.map(part),
    each(described, (key) => {
      const { title = "", description: text = "" } = items[Number(key)] ?? {}
      return h("box", { flexShrink: 0, marginTop: 1 }, part({ title, text }))
    }),
  )
  const asked = h("scrollbox", { maxHeight: shownHeight, scrollbarOptions: { visible: false } }, content)

  const move = (by: 1 | -1) => {
    const from = cursor() === nowhere && by < 0 ? 0 : cursor()
    setCursor((from + by + items.length) % items.length)
  }
  keys([
    { id: "dialog.select.prev", title: "Previous item", bind: "up", run: () => move(-1) },
    { id: "dialog.select.next", title: "Next item", bind: "down", run: () => move(1) },
    {
      id: "dialog.select.page_up",
      title: "Page up",
      bind: "pageup",
      run: () => asked.scrollBy(-0.5, "viewport"),
    },
    {
      id: "dialog.select.page_down",
      title: "Page down",
      bind: "pagedown",
      run: () => asked.scrollBy(0.5, "viewport"),
    },
    { id: "dialog.select.submit", title: "Select item", bind: "return", run: () => choose(cursor()) },
  ])

  const row = (key: string): Element => {
    const index = Number(key)
    const item = items[index]
    if (!item) return h("box", {})
    const isChosen = () => cursor() === index
    const mark = () => ("mark" in item ? (marks().includes(item.mark) ? "[x] " : "[ ] ") : "")
    return h(
      "box",
      {
        flexDirection: "row",
        flexShrink: 0,
        gap: 2,
        paddingLeft: margin - 1,
        paddingRight: margin - 1,
        backgroundColor: () => (isChosen() ? color("chosenBackground") : "transparent"),
        onMouseOver: () => setCursor(index),
        onMouseUp: () => choose(index),
      },
      h(
        "text",
        {
          flexShrink: 0,
          maxWidth: textWidth,
          wrapMode: "char",
          fg: () => color(isChosen() ? "chosen" : "text"),
        },
        () => `${mark()}${visibleLine(item.title)}`,
      ),
      h(
        "text",
        { flexShrink: 1, wrapMode: "none", fg: () => color(isChosen() ? "chosen" : "muted") },
        () => rows()[index]?.beside,
      ),
    )
  }

  const padded = { paddingLeft: margin, paddingRight: margin, flexShrink: 0 }
  return h(
    "box",
    { gap: 1, paddingBottom: 1 },
    h(
      "box",
      padded,
      h(
        "box",
        { flexDirection: "row", gap: 2 },
        h(
          "text",
          { flexGrow: 1, flexShrink: 1, wrapMode: "word", fg: () => color("text") },
          h("b", {}, visibleLine(title)),
        ),
        h("text", { flexShrink: 0, fg: () => color("attention") }, note),
        h("text", { flexShrink: 0, fg: () => color("muted") }, "esc"),
      ),
      h("text", { wrapMode: "none", fg: () => color("muted") }, visibleLine(about)),
    ),
    h("box", padded, asked, () =>
      textHeight() > shownHeight()
        ? h("text", { wrapMode: "none", fg: () => color("muted") }, "page up and page down show the rest")
        : undefined,
    ),
    h(
      "box",
      { flexShrink: 0 },
      each(() => shown().map(String), row),
    ),
  )
}
