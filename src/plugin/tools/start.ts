import { randomUUID } from "node:crypto"
import type { JobInput } from "../../machines/events.ts"
import { type Budget, groupOf, hasEnded, isItemOf, type JobKey } from "../../machines/record.ts"
import { parse } from "../../util/parse.ts"
import { oneLine } from "../../util/plain.ts"
import { leftOut, mostItems, placeholder, withItem } from "../children/items.ts"
import { childRules } from "../children/permissions.ts"
import { loadSchema } from "../children/schema/schemas.ts"
import type {
  HostAgent,
  HostModel,
  ModelChoice,
  PermissionRule,
  Result,
  StartPermission,
  ToolAnswer,
  ToolCall,
} from "../host/port.ts"
import { verdict } from "../host/rules.ts"
import type { Owner } from "../owners/lineage.ts"
import { deliveryMark } from "../records/delivery-mark.ts"
import { excerpt, holdLines } from "../records/words.ts"
import { wholeMs } from "../util/whole-ms.ts"
import { readArguments, Task, UncheckedTasks } from "./arguments.ts"
import { itemIds, needsFor, refuseUnmeetable } from "./graph.ts"
import { chosenInTurn, optionalFallbacks, wrongFallbacks } from "./models.ts"
import { listed, type Services, settled, treeKnown, withoutText } from "./services.ts"
import { resultsOf } from "./wait.ts"

/** Characters of a prompt that stand for it where no description was given. */
const descriptionLength = 40
/** For what stands for other jobs, each of which has a time of its own: what timers can count to. Milliseconds. */
const longestMs = 2_000_000_000
/** Characters of an id that still has room for the number of an item. */
const longestListId = 37

/** One of the asked tasks: it can start, or there is a reason why not. */
type Item = Sound | Refused
type Sound = {
  name: string
  task: Task
  agent: HostAgent
  choice?: ModelChoice | undefined
  /** The task's own; nothing where it lists none. */
  fallbacks?: ModelChoice[] | undefined
  /** Why another agent has it than a task gets that names none. */
  why?: string | undefined
}
type Refused = { name: string; refused: string }

/** What became of the tasks of a call, and whether that is to return with their results; `notes`: what else to say. */
type Made = { outcomes: Outcome[]; isToWait: boolean; notes: string[] }

/** Starts all that can start; a bad item fails alone. Returns when the sessions exist. */
export async function makeJobs(services: Services, given: unknown, call: ToolCall): Promise<Made> {
  const { tasks, budget, wait = false } = readArguments(UncheckedTasks, given)
  refuseSpent(services, call)
  const depth = await mayStart(services, call.place.session)
  if (services.budgets.isLimited(call.place.session)) await treeKnown(services, call.place.session)
  const isCostLimited = budget?.cost !== undefined || services.budgets.limitsCost(call.place.session)
  const { catalog, owner } = await lookUp(services, tasks, call, isCostLimited)
  for (const problem of wrongFallbacks(services.options.fallback, catalog.models))
    services.host.problems.add(problem)

  const checked: Item[] = []
  for (const [index, task] of tasks.entries())
    checked.push(await refuseSchema(check(catalog, owner, call, task, index), `tasks[${index}].schema`))
  // What cannot start needs nobody's permission; asking for it may also make a session.
  const free = refuseHopeless(services, call.place.session, checked)
  const permitted = await askPermission(free, catalog, owner, call)
  if (call.signal.aborted) throw new Error("The call was interrupted; nothing was started.")
  // From here to the start nothing waits: an id that is found free again now is free when the job starts.
  refuseSpent(services, call)
  const ready = refuseHopeless(services, call.place.session, permitted)
  const outcomes = startAll(services, catalog, owner, ready, call, { depth, budget })
  const started = outcomes.filter((outcome) => "id" in outcome)
  await settled(services, started, { test: ({ phase }) => phase !== "opening", signal: call.signal })
  const prices = isCostLimited ? unpriced(services, outcomes, catalog) : []
  return { outcomes, isToWait: wait, notes: [...ready.flatMap((item) => notesOn(item, ready)), ...prices] }
}

/** What the call answers: which jobs run now, or their results once all have ended. */
export async function answerOf(
  services: Services,
  { outcomes, isToWait, notes }: Made,
  call: ToolCall,
): Promise<ToolAnswer> {
  const known = recordsOf(services, outcomes)
  if (!isToWait || known.length === 0) return report(services, outcomes, notes)
  const refused = outcomes.filter((outcome) => "refused" in outcome)
  const said = [...reassigned(outcomes), ...notes, ...refused.map((each) => `Refused: ${withName(each)}`)]
  const answer = await resultsOf(services, { known, unknown: [], isAsked: false, said }, call)
  return { ...answer, metadata: { ...answer.metadata, refused: reasons(refused) } }
}

