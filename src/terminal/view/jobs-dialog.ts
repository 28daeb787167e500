import type { Overview, ShownJob } from "../jobs.ts"
import type { Terminal } from "../terminal.ts"
import { type Act, perform, type Read } from "./acts.ts"
import { told } from "./told.ts"

/** Where a person is in the list of all jobs, so that they can come back there. */
export type Place = {
  query: string
  selected: string | undefined
  top: number
  /** What was to be seen there last: who comes back need not wait for it. */
  seen: Overview | undefined
}

export const atTheTop = (): Place => ({ query: "", selected: undefined, top: 0, seen: undefined })

export type Chosen = { act: Act; job: ShownJob }

/**
 * Shows the list until the person chooses something there, and keeps the place; nothing where they leave it. What
 * leaves the list as it is goes to `perform` meanwhile.
 */
export type List = (
  terminal: Terminal,
  place: Place,
  perform: (chosen: Chosen) => void,
) => Promise<Chosen | undefined>

/** All jobs of the project, to go to one or to do something with it: after that, the person is back where they were. */
export async function jobsDialog(terminal: Terminal, list: List, read: Read, place: Place): Promise<void> {
  const act = async ({ act, job }: Chosen) =>
    (await told(terminal, () => perform(terminal, act, job, read))) ?? "list"
  for (;;) {
    const chosen = await list(terminal, place, (chosen) => void act(chosen))
    if (!chosen || (await act(chosen)) === "away") return
  }
}
