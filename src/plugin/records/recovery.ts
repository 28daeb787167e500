import type { JobInput } from "../../machines/events.ts"
import { breachOf, endOf, standingOf } from "../../machines/needs.ts"
import { hasEnded, type JobError, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import { parse } from "../../util/parse.ts"
import type { Host, HostError, HostMessage, HostSession, Result } from "../host/port.ts"
import type { Options } from "../options.ts"
import { backoff } from "../util/backoff.ts"
import { wordsOf } from "../util/error-words.ts"
import { within } from "../util/within.ts"
import type { Checked } from "./checked.ts"
import type { Claim } from "./claims.ts"
import { type DeliveredRun, deliveredRuns } from "./delivery-mark.ts"
import { endedAs, type FoundJob, findingOf, isEnded, onePerJob, type StoredChild } from "./left-behind.ts"
import type { JobStore } from "./store.ts"
import { type Lease, StoredJob } from "./stored-job.ts"

/** How far back the look at a start goes for jobs that nobody asks for. Milliseconds, a week. */
const lookBackMs = 7 * 24 * 3_600_000
/** Before it looks again where opencode did not answer. Milliseconds. */
const pauses = { firstMs: 2_000, lastMs: 60_000 }
/** How often it asks whether those who run jobs of this project still live. Milliseconds. */
const heldPauseMs = 5_000
/** How long a look for an owner's jobs is good: another process may have left some since. Milliseconds. */
const lookedMs = 10 * 60_000
/** Longest wait until an end is stored. Milliseconds. */
const recordTimeout = 3_000

/** What ids may be, characters. */
const mostIdLength = 40

export type RecoveryOptions = {
  host: Host
  troupe: Troupe
  inbox: Deliveries
  store: JobStore
  recover: Options["recover"]
  /** What checks answers against a schema; where it cannot be had, none fits. */
  checkFor: (schema: NonNullable<StoredJob["schema"]>) => Promise<(answer: string) => Checked>
  /** Why opencode must not load the worktree of a job, where it must not. */
  refusalToLoad?: (job: Pick<JobRecord, "worktree">) => Promise<JobError | undefined>
  /** Holds children to what their owner may do now. One for which that fails is not gone on with. */
  hold: (owner: string, children: readonly HeldChild[]) => Promise<Result<unknown>[]>
  /**
   * Whether an owner's jobs are for this instance to bring back, and not for another of this process that has brought
   * some back already.
   */
  isHere?: (owner: string) => Promise<boolean>
  /** Owners outside this project whose jobs an instance had that this one has replaced. */
  left?: () => readonly string[]
  /** Tells whenever an instance of this process has ended that had owners. */
  onLeft?: (hear: () => void) => void
  /**
   * Finishes what an earlier process had begun to deliver to an owner, whose messages these are. Rejects where opencode
   * fails.
   */
  finishBegun: (owner: string, messages: readonly HostMessage[]) => Promise<void>
  /** Whether a job with this lease comes from an instance that this one has replaced, as if nothing had happened. */
  isTakenOver?: (lease: Lease) => boolean
  /** Told of the child of such a job, before its record is there. */
  onTakenOver?: (session: string) => void
  /** Told how many results of earlier processes wait for an owner, when that is found out without being asked for. */
  onWaiting: (waiting: Waiting) => void
  /** Told of each owner of whom all is known, where what can go on by itself is to go on. */
  onOver?: (owner: string) => void
  now: () => number
}

/** A child that is about to be asked something. */
export type HeldChild = {
  session: string
  agent: string
  /** The owner's that asks, where it is known. */
  ownerAgent: string | undefined
}

export type Waiting = { owner: string; count: number }

/** Which results their owners have, as far as recovery adds to it. */
export type Deliveries = {
  adopt(session: string, deliveredRun: number): void
  undelivered(owner: string): readonly JobRecord[]
  markDelivered(owner: string, runs: readonly DeliveredRun[]): void
}

export type Recovery = {
  /** Finds the jobs that an earlier process started for this owner. A look is good for a while: calls join it. */
  owner(session: string): Promise<void>
  /** As `owner`, for those who have found nothing: a look that was made before is not good enough. */
  again(session: string): Promise<void>
  /** Finds out which results of earlier processes another opencode, which has found them, too, has delivered since. */
  deliveredSince(owner: string): Promise<void>
  /** The open jobs of this owner that are another opencode's, as the last look found them. */
  elsewhere(owner: string): readonly HeldJob[]
  /** Whether the last look has left open what there is of this owner: opencode did not answer, for instance. */
  isInDoubt(owner: string): boolean
  /** Takes in what earlier processes have left in this project, and ends or goes on with what is unfinished. */
  everybody(): Promise<void>
  /** Looks no more. */
  stop(): void
}

/** A job that a living process has: it runs there, or its result waits there to be delivered. */
export type HeldJob = { id: string; pid: number; isRunning: boolean }

/**
 * Brings back the jobs of processes that are gone, from the metadata and messages of their child sessions. It wakes
 * nobody: what it finds is delivered when the owner's session is next used.
 */
export function createRecovery({
  host,
  troupe,
  inbox,
  store,
  recover,
  checkFor,
  refusalToLoad = async () => undefined,
  hold,
  finishBegun,
  isHere = async () => true,
  left: leftToUs = () => [],
  onLeft = () => {},
  isTakenOver = () => false,
  onTakenOver = () => {},
  onWaiting,
  onOver = () => {},
  now,
}: RecoveryOptions): Recovery {
  /** Oldest first. */
  const looked = new Map<string, { at: number; look: Promise<void> }>()
  /** By owner. */
  const heldElsewhere = new Map<string, HeldJob[]>()
  const inDoubt = new Set<string>()
  /** Those who run jobs of this project in other processes, by instance. */
  const holders = new Map<string, Lease>()
  /** The runs that had ended in an earlier process, by session. */
  const endedEarlier = new Map<string, number>()
  const timers = new Set<NodeJS.Timeout>()
  let isWatching = false
  let isStopped = false
  const unsubscribe = troupe.records.onForgotten(({ owner, session }) => {
    looked.delete(owner)
    endedEarlier.delete(session)
  })

  function lookAgain(session: string): Promise<void> {
    looked.delete(session)
    return lookAfter(session)
  }

  // The next instance of its directory is to come first, if there is one.
  onLeft(() => later(heldPauseMs, lookAnew))

  function lookAfter(session: string, attempt = 0): Promise<void> {
    forgetOldLooks()
    const known = looked.get(session)
    if (known) return known.look
    const look = lookOnce(session, attempt)
    looked.set(session, { at: now(), look })
    return look
  }

  function forgetOldLooks(): void {
    for (const [session, { at }] of looked) {
      if (now() - at < lookedMs) return
      looked.delete(session)
    }
  }

  async function lookOnce(session: string, attempt: number): Promise<void> {
    const outcome = await bringBackAll(session).catch((error): Outcome => {
      complain(session, wordsOf(error))
      return "unknown"
    })
    inDoubt.delete(session)
    if (outcome === "over") {
      giveUpNeeds(session)
      if (recover === "resume") onOver(session)
      return
    }
    looked.delete(session)
    if (outcome !== "unknown") return
    inDoubt.add(session)
    later(backoff(attempt, pauses), () => lookAfter(session, attempt + 1))
  }

  async function bringBackAll(session: string): Promise<Outcome> {
    const children = await host.children(session)
    if (!children.ok) return outcomeOf(session, children.error)
    const { sessions, unread } = children.value
    const found = await unknownJobs(sessions)
    noteElsewhere(session, found)
    if (found.length > 0 && !(await isHere(session))) return "held"
    const brought = await Promise.all(found.map(bringBack))
    const known = [
      ...(unread ? [outcomeOf(session, unread)] : []),
      ...brought.filter((each) => typeof each === "string"),
    ]
    const left = brought.flatMap((each) => (typeof each === "string" ? [] : each))
    const gone = await goOn(
      session,
      left.filter(({ isBlocked }) => !isBlocked),
    )
    const blocked = left.filter(({ isBlocked }) => isBlocked)
    const outcomes = [
      ...known,
      ...gone,
      ...(await settleBlocked(session, blocked, worst([...known, ...gone]))),
      await markDelivered(session),
    ]
    return worst(outcomes)
  }

  async function lookAtAll(attempt = 0): Promise<void> {
    const sessions = await host.sessionsSince(now() - lookBackMs)
    if (!sessions.ok) {
      complain("the sessions", sessions.error.message)
      later(backoff(attempt, pauses), () => lookAtAll(attempt + 1))
      return
    }
    const { unread } = sessions.value
    if (unread) {
      complain("one of the sessions", unread.message)
      later(backoff(attempt, pauses), () => lookAtAll(attempt + 1))
    }
    const found = await unknownJobs(sessions.value.sessions)
    const left = await ofOwnersHere(found.filter(({ isHeld }) => !isHeld))
    // What has ended needs no more than this list. Whether its owner has it, and how the rest ended, is in messages.
    for (const job of left) {
      const finding = findingOf({ ...job, recover, now: now() })
      if (finding.type === "ended") takeIn(job, finding.record)
    }
    const owners = [...new Set(left.map(({ stored }) => stored.record.owner))]
    const open = left.filter((job) => !isKnown(job)).map(({ stored }) => stored.record.owner)
    const taken = new Set(left.flatMap(({ child, stored }) => (isTakenOver(stored.lease) ? child.id : [])))
    const waiting = owners.filter((owner) => inbox.undelivered(owner).length > 0)
    await Promise.all([...new Set([...open, ...waiting, ...leftToUs()])].map((owner) => lookAfter(owner)))
    for (const owner of owners) {
      // What was taken over is delivered without being waited for.
      const count = inbox.undelivered(owner).filter(({ session }) => !taken.has(session)).length
      // A job's child whose turn is over has nobody left to tell.
      if (count > 0 && !troupe.records.bySession(owner)) onWaiting({ owner, count })
    }
  }

  async function ofOwnersHere(found: readonly FoundJob[]): Promise<FoundJob[]> {
    const owners = [...new Set(found.map(({ stored }) => stored.record.owner))]
    const areHere = await Promise.all(owners.map(isHere))
    const here = new Set(owners.filter((_, index) => areHere[index]))
    return found.filter(({ stored }) => here.has(stored.record.owner))
  }

  /** The jobs in these sessions that this process does not know. */
  async function unknownJobs(sessions: readonly HostSession[]): Promise<FoundJob[]> {
    const stored = sessions.flatMap((child): StoredChild[] => {
      const stored = readStored(child)
      if (!stored || stored.record.owner !== child.parent || stored.movedTo !== undefined) return []
      return [{ child, stored }]
    })
    const isUsed = (session: string) => troupe.records.bySession(session) !== undefined
    const found = onePerJob(stored, isUsed).filter((each) => !isKnown(each))
    // What is ours and has no record is what could not be brought back before.
    const leases = found.map(({ stored }) => stored.lease).filter((lease) => !store.isOurs(lease))
    const others = [...new Map(leases.map((lease) => [lease.instance, lease])).values()]
    const isAlive = await Promise.all(others.map((lease) => store.isHeld(lease)))
    const living = others.filter((_, index) => isAlive[index])
    watch(living)
    const held = new Set(living.map(({ instance }) => instance))
    return found.map((each) => ({ ...each, isHeld: held.has(each.stored.lease.instance) }))
  }

  /**
   * A job is known by its session: two processes may give two jobs of one owner the same id. A run that another process
   * has begun meanwhile is news of a job that this one knows as ended.
   */
  function isKnown({ child, stored: { record, lease } }: StoredChild): boolean {
    const known = troupe.records.bySession(child.id)
    if (known) return known.run >= record.run || !hasEnded(known)
    // A session of ours that is just being made.
    return store.isOurs(lease) && troupe.records.get(record.owner, record.id) !== undefined
  }

  /** The job's own, unless another job of its owner has it. */
  function idOf({ child, stored: { record } }: StoredChild): string {
    const known = troupe.records.bySession(child.id)
    if (known) return known.id
    for (let number = 1; ; number++) {
      const end = number === 1 ? "" : `-${number}`
      const id = `${record.id.slice(0, mostIdLength - end.length)}${end}`
      if (!troupe.records.get(record.owner, id)) return id
    }
  }

  function noteElsewhere(owner: string, found: readonly FoundJob[]): void {
    const held = found.flatMap(({ stored: { record, lease, deliveredRun }, isHeld }) => {
      const isRunning = !isEnded(record)
      const isOpen = isRunning || deliveredRun < record.run
      return isHeld && isOpen ? [{ id: record.id, pid: lease.pid, isRunning }] : []
    })
    if (held.length > 0) heldElsewhere.set(owner, held)
    else heldElsewhere.delete(owner)
  }

  async function bringBack(job: FoundJob): Promise<Outcome | Unfinished> {
    const { child, stored } = job
    let finding = findingOf({ ...job, recover, now: now() })
    if (finding.type === "unread") {
      // To read it, opencode loads the directory.
      const refusal = isEnded(stored.record) ? undefined : await refusalToLoad(stored.record)
      if (refusal) return end(job, endedAs(child, stored.record, refusal, now()))
      const [messages, busy] = await Promise.all([host.messages(child.id), host.isBusy(child.id)])
      if (!messages.ok) return outcomeOf(child.id, messages.error)
      const isRunning = busy.ok && busy.value
      const { schema } = job.stored
      finding = findingOf({
        ...job,
        messages: messages.value,
        check: schema && (await checkFor(schema)),
        isRunning,
        isTakenOver: isTakenOver(job.stored.lease),
        recover,
        now: now(),
      })
    }
    switch (finding.type) {
      case "held":
      case "unread":
        return "held"
      case "ended":
        takeIn(job, finding.record)
        return "over"
      case "unfinished":
      case "blocked":
        return {
          found: job,
          job: finding.job,
          interrupted: finding.interrupted,
          isBlocked: finding.type === "blocked",
        }
      default:
        return end(job, finding.record)
    }
  }

  /** Stored before anybody is told: another crash would find the job unfinished. */
  async function end(job: StoredChild, found: JobRecord): Promise<Outcome> {
    if (isKnown(job)) return "over"
    const id = idOf(job)
    await within(recordTimeout, writeEnd({ ...found, id }), () => undefined)
    const record = takeIn(job, found)
    if (!record) return "over"
    // Another job got its id meanwhile.
    if (record.id !== id) void writeEnd(record)
    // What its child had started itself has lost its owner.
    await lookAfter(record.session)
    return "over"
  }

  /** Nothing where another look was quicker. */
  function takeIn(job: StoredChild, found: JobRecord): JobRecord | undefined {
    if (isKnown(job)) return undefined
    const { stored } = job
    const record = { ...found, id: idOf(job) }
    takeOver(record.session, stored)
    inbox.adopt(record.session, stored.deliveredRun)
    if (!isTakenOver(stored.lease)) endedEarlier.set(record.session, record.run)
    troupe.adopt(record)
    // It keeps its new id.
    if (record.id !== stored.record.id && isEnded(stored.record)) void writeEnd(record)
    return record
  }

  function takeOver(session: string, { lease }: StoredJob): void {
    if (isTakenOver(lease)) onTakenOver(session)
  }

  /** Where it cannot be written, the store says why. */
  function writeEnd(record: JobRecord): Promise<void> {
    return store.recordEnd(record).catch(() => {})
  }

  async function goOn(owner: string, unfinished: readonly Unfinished[]): Promise<Outcome[]> {
    if (unfinished.length === 0) return []
    const seen = unfinished.map(({ found: { child, stored } }) => ({ session: child.id, stored }))
    const claims = await store.claim(owner, seen)
    const taken = unfinished.filter((_, index) => claims[index] === "taken")
    const held = await holdAll(owner, taken)
    return Promise.all(
      unfinished.map((each, index) => goOnWith(each, claims[index] ?? "unknown", held.get(each))),
    )
  }

  /**
   * Those that waited for others, where nothing goes on by itself: one whose needs have ended as they were to is
   * interrupted like any other, one of which a need has ended otherwise fails of that, and one that waits for a living
   * job goes on waiting. Each after those that it needs.
   * @param others what became of the owner's other jobs: where all are known, what is missing is gone
   */
  async function settleBlocked(
    owner: string,
    blocked: readonly Unfinished[],
    others: Outcome,
  ): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    let left = [...blocked]
    while (left.length > 0) {
      const ids = new Set(left.map(({ job }) => job.id))
      // A circle there cannot be; were one stored, none of it would ever begin.
      const ready = left.filter(({ job: { needs = [] } }) => needs.every(({ id }) => !ids.has(id)))
      const round = ready.length > 0 ? ready : left
      left = left.filter((each) => !round.includes(each))
      outcomes.push(...(await Promise.all(round.map((each) => settle(owner, each, others)))))
    }
    return outcomes
  }

  async function settle(owner: string, unfinished: Unfinished, others: Outcome): Promise<Outcome> {
    const { found, job, interrupted } = unfinished
    let isOpen = false
    for (const need of job.needs ?? []) {
      const record = troupe.records.get(owner, need.id)
      if (!record && others !== "over") return others
      if (record && !hasEnded(record)) {
        isOpen = true
        continue
      }
      const needEnd = record ? endOf(record) : { id: need.id, state: "gone" as const }
      if (standingOf(need, needEnd) === "broken")
        return end(found, { ...interrupted, error: { kind: "dependency", message: breachOf(needEnd) } })
    }
    if (!isOpen) return end(found, interrupted)
    const [outcome = "unknown"] = await goOn(owner, [unfinished])
    return outcome
  }

  /** What is needed and not there by now never will be. */
  function giveUpNeeds(owner: string): void {
    for (const { needs = [], ...record } of troupe.records.of(owner)) {
      if (hasEnded(record) || record.state !== "created") continue
      for (const { id } of needs) if (!troupe.records.get(owner, id)) troupe.giveUpNeed({ owner, id })
    }
  }

  async function holdAll(owner: string, taken: readonly Unfinished[]) {
    const children = taken.map(({ found: { stored }, job: { session, agent } }): HeldChild => {
      return { session, agent, ownerAgent: stored.ownerAgent }
    })
    const outcomes = taken.length > 0 ? await hold(owner, children) : []
    return new Map(taken.map((each, index) => [each, outcomes[index]]))
  }

  async function goOnWith(
    unfinished: Unfinished,
    claim: Claim,
    held: Result<unknown> | undefined,
  ): Promise<Outcome> {
    const { found, job } = unfinished
    if (claim === "unknown") return "unknown"
    if (claim === "another's") {
      const current = await store.read(job.session)
      // Whoever claims it may not have written yet, or may have done it already.
      if (!current || !(await store.isHeld(current.lease))) return "unknown"
      watch([current.lease])
      return "held"
    }
    if (isKnown(found)) return "over"
    if (!held?.ok) return giveUp(unfinished, held?.error.message)
    const id = idOf(found)
    takeOver(job.session, found.stored)
    inbox.adopt(job.session, found.stored.deliveredRun)
    troupe.start({ ...job, id })
    if (id !== job.id) store.saveRun(job.session, { ...job, id }, found.stored.askedBefore).catch(() => {})
    // What its child has started goes on with it.
    if (job.mayStartJobs) await lookAfter(job.session)
    return "over"
  }

  /** Its owner may do less now than when it was started, and it is not known how much less. */
  async function giveUp({ found, interrupted }: Unfinished, why = "opencode does not say"): Promise<Outcome> {
    const { session } = interrupted
    // After a reload its turn may still run.
    const aborted = await host.abort(session)
    if (!aborted.ok) complain(session, aborted.error.message)
    const message =
      `it was not resumed, since it is not known what its owner may do now: ${why}. ` +
      "agents_send continues it."
    return end(found, { ...interrupted, error: { kind: "interrupted", message } })
  }

  /**
   * A result may have reached its owner just before the process ended: then its owner's messages say so, or will do so
   * once that delivery is finished.
   */
  async function markDelivered(owner: string): Promise<Outcome> {
    if (inbox.undelivered(owner).length === 0) return "over"
    const messages = await host.messages(owner)
    if (!messages.ok) return outcomeOf(owner, messages.error)
    inbox.markDelivered(owner, deliveredRuns(messages.value))
    if (!hasUndelivered(owner)) return "over"
    try {
      await finishBegun(owner, messages.value)
      return "over"
    } catch (error) {
      return outcomeOf(owner, { message: wordsOf(error) })
    }
  }

  async function markDeliveredSince(owner: string): Promise<void> {
    if (hasUndelivered(owner)) await markDelivered(owner)
  }

  /** Whether results of earlier processes are among those that this owner does not have. */
  function hasUndelivered(owner: string): boolean {
    return inbox.undelivered(owner).some(({ session, run }) => endedEarlier.get(session) === run)
  }

  /** Another opencode may be about to end, or this one about to replace the plugin's last instance by this one. */
  function watch(held: readonly Lease[]): void {
    for (const lease of held) holders.set(lease.instance, lease)
    if (holders.size === 0 || isWatching) return
    isWatching = true
    later(heldPauseMs, lookWhoLives)
  }

  async function lookWhoLives(): Promise<void> {
    isWatching = false
    let hasAnyDied = false
    for (const [instance, lease] of [...holders]) {
      if (await store.isHeld(lease)) continue
      holders.delete(instance)
      hasAnyDied = true
    }
    watch([])
    if (hasAnyDied) await lookAnew()
  }

  async function lookAnew(): Promise<void> {
    looked.clear()
    heldElsewhere.clear()
    await lookAtAll()
  }

  function later(pauseMs: number, act: () => Promise<void>): void {
    if (isStopped) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      act().catch((error) => complain("a second look at jobs of another process", wordsOf(error)))
    }, pauseMs)
    timers.add(timer.unref())
  }

  function outcomeOf(session: string, { message, status }: HostError): Outcome {
    // Somebody has deleted it, and it will not come back: it is not looked for again.
    if (status === 404) return "over"
    complain(session, message)
    return "unknown"
  }

  function readStored(session: HostSession): StoredJob | undefined {
    if (session.stored === undefined) return undefined
    const read = parse(StoredJob, session.stored)
    if (read.ok) return read.value
    host.problems.add(
      "jobs of earlier processes are left out whose records this opencode-troupe cannot read; they may be of a newer " +
        "version",
    )
    complain(session.id, `its record is damaged or somebody else's (${read.problems[0]})`)
    return undefined
  }

  function complain(what: string, why: string): void {
    void host.log("warn", `${what} was skipped when looking for jobs of earlier processes: ${why}`)
  }

  return {
    owner: (session) => lookAfter(session),
    again: lookAgain,
    deliveredSince: markDeliveredSince,
    elsewhere: (owner) => heldElsewhere.get(owner) ?? [],
    isInDoubt: (owner) => inDoubt.has(owner),
    everybody: () => lookAtAll().catch((error) => complain("the sessions", wordsOf(error))),
    stop() {
      isStopped = true
      unsubscribe()
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

/** `held`: another process has some of it, so that another look may find more. `unknown`: it is looked for again. */
type Outcome = "over" | "held" | "unknown"

const worst = (outcomes: readonly Outcome[]): Outcome =>
  outcomes.find((each) => each === "unknown") ?? outcomes.find((each) => each === "held") ?? "over"

/** To be gone on with, once it is claimed. */
type Unfinished = {
  found: FoundJob
  job: JobInput & { session: string }
  interrupted: JobRecord
  /** Whether it goes on depends on what it needs. */
  isBlocked: boolean
}
