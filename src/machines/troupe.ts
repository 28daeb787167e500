import { type ActorOptions, type AnyActorLogic, createActor } from "xstate"
import { type ActorNode, actorTree } from "./actor-tree.ts"
import { realClock } from "./clock.ts"
import { type CrashRef, crashMachine } from "./crash-machine.ts"
import { type Effects, effectActors } from "./effects.ts"
import type { CancelKind, JobEvent, JobInput } from "./events.ts"
import { History, type Transition } from "./history.ts"
import { jobMachine } from "./job-machine.ts"
import { Ledger, type Records } from "./ledger.ts"
import { type Concurrency, obstacleTo, providerOf } from "./limits.ts"
import { endOf, type NeedEnd } from "./needs.ts"
import { Prompts } from "./prompts.ts"
import { boundedMessage, hasEnded, type JobKey, type JobRecord, NO_USAGE } from "./record.ts"
import { type Crash, supervisorMachine } from "./supervisor-machine.ts"
import { systemMachine } from "./system-machine.ts"

export type TroupeOptions = {
  effects: Effects
  /** Default: an empty one of its own. */
  ledger?: Ledger
  /** Prompts in flight at most, over all owners. */
  concurrency: Concurrency
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number
  /** Default: real time, with timers that do not keep the process alive. */
  clock?: ActorOptions<AnyActorLogic>["clock"]
  /** Told of defects: an actor or a listener that threw. Default: nobody. */
  reportError?: (error: unknown) => void
}

/** The actor system as the rest of the plugin sees it: send events, read records. */
export type Troupe = {
  readonly records: Records
  /** What led a job to its state, oldest first; empty for one of an earlier process. */
  history(job: JobKey): readonly Transition[]
  /** The actors that live now: the system, its supervisors, their jobs. */
  actors(): ActorNode
  /**
   * Starts a job, or a new run of an ended one. An id that lives already changes nothing. A need that there is no job
   * of is waited for.
   */
  start(job: JobInput): void
  /** Ends the jobs that wait for one that never comes: there is none of this id, and there will be none. */
  giveUpNeed(job: JobKey): void
  /** Takes in a job of an earlier process that has ended. */
  adopt(record: JobRecord): void
  /** Tells a living job what happened to its child; an ended one does not hear it. */
  tell(job: JobKey, event: JobEvent): void
  /**
   * A job's provider wants to be asked later: until then (epoch milliseconds) no further job of that provider starts.
   * After an hour one job tries all the same.
   */
  hold(job: JobKey, until: number): void
  /**
   * A job's model answers what it was asked then (epoch milliseconds). What that job was told of a later time no longer
   * holds, nor what any job of this model was told before.
   */
  answered(job: JobKey, askedAt: number): void
  /** Ends jobs and whatever they started; harmless on ended ones. */
  cancel(jobs: JobKey[], reason: string, kind?: CancelKind): void
  /** Drops the text of an ended job from memory: the child's session has it. */
  releaseText(job: JobKey): void
  /** Drops all that is known of an owner whose jobs have ended. */
  forgetOwner(owner: string): void
  /** Stops every actor where it stands, without ending its job. */
  stop(): void
}

