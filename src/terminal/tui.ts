import { slashes } from "./contract.ts"
import type { Api } from "./opencode/api-of-1.ts"
import { terminalOf1 } from "./opencode/v1.ts"
import { type Context, terminalOf2 } from "./opencode/v2.ts"
import type { Screen, Terminal } from "./terminal.ts"
import { inspect } from "./view/acts.ts"
import { answerWaiting, sayWhatWaits } from "./view/answer.ts"
import { atTheTop, jobsDialog, told } from "./view/jobs-dialog.ts"
import { jobsList } from "./view/jobs-list.ts"
import { chooseFrom } from "./view/menu.ts"
import { read } from "./view/reader.ts"
import { sidebar, summary } from "./view/sidebar.ts"

/** The part in opencode's terminal. 1.18 calls `tui`, 2.x calls `setup`. */
export default {
  id: "opencode-troupe",
  async tui(api: Api): Promise<void> {
    begin(() => ({ screen: terminalOf1(api), end() {} }))
  },
  /** Returns what ends it: opencode 2 loads it again when a file of it changes. */
  setup(context: Context): () => void {
    return begin(() => terminalOf2(context))
  },
}

/** In an opencode that lacks something the terminal works as ever, without this part. */
function begin(open: () => { screen: Screen; end(): void }): () => void {
  try {
    const { screen, end } = open()
    const terminal: Terminal = { ...screen, choose: (menu, until) => chooseFrom(screen, menu, until) }
    let place = atTheTop()
    const backToJobs = () => jobsDialog(terminal, jobsList, read, place)
    const showJobs = () => {
      place = atTheTop()
      return backToJobs()
    }
    terminal.sidebar((session) => sidebar(terminal, session, () => void showJobs()))
    terminal.promptLine((session) => summary(terminal, session, () => void showJobs()))
    terminal.command({
      id: "troupe.jobs",
      title: "Jobs of this project",
      slash: slashes.jobs,
      run: showJobs,
    })
    terminal.command({
      id: "troupe.back",
      title: "Back to the jobs",
      bind: "<leader>j",
      run: backToJobs,
    })
    terminal.command({
      id: "troupe.inspector",
      title: "Open the inspector of the jobs",
      run: () => told(terminal, () => inspect(terminal, read)),
    })
    terminal.command({
      id: "troupe.answer",
      title: "Answer the jobs that wait",
      slash: slashes.answer,
      run: () => answerWaiting(terminal),
    })
    void sayWhatWaits(terminal)
    return end
  } catch (error) {
    console.error(`opencode-troupe: this opencode's terminal cannot show the jobs: ${String(error)}`)
    return () => {}
  }
}
