import type { Records } from "../../machines/ledger.ts"
import { hasEnded } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"
import type { JobStore } from "../records/store.ts"
import { backoff } from "../util/backoff.ts"
import { holdToOwner } from "./hold.ts"

export type HeldAgainOptions = {
  host: Host
  records: Pick<Records, "all">
  store: Pick<JobStore, "read">
}

/** Before children that could not be held are held again. */
const pauses = { firstMs: 250, lastMs: 30_000 }

/**
 * Holds the children of all jobs that are under way to what their owners may do, whenever opencode's agents have
 * changed: an owner may do less by now than when its children were last asked something.
 * @returns what ends that
 */
export function holdAgainOnChange({ host, records, store }: HeldAgainOptions): () => void {
  const over = new AbortController()
  /** One after the other, as each adds to the rules that are there. */
  let held = Promise.resolve()
  const end = host.onAgentsChanged?.(() => {
    held = held.then(holdAll)
  })
  return () => {
    end?.()
    over.abort()
  }

  /** Until it is done, or what is under way by then is none of them. */
  async function holdAll(): Promise<void> {
    for (let attempt = 0; !over.signal.aborted; attempt++) {
      const problem = await holdOnce()
      if (problem === undefined) return
      if (attempt === 0)
        void host.log("warn", `children may do what their owner may no longer do: ${problem}`)
      await new Promise((resolve) => setTimeout(resolve, backoff(attempt, pauses)).unref())
    }
  }

  /** Returns why not all are held, where that is so. */
  async function holdOnce(): Promise<string | undefined> {
    const underWay = [...records.all()].filter((record) => !hasEnded(record) && record.session !== "")
    const owners = new Set(underWay.map(({ owner }) => owner))
    const outcomes = [...owners].map(async (owner) => {
      const children = underWay
        .filter((job) => job.owner === owner)
        .map(async ({ session, agent }) => ({
          session,
          agent,
          ownerAgent: (await store.read(session))?.ownerAgent,
        }))
      return holdToOwner(host, owner, await Promise.all(children))
    })
    const [failed] = (await Promise.all(outcomes)).flat().flatMap((each) => (each.ok ? [] : each.error))
    return failed?.message
  }
}
