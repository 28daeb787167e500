import { type Box, createSignal, type Element, h, useTerminalDimensions } from "../solid.ts"
import type { Terminal } from "../terminal.ts"
import { copy, type Page, type Read } from "./acts.ts"
import { frame, hints } from "./frame.ts"
import { visible, visibleLine } from "./plain.ts"

/** Lines that a page moves on. */
const page = 10

/** Lines of the dialog beside those of the text. */
const otherLines = 8

export const read: Read = (terminal, page) => terminal.dialog<void>(() => draw(terminal, page))

function draw(terminal: Terminal, { title, note, parts, copied }: Page): Element {
  const { color } = terminal
  const size = useTerminalDimensions()
  const room = () => Math.max(3, Math.floor(size().height * 0.75) - otherLines)
  // Known once it is drawn.
  const [lines, setLines] = createSignal(1)
  const part = ({ title, text }: Page["parts"][number], index: number) =>
    h(
      "box",
      { flexShrink: 0, marginTop: index > 0 ? 1 : 0 },
      h("text", { fg: () => color("accent") }, h("b", {}, title)),
      h("text", { fg: () => color("text"), wrapMode: "word" }, visible(text)),
    )
  const content: Box = h(
    "box",
    { flexShrink: 0, onSizeChange: () => setLines(content.height) },
    ...parts.map(part),
  )
  const box = h(
    "scrollbox",
    { maxHeight: () => Math.min(room(), lines()), paddingLeft: 2, paddingRight: 2 },
    content,
  )
  const copyIt = () => copy(terminal, copied)
  const move = (by: number) => box.scrollTo(Math.max(0, box.scrollTop + by))
  const shortcuts = terminal.keys([
    { id: "dialog.select.prev", title: "Up", bind: "up", run: () => move(-1) },
    { id: "dialog.select.next", title: "Down", bind: "down", run: () => move(1) },
    { id: "dialog.select.page_up", title: "Page up", bind: "pageup", run: () => move(-page) },
    { id: "dialog.select.page_down", title: "Page down", bind: "pagedown", run: () => move(page) },
    { id: "dialog.select.home", title: "To the top", bind: "home", run: () => move(-box.scrollTop) },
    { id: "dialog.select.end", title: "To the end", bind: "end", run: () => move(1_000_000) },
    { id: "troupe.job.copy", title: "Copy", bind: "ctrl+y", run: copyIt },
  ])
  return frame(
    terminal,
    { title, note: () => visibleLine(note) },
    box,
    hints(terminal, () => [
      { title: "Copy", keys: shortcuts("troupe.job.copy"), run: copyIt },
      { title: "Scroll", keys: "↑↓ pgup pgdn", run: () => {} },
    ]),
  )
}
