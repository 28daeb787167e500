/**
 * The pause before another attempt. It doubles from `firstMs` up to `lastMs`.
 * @param attempt how many attempts have failed before the one that has just failed: 0 for the first pause
 * @returns milliseconds
 */
export function backoff(attempt: number, { firstMs, lastMs }: { firstMs: number; lastMs: number }): number {
  return Math.min(lastMs, firstMs * 2 ** attempt)
}
