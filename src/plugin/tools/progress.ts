import type { Host, Progress, ToolCallPlace } from "../host/port.ts"
import { throttle } from "../util/throttle.ts"

/** How often the shown tool call changes at most, milliseconds: each change is a write of opencode's. */
const intervalMs = 1_000

/** Shows how a running tool call is doing, in its title and metadata. */
export function shownProgress(host: Host, place: ToolCallPlace) {
  let writing = Promise.resolve()
  let isOver = false
  let latest: Progress | undefined

  const write = async (progress: Progress) => {
    if (isOver) return
    const shown = await host.showProgress(place, progress)
    // opencode may not have stored yet that the call runs, and nothing else might change for a long time.
    if (shown.ok && !shown.value && !isOver) changes.call(latest ?? progress)
  }
  const changes = throttle<Progress>(intervalMs, (progress) => {
    writing = writing.then(() => write(progress))
  })

  return {
    show(title: string, metadata: Record<string, unknown>) {
      latest = { title, metadata }
      changes.call(latest)
    },
    /** To be awaited before the tool returns: a write that came later would show the call as running for ever. */
    async settle() {
      isOver = true
      changes.cancel()
      await writing
    },
  }
}
