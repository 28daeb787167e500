import type { SimulatedClock } from "xstate"

type Timer = { due: number; callback(): void }

/**
 * A clock that is moved by hand, and whose timers go off by hand: in any order, as in a process that had no time for
 * them.
 */
export class HandClock implements Pick<SimulatedClock, "now" | "set" | "setTimeout" | "clearTimeout"> {
  readonly #timers = new Map<number, Timer>()
  #now = 0
  #latest = 0

  now(): number {
    return this.#now
  }

  set(ms: number): void {
    this.#now = ms
  }

  /** When the timers go off that nobody has cleared. */
  get pending(): number[] {
    return [...this.#timers.values()].map(({ due }) => due)
  }

  /** Lets the one timer go off that is due at that time. */
  goOff(ms: number): void {
    const [found, ...others] = [...this.#timers].filter(([, { due }]) => due === ms)
    if (!found || others.length > 0)
      throw new Error(`${others.length + (found ? 1 : 0)} timers are due at ${ms}`)
    const [id, { callback }] = found
    this.#timers.delete(id)
    this.#now = Math.max(this.#now, ms)
    callback()
  }

  setTimeout(callback: () => void, ms: number): number {
    this.#latest++
    this.#timers.set(this.#latest, { due: this.#now + ms, callback })
    return this.#latest
  }

  clearTimeout(id: number): void {
    this.#timers.delete(id)
  }
}
