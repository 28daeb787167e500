import { derive, isSameSecret } from "./secrets.ts"

/**
 * How an inspector shows that it is the one it was: whoever knows its secret, or the key made of it, asks for what only
 * that inspector can make of a fresh nonce. Its origin is part of it, so that nobody on another port can pass it on.
 */
export const proofKeyOf = (secret: string): string => derive(secret, "proof")

export const proofOf = (key: string, origin: string, nonce: string): string =>
  derive(key, `${origin} ${nonce}`)

export const isProof = (
  proof: string,
  { url, secret, nonce }: { url: string; secret: string; nonce: string },
) => isSameSecret(proof, proofOf(proofKeyOf(secret), url, nonce))
