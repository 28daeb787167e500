import type { Records } from "./ledger.ts"
import { ENDED_STATES, type EndedState, hasEnded, type JobRecord, type Need } from "./record.ts"

/** How a job that others may need has ended, or that it is gone and never will. */
export type NeedEnd = {
  id: string
  state: EndedState | "gone"
  /** Why, in words, where that was not `done`. */
  why?: string | undefined
}

export type Standing = "open" | "met" | "broken"

/** Characters of a cause that is handed down: a chain of jobs may be long, and so may what its first one ended of. */
const longestCause = 600

/** Of a job that has ended. */
export function endOf({ id, state, error }: JobRecord): NeedEnd {
  return { id, state: ENDED_STATES.find((ended) => ended === state) ?? "failed", why: error?.message }
}

/** How a need stands that has come to this end, if to any. */
export function standingOf(need: Need, end: NeedEnd | undefined): Standing {
  if (!end) return "open"
  if (end.state === "gone") return "broken"
  return end.state === "done" || need.on === "ended" ? "met" : "broken"
}

/** What a job that is blocked still waits for, by id. */
export function openNeeds(
  { owner, needs = [] }: { owner: string; needs?: readonly Need[] | undefined },
  records: Pick<Records, "get">,
): string[] {
  return needs.flatMap(({ id }) => {
    const record = records.get(owner, id)
    return record && hasEnded(record) ? [] : [id]
  })
}

/** Why a job ends whose need did: the whole chain, from its own need to the first cause. */
export function breachOf({ id, state, why }: NeedEnd): string {
  const cause = clip(why ?? "")
  // Who cancels a job says that it was.
  if (cause.startsWith("cancelled")) return `it needs ${id}, which was ${cause}`
  return `it needs ${id}, which ${endWords[state]}${cause === "" ? "" : `: ${cause}`}`
}

const endWords = {
  done: "is done",
  failed: "failed",
  timedOut: "timed out",
  cancelled: "was cancelled",
  gone: "is gone with its session",
}

/** The last words are the first cause. */
function clip(cause: string): string {
  if (cause.length <= longestCause) return cause
  const half = longestCause / 2
  return `${cause.slice(0, half)} … ${cause.slice(-half)}`
}
