import type { JobInput } from "../../machines/events.ts"
import type { EndedState, JobError, JobRecord } from "../../machines/record.ts"
import { hasEnded } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import { finalAnswer } from "../host/answers.ts"
import type { Host, HostError, HostMessage, HostSession } from "../host/port.ts"
import { promptIds } from "../host/prompt-ids.ts"
import type { Options } from "../options.ts"
import { type DeliveredRun, deliveredRuns } from "./delivery-mark.ts"
import { isHeld } from "./lease.ts"
import type { JobStore } from "./store.ts"
import { type Lease, StoredJob } from "./stored-job.ts"

/** How far back the look at a start goes for jobs that nobody asks for. Milliseconds, a week. */
const lookBackMs = 7 * 24 * 3_600_000
/** First and last pause before it looks again where opencode did not answer. Milliseconds. */
const firstPauseMs = 2_000
const lastPauseMs = 60_000
/** How often it asks whether those who run jobs of this project still live. Milliseconds. */
const heldPauseMs = 5_000

export type RecoveryOptions = {
  host: Host
  troupe: Troupe
  inbox: Deliveries
  store: JobStore
  recover: Options["recover"]
  /** Told of each owner that was looked after. */
  onFound: (owner: string) => void
  now: () => number
}

/** Which results their owners have, as far as recovery adds to it. */
export type Deliveries = {
  adopt(session: string, run: number): void
  undelivered(owner: string): readonly unknown[]
  markDelivered(owner: string, runs: readonly DeliveredRun[]): void
}

export type Recovery = {
  /** Finds the jobs that an earlier process started for this owner. Looks once; later calls join the first. */
  owner(session: string): Promise<void>
  /** Finds the owners whose jobs an earlier process has left unfinished or untold, and looks after them. */
  everybody(): Promise<void>
  /** Looks no more. */
  stop(): void
}

/** Brings back the jobs of processes that are gone, from the metadata and messages of their child sessions. */
export function createRecovery({
  host,
  troupe,
  inbox,
  store,
  recover,
  onFound,
  now,
}: RecoveryOptions): Recovery {
  const looked = new Map<string, Promise<void>>()
  const timers = new Set<NodeJS.Timeout>()

  function owner(session: string, pauseMs = firstPauseMs): Promise<void> {
    const looking = looked.get(session) ?? look(session, pauseMs)
    looked.set(session, looking)
    return looking
  }

  async function look(session: string, pauseMs: number): Promise<void> {
    const isDone = await lookAfter(session)
    onFound(session)
    if (isDone) return
    looked.delete(session)
    later(pauseMs, () => owner(session, nextPause(pauseMs)))
  }

  async function everybody(pauseMs = firstPauseMs): Promise<void> {
    const sessions = await host.sessionsSince(now() - lookBackMs)
    if (!sessions.ok) {
      complain("the sessions", sessions.error.message)
      later(pauseMs, () => everybody(nextPause(pauseMs)))
      return
    }
    const jobs = sessions.value.flatMap((session) => readStored(session) ?? [])
    const owners = new Set(jobs.filter(isOpen).map(({ record }) => record.owner))
    const others = jobs.filter(({ record, lease }) => !isEnded(record) && !store.isOurs(lease))
    const holders = new Map(others.map(({ lease }) => [lease.instance, lease]))
    lookAgainAfter([...holders.values()].filter(isHeld))
    await Promise.all([...owners].map((each) => owner(each)))
  }

  /** Another opencode may be about to end, or this one about to replace the plugin's last instance by this one. */
  function lookAgainAfter(leases: readonly Lease[]): void {
    if (leases.length === 0) return
    later(heldPauseMs, async () => {
      if (leases.every(isHeld)) return lookAgainAfter(leases)
      looked.clear()
      return everybody()
    })
  }

  function later(pauseMs: number, lookAgain: () => Promise<void>): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      void lookAgain()
    }, pauseMs)
    timers.add(timer.unref())
  }

  function stop(): void {
    for (const timer of timers) clearTimeout(timer)
  }

  /** False where opencode did not answer all that was asked. */
  async function lookAfter(session: string): Promise<boolean> {
    const children = await host.children(session)
    if (!children.ok) return isHopeless(session, children.error)
    const orphans = children.value.flatMap((child) => {
      const stored = readStored(child)
      return stored && isOrphaned(session, stored) ? [{ child, stored }] : []
    })
    const left = onePerJob(orphans)
    for (const { child, stored } of left) inbox.adopt(child.id, stored.toldRun)
    const brought = await Promise.all(left.map(({ child, stored }) => bringBack(child, stored)))
    return brought.every((isBack) => isBack) && (await markDelivered(session))
  }

  function isOrphaned(owner: string, { record, lease }: StoredJob): boolean {
    if (record.owner !== owner || troupe.records.get(owner, record.id)) return false
    // What is ours and has no record is what we could not bring back before.
    return isEnded(record) || store.isOurs(lease) || !isHeld(lease)
  }

  /** A result may have reached its owner just before the process ended: then its owner's messages say so. */
  async function markDelivered(owner: string): Promise<boolean> {
    if (inbox.undelivered(owner).length === 0) return true
    const messages = await host.messages(owner)
    if (!messages.ok) return isHopeless(owner, messages.error)
    inbox.markDelivered(owner, deliveredRuns(messages.value))
    return true
  }

  async function bringBack(child: HostSession, stored: StoredJob): Promise<boolean> {
    if (isEnded(stored.record)) {
      troupe.adopt({ ...stored.record, session: child.id, usage: child.usage })
      return true
    }
    const messages = await host.messages(child.id)
    if (!messages.ok) return isHopeless(child.id, messages.error)
    const ended = endOf(child, stored, messages.value, now())
    if (ended || recover === "fail") {
      const record = ended ?? interrupted(child, stored, messages.value, now())
      troupe.adopt(record)
      store.save(record)
      // What it had started itself has lost its owner.
      await owner(child.id)
      return true
    }
    const claim = await store.claim(child.id, stored.lease)
    if (claim === "taken") troupe.start(jobAgain(child, stored))
    return claim !== "unknown"
  }

  /** What is gone will not come back: it is not looked for again. */
  function isHopeless(session: string, { message, status }: HostError): boolean {
    complain(session, message)
    return status === 404
  }

  function readStored(session: HostSession): StoredJob | undefined {
    if (session.stored === undefined) return undefined
    const read = StoredJob.safeParse(session.stored)
    if (read.success) return read.data
    const issue = read.error.issues[0]
    complain(session.id, `${["metadata", "troupe", ...(issue?.path ?? [])].join(".")}: ${issue?.message}`)
    return undefined
  }

  function complain(what: string, why: string): void {
    void host.log("warn", `${what} was skipped when looking for jobs of earlier processes: ${why}`)
  }

  return { owner: (session) => owner(session), everybody: () => everybody(), stop }
}

