import type { Titles } from "../../inspector/index.ts"
import type { Host, HostEvent } from "../host/port.ts"

export type OwnerTitles = Titles & { hear(event: HostEvent): void }

/** How many are read at once. */
const mostReads = 4

/**
 * The titles of owners' sessions: read when somebody asks, and again after a turn of theirs, in which opencode gives a
 * session its title, while somebody listens.
 */
export function createTitles(host: Pick<Host, "session">): OwnerTitles {
  const known = new Map<string, string>()
  /** Those that were asked for since somebody began to listen. */
  const asked = new Set<string>()
  const wanted = new Set<string>()
  const listeners = new Set<(owner: string) => void>()
  let reading = 0

  function want(owner: string): void {
    wanted.add(owner)
    if (reading < mostReads) void readAll()
  }

  async function readAll(): Promise<void> {
    reading++
    for (const owner of wanted) {
      wanted.delete(owner)
      const session = await host.session(owner)
      if (!session.ok) continue
      const { title } = session.value
      if (title === "" || known.get(owner) === title) continue
      known.set(owner, title)
      for (const hear of listeners) hear(owner)
    }
    reading--
  }

  return {
    of(owner) {
      if (!asked.has(owner)) want(owner)
      asked.add(owner)
      return known.get(owner)
    },
    subscribe(hear) {
      // What changed while nobody listened was not heard.
      if (listeners.size === 0) asked.clear()
      listeners.add(hear)
      return () => listeners.delete(hear)
    },
    hear({ type, session }) {
      if (type === "session.deleted") {
        known.delete(session)
        asked.delete(session)
      }
      if (type === "session.idle" && listeners.size > 0 && asked.has(session)) want(session)
    },
  }
}
