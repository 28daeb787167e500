import { type Context, terminalOf2 } from "./opencode/v2.ts"
import type { Terminal } from "./terminal.ts"
import { sidebar } from "./view/sidebar.ts"

/** The part in opencode's terminal. 1.18 calls `tui`, 2.x calls `setup`. */
export default {
  id: "opencode-troupe",
  setup(context: Context): void {
    begin(terminalOf2(context))
  },
}

function begin(terminal: Terminal): void {
  terminal.sidebar((session) => sidebar(terminal, session))
}
