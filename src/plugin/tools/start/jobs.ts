import { randomUUID } from "node:crypto"
import type { JobInput } from "../../../machines/events.ts"
import type { Budget, JobKey } from "../../../machines/record.ts"
import { withItem } from "../../children/items.ts"
import { childRules } from "../../children/permissions.ts"
import type { HostAgent, PermissionRule, ToolCall } from "../../host/port.ts"
import type { Owner } from "../../owners/lineage.ts"
import { wholeMs } from "../../util/whole-ms.ts"
import type { Services } from "../services.ts"
import type { Catalog } from "./catalog.ts"
import { checkOf } from "./checks.ts"
import { describe } from "./description.ts"
import { needsFor } from "./graph.ts"
import { freeId, refusedAsTaken, takerOf } from "./ids.ts"
import type { Item, Refused, Sound } from "./item.ts"
import { numbered } from "./list-ids.ts"
import { optionalFallbacks } from "./models.ts"

/** For what stands for other jobs, each of which has a time of its own: what timers can count to. Milliseconds. */
const longestMs = 2_000_000_000

/** What became of a task. `agent`, `why`: as in `Sound`. */
export type Outcome = (JobKey & { agent: string; why?: string | undefined }) | Refused

/** Makes a job of each task that can start; of a list of items, one for each. */
export function startAll(
  services: Services,
  catalog: Catalog,
  owner: Owner,
  items: Item[],
  { place: { session, ...place }, agent }: ToolCall,
  { depth, budget }: { depth: number; budget: Budget | undefined },
): Outcome[] {
  // Ids that tasks ask for go first, so that a given one never takes them.
  const wanted = new Set(items.map((item) => ("task" in item ? item.task.id : undefined)))
  const mayStartJobs = depth + 1 < services.options.depth
  const batch = randomUUID()
  const rules = new Map<HostAgent, PermissionRule[]>()
  const rulesOf = (agent: HostAgent) => {
    const known = rules.get(agent) ?? childRules(owner.rules, owner.agent, agent, mayStartJobs)
    rules.set(agent, known)
    return known
  }
  const startOne = (item: Sound, id: string): Outcome => {
    const taken = takerOf(services, session, id)
    if (taken !== undefined) return refusedAsTaken(item.name, id, taken)
    services.troupe.start(
      jobOf(services, catalog, owner, item, {
        id,
        owner: session,
        batch,
        budget,
        startedBy: { ...place, agent },
        mayStartJobs,
        rules: rulesOf(item.agent),
        needs: needsFor(item, items, services, session),
      }),
    )
    return { owner: session, id, agent: item.agent.name, why: item.why }
  }
  return items.flatMap((item) => {
    if ("refused" in item) return item
    const { id = freeId(services, session, wanted), each } = item.task
    if (!Array.isArray(each)) return startOne(item, id)
    return numbered(id, each).map((one) => startOne(forItem(item, one.item), one.id))
  })
}

/** One of the jobs that a list of items comes to. */
function forItem(item: Sound, text: string): Sound {
  const { prompt, description, ...task } = item.task
  const words = description && { description: withItem(description, text) }
  return { ...item, task: { ...task, ...words, prompt: withItem(prompt, text) } }
}

function jobOf(
  { options, now }: Services,
  { models }: Catalog,
  owner: Owner,
  { task, agent, choice, fallbacks }: Sound,
  job: Pick<JobInput, "id" | "owner" | "batch" | "budget" | "startedBy" | "mayStartJobs" | "rules" | "needs">,
): JobInput {
  const model = choice?.model ?? agent.model ?? owner.model
  const at = now()
  const times = {
    timeoutMs: wholeMs(task.timeout ?? options.timeoutSeconds),
    idleMs: wholeMs(options.idleSeconds),
  }
  return {
    ...job,
    description: describe(task),
    prompt: task.prompt,
    schema: task.schema,
    hasToPass: checkOf(task),
    agent: agent.name,
    model,
    // A variant belongs to a model: it goes along with the owner's own.
    variant: choice?.variant ?? (model === owner.model ? owner.variant : undefined),
    fallbacks: fallbacks ?? optionalFallbacks(options.fallback, models, model),
    createdAt: at,
    askedAt: at,
    run: 1,
    ...(task.each && !Array.isArray(task.each)
      ? {
          each: {
            ...task.each,
            isolation: task.isolation,
            startedBy: job.startedBy,
            description: task.description,
            ...times,
          },
          timeoutMs: longestMs,
          idleMs: longestMs,
        }
      : { ...times, isolation: task.isolation }),
  }
}
