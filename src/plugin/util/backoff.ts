/** Pauses before attempts: the first, then twice as long each time, up to the last. Milliseconds. */
export type BackoffLimits = { firstMs: number; lastMs: number }

/** How long to wait before the next attempt. Milliseconds. @param attempt how many have been repeated before: 0 for none. */
export function backoff(attempt: number, { firstMs, lastMs }: BackoffLimits): number {
  return Math.min(lastMs, firstMs * 2 ** attempt)
}
