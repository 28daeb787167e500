import type { Part } from "../../shown/requests.ts"
import { type Box, createMemo, createSignal, type Element, each, h, useTerminalDimensions } from "../solid.ts"
import { type Chosen, type Menu, nowhere, type Screen } from "../terminal.ts"
import { dialogWidth } from "./frame.ts"
import { around, linesOf, rowOf } from "./menu-rows.ts"
import { visible, visibleLine } from "./plain.ts"

/** What stands on both sides of a dialog's text. Columns. */
const margin = 4
/** Lines of a dialog that are neither parts nor items: where there is room, with blank ones between them. */
const frameHeight = 5
const gaps = 2

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
  { color, keys, close }: Screen,
  { title, note, about, parts, wrap, items, marked = [], cursor: start = 0 }: Menu<Value>,
  settle: (chosen: Chosen<Value>) => void,
): Element {
  const [cursor, setCursor] = createSignal(start)
  const [marks, setMarks] = createSignal<readonly string[]>(marked)
  const size = useTerminalDimensions()

  // opencode places a dialog a quarter down.
  const height = () => Math.floor(size().height * 0.75)
  const isTight = () => height() < 14
  /** What is asked and an item have what lines there are. */
  const isTiny = createMemo(() => height() <= frameHeight)
  const frameLines = () => (isTiny() ? frameHeight - 2 : frameHeight)
  const room = () => Math.max(2, height() - frameLines() - (isTight() ? 0 : gaps))
  const textWidth = () => Math.max(1, Math.min(dialogWidth, size().width - 2) - 2 * margin)
  const rows = createMemo(() => items.map((item) => rowOf(item, textWidth())))
  // How many lines they take is known once they are drawn.
  const [drawn, setDrawn] = createSignal<number | undefined>(undefined)
  const textHeight = () => drawn() ?? linesOf(parts, textWidth())
  /** Neither takes what the other needs more. */
  const itemsRoom = () => Math.max(1, Math.floor(room() / 2), room() - textHeight())
  const shown = createMemo(() => around(Math.max(0, cursor()), rows(), itemsRoom()))
  const itemsHeight = () => shown().reduce((lines, index) => lines + (rows()[index]?.height ?? 0), 0)
  const hiddenItems = () => items.length - shown().length
  const textRoom = () => Math.max(1, room() - itemsHeight())
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
        // Not where it is only under a pointer at rest: that would choose for the person.
        onMouseMove: () => isChosen() || setCursor(index),
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
    { gap: () => (isTight() ? 0 : 1), paddingBottom: () => (hiddenItems() > 0 ? 0 : 1) },
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
        h("text", { flexShrink: 0, fg: () => color("muted"), onMouseUp: close }, "esc"),
      ),
      () =>
        isTiny() ? undefined : h("text", { wrapMode: "none", fg: () => color("muted") }, visibleLine(about)),
    ),
    h("box", padded, asked, () =>
      textHeight() > shownHeight() && !isTiny()
        ? h("text", { wrapMode: "none", fg: () => color("muted") }, "pgup and pgdn show the rest")
        : undefined,
    ),
    h(
      "box",
      { flexShrink: 0 },
      each(() => shown().map(String), row),
      () =>
        hiddenItems() > 0
          ? h("text", { paddingLeft: margin, fg: () => color("muted") }, `and ${hiddenItems()} more`)
          : undefined,
    ),
  )
}
