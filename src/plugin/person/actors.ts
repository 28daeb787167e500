import type { ActorNode } from "../../machines/actor-tree.ts"
import type { JobKey } from "../../machines/record.ts"

/** The small actors that stand beside the system's own. */
export type Protocols = {
  /** The turns of the children at work. */
  turns(): Iterable<{ job: JobKey; session: string; state: string }>
  /** The deliveries to owners. */
  deliveries(): Iterable<{ owner: string; state: string }>
  /** The budgets of owners and of their batches. */
  budgets(): Iterable<{ owner: string; name: string; state: string }>
  /** The writers of records that are not stored yet. */
  writers(): Iterable<{ session: string; state: string }>
  /** Whose record a session holds. */
  jobOf(session: string): JobKey | undefined
}

/**
 * The tree of all actors: a turn under its job, deliveries and writers under the supervisor of their owner, or under
 * the system where the owner's jobs have ended and its supervisor is gone. Budgets are there while jobs of theirs run.
 */
export function allActors(
  system: ActorNode,
  { turns, deliveries, budgets, writers, jobOf }: Protocols,
): ActorNode {
  const turnOf = new Map([...turns()].map(({ job, session, state }) => [keyOf(job), { session, state }]))
  const beside = [
    ...[...deliveries()].map(({ owner, state }) => ({ owner, node: leaf("delivery", owner, state) })),
    ...[...writers()].map(({ session, state }) => ({
      owner: jobOf(session)?.owner,
      node: { ...leaf("writer", jobOf(session)?.id ?? session, state), session },
    })),
  ]
  const kept = [...budgets()].map(({ owner, name, state }) => ({ owner, node: leaf("budget", name, state) }))
  const owners = new Set(system.children.map(({ id }) => id))
  const supervisors = system.children.map((supervisor) => ({
    ...supervisor,
    children: [
      ...supervisor.children.map((job) =>
        withTurn(job, turnOf.get(keyOf({ owner: supervisor.id, id: job.id }))),
      ),
      ...[...kept, ...beside].filter(({ owner }) => owner === supervisor.id).map(({ node }) => node),
    ],
  }))
  const others = beside.filter(({ owner }) => owner === undefined || !owners.has(owner))
  return { ...system, children: [...supervisors, ...others.map(({ node }) => node)] }
}

function withTurn(job: ActorNode, turn: { session: string; state: string } | undefined): ActorNode {
  if (!turn) return job
  return {
    ...job,
    children: [...job.children, { ...leaf("turn", job.id, turn.state), session: turn.session }],
  }
}

const leaf = (kind: ActorNode["kind"], id: string, state: string): ActorNode => ({
  kind,
  id,
  state,
  counts: {},
  children: [],
})

const keyOf = ({ owner, id }: JobKey) => `${owner}/${id}`
