import type { Records } from "../../machines/ledger.ts"
import type { JobRecord } from "../../machines/record.ts"
import type { ShownJob } from "../../terminal/jobs.ts"
import type { Host } from "../host/port.ts"
import { throttle } from "../util/throttle.ts"

/** A terminal draws no more often. Milliseconds. */
const interval = 250

/**
 * Serves the jobs to the part in opencode's terminal, where opencode has a channel between the two. Returns what ends
 * it.
 */
export function serveTerminal(
  host: Pick<Host, "serveTerminal" | "log">,
  records: Pick<Records, "of" | "subscribe" | "onForgotten">,
): () => Promise<void> {
  const serving = host.serveTerminal?.({ list: ({ owner }) => ({ jobs: records.of(owner).map(shown) }) })
  const changed = new Set<string>()
  const tell = throttle(interval, async () => {
    const channel = await serving
    if (channel?.ok) for (const owner of changed) channel.value.changed(owner)
    changed.clear()
  })
  const note = (owner: string) => {
    changed.add(owner)
    tell.call(undefined)
  }
  if (serving) {
    records.subscribe(({ owner }) => note(owner))
    records.onForgotten(({ owner }) => note(owner))
    void serving.then((served) => {
      if (!served.ok) void host.log("warn", `the terminal shows no jobs: ${served.error.message}`)
    })
  }
  return async () => {
    tell.cancel()
    const channel = await serving
    if (channel?.ok) await channel.value.end()
  }
}

const shown = ({ text: _, ...record }: JobRecord): ShownJob => record
