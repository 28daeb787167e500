import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"

/** A record with its text, or with why that could not be read. */
export type ReadRecord = { record: JobRecord; problem?: string }

/** The texts of jobs that an earlier process ended are read from their child sessions when somebody asks for them. */
export function withTexts(host: Host, records: readonly JobRecord[]): Promise<ReadRecord[]> {
  return Promise.all(records.map((record) => withText(host, record)))
}

export async function withText(host: Host, record: JobRecord): Promise<ReadRecord> {
  if (!hasEnded(record) || record.text !== undefined || record.session === "") return { record }
  const messages = await host.messages(record.session)
  if (!messages.ok) {
    const { status, message } = messages.error
    // A session that was deleted took its text along.
    return status === 404 ? { record } : { record, problem: message }
  }
  const text = messages.value
    .filter(({ role }) => role === "assistant")
    .map(({ text }) => text)
    .findLast((each) => each !== "")
  return { record: { ...record, text: text ?? "" } }
}
