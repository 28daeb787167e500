/**
 * What must be gone when this process goes, even when a test, the demo or the bench never reaches its `stop`.
 * The functions are synchronous: at exit there is no later.
 */
const leftovers = new Set<() => void>()
let watching = false

/** Runs `remove` when this process ends, unless the returned function took it back. */
export function atExit(remove: () => void): () => void {
  leftovers.add(remove)
  if (!watching) {
    watching = true
    process.on("exit", removeAll)
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        removeAll()
        process.kill(process.pid, signal)
      })
    }
  }
  return () => leftovers.delete(remove)
}

/** The latest first: a process goes before the folder that it writes into. One that fails stops none of the others. */
function removeAll(): void {
  const removals = [...leftovers].reverse()
  leftovers.clear()
  for (const remove of removals) {
    try {
      remove()
    } catch (error) {
      console.error("Something was left behind:", error)
    }
  }
}
