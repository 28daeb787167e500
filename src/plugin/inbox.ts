import type { Records } from "../machines/ledger.ts"
import { hasEnded, type JobRecord } from "../machines/record.ts"
import type { JobStore } from "./store.ts"
import type { DeliveredRun } from "./transcript.ts"

/** Which results have reached their owner: each run's once, by a tool or by a notification. */
export class Inbox {
  readonly #records: Records
  readonly #store: JobStore
  /** The last run of each job that its owner knows the end of, by child session. */
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

  isRead({ session, run }: JobRecord): boolean {
    return (this.#told.get(session) ?? 0) >= run
  }

  /** Takes in what an earlier process had already told. */
  adopt(session: string, toldRun: number): void {
    this.#told.set(session, Math.max(toldRun, this.#told.get(session) ?? 0))
  }

  /** Marks what the owner's conversation already holds. */
  markDelivered(owner: string, runs: readonly DeliveredRun[]): void {
    const isDelivered = ({ session, run }: JobRecord) =>
      runs.some((delivered) => delivered.session === session && delivered.run >= run)
    this.markRead(this.unread(owner).filter(isDelivered))
  }

  forgetOwner(owner: string): void {
    for (const { session } of this.#records.of(owner)) this.#told.delete(session)
  }

  markRead(records: readonly JobRecord[]): void {
    const news = records.filter((record) => hasEnded(record) && !this.isRead(record))
    for (const { session, run } of news) this.#told.set(session, run)
    this.#store.markTold(news)
  }
}
