import type { Records } from "../../machines/ledger.ts"
import { hasEnded } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"
import { wordsOf } from "../util/error-words.ts"
import type { Isolation } from "./isolation.ts"

export type LeaveAtEndOptions = {
  host: Pick<Host, "log">
  records: Pick<Records, "subscribe">
  isolation: Pick<Isolation, "leave">
}

/**
 * Notes beside the worktree of each job that it has ended: whoever tidies has no opencode to ask. Returns what ends
 * that, once all has been noted.
 */
export function leaveAtEnd({ host, records, isolation }: LeaveAtEndOptions): () => Promise<unknown> {
  const notes = new Set<Promise<void>>()
  const end = records.subscribe((record, before) => {
    const { worktree, id } = record
    if (!worktree || !hasEnded(record) || (before && hasEnded(before))) return
    const noted = isolation
      .leave(worktree)
      .catch((thrown) => {
        void host.log("warn", `could not note that ${id} has left ${worktree.directory}: ${wordsOf(thrown)}`)
      })
      .finally(() => notes.delete(noted))
    notes.add(noted)
  })
  return () => {
    end()
    return Promise.all(notes)
  }
}
