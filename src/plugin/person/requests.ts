import type { ShownRequest } from "../../inspector/index.ts"
import type { JobRecord } from "../../machines/record.ts"
import type { Host } from "../host/port.ts"

/** What a job asks a person, in full. */
export async function requestsOf(
  host: Pick<Host, "request">,
  { session, asks = [] }: JobRecord,
): Promise<ShownRequest[]> {
  const read = await Promise.all(asks.map((ask) => host.request(ask.session ?? session, ask)))
  return read.flatMap((asked) => (asked.ok && asked.value ? [asked.value] : []))
}
