import { shared } from "../../util/process-wide.ts"
import type { Host } from "../port.ts"

/**
 * Which instance of the plugin has a session's jobs, of all those in this process. opencode 2 makes one for each
 * location and lets a session move from one location to another: its jobs stay where they are, and what it starts later
 * joins them. What its children start belongs to it.
 */
export type Homes = {
  /** The location of the instance that has them, if one has that lives. */
  of(session: string): Promise<string | undefined>
  /** The same: from now on this one, where none has. */
  enter(session: string): Promise<string>
  /** The sessions whose jobs an earlier instance of this location had, and nobody has now. */
  left(): string[]
  /** Told whenever an instance has ended that had some. */
  onLeft(hear: () => void): void
  /** Whoever asks next has what this instance had. */
  end(): void
}

type Home = { readonly directory: string; isOver: boolean; hearLeft: () => void }

/** By session, those that are nobody's child. */
const homes = shared("homes of opencode 2, 1", () => new Map<string, Home>())
const livingHomes = shared("living homes of opencode 2, 1", () => new Set<Home>())

export function createHomes(directory: string, host: Pick<Host, "session">): Homes {
  const own: Home = { directory, isOver: false, hearLeft: () => {} }
  livingHomes.add(own)

  /** As far as opencode says. */
  async function rootOf(session: string): Promise<string> {
    const found = await host.session(session)
    const parent = found.ok ? found.value.parent : undefined
    return parent === undefined ? session : rootOf(parent)
  }

  const living = (root: string) => {
    const home = homes.get(root)
    return home?.isOver ? undefined : home
  }

  return {
    of: async (session) => living(await rootOf(session))?.directory,
    async enter(session) {
      const root = await rootOf(session)
      const home = living(root) ?? own
      homes.set(root, home)
      return home.directory
    },
    left: () =>
      [...homes].flatMap(([session, home]) => (home.isOver && home.directory === directory ? session : [])),
    onLeft(hear) {
      own.hearLeft = hear
    },
    end() {
      own.isOver = true
      livingHomes.delete(own)
      const hadSome = [...homes.values()].includes(own)
      if (hadSome) for (const { hearLeft } of livingHomes) hearLeft()
    },
  }
}

/** It will not come back. */
export const forgetHome = (session: string): void => void homes.delete(session)
