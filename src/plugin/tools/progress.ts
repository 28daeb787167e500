import type { Host, Progress, ToolCallPlace } from "../host/port.ts"
import { throttle } from "../util/throttle.ts"

/**
 * How often the shown tool call changes at most, milliseconds: each change is a write of opencode's, for which the
 * children would wait as they start, and the owner as the call ends.
 */
const intervalMs = 1_000

/** Shows how a running tool call is doing, in its title and metadata: from an interval after its beginning on. */
export function shownProgress(host: Host, place: ToolCallPlace) {
  let writing: Promise<unknown> = Promise.resolve()
  /** Aborts what has not been shown by then. */
  let latest = new AbortController()

  const changes = throttle<Progress>(
    intervalMs,
    (progress) => {
      latest.abort()
      latest = new AbortController()
      const { signal } = latest
      writing = writing.then(() => (signal.aborted ? undefined : host.showProgress(place, progress, signal)))
    },
    { isLate: true },
  )

  return {
    show: (title: string, metadata: Record<string, unknown>) => changes.call({ title, metadata }),
    /** To be awaited before the tool returns: a write that came later would show the call as running for ever. */
    async settle() {
      changes.cancel()
      latest.abort()
      await writing
    },
  }
}
