import { newSecret } from "./secrets.ts"

/** Most browsers with a way in. */
const most = 64

/** The browsers that a link has let in, by the secret that each was given. All end with the inspector. */
export class Browsers {
  readonly #secrets = new Set<string>()

  /** A fresh secret. The browser that was let in first may have to ask for a link again. */
  admit(): string {
    const secret = newSecret()
    this.#secrets.add(secret)
    const [first] = this.#secrets
    if (this.#secrets.size > most && first !== undefined) this.#secrets.delete(first)
    return secret
  }

  /** The timing of a Set lookup does not help anybody to guess 32 random bytes. */
  knows(secret: string): boolean {
    return this.#secrets.has(secret)
  }
}
