import { createEffect, createMemo, createSignal, onCleanup } from "../solid.ts"

/**
 * What `load` gives, anew with each change: one call at a time, and the last answer holds. What cannot be told now is
 * told with the next change.
 */
export function live<Value>(
  start: Value,
  load: () => Promise<Value>,
  subscribe: (hear: () => void) => () => void,
): () => Value {
  const [value, set] = createSignal(start)
  let state: "idle" | "under way" | "outdated" = "idle"
  const isOutdated = () => state === "outdated"
  async function again(): Promise<void> {
    state = "under way"
    await load().then(set, () => {})
    if (isOutdated()) return again()
    state = "idle"
  }
  const hear = () => {
    if (state === "idle") void again()
    else state = "outdated"
  }
  onCleanup(subscribe(hear))
  hear()
  return value
}

/** Epoch milliseconds, once a second for as long as `goesOn`. */
export function clock(goesOn: () => boolean): () => number {
  const [now, setNow] = createSignal(Date.now())
  const isLive = createMemo(goesOn)
  createEffect(() => {
    if (!isLive()) return
    setNow(Date.now())
    const ticking = setInterval(() => setNow(Date.now()), 1_000)
    onCleanup(() => clearInterval(ticking))
  })
  return now
}
