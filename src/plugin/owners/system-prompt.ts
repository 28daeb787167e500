import { hasEnded, type JobRecord } from "../../machines/record.ts"
import { statusLine } from "../records/words.ts"

/** What the main agent is told in its system prompt. Part of every request: short. */
const HINT =
  "Run independent work (searches, reviews, edits) as parallel jobs: all in one agents_start call, with what builds " +
  "on their results (needs). With nothing else to do, pass wait: true; else do your part, then call " +
  "agents_wait once. Not for small steps. Edits to the same files need isolation. Never poll."

const STOPS_WITH_TURN = " Jobs stop when this turn ends: wait for them before you answer."

/** @param stopsWithTurn opencode itself ends with the turn, as `opencode run` does. */
export function hint(stopsWithTurn: boolean): string {
  return stopsWithTurn ? HINT + STOPS_WITH_TURN : HINT
}

/** What a compaction of the owner must not lose: its jobs that run, and results that are not delivered. */
export function openJobs(records: readonly JobRecord[], now: number): string | undefined {
  if (records.length === 0) return undefined
  const running = new Set(records.filter((record) => !hasEnded(record)).map(({ id }) => id))
  const lines = records.map((record) => {
    const waitsFor = (record.needs ?? []).map(({ id }) => id).filter((id) => running.has(id))
    const line = statusLine(record, now, waitsFor)
    return `${line}${hasEnded(record) ? " (result not delivered yet)" : ""}`
  })
  return [
    "Jobs started with agents_start that are still open (agents_wait returns their results):",
    ...lines,
  ].join("\n")
}
