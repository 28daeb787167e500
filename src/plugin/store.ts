import type { JobInput } from "../machines/events.ts"
import { hasEnded, type JobRecord, NO_USAGE } from "../machines/record.ts"
import type { Troupe } from "../machines/troupe.ts"
import type { Host } from "./host.ts"
import { type Lease, METADATA_KEY, StoredJob, storedJob } from "./stored-job.ts"

/** How long changes that are in no hurry wait for others, to be written together. Milliseconds. */
const soonMs = 1_000

type Change = (stored: StoredJob) => StoredJob

/** Keeps jobs in opencode's own store: in the metadata of their child sessions, whose other keys stay. */
export class JobStore {
  readonly #host: Host
  readonly #lease: Lease
  /** Changes that wait to be written together. */
  readonly #waiting = new Map<string, { changes: Change[]; timer: NodeJS.Timeout }>()
  /** The last write under way for a session: writes to one follow each other. */
  readonly #writes = new Map<string, Promise<void>>()

  constructor(host: Host, lease: Lease) {
    this.#host = host
    this.#lease = lease
  }

  /** The metadata with which a job's child session is made. */
  newMetadata(job: JobInput): Record<string, unknown> {
    const { id, owner, description, agent, model, run, createdAt } = job
    const record: JobRecord = {
      id,
      session: "",
      owner,
      description,
      agent,
      ...(model !== undefined && { model }),
      state: "created",
      run,
      createdAt,
      usage: NO_USAGE,
    }
    return { [METADATA_KEY]: storedJob(record, job, this.#lease, 0) }
  }

  /**
   * Writes each job when its end is decided and when it has ended. That it prompts is not written: a new start asks
   * by ids that follow from what is there, and each write costs as much as a child session.
   */
  follow(troupe: Troupe): void {
    troupe.records.subscribe((record, before) => {
      if (record.session === "" || !before) return
      const isDecided = record.phase === "stopping" && before.phase !== "stopping"
      // What nothing else in opencode tells is written at once, before the child is stopped.
      if (isDecided) this.save(record)
      else if (hasEnded(record) && !hasEnded(before)) this.#updateSoon(record.session, withRecord(record))
    })
  }

  save(record: JobRecord): void {
    this.#update(record.session, withRecord(record))
  }

  /** A follow-up: what a new start would ask. */
  saveRun({ session = "", run, prompt, variant, askedAt }: JobInput): void {
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
    return found.ok ? StoredJob.safeParse(found.value.metadata?.[METADATA_KEY]).data : undefined
  }

  /** Takes over the job of a dead process; false where another process was quicker. */
  async claim(session: string, dead: Lease): Promise<boolean> {
    this.#update(session, (stored) =>
      stored.lease.instance === dead.instance ? { ...stored, lease: this.#lease } : stored,
    )
    await this.#writes.get(session)
    return (await this.read(session))?.lease.instance === this.#lease.instance
  }

  /** The owner has read the results of these runs or was told of them. */
  markTold(records: readonly JobRecord[]): void {
    for (const { session, run } of records.filter(hasEnded)) {
      if (session !== "") this.#updateSoon(session, (stored) => ({ ...stored, toldRun: run }))
    }
  }

  /** Resolves when all that was to be written is written. */
  async settled(): Promise<void> {
    for (const session of [...this.#waiting.keys()]) this.#update(session, (stored) => stored)
    await Promise.all(this.#writes.values())
  }

  /** For what opencode's store also tells by other means, should this process end before it is written. */
  #updateSoon(session: string, change: Change): void {
    const waiting = this.#waiting.get(session)
    if (waiting) {
      waiting.changes.push(change)
      return
    }
    const timer = setTimeout(() => this.#update(session, (stored) => stored), soonMs)
    timer.unref()
    this.#waiting.set(session, { changes: [change], timer })
  }

  #update(session: string, change: Change): void {
    const { changes = [], timer } = this.#waiting.get(session) ?? {}
    clearTimeout(timer)
    this.#waiting.delete(session)
    const all: Change = (stored) => [...changes, change].reduce((each, next) => next(each), stored)
    const write = (this.#writes.get(session) ?? Promise.resolve())
      .then(() => this.#write(session, all))
      .finally(() => {
        if (this.#writes.get(session) === write) this.#writes.delete(session)
      })
    this.#writes.set(session, write)
  }

  async #write(session: string, change: Change): Promise<void> {
    const found = await this.#host.session(session)
    if (!found.ok) return this.#complain(session, found.error.message)
    const stored = StoredJob.safeParse(found.value.metadata?.[METADATA_KEY])
    if (!stored.success)
      return this.#complain(session, `its metadata.${METADATA_KEY} was damaged by somebody else`)
    const metadata = { ...found.value.metadata, [METADATA_KEY]: change(stored.data) }
    const written = await this.#host.writeMetadata(session, metadata)
    if (!written.ok) this.#complain(session, written.error.message)
  }

  #complain(session: string, message: string): void {
    void this.#host.log("warn", `the record of ${session} could not be written: ${message}`)
  }
}

function withRecord(record: JobRecord): Change {
  const { session: _session, text: _text, activity: _activity, asks: _asks, retry: _retry, ...kept } = record
  return (stored) => ({ ...stored, record: kept })
}
