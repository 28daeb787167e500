import { createMemo, createSignal, type Element, each, h, useTerminalDimensions } from "../solid.ts"
import type { Chosen, Menu, Screen } from "../terminal.ts"
import { columnsOf } from "./columns.ts"
import { dialogWidth } from "./frame.ts"
import { visible, visibleLine } from "./plain.ts"

/** What stands on both sides of a dialog's text. Columns. */
const margin = 4
/** Columns at the end of a line that a word leaves free which is not broken. */
const longestGap = 8
/** Lines of a dialog that are neither text nor items: where there is room, with blank ones between them. */
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
  { title, note, about, text, wrap, items, marked = [], cursor: start = 0 }: Menu<Value>,
  settle: (chosen: Chosen<Value>) => void,
): Element {
  const [cursor, setCursor] = createSignal(start)
  const [marks, setMarks] = createSignal<readonly string[]>(marked)
  const size = useTerminalDimensions()
  const lines = visible(text)

  // opencode places a dialog a quarter down.
  const height = () => Math.floor(size().height * 0.75)
  const isTight = () => height() < 14
  const room = () => Math.max(2, height() - frameHeight - (isTight() ? 0 : gaps))
  const textWidth = () => Math.max(20, Math.min(dialogWidth, size().width - 2) - 2 * margin)
  const textHeight = createMemo(() =>
    heightOf(lines, wrap === "char" ? textWidth() : textWidth() - longestGap),
  )
  /** Neither takes what the other needs more; what can be chosen is never all hidden. */
  const itemsHeight = () => Math.min(items.length, Math.max(Math.floor(room() / 2), room() - textHeight()))
  const shownHeight = () => Math.min(textHeight(), room() - itemsHeight())
  const hiddenItems = () => items.length - itemsHeight()

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

  const move = (by: number) => setCursor((cursor() + by + items.length) % items.length)
  const asked = h(
    "scrollbox",
    { maxHeight: shownHeight, scrollbarOptions: { visible: false } },
    h("text", { fg: () => color("text"), wrapMode: wrap }, lines),
  )
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

  /** Those around the cursor. */
  const shown = createMemo(() => {
    const first = Math.max(
      0,
      Math.min(cursor() - Math.floor(itemsHeight() / 2), items.length - itemsHeight()),
    )
    return items.slice(first, first + itemsHeight()).map((_, index) => String(first + index))
  })

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
          wrapMode: "word",
          fg: () => color(isChosen() ? "chosen" : "text"),
        },
        () => `${mark()}${visibleLine(item.title)}`,
      ),
      h(
        "text",
        { flexShrink: 1, wrapMode: "none", fg: () => color(isChosen() ? "chosen" : "muted") },
        visibleLine(item.description ?? ""),
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
          { flexGrow: 1, flexShrink: 1, wrapMode: "none", fg: () => color("text") },
          h("b", {}, visibleLine(title)),
        ),
        h("text", { flexShrink: 0, fg: () => color("attention") }, note),
        h("text", { flexShrink: 0, fg: () => color("muted"), onMouseUp: close }, "esc"),
      ),
      h("text", { wrapMode: "none", fg: () => color("muted") }, visibleLine(about)),
    ),
    h("box", padded, asked, () =>
      textHeight() > shownHeight()
        ? h("text", { fg: () => color("muted") }, "pgup and pgdn show the rest")
        : undefined,
    ),
    h("box", { flexShrink: 0 }, each(shown, row), () =>
      hiddenItems() > 0
        ? h("text", { paddingLeft: margin, fg: () => color("muted") }, `and ${hiddenItems()} more`)
        : undefined,
    ),
  )
}

/** Lines that it takes when it is wrapped: where words are kept whole, as many as it takes at most. */
const heightOf = (text: string, width: number) =>
  text.split("\n").reduce((lines, line) => lines + Math.max(1, Math.ceil(columnsOf(line) / width)), 0)
