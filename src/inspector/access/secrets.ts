import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** Random bytes, encoded for a URL. */
export const newSecret = (bytes = 32) => randomBytes(bytes).toString("base64url")

/** In constant time. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

/** What only somebody with the secret can make of a text, and what does not reveal the secret. */
export function derive(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("base64url")
}

// timingSafeEqual requires equal lengths.
const digest = (text: string) => createHash("sha256").update(text).digest()
