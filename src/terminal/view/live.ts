import { createEffect, createMemo, createSignal, onCleanup } from "../solid.ts"

/** A call of an opencode that went away meanwhile may never end. Milliseconds. */
const answerTimeout = 3_000

/**
 * What `load` gives, anew with each change: one call at a time, unless it takes too long, and the last answer holds.
 * What cannot be told now is told with the next change.
 */
export function live<Value>(
  start: Value,
  load: () => Promise<Value>,
  subscribe: (hear: () => void) => () => void,
  failed: (error: unknown) => void = () => {},
): () => Value {
  const [value, set] = createSignal(start)
  let latest = 0
  let since: number | undefined
  let isOutdated = false
  async function again(): Promise<void> {
    const call = ++latest
    since = Date.now()
    isOutdated = false
    const found = await load().then(
      (value) => ({ value }),
      (error: unknown) => void failed(error),
    )
    if (call !== latest) return
    since = undefined
    if (found) set(found.value)
    if (isOutdated) return again()
  }
  const hear = () => {
    if (since === undefined || Date.now() - since > answerTimeout) void again()
    else isOutdated = true
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
