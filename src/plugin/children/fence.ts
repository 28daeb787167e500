import { createHash } from "node:crypto"

/**
 * A tag for a block of foreign text, which that text does not have, so that nothing in it can end the block. The same
 * for the same seed and text: what is asked again is asked in the same words.
 */
export function fenceFor(kind: string, seed: string, text: string): string {
  for (let attempt = 0; ; attempt++) {
    const hash = createHash("sha256").update(`${seed} ${attempt}`).digest("hex").slice(0, 8)
    if (!text.includes(hash)) return `${kind}-${hash}`
  }
}
