import type { JobInput } from "../machines/events.ts"
import type { EndedState, JobError, JobRecord } from "../machines/record.ts"
import { hasEnded } from "../machines/record.ts"
import type { Troupe } from "../machines/troupe.ts"
import { answerOf, finalAnswer, textOf, usageOfSession } from "./children.ts"
import type { Host, MessageWithParts, Session } from "./host.ts"
import { promptIds } from "./ids.ts"
import type { Inbox } from "./inbox.ts"
import { isHeld } from "./lease.ts"
import type { Options } from "./options.ts"
import type { JobStore } from "./store.ts"
import { METADATA_KEY, StoredJob } from "./stored-job.ts"
import { deliveredRuns } from "./transcript.ts"

/** How far back the look at a start goes for jobs that nobody asks for. Milliseconds, a week. */
const lookBackMs = 7 * 24 * 3_600_000

export type RecoveryOptions = {
  host: Host
  troupe: Troupe
  inbox: Inbox
  store: JobStore
  recover: Options["recover"]
  /** Told of each owner that was looked after. */
  onFound: (owner: string) => void
  now: () => number
}

export type Recovery = {
  /** Finds the jobs that an earlier process started for this owner. Looks once; later calls join the first. */
  owner(session: string): Promise<void>
  /** Finds the owners whose jobs an earlier process has left unfinished or untold, and looks after them. */
  everybody(): Promise<void>
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

  function owner(session: string): Promise<void> {
    const looking = looked.get(session) ?? lookAfter(session)
    looked.set(session, looking)
    return looking
  }

  async function everybody(): Promise<void> {
    const sessions = await host.sessionsSince(now() - lookBackMs)
    if (!sessions.ok) return complain("the sessions", sessions.error.message)
    const open = sessions.value.flatMap((session) => readStored(session) ?? []).filter(isOpen)
    await Promise.all([...new Set(open.map(({ record }) => record.owner))].map(owner))
  }

  async function lookAfter(session: string): Promise<void> {
    const children = await host.children(session)
    if (!children.ok) {
      // The next call looks again.
      looked.delete(session)
      return complain(session, children.error.message)
    }
    const left = children.value.flatMap((child) => {
      const stored = readStored(child)
      return stored && isOrphaned(session, stored) ? [{ child, stored }] : []
    })
    for (const { child, stored } of left) inbox.adopt(child.id, stored.toldRun)
    await Promise.all(left.map(({ child, stored }) => bringBack(child, stored)))
    await markDelivered(session)
    onFound(session)
  }

  function isOrphaned(owner: string, { record, lease }: StoredJob): boolean {
    return (
      record.owner === owner && !troupe.records.get(owner, record.id) && (isEnded(record) || !isHeld(lease))
    )
  }

  /** A result may have reached its owner just before the process ended: then its owner's messages say so. */
  async function markDelivered(owner: string): Promise<void> {
    if (inbox.unread(owner).length === 0) return
    const messages = await host.messages(owner)
    if (!messages.ok) return complain(owner, messages.error.message)
    inbox.markDelivered(owner, deliveredRuns(messages.value))
  }

  async function bringBack(child: Session, stored: StoredJob): Promise<void> {
    if (isEnded(stored.record)) {
      troupe.adopt({ ...stored.record, session: child.id, usage: usageOfSession(child) })
      return
    }
    const messages = await host.messages(child.id)
    if (!messages.ok) return complain(child.id, messages.error.message)
    const ended = endOf(child, stored, messages.value, now())
    if (ended || recover === "fail") {
      const record = ended ?? interrupted(child, stored, messages.value, now())
      troupe.adopt(record)
      store.save(record)
      // What it had started itself has lost its owner.
      await owner(child.id)
    } else if (await store.claim(child.id, stored.lease)) {
      troupe.start(jobAgain(child, stored))
    }
  }

  function readStored(session: Session): StoredJob | undefined {
    const found = session.metadata?.[METADATA_KEY]
    if (found === undefined) return undefined
    const read = StoredJob.safeParse(found)
    if (read.success) return read.data
    const issue = read.error.issues[0]
    complain(session.id, `${["metadata", METADATA_KEY, ...(issue?.path ?? [])].join(".")}: ${issue?.message}`)
    return undefined
  }

  function complain(what: string, why: string): void {
    void host.log("warn", `${what} was skipped when looking for jobs of earlier processes: ${why}`)
  }

  return { owner, everybody }
}

type StoredRecord = StoredJob["record"]

const isEnded = (record: StoredRecord) => hasEnded({ ...record, session: "" })

const isOpen = ({ record, toldRun, lease }: StoredJob) =>
  isEnded(record) ? toldRun < record.run : !isHeld(lease)

/** How the run ended although nobody wrote it down: by an answer, or by a decision that was. */
function endOf(
  child: Session,
  stored: StoredJob,
  messages: readonly MessageWithParts[],
  now: number,
): JobRecord | undefined {
  const { record, askedAt } = stored
  if (record.error) return endedAs(child, stored, messages, record.error, record.endedAt ?? now)
  const message = finalAnswer(messages, promptIds(child.id, askedAt).messageID)
  if (!message) return undefined
  const { text, usage, error } = answerOf(message, usageOfSession(child))
  // An abort came from the end of the process.
  if (error?.kind === "interrupted") return undefined
  const endedAt = message.info.role === "assistant" ? (message.info.time.completed ?? now) : now
  if (error) return endedAs(child, stored, messages, error, endedAt)
  return { ...frozenFields(child, record), state: "done", text, usage, endedAt }
}

function interrupted(child: Session, stored: StoredJob, messages: readonly MessageWithParts[], now: number) {
  const message = "opencode ended while it ran; agents_send goes on with it"
  return endedAs(child, stored, messages, { kind: "interrupted", message }, now)
}

function endedAs(
  child: Session,
  { record }: StoredJob,
  messages: readonly MessageWithParts[],
  error: JobError,
  endedAt: number,
): JobRecord {
  const text = messages
    .filter(({ info }) => info.role === "assistant")
    .map(textOf)
    .findLast((each) => each !== "")
  return { ...frozenFields(child, record), state: stateFor(error), error, ...(text && { text }), endedAt }
}

function frozenFields(child: Session, record: StoredRecord): JobRecord {
  const { phase: _phase, deadlineAt: _deadline, ...kept } = record
  return { ...kept, session: child.id, usage: usageOfSession(child) }
}

function stateFor({ kind }: JobError): EndedState {
  if (kind === "cancelled") return "cancelled"
  return kind === "total" || kind === "idle" ? "timedOut" : "failed"
}

function jobAgain(child: Session, stored: StoredJob): JobInput {
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
    earlier: { usage: usageOfSession(child) },
    timeoutMs,
    idleMs,
  }
}
