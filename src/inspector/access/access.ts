import { Browsers } from "./browsers.ts"
import { Links } from "./links.ts"
import { proofKeyOf, proofOf } from "./proof.ts"
import { isSameSecret, newSecret } from "./secrets.ts"

/** What a browser gets for its link. */
export type Pass = {
  /** What it sends with each request from then on. */
  secret: string
  /** What it sees by that the inspector is still the one that let it in. */
  proofKey: string
}

/** Who may come in: all secrets are of one start of the inspector, but for the token that the user has set. */
export class Access {
  /** What the command line asks for a link with; good for nothing else. */
  readonly linkSecret = newSecret()
  readonly #links: Links
  readonly #browsers = new Browsers()
  readonly #proofKey = proofKeyOf(this.linkSecret)
  readonly #token: string | undefined

  /** @param token what scripts send; without one there is no way in for them */
  constructor(token: string | undefined, now: () => number) {
    this.#token = token
    this.#links = new Links(now)
  }

  /** A fresh link, valid once, for ten minutes. */
  createLink(): string {
    return this.#links.create()
  }

  /** Nothing for a link that was used, has expired, or never was one. */
  exchange(link: string): Pass | undefined {
    if (!this.#links.redeem(link)) return undefined
    return { secret: this.#browsers.admit(), proofKey: this.#proofKey }
  }

  /** Whether it is the secret of a browser, or the token. */
  admits(secret: string): boolean {
    return this.#browsers.knows(secret) || (this.#token !== undefined && isSameSecret(secret, this.#token))
  }

  prove(origin: string, nonce: string): string {
    return proofOf(this.#proofKey, origin, nonce)
  }
}
