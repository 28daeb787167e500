import * as z from "zod"
import type { JobInput } from "../../machines/events.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { type Agent, type Result, wordsOf } from "../host.ts"
import type { Owner } from "../owners.ts"
import { childRules } from "../permissions.ts"
import { problemsOf, readArguments, Task } from "./arguments.ts"
import { type Desk, listed, settled, type ToolContext, type ToolResult, withoutText } from "./desk.ts"

/** Characters of a prompt that stand for it where no description was given. */
const descriptionLength = 40

/** One of the asked tasks: it can start, or there is a reason why not. */
type Item = { name: string; task: Task } | { name: string; refused: string }

/** Starts all that can start; a bad item fails alone. Returns when the sessions exist. */
export async function start(desk: Desk, given: unknown, context: ToolContext): Promise<ToolResult> {
  // Items are read one by one, so that a bad one does not take the others along.
  const { tasks } = readArguments({ tasks: z.array(z.unknown()).min(1).max(64) }, given)
  const depth = await mayStart(desk, context)
  const house = await lookAround(desk, tasks, context)

  const checked = tasks.map((task, index) => check(house, task, index))
  const permitted = await askPermission(checked, context)
  // From here to the start nothing waits: an id that is free now is free when the job starts.
  const { started, refused } = startAll(desk, house, permitted, context.sessionID, depth)
  await settled(desk, started, { test: ({ phase }) => phase !== "opening", signal: context.abort })
  return report(desk, started, refused, tasks.length)
}

/** What the tasks are checked against, and what their jobs inherit. */
type House = { agents: Agent[]; models: string[] | undefined; owner: Owner }

async function mayStart({ lineage, options }: Desk, { sessionID }: ToolContext): Promise<number> {
  const depth = await lineage.depthOf(sessionID)
  if (depth === undefined) throw new Error("opencode did not say which session this is; nothing was started")
  if (depth >= options.depth) {
    throw new Error(
      `a subagent at depth ${depth} may not start jobs: the plugin's option "depth" is ${options.depth}. ` +
        "Do the work yourself, or report back what should be split up.",
    )
  }
  return depth
}

async function lookAround({ host }: Desk, tasks: unknown[], context: ToolContext): Promise<House> {
  const namesModel = tasks.some((task) => typeof task === "object" && task !== null && "model" in task)
  const [agents, session, message, models] = await Promise.all([
    host.agents(),
    host.session(context.sessionID),
    host.message(context.sessionID, context.messageID),
    namesModel ? host.models() : undefined,
  ])
  const info = answered(message).info
  const known = answered(agents)
  return {
    agents: known,
    models: models && answered(models),
    owner: {
      permission: answered(session).permission ?? [],
      agent: known.find(({ name }) => name === context.agent),
      ...(info.role === "assistant"
        ? { model: `${info.providerID}/${info.modelID}`, variant: info.variant }
        : { model: undefined, variant: undefined }),
    },
  }
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`opencode did not answer (${result.error.message}); nothing was started`)
}

function check({ agents, models }: House, given: unknown, index: number): Item {
  const read = Task.safeParse(given)
  const name = nameOf(given) ?? `tasks[${index}]`
  if (!read.success) return { name, refused: problemsOf(read.error) }
  const task = read.data
  const usable = agents.filter(({ mode, hidden }) => mode !== "primary" && !hidden).map((agent) => agent.name)
  const agent = task.agent ?? "general"
  if (!agents.some((each) => each.name === agent && each.mode !== "primary")) {
    return { name, refused: `no subagent "${agent}"; there are: ${usable.join(", ")}` }
  }
  if (task.model !== undefined && models && !models.includes(task.model)) {
    return {
      name,
      refused: `no model "${task.model}"; there are: ${listed(closest(models, task.model), 20)}`,
    }
  }
  return { name, task }
}

function nameOf(given: unknown): string | undefined {
  const id = typeof given === "object" && given !== null && "id" in given ? given.id : undefined
  return typeof id === "string" && id !== "" ? id.slice(0, 40) : undefined
}

/** Those of the same provider first. */
function closest(models: readonly string[], asked: string): string[] {
  const [provider = ""] = asked.split("/")
  const near = (model: string) => (model.startsWith(`${provider}/`) ? 0 : 1)
  return models.toSorted((a, b) => near(a) - near(b))
}

