import * as z from "zod"
import { shared } from "../../util/process-wide.ts"
import { within } from "../../util/within.ts"
import { typeOf } from "../event-type.ts"

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

  /**
   * Hears whenever other agents, or agents with other rules, are there: an agent's own file is read without a load.
   * @returns what ends that
   */
  onAgentsChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Takes every event as opencode tells it. The last of a load is of the plugins; each location has its own. */
  hear(event: unknown): void {
    const type = typeOf(event)
    if (type !== "plugin.updated" && type !== "agent.updated") return
    if (directoryIn(event) !== this.#directory) return
    if (type === "plugin.updated") this.#end()
    else for (const tell of this.#listeners) tell()
  }
}

/** By directory: whether each location is loaded, as its events say. Of all instances of the plugin in this process. */
const locations = shared("loaded locations of opencode 2, 1", () => ({
  loaded: new Set<string>(),
  waiting: new Set<() => void>(),
}))

/** Takes every event as opencode tells it. */
export function hearLocations(event: unknown): void {
  const type = typeOf(event)
  if (type !== "plugin.updated" && type !== "location.shutdown") return
  const directory = directoryIn(event)
  if (directory === undefined) return
  const { loaded, waiting } = locations
  if (type === "location.shutdown") loaded.delete(directory)
  else {
    loaded.add(directory)
    for (const look of waiting) look()
  }
}

/** Whether opencode has it loaded, as far as has been heard. */
export const hasLoaded = (directory: string): boolean => locations.loaded.has(directory)

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

const OfLocation = z.object({ location: z.object({ directory: z.string() }) })

const directoryIn = (event: unknown) => OfLocation.safeParse(event).data?.location.directory
