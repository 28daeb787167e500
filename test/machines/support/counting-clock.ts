import { SimulatedClock } from "xstate"

/** A simulated clock that knows which timers nobody has cleared and that have not gone off. */
export class CountingClock extends SimulatedClock {
  readonly #pending = new Set<number>()
  /** Every delay that was asked for, oldest first. Milliseconds. */
  readonly delays: number[] = []

  get pending(): number {
    return this.#pending.size
  }

  override setTimeout(callback: () => void, ms: number): number {
    this.delays.push(ms)
    const id = super.setTimeout(() => {
      this.#pending.delete(id)
      callback()
    }, ms)
    this.#pending.add(id)
    return id
  }

  override clearTimeout(id: number): void {
    this.#pending.delete(id)
    super.clearTimeout(id)
  }
}
