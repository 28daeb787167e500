import { shared } from "../../util/process-wide.ts"
import type { LoadGuard, Tool } from "../port.ts"

/** What an instance of the plugin answers, for the sessions of others too. */
export type Instance = {
  tools: Record<string, Tool>
  hintFor(session: string): Promise<string | undefined>
  openJobs(session: string): string | undefined
}

/**
 * `lent`: the directories in which children of sessions in another one work, and that one. `loaded`: how many instances
 * of the plugin opencode has in each directory. `assured`: the directories that it may load, as was found out before.
 */
type Known = {
  instances: Map<string, Instance>
  lent: Map<string, string>
  loaded: Map<string, number>
  assured: Map<string, Promise<unknown>>
}

/** Of all instances in this process. The number counts up when `Known` or `Instance` changes: others would not fit. */
const known = shared<Known>("instances of opencode 1.18, 2", () => ({
  instances: new Map(),
  lent: new Map(),
  loaded: new Map(),
  assured: new Map(),
}))

/**
 * The instances of the plugin, of which opencode 1.18 makes one for each directory. The jobs of a session are those of
 * the instance where the owner above it is, in whichever directory its children work.
 */
export const instances = {
  of: (directory: string) => known.instances.get(directory),

  /** opencode has loaded this directory. Returns what says that it has disposed of it. */
  load(directory: string): () => void {
    const count = (by: number) => known.loaded.set(directory, (known.loaded.get(directory) ?? 0) + by)
    count(1)
    return () => {
      count(-1)
      known.assured.delete(directory)
    }
  },

  /** Where the plugin is not among what a directory's configuration loads, being asked to load it has to do. */
  hasLoaded: (directory: string) => (known.loaded.get(directory) ?? 0) > 0 || known.assured.has(directory),

  /** Asks once for each load whether opencode may load a directory. */
  async beforeLoad(directory: string, assure: LoadGuard): Promise<void> {
    if ((known.loaded.get(directory) ?? 0) > 0) return
    const asked = known.assured.get(directory) ?? assure(directory)
    known.assured.set(directory, asked)
    try {
      await asked
    } catch (error) {
      known.assured.delete(directory)
      throw error
    }
  },

  /** Whoever comes later for the same directory takes its place. Returns what ends that. */
  enter(directory: string, instance: Instance): () => void {
    known.instances.set(directory, instance)
    return () => {
      if (known.instances.get(directory) === instance) known.instances.delete(directory)
    }
  },

  /** Children of sessions in `home` work in this directory. */
  lend: (directory: string, home: string) => void known.lent.set(directory, home),

  /** The one whose children work in this directory. */
  lenderOf(directory: string): Instance | undefined {
    const home = known.lent.get(directory)
    return home === undefined ? undefined : known.instances.get(home)
  },

  /** Whether a session may belong to another instance than that of its directory. */
  isAnyLent: () => known.lent.size > 0,
}
