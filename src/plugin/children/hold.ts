import type { Host, HostAgent, PermissionRule, Result } from "../host/port.ts"
import type { HeldChild } from "../records/recovery.ts"
import { StoredJob } from "../records/stored-job.ts"
import { wordsOf } from "../util/error-words.ts"
import { childRules, exceedsOwner } from "./permissions.ts"

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
    const agents = answered(await host.agents(owner))
    const rules = await ownRules(host, agents, owner)
    return await Promise.all(children.map((child) => outcome(() => hold(host, agents, rules, child))))
  } catch (error) {
    return children.map(() => failed(error))
  }
}

/** An owner that is a child itself is held first: its own owner may do less now as well. */
async function ownRules(host: Host, agents: HostAgent[], owner: string): Promise<PermissionRule[]> {
  const { rules, parent, stored } = answered(await host.session(owner))
  const job = StoredJob.safeParse(stored).data
  if (!job || job.record.owner !== parent) return rules
  const { ownerAgent, record } = job
  return hold(host, agents, await ownRules(host, agents, parent), {
    session: owner,
    agent: record.agent,
    ownerAgent,
  })
}

/** Returns the child's rules. */
async function hold(
  host: Host,
  agents: HostAgent[],
  owner: readonly PermissionRule[],
  { session, agent, ownerAgent }: HeldChild,
): Promise<PermissionRule[]> {
  const child = await host.session(session)
  // A session that is gone has nobody in it to hold back; whoever asks it hears of that.
  if (!child.ok && child.error.status === 404) return []
  const { rules } = answered(child)
  const ofAgent = agents.find(({ name }) => name === agent)
  // opencode runs nothing under an agent that is gone.
  if (!ofAgent) return rules
  const ofOwner = agents.find(({ name }) => name === ownerAgent)
  if (ownerAgent !== undefined && !ofOwner) throw new Error(`there is no agent "${ownerAgent}" any more`)
  const own = [...ofAgent.rules, ...rules]
  if (!exceedsOwner(owner, ofOwner, own)) return rules
  // What held before still holds: these are the stricter of both.
  const held = [...rules, ...childRules(owner, ofOwner, { rules: own }, true)]
  answered(await host.setRules(session, held))
  return held
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
