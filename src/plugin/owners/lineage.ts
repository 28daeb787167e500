import type { Host, HostAgent, PermissionRule } from "../host/port.ts"

/** The session whose tool call starts jobs, as far as its jobs inherit from it. */
export type Owner = {
  rules: PermissionRule[]
  agent: HostAgent | undefined
  /** What the owner itself runs on, for jobs that name no model. */
  model?: string
  variant?: string | undefined
}

/** Looks up how deep sessions are. A session's parent never changes, so answers are kept while it is in use. */
export function createLineage(host: Host) {
  const parents = new Map<string, string | undefined>()

  /** 0 for a session without a parent; unknown where opencode did not say. */
  async function depthOf(session: string): Promise<number | undefined> {
    let depth = 0
    for (let id: string | undefined = session; ; depth++) {
      if (!parents.has(id)) {
        const found = await host.session(id)
        if (!found.ok) return undefined
        parents.set(id, found.value.parent)
      }
      id = parents.get(id)
      if (id === undefined) return depth
    }
  }

  return {
    depthOf,
    /**
     * Takes in what is told of a session, so that opencode need not be asked. A parent that is known stays: an opencode
     * that makes no child sessions knows none of a job's, which has its owner all the same.
     */
    remember: (session: string, parent: string | undefined) =>
      void parents.set(session, parent ?? parents.get(session)),
    /** Of a session that is no longer in use; it may be asked for again. */
    forget: (session: string) => void parents.delete(session),
  }
}

export type Lineage = ReturnType<typeof createLineage>
