import type { Check } from "../../../machines/record.ts"
import { whyNoShell } from "../../children/check/shell.ts"
import type { ToolCall } from "../../host/port.ts"
import { excerpt } from "../../records/words.ts"
import type { Task } from "../arguments.ts"
import { refusalOf } from "../permission.ts"
import type { Item } from "./item.ts"

/** How often a child is told that its answer did not pass where the task does not say. */
const defaultAttempts = 2

type Asking = Pick<ToolCall, "agent" | "askToRun">

/** What the job of a task has to pass. */
export const checkOf = ({ check }: Task): Check | undefined =>
  check && { command: check.command, attempts: check.attempts ?? defaultAttempts }

/**
 * Asks for the permission to run the checks of these tasks, as opencode's own tool would for the caller: once for each
 * command. A task whose check may not run is refused.
 */
export async function askForChecks(items: readonly Item[], call: Asking): Promise<Item[]> {
  const commands = new Set(items.flatMap((item) => ("task" in item ? (item.task.check?.command ?? []) : [])))
  const refusals = new Map<string, string | undefined>()
  for (const command of commands) refusals.set(command, await askForCheck(command, call))
  return items.map((item) => {
    const refused = "task" in item && item.task.check && refusals.get(item.task.check.command)
    return refused ? { name: item.name, refused } : item
  })
}

/** Asks for the permission to run a check. Returns why it may not run; nothing where it may. */
export async function askForCheck(command: string, call: Asking): Promise<string | undefined> {
  const what = `its check ${JSON.stringify(excerpt(command))}`
  const denied = `"${call.agent}" may not run ${what}`
  return whyNoShell() ?? refusalOf(await call.askToRun(command), { denied, what })
}