/** What the owner's jobs may use up may be used up. */
function refuseSpent({ budgets }: Services, { place }: ToolCall): void {
  const refusal = budgets.refusal(place.session)
  if (refusal !== undefined) throw new Error(`${refusal} Nothing was started.`)
}

/** What tasks may name. Without `models`, neither a task nor an option names one. */
type Catalog = { agents: HostAgent[]; models: HostModel[] | undefined }

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

async function lookUp(
  { host, options }: Services,
  tasks: unknown[],
  call: ToolCall,
  needsPrices: boolean,
): Promise<{ catalog: Catalog; owner: Owner }> {
  const namesModel =
    Object.keys(options.fallback).length > 0 ||
    tasks.some((task) => typeof task === "object" && task !== null && "model" in task)
  const [agents, session, model, models] = await Promise.all([
    host.agents(call.place.session),
    host.session(call.place.session),
    host.modelOf(call.place),
    namesModel || needsPrices ? host.models(call.place.session) : undefined,
  ])
  const known = answered(agents)
  return {
    catalog: { agents: known, models: models && answered(models) },
    owner: {
      rules: answered(session).rules,
      agent: known.find(({ name }) => name === call.agent),
      ...answered(model),
    },
  }
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`opencode did not answer (${result.error.message}); nothing was started`)
}

function check(
  { agents, models }: Catalog,
  owner: Owner,
  call: ToolCall,
  given: unknown,
  index: number,
): Item {
  const place = `tasks[${index}]`
  const name = nameOf(given) ?? place
  const read = parse(Task, given, place)
  if (!read.ok) return { name, refused: read.problems.join("; ") }
  const task = read.value
  const wrongEach = problemWithEach(task, place)
  if (wrongEach !== undefined) return { name, refused: wrongEach }
  const asked = task.agent === undefined ? defaultAgent(agents, owner, call) : { name: task.agent }
  const agent = agents.find((each) => each.name === asked.name && each.isSubagent)
  if (!agent) return { name, refused: `no subagent "${asked.name}"; available: ${namesOf(offered(agents))}` }
  const item = { name, task, agent, why: asked.why }
  if (task.model === undefined || !models) return item
  const choices = chosenInTurn(models, [task.model].flat())
  if (typeof choices === "string") return { name, refused: choices }
  const [choice, ...fallbacks] = choices
  return { ...item, choice, ...(Array.isArray(task.model) && { fallbacks }) }
}

/** What tasks get that name none: the first of these that there is and that the owner may start. */
const defaults = ["general", "explore"] as const

function defaultAgent(
  agents: readonly HostAgent[],
  owner: Owner,
  { agent }: ToolCall,
): { name: string; why?: string } {
  const [first] = defaults
  const there = defaults.filter((name) => agents.some((each) => each.name === name && each.isSubagent))
  const name = there.find((each) => isPermitted(owner, each)) ?? first
  if (name === first) return { name }
  return {
    name,
    why: there.includes(first) ? `"${agent}" may not start "${first}"` : `there is no "${first}"`,
  }
}

/** By the rules alone: it may depend on a person. */
const isPermitted = ({ agent, rules }: Owner, name: string) =>
  verdict([...(agent?.rules ?? []), ...rules], { permission: "task", pattern: name }) !== "deny"

function problemWithEach({ id = "", prompt, each }: Task, place: string): string | undefined {
  if (each === undefined) return undefined
  if (!prompt.includes(placeholder))
    return `${place}.prompt has no ${placeholder}: with each, every job needs its own`
  if (id.length > longestListId)
    return `${place}.id has ${id.length} characters: with each it must have at most ${longestListId}`
  return undefined
}

/** What can never start, whoever permits it. */
function refuseHopeless(services: Services, owner: string, items: readonly Item[]): Item[] {
  const lists = new Set(
    items.flatMap((item) => ("task" in item && isOpenList(item.task) ? item.task.id : [])),
  )
  const free = items.map((item) => refuseTaken(services, owner, item, lists))
  return refuseUnmeetable(free, services, owner)
}

async function refuseSchema(item: Item, place: string): Promise<Item> {
  if (!("task" in item) || item.task.schema === undefined) return item
  const loaded = await loadSchema(item.task.schema, place)
  return loaded.ok ? item : { name: item.name, refused: loaded.problems.join("; ") }
}

