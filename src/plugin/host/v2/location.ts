import { shared } from "../../util/process-wide.ts"
import { within } from "../../util/within.ts"
import type { ToolResult } from "./api.ts"

/**
 * An instance of the plugin, as whatever opencode has registered of any other one calls it: with what opencode hands
 * over, which the instance reads itself.
 */
export type Instance = {
  call(tool: string, given: unknown, call: unknown): Promise<ToolResult>
  context(request: unknown): Promise<void>
  compaction(request: unknown): Promise<void>
  permission(check: unknown): Promise<void>
  /** Resolves once it has ended, however often it is called. */
  end(): Promise<void>
}

/**
 * A location of opencode and the instances of the plugin that follow each other in it. opencode may go on calling what
 * an earlier one has registered: every call is the current one's.
 */
export type Location = {
  /**
   * Puts a new instance in the place of the current one, which it ends first. Rejects as `make` does.
   * @returns what ends the new one
   */
  enter(make: () => Promise<Instance>): Promise<() => Promise<void>>
  /**
   * The instance to call: the one that is being made, if there is one.
   * @param waitMs how long to wait for one where there is none, as between the end of one and the start of the next
   */
  current(waitMs?: number): Promise<Instance | undefined>
}

/** The location of this directory, shared by all versions of the plugin that this process has loaded. */
export function locationOf(directory: string): Location {
  const location = locations.get(directory) ?? createLocation()
  locations.set(directory, location)
  return location
}

/** The number counts up when `Location` or `Instance` changes: another version of the plugin would not fit. */
const locations = shared("locations of opencode 2, 1", () => new Map<string, Location>())

export function createLocation(): Location {
  /** The last one that was begun; it may have ended. */
  let last: Promise<Instance> | undefined
  /** The same, unless its end has begun. */
  let current: Promise<Instance> | undefined
  const waiting = new Set<() => void>()

  const leave = (instance: Promise<Instance>) => {
    if (current === instance) current = undefined
  }

  const next = (waitMs: number) => {
    let heard = () => {}
    const entered = new Promise<void>((resolve) => {
      heard = resolve
    })
    waiting.add(heard)
    return within(waitMs, entered, () => {}).finally(() => waiting.delete(heard))
  }

  return {
    async enter(make) {
      const before = last
      const instance = (async () => {
        // How it failed, its own opencode hears.
        await before?.then(({ end }) => end()).catch(() => {})
        return make()
      })()
      last = instance
      current = instance
      for (const tell of waiting) tell()
      try {
        const { end } = await instance
        return async () => {
          leave(instance)
          await end()
          if (last === instance) last = undefined
        }
      } catch (error) {
        leave(instance)
        throw error
      }
    },

    async current(waitMs = 0) {
      for (;;) {
        if (!current && waitMs > 0) await next(waitMs)
        const asked = current
        const made = await asked?.catch(() => undefined)
        if (current === asked) return made
      }
    },
  }
}
