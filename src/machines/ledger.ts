import { hasEnded, type JobKey, type JobRecord } from "./record.ts"

/** Hears of every change of a record. `before` is absent for a new job. */
export type RecordListener = (record: JobRecord, before: JobRecord | undefined) => void

/** The records for those who read: tools, notification, the inspector. */
export type Records = {
  get(owner: string, id: string): JobRecord | undefined
  /** In the order in which they were started. */
  of(owner: string): JobRecord[]
  all(): Iterable<JobRecord>
  countOf(owner: string): number
  /** By the child session's id. */
  bySession(session: string): JobRecord | undefined
  /** Returns what ends the subscription. */
  subscribe(listener: RecordListener): () => void
  /** Hears of every record that is dropped, once it is gone. Returns what ends the subscription. */
  onForgotten(listener: (record: JobRecord) => void): () => void
}

/**
 * The latest record of every job, outside machine context: ended jobs cost a frozen object each, not an actor.
 * Supervisors write it; a listener that throws is reported and disturbs nobody.
 */
export class Ledger implements Records {
  readonly #byOwner = new Map<string, Map<string, JobRecord>>()
  readonly #bySession = new Map<string, JobKey>()
  readonly #listeners = new Set<RecordListener>()
  readonly #forgottenListeners = new Set<(record: JobRecord) => void>()
  readonly #reportError: (error: unknown) => void

  constructor(reportError: (error: unknown) => void) {
    this.#reportError = reportError
  }

  put(record: JobRecord): void {
    const jobs = this.#byOwner.get(record.owner) ?? new Map<string, JobRecord>()
    this.#byOwner.set(record.owner, jobs)
    const before = jobs.get(record.id)
    // It goes on in another one.
    if (before && before.session !== record.session) this.#bySession.delete(before.session)
    jobs.set(record.id, hasEnded(record) ? Object.freeze(record) : record)
    if (record.session !== "") this.#bySession.set(record.session, { owner: record.owner, id: record.id })
    for (const listener of this.#listeners) this.#tell(listener, record, before)
  }

  /**
   * Drops the text of an ended job, which its child's session has, unless it is a group. Nobody is told: nothing has
   * happened to the job.
   */
  releaseText({ owner, id }: JobKey): void {
    const record = this.get(owner, id)
    if (!record || !hasEnded(record) || record.isGroup) return
    const { text: _text, ...rest } = record
    this.#byOwner.get(owner)?.set(id, Object.freeze(rest))
  }

  forgetOwner(owner: string): void {
    const forgotten = this.of(owner)
    for (const { session } of forgotten) this.#bySession.delete(session)
    this.#byOwner.delete(owner)
    for (const record of forgotten)
      for (const listener of this.#forgottenListeners) this.#tell(listener, record, undefined)
  }

  get(owner: string, id: string): JobRecord | undefined {
    return this.#byOwner.get(owner)?.get(id)
  }

  of(owner: string): JobRecord[] {
    return [...(this.#byOwner.get(owner)?.values() ?? [])]
  }

  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0
  }

  *all(): Iterable<JobRecord> {
    for (const jobs of this.#byOwner.values()) yield* jobs.values()
  }

  bySession(session: string): JobRecord | undefined {
    const key = this.#bySession.get(session)
    return key && this.get(key.owner, key.id)
  }

  subscribe(listener: RecordListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onForgotten(listener: (record: JobRecord) => void): () => void {
    this.#forgottenListeners.add(listener)
    return () => this.#forgottenListeners.delete(listener)
  }

  #tell(listener: RecordListener, record: JobRecord, before: JobRecord | undefined): void {
    try {
      listener(record, before)
    } catch (error) {
      this.#reportError(error)
    }
  }
}
