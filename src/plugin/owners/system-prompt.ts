import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { statusLine } from "../records/words.ts"

/** What the main agent is told in its system prompt. Part of every request: short. */
const HINT =
  "Independent pieces of work (searches, reviews, edits to separate files) go faster as parallel jobs: hand them out " +
  "in one agents_start call, do your own part meanwhile, then agents_wait once. Not for small or dependent steps, or " +
  "edits to the same file. Never poll."

const ENDS_WITH_TURN = " Jobs end with this turn: wait for them before you answer."

/** @param endsWithTurn opencode itself ends with the turn, as `opencode run` does. */
export function hint(endsWithTurn: boolean): string {
  return endsWithTurn ? HINT + ENDS_WITH_TURN : HINT
}

/** What a compaction of the owner must not lose: its jobs that run, and those whose results it has not read. */
export function openJobs(records: readonly JobRecord[], now: number): string | undefined {
  if (records.length === 0) return undefined
  const lines = records.map(
    (record) => `${statusLine(record, now)}${hasEnded(record) ? " (result not read yet)" : ""}`,
  )
  return [
    "Jobs handed out with agents_start that are still open (agents_wait has their results):",
    ...lines,
  ].join("\n")
}
