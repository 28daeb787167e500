import type { HostAgent, ToolCall } from "../../host/port.ts"
import { verdict } from "../../host/rules.ts"
import type { Owner } from "../../owners/lineage.ts"
import { refusalOf } from "../permission.ts"
import type { Catalog } from "./catalog.ts"
import { describeAll } from "./description.ts"
import type { Item } from "./item.ts"

/** What tasks get that name none: the first of these that there is and that the owner may start. */
const defaults = ["general", "explore"] as const

/** The agent that a task gets, or why there is none. `why`: as in `Sound`. */
export function agentFor(
  asked: string | undefined,
  agents: readonly HostAgent[],
  owner: Owner,
  call: ToolCall,
): { agent: HostAgent; why?: string | undefined } | string {
  const { name, why } = asked === undefined ? defaultAgent(agents, owner, call) : { name: asked }
  const agent = agents.find((each) => each.name === name && each.isSubagent)
  return agent ? { agent, why } : `no subagent "${name}"; available: ${namesOf(offered(agents))}`
}

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
  verdict(agent ? [...agent.rules, ...rules] : rules, { permission: "task", pattern: name }) !== "deny"

/** As opencode's own `task` does, so that the user's rules for it hold here too: once for each agent. */
export async function askPermission(
  items: Item[],
  catalog: Catalog,
  owner: Owner,
  call: ToolCall,
): Promise<Item[]> {
  const sound = items.filter((item) => "task" in item)
  const refusals = new Map<string, string | undefined>()
  for (const agent of new Set(sound.map((item) => item.agent.name))) {
    const ofAgent = sound.filter((item) => item.agent.name === agent).map(({ task }) => task)
    const permission = await call.askToStart(agent, ofAgent.map(describeAll).join(", "))
    refusals.set(agent, refusalOf(permission, { denied: denialOf(agent, catalog, owner, call) }))
  }
  return items.map((item) => {
    const refused = "task" in item ? refusals.get(item.agent.name) : undefined
    return refused === undefined ? item : { name: item.name, refused }
  })
}

function denialOf(agent: string, { agents }: Catalog, owner: Owner, call: ToolCall): string {
  const permitted = offered(agents).filter(({ name }) => name !== agent && isPermitted(owner, name))
  return permitted.length === 0
    ? `"${call.agent}" may start no subagent`
    : `"${call.agent}" may not start "${agent}"; it may start: ${namesOf(permitted)}`
}

const offered = (agents: readonly HostAgent[]) =>
  agents.filter(({ isSubagent, isHidden }) => isSubagent && !isHidden)

const namesOf = (agents: readonly HostAgent[]) => agents.map(({ name }) => name).join(", ")
