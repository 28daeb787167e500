import type { Records } from "../../machines/ledger.ts"
import type { Host, HostAgent, PermissionRule } from "../host/port.ts"

/** The session whose tool call starts jobs, as far as its jobs inherit from it. */
export type Owner = {
  rules: PermissionRule[]
  agent: HostAgent | undefined
  /** What the owner itself runs on, for jobs that name no model. */
  model?: string
  variant?: string | undefined
}

/** Sessions whose depth is kept: those that were asked for first go first. */
const keptDepths = 1_000

/** How deep sessions are, which never changes. */
export function createLineage(host: Host, records: Pick<Records, "bySession">) {
  const depths = new Map<string, number>()

  /** 0 for a session without a parent; unknown where opencode did not say. */
  async function depthOf(session: string): Promise<number | undefined> {
    const depth = await look(session)
    if (depth !== undefined) keep(session, depth)
    return depth
  }

  function keep(session: string, depth: number): void {
    depths.set(session, depth)
    const [oldest] = depths.keys()
    if (depths.size > keptDepths && oldest !== undefined) depths.delete(oldest)
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

  async function parentOf(session: string): Promise<{ id: string } | "none" | undefined> {
    // An opencode that makes no child sessions knows no parent of a job's, which has its owner all the same.
    const job = records.bySession(session)
    if (job) return { id: job.owner }
    const found = await host.session(session)
    if (!found.ok) return undefined
    const { parent } = found.value
    return parent === undefined ? "none" : { id: parent }
  }

  return { depthOf }
}

export type Lineage = ReturnType<typeof createLineage>
