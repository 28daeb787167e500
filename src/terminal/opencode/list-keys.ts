import type { ListKey } from "../terminal.ts"

/** The commands of opencode's own lists, in either generation: whoever gives them other keys gives them to ours. */
const commands: Record<ListKey, { id: string; title: string }> = {
  previous: { id: "dialog.select.prev", title: "Previous item" },
  next: { id: "dialog.select.next", title: "Next item" },
  pageUp: { id: "dialog.select.page_up", title: "Page up" },
  pageDown: { id: "dialog.select.page_down", title: "Page down" },
  choose: { id: "dialog.select.submit", title: "Select item" },
}

export const listCommands = (act: Record<ListKey, () => void>) => [
  { ...commands.previous, run: act.previous },
  { ...commands.next, run: act.next },
  { ...commands.pageUp, run: act.pageUp },
  { ...commands.pageDown, run: act.pageDown },
  { ...commands.choose, run: act.choose },
]
