import { slashes } from "./contract.ts"
import type { Api } from "./opencode/api-of-1.ts"
import { missingIn, neededOf1, neededOf2 } from "./opencode/offered.ts"
import { terminalOf1 } from "./opencode/v1.ts"
import { type Context, terminalOf2 } from "./opencode/v2.ts"
import type { Screen, Terminal } from "./terminal.ts"
import { inspect } from "./view/acts.ts"
import { answerWaiting, sayWhatWaits } from "./view/answer.ts"
import { atTheTop, jobsDialog } from "./view/jobs-dialog.ts"
import { jobsList } from "./view/jobs-list.ts"
import { chooseFrom } from "./view/menu.ts"
import { ownShortcuts } from "./view/own-shortcuts.ts"
import { read } from "./view/reader.ts"
import { sidebar, summary } from "./view/sidebar.ts"
import { spoken } from "./view/spoken.ts"
import { told } from "./view/told.ts"

/** The part in opencode's terminal. 1.18 calls `tui`, 2.x calls `setup`. */
export default {
  id: "opencode-troupe",
  async tui(api: Api): Promise<void> {
    demand(neededOf1, api)
    begin(terminalOf1(api))
  },
  /** Returns what ends it: opencode 2 loads it again when a file of it changes. */
  setup(context: Context): () => void {
    demand(neededOf2, context)
    const { screen, end } = terminalOf2(context)
    begin(screen)
    return end
  },
}

/** @throws Error which opencode logs; its terminal works as ever then, without this part */
function demand(needed: readonly string[], given: unknown): void {
  const missing = missingIn(given, needed)
  if (missing.length === 0) return
  throw new Error(
    `opencode-troupe: this opencode's terminal cannot show the jobs: it offers no ${missing.join(", ")}`,
  )
}

function begin(screen: Screen): void {
  const terminal: Terminal = {
    ...screen,
    ...spoken(screen),
    keys: (keys) => ownShortcuts(keys, screen.keys(keys)),
    choose: (menu, until) => chooseFrom(screen, menu, until),
  }
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
}
