import type { JobInput } from "../../machines/events.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host, HostError } from "../host/port.ts"
import { type Lease, newStoredJob, StoredJob } from "./stored-job.ts"

/** How long changes that are in no hurry wait for others, to be written together. Milliseconds. */
const soonMs = 1_000
/** First and last pause before a write that failed is tried again. Milliseconds. */
const firstPauseMs = 1_000
const lastPauseMs = 60_000

type Change = (stored: StoredJob) => StoredJob

/** What is still to be written of one job. */
type Unwritten = {
  /** In the order in which they happened, which is the one in which they are written. */
  changes: Change[]
  timer?: NodeJS.Timeout | undefined
  writing?: Promise<void> | undefined
  /** Before the next attempt, after one that failed. Milliseconds. */
  pauseMs: number
}

/** Keeps jobs in opencode's own store: in the metadata of their child sessions, whose other keys stay. */
export class JobStore {
  readonly #host: Host
  readonly #lease: Lease
  readonly #unwritten = new Map<string, Unwritten>()

  constructor(host: Host, lease: Lease) {
    this.#host = host
    this.#lease = lease
  }

  /** What a job's child session is made with. */
  newStored(job: JobInput): StoredJob {
    return newStoredJob(job, this.#lease)
  }

  /**
   * Writes each job when its end is decided and when it has ended. That it prompts is not written: a new start asks
   * by ids that follow from what is there, and each write costs as much as a child session.
   */
  follow(troupe: Troupe): void {
    troupe.records.subscribe((record, before) => {
      if (record.session === "" || !before) return
      if (hasEnded(record) && !hasEnded(before)) this.#updateSoon(record.session, withRecord(record))
    })
  }

  save(record: JobRecord): void {
    this.#update(record.session, withRecord(record))
  }

  /** A follow-up: what a new start would ask. */
  saveRun(session: string, { run, prompt, variant, askedAt }: JobInput): void {
    this.#update(session, ({ record, ...stored }) => {
      const { error: _error, endedAt: _ended, startedAt: _started, ...kept } = record
      return {
        ...stored,
        record: { ...kept, state: "created", run },
        prompt,
        variant,
        askedAt,
        lease: this.#lease,
      }
    })
  }

  async read(session: string): Promise<StoredJob | undefined> {
    const found = await this.#host.session(session)
    return found.ok ? StoredJob.safeParse(found.value.stored).data : undefined
  }

  /** Takes over the job of a dead process, unless another process is quicker. */
  async claim(session: string, dead: Lease): Promise<"taken" | "another's" | "unknown"> {
    // Not tried again later: by then another process may rightly hold it.
    await this.#write(session, (stored) =>
      stored.lease.instance === dead.instance ? { ...stored, lease: this.#lease } : stored,
    )
    const stored = await this.read(session)
    if (!stored) return "unknown"
    return this.isOurs(stored.lease) ? "taken" : "another's"
  }

  isOurs({ instance }: Lease): boolean {
    return instance === this.#lease.instance
  }

  /** The owner's conversation holds the results of these runs. */
  markDelivered(records: readonly JobRecord[]): void {
    for (const { session, run } of records.filter(hasEnded)) {
      if (session !== "") this.#updateSoon(session, (stored) => ({ ...stored, toldRun: run }))
    }
  }

  /** Resolves when all that was to be written is written, or could not be. */
  async settled(): Promise<void> {
    await Promise.all([...this.#unwritten].map(([session, unwritten]) => this.#flush(session, unwritten)))
  }

  #update(session: string, change: Change): void {
    const unwritten = this.#add(session, change)
    void this.#flush(session, unwritten)
  }

  /** For what opencode's store also tells by other means, should this process end before it is written. */
  #updateSoon(session: string, change: Change): void {
    const unwritten = this.#add(session, change)
    this.#flushIn(soonMs, session, unwritten)
  }

  #add(session: string, change: Change): Unwritten {
    const unwritten = this.#unwritten.get(session) ?? { changes: [], pauseMs: firstPauseMs }
    this.#unwritten.set(session, unwritten)
    unwritten.changes.push(change)
    return unwritten
  }

  #flushIn(ms: number, session: string, unwritten: Unwritten): void {
    unwritten.timer ??= setTimeout(() => void this.#flush(session, unwritten), ms).unref()
  }

  /** Writes to one session follow each other. */
  async #flush(session: string, unwritten: Unwritten): Promise<void> {
    await unwritten.writing
    if (unwritten.changes.length > 0) unwritten.writing ??= this.#writeAll(session, unwritten)
    return unwritten.writing
  }

  async #writeAll(session: string, unwritten: Unwritten): Promise<void> {
    clearTimeout(unwritten.timer)
    unwritten.timer = undefined
    const changes = unwritten.changes.splice(0)
    const isOver = await this.#write(session, (stored) => changes.reduce((each, next) => next(each), stored))
    unwritten.writing = undefined
    if (isOver) {
      unwritten.pauseMs = firstPauseMs
      // Stryker disable next-line ConditionalExpression: that nothing is kept for ever shows in memory alone
      if (unwritten.changes.length === 0) this.#unwritten.delete(session)
      return
    }
    unwritten.changes.unshift(...changes)
    this.#flushIn(unwritten.pauseMs, session, unwritten)
    unwritten.pauseMs = Math.min(lastPauseMs, unwritten.pauseMs * 2)
  }

  /** False where it is worth another attempt. */
  async #write(session: string, change: Change): Promise<boolean> {
    const written = await this.#host.updateStored(session, (found) => {
      const stored = StoredJob.safeParse(found)
      if (stored.success) return change(stored.data)
      this.#complain(session, "its metadata.troupe was damaged by somebody else")
      return undefined
    })
    return written.ok || this.#failed(session, written.error)
  }

  /** A session that is gone will not come back. */
  #failed(session: string, { message, status }: HostError): boolean {
    this.#complain(session, message)
    return status === 404
  }

  #complain(session: string, message: string): void {
    void this.#host.log("warn", `the record of ${session} could not be written: ${message}`)
  }
}

function withRecord(record: JobRecord): Change {
  const { session: _session, text: _text, activity: _activity, asks: _asks, retry: _retry, ...kept } = record
  return (stored) => ({ ...stored, record: kept })
}
