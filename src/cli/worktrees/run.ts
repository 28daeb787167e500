import { WorktreeError } from "../../plugin/worktrees/errors.ts"
import { worktreesFolder } from "../../plugin/worktrees/folder.ts"
import type { Tidied } from "../../plugin/worktrees/tidy.ts"
import { createWorktrees } from "../../plugin/worktrees/worktrees.ts"
import { visible, visibleLine } from "../../util/visible.ts"
import type { Given } from "../command.ts"
import { printedJson } from "../json.ts"
import type { Surroundings } from "../surroundings.ts"
import { coloursOf } from "./colours.ts"
import { discard } from "./discard.ts"
import { type Look, listing } from "./listing.ts"
import { tidyReport } from "./tidy-report.ts"

/** @returns the exit code */
export async function runWorktrees(given: Given, surroundings: Surroundings): Promise<number> {
  try {
    return await run(given, surroundings)
  } catch (error) {
    if (!(error instanceof WorktreeError)) throw error
    surroundings.complain(`${visible(error.message)}\n`)
    return 1
  }
}

async function run({ flags, values }: Given, surroundings: Surroundings): Promise<number> {
  const { write, hasColours, columns = 80, env = process.env } = surroundings
  const worktrees = createWorktrees({ env })
  const look: Look = {
    colours: coloursOf(hasColours),
    width: columns,
    now: Date.now(),
  }
  const isJson = flags.has("json")
  const which = values.get("discard")
  if (which !== undefined) {
    return discard({ which, isAsked: !flags.has("yes"), isJson, worktrees, look, surroundings })
  }
  if (flags.has("tidy")) {
    const tidied = await worktrees.tidy()
    if (isJson) write(printedJson(tidied))
    else write(isEmpty(tidied) ? nothing(env) : tidyReport(tidied, look))
    return tidied.failed.length > 0 ? 1 : 0
  }
  const list = await worktrees.list()
  if (isJson) write(printedJson(list))
  else write(list.worktrees.length + list.unknown.length > 0 ? await listing(list, look) : nothing(env))
  return 0
}

const isEmpty = ({ removed, kept, failed }: Tidied) => removed.length + kept.length + failed.length === 0

const nothing = (env: NodeJS.ProcessEnv) => `No job has a worktree.

Each job that is started with isolation: "worktree" gets one: ask an agent, for
example, to try two ways to fix a bug, each in a worktree of its own.

They are kept in ${visibleLine(worktreesFolder(env))}.
If opencode runs with another XDG_DATA_HOME, set the same one for this command.
`
