import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { HostEvent } from "../host/port.ts"
import { type DeliveredRun, isIn, runsIn } from "../records/delivery-mark.ts"
import type { JobStore } from "../records/store.ts"

/**
 * Which results are delivered: those that their owner's conversation holds, be it as the answer of a tool or as a
 * notification. What a tool has answered is not yet there: opencode may be interrupted, or its disk full.
 */
export class Inbox {
  readonly #troupe: Pick<Troupe, "records" | "releaseText">
  readonly #store: Pick<JobStore, "markDelivered">
  /** The last run of each job whose result is delivered. */
  readonly #delivered = new Map<string, number>()
  readonly #listeners = new Set<(owner: string) => void>()

  constructor(troupe: Pick<Troupe, "records" | "releaseText">, store: Pick<JobStore, "markDelivered">) {
    this.#troupe = troupe
    this.#store = store
    troupe.records.onForgotten((record) => this.#delivered.delete(keyOf(record)))
  }

  /** The owner's jobs that run, and those whose results are not delivered. */
  open(owner: string): JobRecord[] {
    return this.#troupe.records.of(owner).filter((record) => !hasEnded(record) || !this.isDelivered(record))
  }

  undelivered(owner: string): JobRecord[] {
    return this.#troupe.records.of(owner).filter((record) => hasEnded(record) && !this.isDelivered(record))
  }

  isDelivered(record: JobRecord): boolean {
    return (this.#delivered.get(keyOf(record)) ?? 0) >= record.run
  }

  /** Takes in what an earlier process had delivered. */
  adopt(session: string, deliveredRun: number): void {
    this.#delivered.set(session, Math.max(deliveredRun, this.#delivered.get(session) ?? 0))
  }

  /** Takes in what the owner's conversation holds. */
  markDelivered(owner: string, runs: readonly DeliveredRun[]): void {
    if (runs.length === 0) return
    const news = this.undelivered(owner).filter((record) => isIn(runs, record))
    if (news.length === 0) return
    for (const record of news) {
      this.#delivered.set(keyOf(record), record.run)
      this.#troupe.releaseText(record)
    }
    this.#store.markDelivered(news)
    for (const listener of this.#listeners) listener(owner)
  }

  /** The answers of tools and the notifications that opencode has stored. */
  hear(event: HostEvent): void {
    if (event.type === "tool.ended" || event.type === "mark.stored")
      this.markDelivered(event.session, runsIn(event.mark))
  }

  /** Hears of each owner to whom something was delivered. Returns what ends the subscription. */
  subscribe(listener: (owner: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** The child session, which outlives this process; a job that never got one has its owner and id alone. */
const keyOf = ({ session, owner, id }: JobRecord) => session || `${owner}/${id}`
