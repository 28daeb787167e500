import { randomUUID } from "node:crypto"
import type { JobInput } from "../../machines/events.ts"
import { hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Host, HostSession } from "../host/port.ts"
import { wordsOf } from "../util/error-words.ts"
import { within } from "../util/within.ts"
import { type Claim, type Claims, createClaims, type SeenJob } from "./claims.ts"
import type { Holder } from "./lease.ts"
import { type Patch, patched } from "./patch.ts"
import {
  type Checking,
  type Lease,
  newStoredJob,
  newStoredRecord,
  StoredJob,
  storedRecordOf,
} from "./stored-job.ts"
import { Writer } from "./writer.ts"
import type { Change, WriteInput, WriteOutcome } from "./writer-machine.ts"

export type JobStoreOptions = {
  /** How jobs of dead processes are claimed. Default: with markers in this user's state folder. */
  claims?: Claims
}

/** Keeps jobs in opencode's own store, with their child sessions: see `HostSession.stored`. */
export class JobStore {
  readonly #host: Host
  readonly #holder: Holder
  readonly #claims: Claims
  /** By session; one that has written all is gone. */
  readonly #writers = new Map<string, Writer>()
  readonly #claiming = new Set<Promise<Claim[]>>()
  #changes = 0
  /** `draining`: only what is known by now is still written. */
  #state: "open" | "draining" | "drained" = "open"

  constructor(host: Host, holder: Holder, { claims = createClaims(host, holder) }: JobStoreOptions = {}) {
    this.#host = host
    this.#holder = holder
    this.#claims = claims
  }

  /**
   * What a job's child session is made with.
   * @param left the session that the job was in before: it is the same job
   */
  async newStored(job: JobInput, left?: Pick<HostSession, "stored">): Promise<StoredJob> {
    const key = left ? StoredJob.parse(left.stored).key : randomUUID()
    return newStoredJob(job, await this.#holder.lease, key)
  }

  /** The job goes on in another session: that alone has it from now on. */
  markMoved(session: string, to: string): void {
    this.#change(session, { movedTo: to }, "urgent")
  }

  /**
   * Writes what opencode's own subagents of each job use, and each job when it has ended: at once where it failed, which
   * its messages may not say. What stops a job is on record by then. That it prompts is not written: a new start asks by
   * ids that follow from what is there, and each write costs as much as a child session.
   */
  follow(troupe: Troupe): void {
    troupe.records.subscribe((record, before) => {
      if (record.session === "" || !before) return
      const { session, subagents } = record
      if (subagents && subagents !== before.subagents) this.#change(session, { subagents }, "soon")
      if (!hasEnded(record) || hasEnded(before)) return
      this.#change(session, recordPatch(record), record.state === "failed" ? "urgent" : "soon")
    })
  }

  /**
   * Writes at once how a job ends: for ends that nothing else in opencode tells. Resolves when it is written, however
   * many attempts that takes; rejects where it is not ours to write, or this store was drained before.
   */
  recordEnd(record: JobRecord): Promise<void> {
    return record.session === "" ? Promise.resolve() : this.#written(record.session, recordPatch(record))
  }

  #written(session: string, patch: Patch): Promise<void> {
    const number = this.#change(session, patch, "urgent")
    const writer = this.#writers.get(session)
    return writer ? writer.written(number) : Promise.reject(new Error("the plugin is closed"))
  }

