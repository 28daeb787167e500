import type { Host, HostAgent, HostSession, PermissionRule, Result } from "../host/port.ts"
import type { HeldChild } from "../records/recovery.ts"
import { StoredJob } from "../records/stored-job.ts"
import { wordsOf } from "../util/error-words.ts"
import { addedFor, childRules, exceedsOwner } from "./permissions.ts"

/**
 * Holds children to what their owner may do now: it may have another agent than when it started them, or one that may
 * do less by now. What held before still holds. Where that fails, a child must not be asked anything.
 */
export async function holdToOwner(
  host: Host,
  owner: string,
  children: readonly HeldChild[],
): Promise<Result<void>[]> {
  try {
    const agentsFor = agentsByDirectory(host)
    const held = await heldOwner(host, agentsFor, owner)
    return await Promise.all(children.map((child) => outcome(() => hold(host, agentsFor, held, child))))
  } catch (error) {
    return children.map(() => failed(error))
  }
}

type AgentsFor = (session: HostSession) => Promise<HostAgent[]>

/** Those that a session could have: each directory has its own configuration. */
function agentsByDirectory(host: Host): AgentsFor {
  const known = new Map<string, Promise<HostAgent[]>>()
  return ({ id, directory }) => {
    const agents = known.get(directory) ?? host.agents(id).then(answered)
    known.set(directory, agents)
    return agents
  }
}

/** An owner that is a child itself is held first: its own owner may do less now as well. */
async function heldOwner(host: Host, agentsFor: AgentsFor, owner: string): Promise<HostSession> {
  const session = answered(await host.session(owner))
  const { parent, stored } = session
  const job = StoredJob.safeParse(stored).data
  if (!job || job.record.owner !== parent) return session
  const { ownerAgent, record } = job
  const rules = await hold(host, agentsFor, await heldOwner(host, agentsFor, parent), {
    session: owner,
    agent: record.agent,
    ownerAgent,
  })
  return { ...session, rules }
}

/** Returns the child's rules. */
async function hold(
  host: Host,
  agentsFor: AgentsFor,
  owner: HostSession,
  { session, agent, ownerAgent }: HeldChild,
): Promise<PermissionRule[]> {
  const child = await host.session(session)
  // A session that is gone has nobody in it to hold back; whoever asks it hears of that.
  if (!child.ok && child.error.status === 404) return []
  const found = answered(child)
  const { rules } = found
  const named = (name: string) => (each: HostAgent) => each.name === name
  const ofAgent = (await agentsFor(found)).find(named(agent))
  // opencode runs nothing under an agent that is gone.
  if (!ofAgent) return rules
  const here = await agentsFor(owner)
  const ofOwner = ownerAgent === undefined ? undefined : here.find(named(ownerAgent))
  if (ownerAgent !== undefined && !ofOwner) throw new Error(`there is no agent "${ownerAgent}" any more`)
  const own = [...ofAgent.rules, ...rules]
  const added = found.directory === owner.directory ? [] : addedElsewhere(here.find(named(agent)), own)
  if (exceedsOwner(owner.rules, ofOwner, [...own, ...added]))
    added.push(...childRules(owner.rules, ofOwner, { rules: [...own, ...added] }, true))
  if (added.length === 0) return rules
  // What held before still holds: these are the stricter of both.
  const held = [...rules, ...added]
  answered(await host.setRules(session, held))
  return held
}

/** Where a child works elsewhere, what its agent may at its owner by now is not in its agent's own rules. */
function addedElsewhere(here: HostAgent | undefined, own: readonly PermissionRule[]): PermissionRule[] {
  if (!here) throw new Error("there is no such agent any more where its owner is")
  // Beside the agent's, those of its owner's session hold for it.
  return addedFor({ rules: here.rules.filter(({ permission }) => permission !== "external_directory") }, own)
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`opencode did not answer (${result.error.message})`)
}

async function outcome(act: () => Promise<unknown>): Promise<Result<void>> {
  try {
    await act()
    return { ok: true, value: undefined }
  } catch (error) {
    return failed(error)
  }
}

const failed = (error: unknown): Result<never> => ({ ok: false, error: { message: wordsOf(error) } })