const nextPause = (pauseMs: number) => Math.min(lastPauseMs, pauseMs * 2)

type Orphan = { child: HostSession; stored: StoredJob }

/** A call that reached opencode twice made two sessions for one job, of which one has never been asked anything. */
function onePerJob(orphans: readonly Orphan[]): Orphan[] {
  const latest = new Map<string, Orphan>()
  for (const orphan of orphans.toSorted((a, b) => worth(a) - worth(b)))
    latest.set(orphan.stored.record.id, orphan)
  return [...latest.values()].toSorted((a, b) => a.stored.record.createdAt - b.stored.record.createdAt)
}

const worth = ({ child, stored }: Orphan) =>
  isEnded(stored.record) ? Number.MAX_SAFE_INTEGER : child.updatedAt

type StoredRecord = StoredJob["record"]

const isEnded = (record: StoredRecord) => hasEnded({ ...record, session: "" })

const isOpen = ({ record, toldRun, lease }: StoredJob) =>
  isEnded(record) ? toldRun < record.run : !isHeld(lease)

/** How the run ended although nobody wrote it down: by an answer, or by a decision that was. */
function endOf(
  child: HostSession,
  stored: StoredJob,
  messages: readonly HostMessage[],
  now: number,
): JobRecord | undefined {
  const { record, askedAt } = stored
  if (record.error) return endedAs(child, stored, messages, record.error, record.endedAt ?? now)
  const message = finalAnswer(messages, promptIds(child.id, askedAt).messageID)
  if (!message) return undefined
  const { text, end: { error, at: endedAt = now } = {} } = message
  // An abort came from the end of the process.
  if (error?.kind === "interrupted") return undefined
  if (error) return endedAs(child, stored, messages, error, endedAt)
  return { ...frozenFields(child, record), state: "done", text, endedAt }
}

function interrupted(child: HostSession, stored: StoredJob, messages: readonly HostMessage[], now: number) {
  const message = "opencode ended while it ran; agents_send goes on with it"
  return endedAs(child, stored, messages, { kind: "interrupted", message }, now)
}

function endedAs(
  child: HostSession,
  { record }: StoredJob,
  messages: readonly HostMessage[],
  error: JobError,
  endedAt: number,
): JobRecord {
  const text = messages
    .filter(({ role }) => role === "assistant")
    .map(({ text }) => text)
    .findLast((each) => each !== "")
  return { ...frozenFields(child, record), state: stateFor(error), error, ...(text && { text }), endedAt }
}

function frozenFields(child: HostSession, record: StoredRecord): JobRecord {
  const { phase: _phase, deadlineAt: _deadline, ...kept } = record
  return { ...kept, session: child.id, usage: child.usage }
}

function stateFor({ kind }: JobError): EndedState {
  if (kind === "cancelled") return "cancelled"
  return kind === "total" || kind === "idle" ? "timedOut" : "failed"
}

function jobAgain(child: HostSession, stored: StoredJob): JobInput {
  const { record, prompt, variant, mayStartJobs, askedAt, timeoutMs, idleMs } = stored
  const { id, owner, description, agent, model, run, createdAt } = record
  return {
    id,
    owner,
    description,
    prompt,
    agent,
    model,
    variant,
    mayStartJobs,
    createdAt,
    askedAt,
    run,
    session: child.id,
    earlier: { usage: child.usage },
    timeoutMs,
    idleMs,
  }
}
