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
  readonly #store: Pick<JobStore, "markDelivered" | "markUndelivered">
  /** The last run of each job whose result is delivered. */
  readonly #delivered = new Map<string, number>()
  /** The last run of each job whose result starts no turn: the user undid its delivery, or a call showed its beginning. */
  readonly #notDue = new Map<string, number>()
  /** Results that the answer of a call holds which opencode has not stored yet, by job; and the owner they are of. */
  readonly #onTheWay = new Map<string, { owner: string; call: string; run: number }>()
  readonly #listeners = new Set<(owner: string) => void>()

  constructor(
    troupe: Pick<Troupe, "records" | "releaseText">,
    store: Pick<JobStore, "markDelivered" | "markUndelivered">,
  ) {
    this.#troupe = troupe
    this.#store = store
    troupe.records.onForgotten((record) => {
      this.#delivered.delete(keyOf(record))
      this.#notDue.delete(keyOf(record))
    })
  }

  /** The owner's jobs that run, and those whose results are not delivered. */
  open(owner: string): JobRecord[] {
    return this.#troupe.records.of(owner).filter((record) => !hasEnded(record) || !this.isDelivered(record))
  }

  undelivered(owner: string): JobRecord[] {
    return this.#troupe.records.of(owner).filter((record) => hasEnded(record) && !this.isDelivered(record))
  }

  /** Undelivered results that their owner expects. The others go with the next that are delivered. */
  due(owner: string): JobRecord[] {
    return this.undelivered(owner).filter((record) => this.#notDue.get(keyOf(record)) !== record.run)
  }

  hasDelivered(owner: string): boolean {
    return this.#troupe.records.of(owner).some((record) => this.#delivered.has(keyOf(record)))
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
      this.#notDue.delete(keyOf(record))
      this.#troupe.releaseText(record)
    }
    this.#store.markDelivered(news)
    for (const listener of this.#listeners) listener(owner)
  }

  /** Takes in that the owner's conversation holds these and no others. */
  keepDelivered(owner: string, runs: readonly DeliveredRun[]): void {
    const lost = this.#troupe.records
      .of(owner)
      .filter((record) => hasEnded(record) && this.isDelivered(record) && !isIn(runs, record))
    for (const record of lost) {
      this.#delivered.delete(keyOf(record))
      this.#notDue.set(keyOf(record), record.run)
    }
    this.#store.markUndelivered(lost)
  }

  /** A call has shown the beginnings of these results. */
  showedBeginnings(records: readonly JobRecord[]): void {
    for (const record of records) this.#notDue.set(keyOf(record), record.run)
  }

  /** Whether another call has this result: delivered, or in an answer that opencode has not stored yet. */
  isTaken(record: JobRecord, call: string | undefined): boolean {
    const held = this.#onTheWay.get(keyOf(record))
    return this.isDelivered(record) || (held !== undefined && held.run === record.run && held.call !== call)
  }

  /** The answer of this call holds these results. Should opencode not store it, they are undelivered as before. */
  handOver(records: readonly JobRecord[], call: string | undefined): void {
    if (call === undefined) return
    for (const record of records) {
      const { owner, run } = record
      if (!this.isDelivered(record)) this.#onTheWay.set(keyOf(record), { owner, call, run })
    }
  }

  /** The answers of tools and the notifications that opencode has stored. */
  hear(event: HostEvent): void {
    const { type, session } = event
    if (type === "tool.ended" || type === "mark.stored") this.markDelivered(session, runsIn(event.mark))
    if (type === "tool.ended")
      this.#forgetOnTheWay(({ owner, call }) => owner === session && call === event.call)
    // Its turn is over: what was not stored by now never will be.
    if (type === "session.idle" || type === "session.deleted")
      this.#forgetOnTheWay(({ owner }) => owner === session)
  }

  #forgetOnTheWay(test: (held: { owner: string; call: string }) => boolean): void {
    for (const [key, held] of this.#onTheWay) if (test(held)) this.#onTheWay.delete(key)
  }

  /** Hears of each owner to whom something was delivered. Returns what ends the subscription. */
  subscribe(listener: (owner: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** The child session, which outlives this process; a job that never got one has its owner and id alone. */
const keyOf = ({ session, owner, id }: JobRecord) => session || `${owner}/${id}`
