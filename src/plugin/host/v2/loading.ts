import * as z from "zod"
import { shared } from "../../util/process-wide.ts"
import { within } from "../../util/within.ts"

/** opencode loads a location in 0.1 to 1 s. One that does not tell when it has is taken for loaded. Milliseconds. */
const loadTimeout = 8_000

/**
 * How opencode loads the location that loads this plugin. Until it has, its agents lack what the configuration says of
 * them: they have the rules of opencode itself, which permit more.
 */
export class Loading {
  readonly over: Promise<void>
  readonly #directory: string
  #end: () => void = () => {}
  readonly #listeners = new Set<() => void>()

  constructor(directory: string) {
    this.#directory = directory
    this.over = new Promise((resolve) => {
      const timer = setTimeout(resolve, loadTimeout).unref()
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Hears whenever other agents, or agents with other rules, are there: an agent's own file is read without a load. */
  onAgentsChanged(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Takes every event as opencode tells it. The last of a load is of the plugins; each location has its own. */
  hear(event: unknown): void {
    const { type, location } = OfLocation.safeParse(event).data ?? {}
    if (location?.directory !== this.#directory) return
    if (type === "plugin.updated") this.#end()
    if (type === "agent.updated") for (const tell of this.#listeners) tell()
  }
}

/** By directory: whether each location is loaded, as its events say. Of all instances of the plugin in this process. */
const locations = shared("loaded locations of opencode 2, 1", () => ({
  loaded: new Set<string>(),
  waiting: new Set<() => void>(),
}))

/** Takes every event as opencode tells it. */
export function hearLocations(event: unknown): void {
  const { loaded, waiting } = locations
  const ended = Ended.safeParse(event).data?.location.directory
  if (ended !== undefined) loaded.delete(ended)
  const { type, location } = OfLocation.safeParse(event).data ?? {}
  if (type !== "plugin.updated" || location === undefined) return
  loaded.add(location.directory)
  for (const look of waiting) look()
}

/** Resolves once opencode has loaded this location, which it is known to do. */
export async function untilLoaded(directory: string): Promise<void> {
  const { loaded, waiting } = locations
  let look = () => {}
  const isLoaded = new Promise<void>((resolve) => {
    look = () => void (loaded.has(directory) && resolve())
    waiting.add(look)
    look()
  })
  await within(loadTimeout, isLoaded, () => undefined).finally(() => waiting.delete(look))
}

const Ended = z.object({
  type: z.literal("location.shutdown"),
  location: z.object({ directory: z.string() }),
})

const OfLocation = z.object({
  type: z.enum(["plugin.updated", "agent.updated"]),
  location: z.object({ directory: z.string() }),
})
