import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** Random bytes, encoded for a URL. */
export const newSecret = (bytes = 32) => randomBytes(bytes).toString("base64url")

/** In constant time. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

/** A separate secret for each purpose, which does not reveal the token. */
export function derive(token: string, purpose: string): string {
  return createHmac("sha256", token).update(purpose).digest("base64url")
}

// timingSafeEqual requires equal lengths.
const digest = (text: string) => createHash("sha256").update(text).digest()
