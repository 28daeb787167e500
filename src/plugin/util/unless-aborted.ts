/** What `act` gives. Rejects as soon as `signal` aborts; where it already has, nothing is done. */
export function unlessAborted<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const interrupted = () => reject(new Error("it was interrupted"))
    if (signal.aborted) return interrupted()
    signal.addEventListener("abort", interrupted, { once: true })
    act()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", interrupted))
  })
}
