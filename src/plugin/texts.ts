import { hasEnded, type JobRecord } from "../machines/record.ts"
import { textOf } from "./children.ts"
import type { Host } from "./host.ts"

/** The texts of jobs that an earlier process ended are read from their child sessions when somebody asks for them. */
export function withTexts(host: Host, records: readonly JobRecord[]): Promise<JobRecord[]> {
  return Promise.all(records.map((record) => (isMissing(record) ? withText(host, record) : record)))
}

const isMissing = (record: JobRecord) =>
  hasEnded(record) && record.text === undefined && record.session !== ""

async function withText(host: Host, record: JobRecord): Promise<JobRecord> {
  const messages = await host.messages(record.session)
  if (!messages.ok) return record
  const text = messages.value
    .filter(({ info }) => info.role === "assistant")
    .map(textOf)
    .findLast((each) => each !== "")
  return text === undefined ? record : { ...record, text }
}