  /**
   * A follow-up: what a new start would ask. Resolves when it is written; rejects where another process has the job.
   * @param askedBefore see `StoredJob`
   */
  saveRun(session: string, job: JobInput, askedBefore: number[] = []): Promise<void> {
    const { prompt, variant, askedAt, startedBy } = job
    return this.#written(session, {
      record: newStoredRecord(job),
      prompt,
      askedAt,
      askedBefore,
      checking: undefined,
      takesLease: true,
      variant,
      ...(startedBy && { ownerAgent: startedBy.agent }),
    })
  }

  /** Resolves once it is written: that a check is about to run, or how it went. Rejects where it is not ours to write. */
  saveChecking(session: string, checking: Checking): Promise<void> {
    return this.#written(session, { checking })
  }

  /** The conversation of their owner holds the results of these runs. */
  markDelivered(records: readonly JobRecord[]): void {
    for (const { session, run } of records.filter(hasEnded)) {
      if (session !== "") this.#change(session, { deliveredRun: run }, "soon")
    }
  }

  /** The conversation of their owner no longer holds them: what is gone from there tells nobody. */
  markUndelivered(records: readonly JobRecord[]): void {
    for (const { session } of records)
      if (session !== "") this.#change(session, { deliveredRun: 0 }, "urgent")
  }

  async read(session: string): Promise<StoredJob | undefined> {
    const found = await this.#host.session(session)
    return found.ok ? StoredJob.safeParse(found.value.stored).data : undefined
  }

  /** Takes over the unfinished jobs of dead processes, those of one owner, unless another process is quicker. */
  async claim(owner: string, seen: readonly SeenJob[]): Promise<Claim[]> {
    if (this.#state !== "open") return seen.map(() => "unknown")
    const claiming = this.#claims.claim(owner, seen)
    this.#claiming.add(claiming)
    return claiming.finally(() => this.#claiming.delete(claiming))
  }

  isOurs(lease: Lease): boolean {
    return this.#holder.isOurs(lease)
  }

  isHeld(lease: Lease): Promise<boolean> {
    return this.#holder.isHeld(lease)
  }

  /** The writers that are there now. */
  actors(): { session: string; state: string }[] {
    return [...this.#writers].map(([session, { state }]) => ({ session, state }))
  }

  /** Writes what is unwritten in one last attempt, for so long at most. After it nothing is written any more. */
  async drain(limitMs: number): Promise<void> {
    if (this.#state === "open") this.#state = "draining"
    const writers = [...this.#writers.values()]
    for (const writer of writers) writer.close()
    const written = writers.map((writer) => writer.ended)
    await within<unknown>(limitMs, Promise.allSettled([...written, ...this.#claiming]), () => undefined)
    this.#state = "drained"
    for (const writer of writers) writer.stop()
  }

  /** @returns the number of the change. */
  #change(session: string, patch: Patch, when: "urgent" | "soon"): number {
    const number = ++this.#changes
    if (this.#state !== "open") return number
    const change = { patch, isUrgent: when === "urgent", number }
    const writer = this.#writers.get(session)
    if (writer) writer.change(change)
    else this.#startWriter(session, change)
    return number
  }

  #startWriter(session: string, change: Change): void {
    const writer = new Writer({
      session,
      change,
      write: (input) => this.#write(input),
      onDue: () => this.#writeOthers(session),
      onEnd: () => void this.#writers.delete(session),
      reportError: (error) => this.#complain(session, wordsOf(error)),
    })
    this.#writers.set(session, writer)
  }

  #writeOthers(due: string): void {
    for (const [session, writer] of [...this.#writers]) if (session !== due) writer.othersAreDue()
  }

  /** @throws Error where another attempt may succeed. */
  async #write({ session, patch }: WriteInput): Promise<WriteOutcome> {
    const own = await this.#holder.lease
    const first = await this.#writeAs(own, own, session, patch)
    if (first.type !== "held") return first
    // Whoever ran it is gone, for instance, and its result was delivered by this process.
    if (await this.#holder.isHeld(first.by)) return this.#refused(session, "another process has it by now")
    const second = await this.#writeAs(own, first.by, session, patch)
    return second.type === "held" ? this.#refused(session, "another process has it by now") : second
  }

  /** Writes while the job is in these hands. opencode has no compare-and-set: see `Host.updateStored`. */
  async #writeAs(own: Lease, by: Lease, session: string, patch: Patch): Promise<WriteOutcome | Held> {
    let outcome: WriteOutcome | Held = { type: "written" }
    const updated = await this.#host.updateStored(session, (found) => {
      if (this.#state === "drained") {
        outcome = { type: "refused" }
        return undefined
      }
      const stored = StoredJob.safeParse(found)
      if (!stored.success) {
        outcome = this.#refused(session, "it was damaged by something else")
        return undefined
      }
      const { lease } = stored.data
      if (lease.instance !== by.instance) {
        outcome = { type: "held", by: lease }
        return undefined
      }
      return patched(stored.data, patch, own)
    })
    if (updated.ok) return outcome
    const { message, status } = updated.error
    // Somebody has deleted the session, and it will not come back: no fault of anybody's.
    if (status === 404) return { type: "refused" }
    this.#complain(session, message)
    throw new Error(message)
  }

  #refused(session: string, why: string): WriteOutcome {
    this.#complain(session, why)
    return { type: "refused" }
  }

  #complain(session: string, message: string): void {
    void this.#host.log("warn", `the record of ${session} could not be written: ${message}`)
  }
}

type Held = { type: "held"; by: Lease }

const recordPatch = (record: JobRecord): Patch => ({
  record: storedRecordOf(record),
  // Those of a model that was tried before may have been told of in the session that is left.
  ...(record.subagents && { subagents: record.subagents }),
  ...(record.isGroup && { text: record.text }),
})
