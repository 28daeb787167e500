import { WorktreeError } from "../../plugin/worktrees/errors.ts"
import { worktreesFolder } from "../../plugin/worktrees/folder.ts"
import type { List, Listed } from "../../plugin/worktrees/list.ts"
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

const usualColumns = 80

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
  const { write, hasColours, columns, env = process.env } = surroundings
  const worktrees = createWorktrees({ env })
  const look: Look = {
    colours: coloursOf(hasColours),
    // A terminal that does not know how wide it is says 0.
    width: columns || usualColumns,
    now: Date.now(),
  }
  const isJson = flags.has("json")
  const which = values.get("discard")
  if (which !== undefined) {
    const listed = withoutUs(await worktrees.list()).worktrees
    return discard({ which, isAsked: !flags.has("yes"), isJson, worktrees, listed, look, surroundings })
  }
  if (flags.has("tidy")) {
    const tidied = await worktrees.tidy()
    if (isJson) write(printedJson(tidied))
    else write(isEmpty(tidied) ? nothing(env) : tidyReport(tidied, look))
    const isWhole =
      tidied.failed.length + tidied.remains.length === 0 &&
      tidied.kept.every(({ worktree }) => isReadable(worktree))
    return isWhole ? 0 : 1
  }
  const list = withoutUs(await worktrees.list())
  if (isJson) write(printedJson(list))
  else {
    const { worktrees, unknown, remains } = list
    const isNothing = worktrees.length + unknown.length + remains.length === 0
    write(isNothing ? nothing(env) : await listing(list, look))
  }
  return list.worktrees.every(isReadable) ? 0 : 1
}

const isReadable = ({ state }: Listed) => state.type !== "unreadable"

/** Called in a worktree, this process is in it as well, but in nobody's way. */
function withoutUs({ worktrees, ...rest }: List): List {
  const others = (processes: number[]) => processes.filter((pid) => pid !== process.pid)
  return { worktrees: worktrees.map((each) => ({ ...each, processes: others(each.processes) })), ...rest }
}

const isEmpty = ({ removed, kept, failed, remains }: Tidied) =>
  removed.length + kept.length + failed.length + remains.length === 0

const nothing = (env: NodeJS.ProcessEnv) => `No job has a worktree.

Each job that is started with isolation: "worktree" gets one: ask an agent, for
example, to try two ways to fix a bug, each in a worktree of its own.

They are kept in ${visibleLine(worktreesFolder(env))}.
If opencode runs with another XDG_DATA_HOME, set the same one for this command.
`
