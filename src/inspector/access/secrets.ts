import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** 32 random bytes, fit for an address. */
export const newSecret = () => randomBytes(32).toString("base64url")

/** Takes as long for a near miss as for a far one. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

/** A secret of its own for each purpose: who learns one does not know the token. */
export function derive(token: string, purpose: string): string {
  return createHmac("sha256", token).update(purpose).digest("base64url")
}

// Equal lengths for timingSafeEqual, whatever was given.
const digest = (text: string) => createHash("sha256").update(text).digest()
