import { type Element, each, h } from "../solid.ts"
import type { Terminal } from "../terminal.ts"

/** What a dialog of opencode's is wide, in either generation, where the terminal has the room. Columns. */
export const dialogWidth = 88

/** A dialog as opencode draws its own: a title, `esc` in the corner, and its keys below. */
export function frame(
  { color, close }: Terminal,
  { title, note }: { title: string; note(): string },
  ...content: Element[]
): Element {
  return h(
    "box",
    { gap: 1, paddingBottom: 1 },
    h(
      "box",
      { flexDirection: "row", gap: 1, paddingLeft: 2, paddingRight: 2 },
      h("text", { flexShrink: 0, fg: () => color("text") }, h("b", {}, title)),
      h("text", { flexGrow: 1, flexShrink: 1, wrapMode: "none", fg: () => color("muted") }, note),
      h("text", { flexShrink: 0, fg: () => color("muted"), onMouseUp: close }, "esc"),
    ),
    ...content,
  )
}

export type Hint = { title: string; keys: string; run(): void }

/** What can be done, by a key or a click. */
export function hints({ color }: Terminal, offered: () => readonly Hint[]): Element {
  const of = (title: string) => offered().find((hint) => hint.title === title)
  return h(
    "box",
    { flexDirection: "row", flexWrap: "wrap", columnGap: 2, paddingLeft: 2, paddingRight: 2 },
    each(
      () => offered().map(({ title }) => title),
      (title) =>
        h(
          "box",
          { flexDirection: "row", gap: 1, onMouseUp: () => of(title)?.run() },
          h("text", { flexShrink: 0, fg: () => color("text") }, h("b", {}, title)),
          h("text", { flexShrink: 0, fg: () => color("muted") }, () => of(title)?.keys),
        ),
    ),
  )
}
