import type { ShownJob } from "../jobs.ts"
import type { Terminal } from "../terminal.ts"
import { type Act, perform, type Read } from "./acts.ts"

/** Where a person is in the list of all jobs, so that they can come back there. */
export type Place = { query: string; selected: string | undefined; top: number }

export const atTheTop = (): Place => ({ query: "", selected: undefined, top: 0 })

export type Chosen = { act: Act; job: ShownJob }

/** Shows the list until the person chooses something there, and keeps the place; nothing where they leave it. */
export type List = (terminal: Terminal, place: Place) => Promise<Chosen | undefined>

/** All jobs of the project, to go to one or to do something with it: after that, the person is back where they were. */
export async function jobsDialog(terminal: Terminal, list: List, read: Read, place: Place): Promise<void> {
  for (;;) {
    const chosen = await list(terminal, place)
    if (!chosen) return
    try {
      if ((await perform(terminal, chosen.act, chosen.job, read)) === "away") return
    } catch (error) {
      terminal.toast({ message: error instanceof Error ? error.message : String(error), variant: "error" })
    }
  }
}
