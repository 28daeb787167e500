import { inLineSince } from "../../machines/durations.ts"
import {
  ENDED_STATES,
  type EndedState,
  hasEnded,
  type JobRecord,
  NO_USAGE,
  type Usage,
} from "../../machines/record.ts"
import type { Source, Sources } from "../source.ts"

/** Upper bounds of the buckets, seconds. */
const bounds = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 1_800, 3_600]

/** A cumulative histogram in seconds. */
export class Histogram {
  readonly buckets = bounds.map((bound) => ({ bound, count: 0 }))
  sum = 0
  count = 0

  add(ms: number): void {
    const seconds = Math.max(0, ms / 1_000)
    this.sum += seconds
    this.count++
    for (const bucket of this.buckets) if (seconds <= bucket.bound) bucket.count++
  }
}

/**
 * Counters, which Prometheus requires never to decrease: a job that runs again, or is forgotten with its owner, takes
 * nothing away. They count from the first scrape on.
 */
export class Totals {
  /** Runs that have ended. */
  readonly ended = new Map<EndedState, number>(ENDED_STATES.map((state) => [state, 0]))
  /** Why those that are not done are not. */
  readonly errors = new Map<string, number>()
  /** From when a job was in line for a slot to its first prompt. First runs only: records do not say when a follow-up was sent. */
  readonly queue = new Histogram()
  /** From a run's prompt to its end. */
  readonly run = new Histogram()
  readonly usage: Usage = { ...NO_USAGE }
  readonly #sources: Sources
  /** The unsubscribe function of each source. */
  readonly #counted = new Map<Source, () => void>()
  #unsubscribe: (() => void) | undefined

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** Starts counting with what is there now. */
  begin(): void {
    if (this.#unsubscribe) return
    this.#unsubscribe = this.#sources.subscribe(() => this.#follow())
    this.#follow()
  }

  stop(): void {
    this.#unsubscribe?.()
    for (const end of this.#counted.values()) end()
    this.#counted.clear()
  }

  #follow(): void {
    const sources = this.#sources.list()
    for (const [source, end] of this.#counted) {
      if (sources.includes(source)) continue
      end()
      this.#counted.delete(source)
    }
    for (const source of sources) {
      if (this.#counted.has(source)) continue
      for (const record of source.records.all()) this.#count(source, record, undefined)
      this.#counted.set(
        source,
        source.records.subscribe((record, before) => this.#count(source, record, before)),
      )
    }
  }

  #count({ records }: Source, record: JobRecord, before: JobRecord | undefined): void {
    const { owner, startedAt, endedAt, run, error } = record
    if (startedAt !== undefined && before?.startedAt === undefined && run === 1)
      this.queue.add(startedAt - inLineSince(record, (id) => records.get(owner, id)?.endedAt, startedAt))
    if (hasEnded(record) && !(before && hasEnded(before))) {
      this.ended.set(record.state, (this.ended.get(record.state) ?? 0) + 1)
      if (error) this.errors.set(error.kind, (this.errors.get(error.kind) ?? 0) + 1)
      if (startedAt !== undefined && endedAt !== undefined) this.run.add(endedAt - startedAt)
    }
    const known = before?.usage ?? NO_USAGE
    for (const kind of usageKinds) this.usage[kind] += Math.max(0, record.usage[kind] - known[kind])
  }
}

const usageKinds = ["input", "output", "reasoning", "cacheRead", "cacheWrite", "cost"] as const
