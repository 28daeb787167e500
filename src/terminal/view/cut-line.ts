import { fitted } from "../../util/columns.ts"
import { type Box, createSignal, type Element, h } from "../solid.ts"

/** A line of text that takes the room which its neighbours leave, and says where it had to be cut off. */
export function cutLine(words: () => string, ink: () => unknown, keep: () => "start" | "end"): Element {
  // Known once it is drawn.
  const [width, setWidth] = createSignal(Number.POSITIVE_INFINITY)
  const box: Box = h(
    "box",
    {
      flexGrow: 1,
      flexShrink: 1,
      flexBasis: 0,
      height: 1,
      overflow: "hidden",
      onSizeChange: () => setWidth(box.width),
    },
    h("text", { wrapMode: "none", fg: ink }, () => fitted(words(), width(), keep())),
  )
  return box
}
