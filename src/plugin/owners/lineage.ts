import type { Records } from "../../machines/ledger.ts"
import { hasEnded } from "../../machines/record.ts"
import type { Host, HostAgent, PermissionRule } from "../host/port.ts"

/** The session whose tool call starts jobs, as far as its jobs inherit from it. */
export type Owner = {
  rules: PermissionRule[]
  agent: HostAgent | undefined
  /** What the owner itself runs on, for jobs that name no model. */
  model?: string
  variant?: string | undefined
}

/**
 * How deep sessions are. It never changes, so answers are kept while a session is in use: for its turn, and while jobs
 * of it run.
 */
export function createLineage(host: Host, records: Pick<Records, "bySession" | "of">) {
  const depths = new Map<string, number>()

  /** 0 for a session without a parent; unknown where opencode did not say. */
  async function depthOf(session: string): Promise<number | undefined> {
    const depth = await look(session)
    if (depth !== undefined) depths.set(session, depth)
    return depth
  }

  async function look(session: string): Promise<number | undefined> {
    const known = depths.get(session)
    if (known !== undefined) return known
    const parent = await parentOf(session)
    if (parent === undefined) return undefined
    if (parent === "none") return 0
    const above = await (isOwner(parent.id) ? depthOf(parent.id) : look(parent.id))
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

  const isOwner = (session: string) => records.of(session).some((record) => !hasEnded(record))

  return {
    depthOf,
    /** Of a session that is not in use now; it may be asked for again. */
    forget: (session: string) => void depths.delete(session),
  }
}

export type Lineage = ReturnType<typeof createLineage>
