import { newSecret } from "./secrets.ts"

/** How long a link can be used, milliseconds. */
const lifetime = 10 * 60_000
/** Enough for what holds ten minutes and once, and short enough that a toast shows the link on one line. */
const linkBytes = 16
/** Most unused links; the oldest is dropped. */
const most = 32

/** Single-use links to the page. */
export class Links {
  readonly #expiries = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** A fresh link, valid for ten minutes. */
  create(): string {
    const link = newSecret(linkBytes)
    this.#expiries.set(link, this.#now() + lifetime)
    const [oldest] = this.#expiries.keys()
    if (this.#expiries.size > most && oldest !== undefined) this.#expiries.delete(oldest)
    return link
  }

  /** True once. The timing of a Map lookup does not help anybody to guess 16 random bytes. */
  redeem(link: string): boolean {
    const expiry = this.#expiries.get(link)
    this.#expiries.delete(link)
    return expiry !== undefined && this.#now() < expiry
  }
}
