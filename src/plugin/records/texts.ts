import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Host, HostMessage } from "../host/port.ts"

/** A record with its text, or with why that could not be read. */
export type ReadRecord = { record: JobRecord; problem?: string }

/** The texts that are no longer in memory are read from the jobs' child sessions when somebody asks for them. */
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
  return { record: { ...record, text: lastText(messages.value) ?? "" } }
}

/** The last that a child has written, in whatever run. */
export function lastText(messages: readonly HostMessage[]): string | undefined {
  return messages
    .filter(({ role }) => role === "assistant")
    .map(({ text }) => text)
    .findLast((each) => each !== "")
}
