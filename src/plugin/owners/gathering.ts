import { hasEnded, type JobRecord } from "../../machines/record.ts"

/** Which results wait still for those of jobs that were started with them. */
export type Gathering = {
  /** How long until the first batch is due, milliseconds; 0: one is, or nothing is unread. */
  waitMs: number
  /** Whether a result is of a batch that is yet to be told of. */
  waits(record: Pick<JobRecord, "batch">): boolean
}

/**
 * A batch is told of once all of it has ended, or when the first of its own unread results has waited for long enough.
 * @param unread undelivered results that the owner expects
 * @param all the owner's jobs
 * @param longestMs how long a result waits at most
 */
export function gathering(
  unread: readonly JobRecord[],
  all: readonly JobRecord[],
  now: number,
  longestMs: number,
): Gathering {
  const running = new Set(all.filter((record) => !hasEnded(record)).map(({ batch }) => batch))
  const left = new Map<string | undefined, number>()
  for (const { batch, endedAt = 0 } of unread) {
    const age = now - endedAt
    const isOver = batch === undefined || !running.has(batch)
    // The clock may have been set back: how long it has waited is not known.
    const own = isOver || age < 0 ? 0 : Math.max(0, longestMs - age)
    left.set(batch, Math.min(own, left.get(batch) ?? own))
  }
  return {
    waitMs: left.size === 0 ? 0 : Math.min(...left.values()),
    waits: ({ batch }) => (left.get(batch) ?? 0) > 0,
  }
}
