import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host } from "../host/port.ts"
import { progress } from "../records/words.ts"

/** Ends within it are shown in one toast. Milliseconds. */
const windowMs = 400

/** Toasts to the person at the terminal: jobs that need them, and jobs that have ended. */
export function tellPerson(host: Host, troupe: Troupe): () => void {
  const ended: JobRecord[] = []
  let timer: NodeJS.Timeout | undefined

  const unsubscribe = troupe.records.subscribe((record, before) => {
    const ask = record.asks?.[0]
    if (ask && before?.asks?.[0]?.id !== ask.id) {
      const needs = ask.kind === "permission" ? "asks for permission" : "asks"
      void host.toast({
        message: `${record.id} (${record.description}) ${needs}: ${ask.text}`,
        variant: "warning",
      })
    }
    if (hasEnded(record) && before && !hasEnded(before)) {
      ended.push(record)
      timer ??= setTimeout(showEnded, windowMs)
      timer.unref()
    }
  })

  function showEnded(): void {
    timer = undefined
    const records = ended.splice(0)
    const ids = records.map(({ id }) => id).join(", ")
    const isGood = records.every(({ state }) => state === "done")
    void host.toast({
      message: `Jobs ended: ${ids} (${progress(records)})`,
      variant: isGood ? "success" : "warning",
    })
  }

  return () => {
    unsubscribe()
    clearTimeout(timer)
  }
}
