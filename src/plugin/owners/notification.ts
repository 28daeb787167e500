import type { JobWithText } from "../records/texts.ts"
import { shortenedBlocks } from "../records/words.ts"

/** What an owner is told of jobs that have ended. It reads as a message of the user's, and so says that it is none. */
export function notification(results: readonly JobWithText[], notes: readonly string[], now: number): string {
  const jobs = results.length === 1 ? "A background job has" : `${results.length} background jobs have`
  return [
    `${jobs} ended (a message from opencode-troupe, not from the user):`,
    ...notes,
    ...shortenedBlocks(results, now).map(({ words }) => words),
  ].join("\n")
}
