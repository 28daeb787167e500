import { newSecret } from "./secrets.ts"

/** How long a link waits for its one use, milliseconds. */
const lifetime = 10 * 60_000
/** Links that wait at once; the oldest gives way. */
const most = 32

/** Links that open the page once. */
export class Links {
  readonly #expiries = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** A fresh one, good for ten minutes. */
  create(): string {
    const link = newSecret()
    this.#expiries.set(link, this.#now() + lifetime)
    const [oldest] = this.#expiries.keys()
    if (this.#expiries.size > most && oldest !== undefined) this.#expiries.delete(oldest)
    return link
  }

  /** True once. A lookup in a Map is no oracle: nobody guesses a prefix of 32 random bytes from its timing. */
  redeem(link: string): boolean {
    const expiry = this.#expiries.get(link)
    this.#expiries.delete(link)
    return expiry !== undefined && this.#now() < expiry
  }
}
