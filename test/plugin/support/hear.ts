import type { HostEvent } from "../../../src/plugin/host/port.ts"
import { decodeEvent } from "../../../src/plugin/host/v1/events.ts"

/** Hands on opencode's own events as they are decoded. */
export const hear = (handle: (event: HostEvent) => void) => (event: object) => {
  const decoded = decodeEvent(event)
  if (decoded) handle(decoded)
}
