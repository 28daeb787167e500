import type { Records } from "../../machines/ledger.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { DeliveredRun } from "../records/delivery-mark.ts"
import type { JobStore } from "../records/store.ts"

/** Which results have reached their owner: each run's once, by a tool or by a notification. */
export class Inbox {
  readonly #records: Records
  readonly #store: JobStore
  /** The last run of each job that its owner knows the end of. */
  readonly #told = new Map<string, number>()

  constructor(records: Records, store: JobStore) {
    this.#records = records
    this.#store = store
  }

  /** The owner's jobs that run, and those whose results it has not read. */
  open(owner: string): JobRecord[] {
    return this.#records.of(owner).filter((record) => !hasEnded(record) || !this.isRead(record))
  }

  unread(owner: string): JobRecord[] {
    return this.#records.of(owner).filter((record) => hasEnded(record) && !this.isRead(record))
  }

  undelivered(owner: string): JobRecord[] {
    return this.unread(owner)
  }

  isRead(record: JobRecord): boolean {
    return (this.#told.get(keyOf(record)) ?? 0) >= record.run
  }

  /** Takes in what an earlier process had already told. */
  adopt(session: string, toldRun: number): void {
    this.#told.set(session, Math.max(toldRun, this.#told.get(session) ?? 0))
  }

  /** Marks what the owner's conversation already holds. */
  markDelivered(owner: string, runs: readonly DeliveredRun[]): void {
    const isDelivered = ({ session, run }: JobRecord) =>
      session !== "" && runs.some((told) => told.session === session && told.run >= run)
    this.markRead(this.unread(owner).filter(isDelivered))
  }

  forgetOwner(owner: string): void {
    for (const record of this.#records.of(owner)) this.#told.delete(keyOf(record))
  }

  markRead(records: readonly JobRecord[]): void {
    const news = records.filter((record) => hasEnded(record) && !this.isRead(record))
    for (const record of news) this.#told.set(keyOf(record), record.run)
    this.#store.markDelivered(news)
  }
}

/** The child session, which outlives this process; a job that never got one has its owner and id alone. */
const keyOf = ({ session, owner, id }: JobRecord) => session || `${owner}/${id}`
