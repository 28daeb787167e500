import { plainText } from "../../util/plain.ts"
import { createEffect, createSignal, type Element, h, onCleanup, useTerminalDimensions } from "../solid.ts"
import type { Terminal } from "../terminal.ts"
import { copy, type Read } from "./acts.ts"
import { frame, hints } from "./frame.ts"

/** Lines that a page moves on. */
const page = 10

/** Lines of the dialog beside those of the text. */
const otherLines = 8

/** What the job was asked and what it answered, in full. */
export const read: Read = async (terminal, job) => {
  const { prompt, text } = await terminal.jobs.read(job)
  const result = text === "" ? "(it has written nothing)" : text
  await terminal.dialog(() => draw(terminal, job.id, { prompt, result }, () => copy(terminal, text)))
}

function draw(
  terminal: Terminal,
  id: string,
  { prompt, result }: { prompt: string; result: string },
  copyResult: () => void,
): Element {
  const { color } = terminal
  const size = useTerminalDimensions()
  const room = () => Math.max(3, Math.floor(size().height * 0.75) - otherLines)
  const [lines, setLines] = createSignal(6 + `${prompt}${result}`.split("\n").length)
  const part = (title: string, text: string) => [
    h("text", { fg: () => color("accent") }, h("b", {}, title)),
    h("text", { fg: () => color("text"), wrapMode: "word" }, plainText(text)),
  ]
  const [asked, answered] = [part("Prompt", prompt), part("Result", result)]
  const box = h(
    "scrollbox",
    {
      maxHeight: () => Math.min(room(), lines()),
      paddingLeft: 2,
      paddingRight: 2,
    },
    ...asked,
    h("text", {}, " "),
    ...answered,
  )
  // How many lines a text has is known once it is drawn.
  createEffect(() => {
    size()
    const drawn = setTimeout(() => setLines(box.scrollHeight), 20)
    onCleanup(() => clearTimeout(drawn))
  })
  const move = (by: number) => box.scrollTo(Math.max(0, box.scrollTop + by))
  const shortcuts = terminal.keys([
    { id: "dialog.select.prev", title: "Up", bind: "up", run: () => move(-1) },
    { id: "dialog.select.next", title: "Down", bind: "down", run: () => move(1) },
    { id: "dialog.select.page_up", title: "Page up", bind: "pageup", run: () => move(-page) },
    { id: "dialog.select.page_down", title: "Page down", bind: "pagedown", run: () => move(page) },
    { id: "dialog.select.home", title: "To the top", bind: "home", run: () => move(-box.scrollTop) },
    { id: "dialog.select.end", title: "To the end", bind: "end", run: () => move(1_000_000) },
    { id: "troupe.job.copy", title: "Copy result", bind: "ctrl+y", run: copyResult },
  ])
  return frame(
    terminal,
    { title: id, note: () => "" },
    box,
    hints(terminal, () => [
      { title: "Copy result", keys: shortcuts("troupe.job.copy"), run: copyResult },
      { title: "Scroll", keys: "↑↓ pgup pgdn", run: () => {} },
    ]),
  )
}
