import type { Records } from "../../machines/ledger.ts"
import type { Host, HostAgent, HostEvent, PermissionRule } from "../host/port.ts"

/** The session whose tool call starts jobs, as far as its jobs inherit from it. */
export type Owner = {
  rules: PermissionRule[]
  agent: HostAgent | undefined
  /** What the owner itself runs on, for jobs that name no model. */
  model?: string
  variant?: string | undefined
}

/** Sessions of which is kept how deep they are, and what they are children of: the first ones go first. */
const mostKept = 1_000

type Parent = { id: string } | "none"

/** How deep sessions are, which never changes. */
export function createLineage(host: Host, records: Pick<Records, "bySession">) {
  const depths = new Map<string, number>()
  /** As they were heard of: a session's first request need not wait for an answer. */
  const parents = new Map<string, Parent>()

  /** Takes every event of opencode. */
  function hear(event: HostEvent): void {
    if (event.type !== "session.created") return
    keep(parents, event.session, event.parent === undefined ? "none" : { id: event.parent })
  }

  /** 0 for a session without a parent; unknown where opencode did not say. */
  async function depthOf(session: string): Promise<number | undefined> {
    const depth = await look(session)
    if (depth !== undefined) keep(depths, session, depth)
    return depth
  }

  async function look(session: string): Promise<number | undefined> {
    const known = depths.get(session)
    if (known !== undefined) return known
    const parent = await parentOf(session)
    if (parent === undefined) return undefined
    if (parent === "none") return 0
    const above = await depthOf(parent.id)
    return above === undefined ? undefined : above + 1
  }

  async function parentOf(session: string): Promise<Parent | undefined> {
    // An opencode that makes no child sessions knows no parent of a job's, which has its owner all the same.
    const job = records.bySession(session)
    if (job) return { id: job.owner }
    const heard = parents.get(session)
    if (heard !== undefined) return heard
    const found = await host.session(session)
    if (!found.ok) return undefined
    const { parent } = found.value
    return parent === undefined ? "none" : { id: parent }
  }

  return { depthOf, hear }
}

function keep<Value>(kept: Map<string, Value>, session: string, value: Value): void {
  kept.set(session, value)
  const [oldest] = kept.keys()
  if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest)
}

export type Lineage = ReturnType<typeof createLineage>
