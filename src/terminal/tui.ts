import { type Api, terminalOf1 } from "./opencode/v1.ts"
import { type Context, terminalOf2 } from "./opencode/v2.ts"
import type { Terminal } from "./terminal.ts"
import { atTheTop, jobsDialog } from "./view/jobs-dialog.ts"
import { jobsList } from "./view/jobs-list.ts"
import { read } from "./view/reader.ts"
import { sidebar } from "./view/sidebar.ts"

/** The part in opencode's terminal. 1.18 calls `tui`, 2.x calls `setup`. */
export default {
  id: "opencode-troupe",
  async tui(api: Api): Promise<void> {
    begin(() => terminalOf1(api))
  },
  setup(context: Context): void {
    begin(() => terminalOf2(context))
  },
}

/** In an opencode that lacks something the terminal works as ever, without this part. */
function begin(open: () => Terminal): void {
  try {
    const terminal = open()
    let place = atTheTop()
    const showJobs = () => jobsDialog(terminal, jobsList, read, place)
    terminal.sidebar((session) => sidebar(terminal, session))
    terminal.command({
      id: "troupe.jobs",
      title: "Jobs of this project",
      slash: "troupe",
      run: () => {
        place = atTheTop()
        return showJobs()
      },
    })
    terminal.command({
      id: "troupe.back",
      title: "Back to the jobs",
      bind: "<leader>j",
      run: showJobs,
    })
  } catch (error) {
    console.error(`opencode-troupe: this opencode's terminal cannot show the jobs: ${String(error)}`)
  }
}
