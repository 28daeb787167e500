import { setTimeout as after } from "node:timers/promises"

/**
 * A growing list that tests can wait on: `waitFor` looks at what is there and again at each change, so a test
 * never sleeps and never misses what came before it asked.
 */
export class Watched<T> {
  readonly items: T[] = []
  readonly #waiters = new Set<() => void>()
  readonly #listeners = new Set<(item: T) => void>()
  readonly #what: string

  /** @param what names an item in the error of a wait that ran out: "model request". */
  constructor(what: string) {
    this.#what = what
  }

  add(item: T): void {
    this.items.push(item)
    for (const hear of [...this.#listeners]) hear(item)
    this.changed()
  }

  /** Hears of every item from now on, until the returned function is called. */
  listen(hear: (item: T) => void): () => void {
    this.#listeners.add(hear)
    return () => this.#listeners.delete(hear)
  }

  /** Says that an item already in the list is different now. */
  changed(): void {
    for (const look of [...this.#waiters]) look()
  }

  /** The first item that matches, past ones included. Rejects after `timeoutMs`. */
  waitFor(matches: (item: T) => boolean, timeoutMs = 15_000): Promise<T> {
    const late = new Error(`No ${this.#what} matched within ${timeoutMs} ms: ${matches}`)
    return new Promise((resolve, reject) => {
      const settle = (done: () => void) => {
        clearTimeout(timer)
        this.#waiters.delete(look)
        done()
      }
      const look = () => {
        try {
          const index = this.items.findIndex(matches)
          const found = this.items[index]
          if (index >= 0 && found !== undefined) settle(() => resolve(found))
        } catch (error) {
          settle(() => reject(error))
        }
      }
      const timer = setTimeout(() => settle(() => reject(late)), timeoutMs)
      this.#waiters.add(look)
      look()
    })
  }
}

/**
 * Asks again every `everyMs` until `look` gives something. Only for what cannot tell us itself: a screen, a
 * file, whether a process is there. Each request costs opencode 8 ms of CPU.
 */
export async function poll<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  { timeoutMs = 15_000, everyMs = 100 } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`)
    await after(everyMs)
  }
}
