import type { JobWithText } from "../records/texts.ts"
import { resultBlock } from "../records/words.ts"

/** Characters of each job's text in a notification, and of all. */
const textLimit = 2_000
const allLimit = 12_000

/** What an owner is told of jobs that have ended. It reads as a message of the user's, and so says that it is none. */
export function notification(results: readonly JobWithText[], now: number): string {
  const limit = Math.min(textLimit, Math.floor(allLimit / results.length))
  const jobs = results.length === 1 ? "A background job has" : `${results.length} background jobs have`
  return [
    `${jobs} ended (a message from opencode-troupe, not from the user):`,
    ...results.map((result) => resultBlock(shortened(result, limit), now)),
  ].join("\n")
}

function shortened({ record, text }: JobWithText, limit: number): JobWithText {
  if (text.kind !== "text" || text.text.length <= limit) return { record, text }
  const rest = `[${text.text.length - limit} more characters: agents_wait with ids ["${record.id}"]]`
  return { record, text: { kind: "text", text: `${text.text.slice(0, limit)}\n${rest}` } }
}
