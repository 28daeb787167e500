import { hasEnded, type JobRecord } from "../../machines/record.ts"

/**
 * How long an owner's results may wait still for those of jobs that were started with them, milliseconds; 0: they are
 * due, all of them.
 * @param unread undelivered results that the owner expects
 * @param all the owner's jobs
 * @param longestMs how long a result waits at most
 */
export function gatheringTime(
  unread: readonly JobRecord[],
  all: readonly JobRecord[],
  now: number,
  longestMs: number,
): number {
  const running = new Set(all.filter((record) => !hasEnded(record)).map(({ batch }) => batch))
  const left = unread.map(({ batch, endedAt = 0 }) => {
    if (batch === undefined || !running.has(batch)) return 0
    const age = now - endedAt
    // The clock may have been set back: how long it has waited is not known.
    return age < 0 ? 0 : Math.max(0, longestMs - age)
  })
  return left.length === 0 ? 0 : Math.min(...left)
}
