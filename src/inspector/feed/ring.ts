import type { JobKey } from "../../machines/record.ts"
import type { Source } from "../source.ts"

/** Of a job; without an `id`, of its owner's title. */
export type Change = Pick<JobKey, "owner"> & { id?: string; source: Source }
export type NumberedChange = Change & { seq: number }

/** Changes kept for clients that are behind. Each takes about sixty bytes, whatever the size of the job. */
const capacity = 4_096

/**
 * The latest changes, numbered. It holds which job changed, not how: a client that is behind reads the job as it is
 * then, so many changes of one job become one.
 */
export class Ring {
  readonly #changes: (Change | undefined)[] = new Array(capacity)
  /** The lowest number that clients may continue from. */
  #floor: number
  #head: number

  /** @param start the number before the first change. */
  constructor(start: number) {
    this.#floor = start
    this.#head = start
  }

  /** The number of the latest change. */
  get head(): number {
    return this.#head
  }

  push(change: Change): void {
    this.#head++
    this.#changes[this.#head % capacity] = change
    this.#floor = Math.max(this.#floor, this.#head - capacity)
  }

  /** Makes clients that are behind start over: some changes were not recorded. */
  reset(): void {
    this.#head++
    this.#floor = this.#head
    this.#changes.fill(undefined)
  }

  /** The jobs that changed after `seq`, each once with its latest number; undefined when that is no longer known. */
  since(seq: number): NumberedChange[] | undefined {
    if (seq < this.#floor || seq > this.#head) return undefined
    const seen = new Set<string>()
    const latest: NumberedChange[] = []
    for (let at = this.#head; at > seq; at--) {
      const change = this.#changes[at % capacity]
      if (!change) continue
      const key = `${change.owner}/${change.id ?? ""}`
      if (seen.has(key)) continue
      seen.add(key)
      latest.push({ ...change, seq: at })
    }
    return latest.reverse()
  }
}