/** Starts the system actor. Nothing outside changes until a job is started. */
export function createTroupe(options: TroupeOptions): Troupe {
  const { effects, concurrency, now = Date.now, clock = realClock, reportError = () => {} } = options
  const { ledger = new Ledger(reportError) } = options
  const prompts = new Prompts(effects)
  const actors = effectActors(
    { ...effects, promptChild: prompts.promptChild, runCheck: prompts.runCheck },
    now,
  )

  const history = new History({ now, reportError })
  const crashes = new Map<string, CrashRef>()
  const keepCrash = ({ owner, job, error }: Crash) => {
    reportError(error)
    const message = `a defect of opencode-troupe: ${error instanceof Error ? error.message : String(error)}`
    for (const record of job === undefined ? ledger.of(owner) : [ledger.get(owner, job)])
      if (record && !hasEnded(record) && !crashes.has(keyOf(record))) endCrashed(record, message)
  }
  const crash = crashMachine.provide({
    actors: { recordEnd: actors.recordEnd, stopChild: actors.stopChild },
  })
  const endCrashed = (job: JobRecord, message: string) => {
    const record = crashed(job, message, now())
    const stopping = { ...record, state: job.state, phase: "stopping" } as const
    const actor = createActor(crash, { input: { record, child: prompts.drop(job) }, clock })
    const end = (record: JobRecord) => {
      if (!crashes.delete(keyOf(job))) return
      history.noteCrash(job, record)
      putEnded(record)
    }
    crashes.set(keyOf(job), actor)
    actor.subscribe({
      complete: () => end(actor.getSnapshot().output ?? record),
      error: (error) => {
        reportError(error)
        end(record)
      },
    })
    history.noteCrash(job, stopping)
    ledger.put(stopping)
    actor.start()
  }

  const job = jobMachine.provide({ actors })
  const supervisor = supervisorMachine.provide({
    actors: {
      job: history.listenTo(job),
    },
    actions: {
      keepRecord: (_, { record }) => ledger.put(record),
      keepCrash: (_, crash) => keepCrash(crash),
    },
  })
  const system = createActor(
    systemMachine.provide({
      actors: { supervisor },
      actions: {
        keepCrash: (_, crash) => keepCrash(crash),
        announceGrants: ({ self }, { granted, news }) => {
          for (const { owner, job, until } of news) {
            const event = { type: "slot.held", until, at: now() } as const
            self.send({ type: "owner.tell", owner, event: { type: "job.tell", job, event } })
          }
          for (const { owner, job, model } of granted) {
            const event = { type: "slot.granted", model, at: now() } as const
            self.send({ type: "owner.tell", owner, event: { type: "job.tell", job, event } })
          }
        },
      },
    }),
    { input: { concurrency }, clock },
  )
  history.explainQueue((claim) => obstacleTo(system.getSnapshot().context.limits, claim))
  // Without an observer, an error of the root would be thrown into opencode.
  system.subscribe({ error: reportError })
  system.start()

  const tellEnd = (owner: string, end: NeedEnd) =>
    system.send({ type: "owner.tell", owner, event: { type: "need.ended", end, at: now() } })

  /** Keeps the record of a job that no supervisor has. */
  const putEnded = (record: JobRecord) => {
    ledger.put(record)
    if (hasEnded(record)) tellEnd(record.owner, endOf(record))
  }

  const tell: Troupe["tell"] = ({ owner, id }, event) =>
    system.send({ type: "owner.tell", owner, event: { type: "job.tell", job: id, event } })

  const cancel: Troupe["cancel"] = (jobs, reason, kind) => {
    for (const job of jobs) tell(job, { type: "job.cancel", reason, kind, at: now() })
  }

  const answered: Troupe["answered"] = ({ owner, id }, askedAt) => {
    const model = ledger.get(owner, id)?.model
    if (model !== undefined) system.send({ type: "provider.answered", owner, job: id, model, askedAt })
  }

  // What a job started has nobody left to answer to.
  ledger.subscribe((record) => {
    if (!hasEnded(record)) return
    // Nobody may have heard it get through.
    if (record.state === "done") answered(record, record.startedAt ?? record.createdAt)
    cancel(ledger.of(record.session), `the job that started it ended (${record.id}: ${record.state})`)
  })

  return {
    records: ledger,
    history: (job) => history.of(job),
    actors: () => actorTree(system.getSnapshot(), (owner) => ledger.of(owner)),
    start(job) {
      // One whose actor has crashed lives until that end is stored.
      if (crashes.has(keyOf(job))) return
      const { owner, needs = [] } = job
      const ended = needs.flatMap(({ id }) => {
        const record = ledger.get(owner, id)
        return record && hasEnded(record) ? endOf(record) : []
      })
      system.send({ type: "owner.tell", owner, event: { type: "job.start", job, ended } })
    },
    giveUpNeed: ({ owner, id }) => tellEnd(owner, { id, state: "gone" }),
    adopt: putEnded,
    releaseText: (job) => ledger.releaseText(job),
    tell,
    hold({ owner, id }, until) {
      const model = ledger.get(owner, id)?.model
      const provider = providerOf(model)
      // Where opencode chooses the model, nobody knows whose it is.
      if (model === undefined || provider === undefined) return
      const { holders } = system.getSnapshot().context.limits
      const unstarted = holders.filter(({ owner, job }) => ledger.get(owner, job)?.phase === "opening")
      const told = { owner, job: id, provider, model, at: now(), until, unstarted }
      system.send({ type: "provider.later", ...told })
    },
    answered,
    cancel,
    forgetOwner(owner) {
      system.send({ type: "owner.end", owner })
      ledger.forgetOwner(owner)
      history.forgetOwner(owner)
    },
    stop() {
      const ending = [...crashes.values()]
      crashes.clear()
      for (const actor of ending) actor.stop()
      system.stop()
    },
  }
}

/** As it is to end. */
function crashed(record: JobRecord, message: string, at: number): JobRecord {
  const { phase: _phase, deadlineAt: _deadline, asks: _asks, retry: _retry, waitingSince, ...kept } = record
  return {
    ...kept,
    ...(waitingSince !== undefined && { waitedMs: (kept.waitedMs ?? 0) + Math.max(0, at - waitingSince) }),
    usage: kept.usage ?? NO_USAGE,
    state: "failed",
    // The clock may have been set back: nothing ends before it began.
    endedAt: Math.max(at, kept.startedAt ?? kept.createdAt),
    error: { kind: "prompt", message: boundedMessage(message) },
  }
}

const keyOf = ({ owner, id }: JobKey) => `${owner}/${id}`
