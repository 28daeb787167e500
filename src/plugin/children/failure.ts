import { boundedMessage, type JobError } from "../../machines/record.ts"
import type { HostError } from "../host/port.ts"

/** Heard from opencode, or seen where a call fails: whichever comes first, it is the same end. */
export const childDeleted: JobError = { kind: "cancelled", message: "its child session was deleted" }

/** What a failed call of opencode means for the job that it was made for. */
export function failure(kind: JobError["kind"], { message, status }: HostError): JobError {
  const words = boundedMessage(message)
  return { kind, message: status === undefined ? words : `${words} (HTTP ${status})` }
}