/** @param lists the ids of the tasks of this call for each item that another job will find */
function refuseTaken(
  services: Services,
  owner: string,
  item: Item,
  lists: ReadonlySet<string | undefined>,
): Item {
  if ("refused" in item || item.task.id === undefined) return item
  const { id, each } = item.task
  for (const wanted of Array.isArray(each) ? [id, ...itemIds(id, each)] : [id]) {
    const taker = takerOf(services, owner, wanted) ?? takerAmong(lists, wanted)
    if (taker !== undefined) return refusedAsTaken(item.name, wanted, taker)
  }
  const taken = isOpenList(item.task) ? itemOf(services, owner, id) : undefined
  if (taken === undefined) return item
  return refusedAsTaken(item.name, taken, takerOf(services, owner, taken) ?? "")
}

/** How many items another job will find is not known yet: all the ids that they could have are theirs. */
const isOpenList = ({ each }: Task) => each !== undefined && !Array.isArray(each)

/** A job that there is already, which would be taken for one of the items of this one. */
function itemOf({ troupe, recovery }: Services, owner: string, list: string): string | undefined {
  const known = [...troupe.records.of(owner), ...recovery.elsewhere(owner)]
  return known.find(({ id }) => isItemOf(id, list))?.id
}

function takerAmong(lists: ReadonlySet<string | undefined>, id: string): string | undefined {
  const list = groupOf(id)
  return list !== undefined && lists.has(list) ? forItemsOf(list) : undefined
}

const forItemsOf = (list: string) => ` by the items of ${list}`

const refusedAsTaken = (name: string, id: string, taker: string): Refused => ({
  name,
  refused: `the id "${id}" is taken${taker}; choose another, or leave it out`,
})

const offered = (agents: readonly HostAgent[]) =>
  agents.filter(({ isSubagent, isHidden }) => isSubagent && !isHidden)

const namesOf = (agents: readonly HostAgent[]) => agents.map(({ name }) => name).join(", ")

function nameOf(given: unknown): string | undefined {
  const id = typeof given === "object" && given !== null && "id" in given ? given.id : undefined
  const name = typeof id === "string" ? oneLine(id.slice(0, 40)) : ""
  return name === "" ? undefined : name
}

/** As opencode's own `task` does, so that the user's rules for it hold here too: once for each agent. */
async function askPermission(items: Item[], catalog: Catalog, owner: Owner, call: ToolCall): Promise<Item[]> {
  const sound = items.filter((item) => "task" in item)
  const refusals = new Map<string, string | undefined>()
  for (const agent of new Set(sound.map((item) => item.agent.name))) {
    const ofAgent = sound.filter((item) => item.agent.name === agent).map(({ task }) => task)
    const permission = await call.askToStart(agent, ofAgent.map(describeAll).join(", "))
    refusals.set(agent, refusalOf(permission, agent, catalog, owner, call))
  }
  return items.map((item) => {
    const refused = "task" in item ? refusals.get(item.agent.name) : undefined
    return refused === undefined ? item : { name: item.name, refused }
  })
}

function refusalOf(
  permission: StartPermission,
  agent: string,
  { agents }: Catalog,
  owner: Owner,
  call: ToolCall,
): string | undefined {
  switch (permission.type) {
    case "granted":
      return undefined
    case "denied": {
      const permitted = offered(agents).filter(({ name }) => name !== agent && isPermitted(owner, name))
      return permitted.length === 0
        ? `"${call.agent}" may start no subagent`
        : `"${call.agent}" may not start "${agent}"; it may start: ${namesOf(permitted)}`
    }
    case "rejected":
      return permission.feedback ? `the user refused: ${permission.feedback}` : "the user refused"
    case "prevented":
      return permission.reason
    case "failed":
      return `opencode did not say whether it is permitted: ${permission.reason}`
  }
}

/** What became of a task. `agent`, `why`: as in `Sound`. */
type Outcome = (JobKey & { agent: string; why?: string | undefined }) | Refused

function startAll(
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
    return itemIds(id, each).map((itemId, index) => startOne(forItem(item, each[index] ?? ""), itemId))
  })
}

/** One of the jobs that a list of items comes to. */
function forItem(item: Sound, text: string): Sound {
  const { prompt, description, ...task } = item.task
  const words = description && { description: withItem(description, text) }
  return { ...item, task: { ...task, ...words, prompt: withItem(prompt, text) } }
}

function notesOn(item: Item, items: readonly Item[]): string[] {
  return "refused" in item ? [] : [...notesOnList(item), ...notesOnPlaceholders(item, items)]
}

/** What a list of items comes to, where that is not one job for each. */
function notesOnList({ name, task: { each } }: Sound): string[] {
  if (!Array.isArray(each)) return []
  if (each.length === 0) return [`${name}: nothing to do, as each is empty.`]
  return each.length > mostItems ? [`${name}: ${mostItems} items${leftOut(each)}.`] : []
}

