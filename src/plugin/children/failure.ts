import type { JobError } from "../../machines/record.ts"
import type { HostError } from "../host/port.ts"

/** What a failed call of opencode means for the job that it was made for. */
export function failure(kind: JobError["kind"], { message, status }: HostError): JobError {
  return { kind, message: status === undefined ? message : `${message} (HTTP ${status})` }
}
