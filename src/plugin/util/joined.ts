/** Whoever calls while a call is under way joins it. */
export function joined<Value>(call: () => Promise<Value>): () => Promise<Value> {
  let underWay: Promise<Value> | undefined
  return () => {
    underWay ??= call().finally(() => {
      underWay = undefined
    })
    return underWay
  }
}