/** What reads like a place for an item or a result, and gets none. */
function notesOnPlaceholders({ name, task }: Sound, items: readonly Item[]): string[] {
  const { prompt, needs = [], each } = task
  const isLackingEach = each === undefined && prompt.includes(placeholder)
  const unneeded = items.flatMap((item) => {
    const id = "task" in item ? item.task.id : undefined
    const isMeant = id !== undefined && prompt.includes(`{{${id}}}`)
    return isMeant && needs.every((need) => need.id !== id) ? [id] : []
  })
  return [
    ...(isLackingEach ? [`${name}: ${placeholder} stays in its prompt as it is: it has no each.`] : []),
    ...unneeded.map((id) => `${name}: {{${id}}} stays in its prompt as it is: it does not need ${id}.`),
  ]
}

/** Whose an id is, in words; nothing where it is free. */
function takerOf({ troupe, recovery }: Services, owner: string, id: string): string | undefined {
  const theirs = recovery.elsewhere(owner).find((job) => job.id === id)
  if (theirs) return ` by a job of another opencode (pid ${theirs.pid})`
  const own = troupe.records.get(owner, id)
  if (!own) {
    const list = groupOf(id)
    return list !== undefined && troupe.records.get(owner, list)?.isGroup ? forItemsOf(list) : undefined
  }
  if (!hasEnded(own)) return ""
  return own.session === ""
    ? " by a job that never got a session"
    : " by an ended job, which agents_send continues"
}

function freeId(services: Services, owner: string, wanted: ReadonlySet<string | undefined>): string {
  const isTaken = (id: string) => wanted.has(id) || takerOf(services, owner, id) !== undefined
  let index = services.troupe.records.countOf(owner) + 1
  while (isTaken(`j${index}`)) index++
  return `j${index}`
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

function describe({ description, prompt }: Task): string {
  return description === undefined ? excerpt(prompt, descriptionLength) : oneLine(description)
}

function describeAll(task: Task): string {
  const { each } = task
  return Array.isArray(each)
    ? `${describe(task)} for each of ${Math.min(each.length, mostItems)}`
    : describe(task)
}

/** What no limit of costs can hold is said at the start, rather than never noticed. */
function unpriced({ troupe }: Services, outcomes: readonly Outcome[], { models = [] }: Catalog): string[] {
  const used = outcomes.map((outcome) =>
    "id" in outcome ? troupe.records.get(outcome.owner, outcome.id)?.model : undefined,
  )
  const names = models
    .filter(({ name, isUnpriced }) => isUnpriced && used.includes(name))
    .map(({ name }) => name)
  return names.length > 0
    ? [`opencode knows no price for ${listed(names, 5)}: a cost budget cannot hold it, a token budget can.`]
    : []
}

const recordsOf = ({ troupe }: Services, outcomes: readonly Outcome[]) =>
  outcomes.flatMap((outcome) =>
    "id" in outcome ? (troupe.records.get(outcome.owner, outcome.id) ?? []) : [],
  )

const reasons = (refused: readonly Refused[]) =>
  refused.map(({ name, refused }) => ({ id: name, reason: refused }))

/** Which jobs have another agent than they would get by default: who named none is told. */
function reassigned(outcomes: readonly Outcome[]): string[] {
  const moved = outcomes.flatMap((outcome) => ("id" in outcome && outcome.why !== undefined ? outcome : []))
  const [first] = moved
  return first ? [`As ${first.why}, ${first.agent} has: ${moved.map(({ id }) => id).join(", ")}.`] : []
}

function report(services: Services, outcomes: readonly Outcome[], notes: readonly string[]): ToolAnswer {
  const refused = outcomes.filter((outcome) => "refused" in outcome)
  const records = recordsOf(services, outcomes)
  const unasked = records.filter(({ startedAt, error }) => error && startedAt === undefined)
  const started = records.filter((record) => !unasked.includes(record))
  const lines = [
    started.length > 0
      ? `Started: ${started.map(({ id }) => id).join(", ")}. Carry on; agents_wait returns their results.`
      : "",
    ...holdLines(started, services.now()),
    ...reassigned(outcomes),
    ...unasked.map(({ id, error }) => `Not started: ${id}: ${excerpt(error?.message ?? "")}`),
    ...notes,
    ...refused.map((each) => `Refused: ${withName(each)}`),
  ]
  return {
    title: `${started.length}/${outcomes.length} jobs started`,
    output: lines.filter((line) => line !== "").join("\n"),
    metadata: {
      jobs: withoutText(records),
      refused: reasons(refused),
      // The owner has read all that there is of them.
      troupe: deliveryMark(unasked),
    },
  }
}

/** Of a task without an id the problem itself says which it is: `tasks[2].prompt is missing`. */
function withName({ name, refused }: Refused): string {
  const isNamed = [`${name}.`, `${name} is `].some((start) => refused.startsWith(start))
  return isNamed ? refused : `${name}: ${refused}`
}