/** As opencode's own `task` does, so that the user's rules for it hold here too: once for each agent. */
async function askPermission(items: Item[], context: ToolContext): Promise<Item[]> {
  const agents = new Set(items.flatMap((item) => ("task" in item ? agentOf(item.task) : [])))
  const refusals = new Map<string, string>()
  for (const agent of agents) {
    const ofAgent = items.flatMap((item) => ("task" in item && agentOf(item.task) === agent ? item.task : []))
    try {
      await context.ask({
        permission: "task",
        patterns: [agent],
        always: ["*"],
        metadata: { description: ofAgent.map(describe).join(", "), subagent_type: agent },
      })
    } catch (thrown) {
      refusals.set(agent, wordsOf(thrown) || "the user refused")
    }
  }
  return items.map((item) => {
    const refusal = "task" in item ? refusals.get(agentOf(item.task)) : undefined
    return refusal === undefined ? item : { name: item.name, refused: `not permitted: ${refusal}` }
  })
}

function startAll(desk: Desk, house: House, items: Item[], owner: string, depth: number) {
  const started: JobRecord[] = []
  const refused: { name: string; refused: string }[] = []
  // Ids that tasks ask for go first, so that a given one never takes them.
  const wanted = new Set(items.flatMap((item) => ("task" in item ? (item.task.id ?? []) : [])))
  for (const item of items) {
    if ("refused" in item) refused.push(item)
    else if (item.task.id !== undefined && desk.troupe.records.get(owner, item.task.id)) {
      refused.push({
        name: item.name,
        refused: `the id "${item.task.id}" is taken; choose another, or leave it out`,
      })
    } else {
      const id = item.task.id ?? freeId(desk, owner, wanted)
      desk.troupe.start(
        jobOf(desk, house, item.task, { id, owner, mayStartJobs: depth + 1 < desk.options.depth }),
      )
      const record = desk.troupe.records.get(owner, id)
      if (record) started.push(record)
    }
  }
  return { started, refused }
}

function freeId({ troupe }: Desk, owner: string, wanted: ReadonlySet<string>): string {
  let index = troupe.records.countOf(owner) + 1
  while (wanted.has(`j${index}`) || troupe.records.get(owner, `j${index}`)) index++
  return `j${index}`
}

function jobOf(
  { options, now }: Desk,
  { agents, owner }: House,
  task: Task,
  { id, owner: session, mayStartJobs }: { id: string; owner: string; mayStartJobs: boolean },
): JobInput {
  const agent = agents.find(({ name }) => name === agentOf(task))
  const agentModel = agent?.model && `${agent.model.providerID}/${agent.model.modelID}`
  const model = task.model ?? agentModel ?? owner.model
  const at = now()
  return {
    id,
    owner: session,
    description: describe(task),
    prompt: task.prompt,
    agent: agentOf(task),
    model,
    // A variant belongs to a model: it goes along with the owner's own.
    variant: model === owner.model ? owner.variant : undefined,
    rules: agent && childRules(owner.permission, owner.agent, agent, mayStartJobs),
    mayStartJobs,
    createdAt: at,
    askedAt: at,
    run: 1,
    timeoutMs: (task.timeout ?? options.timeoutSeconds) * 1000,
    idleMs: options.idleSeconds * 1000,
  }
}

const agentOf = (task: Task) => task.agent ?? "general"

function describe({ description, prompt }: Task): string {
  const line = (description ?? prompt).replace(/\s+/g, " ").trim()
  return description === undefined && line.length > descriptionLength
    ? `${line.slice(0, descriptionLength)}…`
    : line
}

function report(
  { troupe }: Desk,
  started: readonly JobRecord[],
  refused: readonly { name: string; refused: string }[],
  asked: number,
): ToolResult {
  const records = started.flatMap(({ owner, id }) => troupe.records.get(owner, id) ?? [])
  const failed = records.filter((record) => hasEnded(record))
  const running = records.filter((record) => !hasEnded(record))
  const lines = [
    running.length > 0
      ? `Started: ${running.map(({ id }) => id).join(", ")}. Go on; agents_wait has the results.`
      : "",
    ...failed.map(({ id, error }) => `Not started: ${id}: ${error?.message ?? "it ended at once"}`),
    ...refused.map(({ name, refused }) => `Refused: ${name}: ${refused}`),
  ]
  return {
    title: `${running.length}/${asked} jobs started`,
    output: lines.filter((line) => line !== "").join("\n"),
    metadata: {
      jobs: withoutText(records),
      refused: refused.map(({ name, refused }) => ({ id: name, reason: refused })),
    },
  }
}
