import { plainText } from "../../../util/plain.ts"

/** The longest that is kept of what a command writes, characters. */
export const longestTail = 8_000
/** No character takes more bytes. */
const mostBytes = longestTail * 4

/** Keeps the end of what is written, however much that is. */
export class Tail {
  #kept: Buffer[] = []
  #bytes = 0
  #isCut = false

  add(chunk: Buffer): void {
    this.#kept.push(chunk)
    this.#bytes += chunk.length
    // Joined now and then, so that many small chunks cost no more than their bytes.
    if (this.#bytes > 2 * mostBytes || this.#kept.length > 1_000) this.#cut()
  }

  #cut(): void {
    const all = Buffer.concat(this.#kept)
    const end = all.subarray(Math.max(0, all.length - mostBytes))
    this.#isCut ||= end.length < all.length
    // A copy: what is left out is not to be kept in memory by it.
    this.#kept = [Buffer.from(end)]
    this.#bytes = end.length
  }

  /** As text, without what a terminal would carry out. Where the beginning is left out, it says so. */
  text(): string {
    this.#cut()
    const text = plainText(new TextDecoder().decode(Buffer.concat(this.#kept))).trimEnd()
    const end = text.slice(Math.max(0, text.length - longestTail)).replace(/^[\uDC00-\uDFFF]/, "")
    return this.#isCut || end.length < text.length ? `…${end}` : end
  }
}
