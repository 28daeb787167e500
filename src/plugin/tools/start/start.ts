import type { ToolCall } from "../../host/port.ts"
import { readArguments, StartArguments, UncheckedTasks } from "../arguments.ts"
import { jobsKnown, type Services, settled, treeKnown } from "../services.ts"
import { askPermission } from "./agents.ts"
import { lookUp, withPrices } from "./catalog.ts"
import { askForChecks } from "./checks.ts"
import { refuseUnmeetable } from "./graph.ts"
import { refuseTaken } from "./ids.ts"
import type { Item } from "./item.ts"
import { startAll } from "./jobs.ts"
import { wrongFallbacks } from "./models.ts"
import { refuseBeyond } from "./most-jobs.ts"
import { notesOn, unpriced } from "./notes.ts"
import { type Made, recordsOf } from "./report.ts"
import { checked } from "./tasks.ts"

/** Starts all that can start; a bad item fails alone. Returns when the sessions exist. */
export async function makeJobs(services: Services, given: unknown, call: ToolCall): Promise<Made> {
  const { tasks, budget, wait = false } = readArguments(UncheckedTasks, given, StartArguments)
  const { session } = call.place
  const depth = await mayStart(services, session)
  // Beside each other: all the children wait for both.
  const [found] = await Promise.all([lookUp(services, tasks, call), jobsKnown(services, session)])
  refuseSpent(services, call)
  if (services.budgets.isLimited(session)) await treeKnown(services, session)
  const isCostLimited = budget?.cost !== undefined || services.budgets.limitsCost(session)
  const { owner } = found
  const catalog = isCostLimited ? await withPrices(services, found.catalog, call) : found.catalog
  for (const problem of wrongFallbacks(services.options.fallback, catalog.models))
    services.host.problems.add(problem)

  const items: Item[] = []
  for (const [index, task] of tasks.entries()) items.push(await checked(catalog, owner, call, task, index))
  // What cannot start needs nobody's permission; asking for it may also make a session.
  const free = refuseHopeless(services, session, items)
  const permitted = await askPermission(await askForChecks(free, call), catalog, owner, call)
  if (call.signal.aborted) throw new Error("The call was interrupted; nothing was started.")
  // From here to the start nothing waits: an id that is found free again now is free when the job starts.
  refuseSpent(services, call)
  const ready = refuseHopeless(services, session, permitted)
  const outcomes = startAll(services, catalog, owner, ready, call, { depth, budget })
  const started = outcomes.filter((outcome) => "id" in outcome)
  await settled(services, started, { test: ({ phase }) => phase !== "opening", signal: call.signal })
  const prices = isCostLimited ? unpriced(recordsOf(services, outcomes), catalog) : []
  return { outcomes, isToWait: wait, notes: [...ready.flatMap((item) => notesOn(item, ready)), ...prices] }
}

/** What the owner's jobs may use up may be used up. */
function refuseSpent({ budgets }: Services, { place }: ToolCall): void {
  const refusal = budgets.refusal(place.session)
  if (refusal !== undefined) throw new Error(`${refusal} Nothing was started.`)
}

async function mayStart({ lineage, options }: Services, session: string): Promise<number> {
  const depth = await lineage.depthOf(session)
  if (depth === undefined) throw new Error("opencode did not say which session this is; nothing was started")
  if (depth >= options.depth) {
    throw new Error(
      `a subagent at depth ${depth} may not start jobs: the plugin's option "depth" is ${options.depth}. ` +
        "Do the work yourself, or report back what should be split up.",
    )
  }
  return depth
}

/** What can never start, whoever permits it. */
function refuseHopeless(services: Services, owner: string, items: readonly Item[]): Item[] {
  return refuseUnmeetable(refuseBeyond(refuseTaken(services, owner, items)), services, owner)
}
