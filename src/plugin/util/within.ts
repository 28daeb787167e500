/** What `promise` gives, or `otherwise` where that takes longer than `ms`; what comes later is dropped. */
export function within<T>(ms: number, promise: Promise<T>, otherwise: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(otherwise()), ms)
    timer.unref()
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
