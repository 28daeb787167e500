import type { AnyEventObject } from "xstate"
import { notPassed } from "./check-words.ts"
import { clockTime } from "./durations.ts"
import type { JobEvent, JobInput } from "./events.ts"
import type { JobSnapshot, jobMachine } from "./job-machine.ts"
import { type Place, placeIn } from "./job-record.ts"
import type { Claim, Obstacle } from "./limits.ts"
import type { JobKey } from "./record.ts"

/** One step of a job, with its cause. */
export type Transition = {
  /** Epoch milliseconds. */
  at: number
  /** `state` or `state.phase`; empty where the job began. */
  from: string
  to: string
  /** As `eventName` shortens it; `crash` where an actor of ours threw. */
  event: string
  /** The cause in plain words, for people. */
  why: string
}

type JobLogic = typeof jobMachine

export type HistoryOptions = {
  /** Epoch milliseconds. */
  now: () => number
  /** Told of defects: nothing that is thrown here may reach an actor. */
  reportError: (error: unknown) => void
}

/** Steps kept for each job; older ones are dropped. A job of one run takes about five. */
const longest = 100
/** Longest cause, characters: reasons of providers and questions of models may be of any length. */
const longestWhy = 500
/** Jobs whose steps are kept; the oldest give way. */
const mostJobs = 10_000

/**
 * What led each job to its state. It hears of the actors' own steps, because records say what is and no longer which
 * event made it so.
 */
export class History {
  readonly #byJob = new Map<string, Transition[]>()
  readonly #options: HistoryOptions
  #obstacleTo: (claim: Claim) => Obstacle | undefined = () => undefined

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /** Says from then on what a job in the queue waits for. */
  explainQueue(obstacleTo: (claim: Claim) => Obstacle | undefined): void {
    this.#obstacleTo = obstacleTo
  }

  /** Oldest first. */
  of(job: JobKey): readonly Transition[] {
    return this.#byJob.get(keyOf(job)) ?? []
  }

  forgetOwner(owner: string): void {
    for (const key of this.#byJob.keys()) if (key.startsWith(`${owner}/`)) this.#byJob.delete(key)
  }

  /**
   * Makes the logic tell of each step of its actors. xstate's own inspection would do so too, but makes an event of
   * everything that any actor of the system hears or does: a twentieth of what a job costs, while nobody looks.
   */
  listenTo(logic: JobLogic): JobLogic {
    const { transition, getInitialSnapshot } = logic
    logic.transition = (before, event, scope) => {
      const after = transition(before, event, scope)
      this.#heard(after, event)
      return after
    }
    logic.getInitialSnapshot = (scope, input) => {
      const first = getInitialSnapshot(scope, input)
      this.#heard(first, { type: "xstate.init" })
      return first
    }
    return logic
  }

  /** Never throws: that would be an error of the job. */
  #heard(snapshot: JobSnapshot, event: AnyEventObject): void {
    try {
      this.#note(snapshot, event)
    } catch (error) {
      this.#options.reportError(error)
    }
  }

  /** An actor that throws is gone without a snapshot: whoever notices it says so here. */
  noteCrash(job: JobKey, to: Place): void {
    const why = `failed: a defect of opencode-troupe${to.phase === "stopping" ? "; it is being ended" : ""}`
    this.#add(job, { from: this.#placeOf(job), to: placeOf(to), event: "crash", why })
  }

  #note(snapshot: JobSnapshot, event: AnyEventObject): void {
    const { job } = snapshot.context
    const from = this.#placeOf(job)
    const to = placeOf(placeIn(snapshot.value))
    // Most of what a job hears, activity above all, leads nowhere.
    if (from === to && !isNews(event.type, to)) return
    this.#add(job, { from, to, event: eventName(event.type), why: this.#why(snapshot, event) })
  }

  #placeOf(job: JobKey): string {
    return this.of(job).at(-1)?.to ?? ""
  }

  #add(job: JobKey, step: Omit<Transition, "at">): void {
    const key = keyOf(job)
    const steps = this.#byJob.get(key) ?? []
    steps.push({ at: this.#options.now(), ...step, why: clip(step.why) })
    if (steps.length > longest) steps.shift()
    this.#byJob.set(key, steps)
    for (const oldest of this.#byJob.keys()) {
      if (this.#byJob.size <= mostJobs) break
      this.#byJob.delete(oldest)
    }
  }

  #why(snapshot: JobSnapshot, event: AnyEventObject): string {
    const { ending, job } = snapshot.context
    if (ending?.state === "done")
      return job.hasToPass && !job.each
        ? `${job.hasToPass.command} has passed`
        : "the child gave its final answer"
    if (ending) {
      const decision = `${endWords[ending.state]}: ${ending.error.message}`
      if (snapshot.status === "done") return decision
      return snapshot.matches("created") ? decision : `${decision}; the child is being stopped`
    }
    if (snapshot.matches({ created: "blocked" })) return blockedBy(job)
    if (snapshot.matches({ created: "queued" }) || snapshot.matches({ prompting: { moving: "queued" } }))
      return this.#queued(job, event)
    if (snapshot.matches({ prompting: { moving: "leaving" } })) return leavingWords(snapshot)
    if (event.type === "slot.held") return passingWords(job)
    if (snapshot.matches({ prompting: "checking" }))
      return `the child has answered, and ${job.hasToPass?.command} is run`
    if (event.type === "xstate.done.actor.runCheck") return redWords(snapshot)
    if (event.type === "xstate.done.actor.openSession") return "its session is open, and it has a slot"
    if (event.type === "xstate.init") return "started by its owner"
    if (event.type === "slot.granted" && job.each)
      return `the jobs for the items that ${job.each.from} has found`
    // xstate hands out every event as `AnyEventObject`; what reaches a job from outside is a `JobEvent`.
    return causeOf(event as JobEvent) ?? eventName(event.type)
  }

  #queued({ owner, id, model }: JobInput, { type }: AnyEventObject): string {
    const obstacle = this.#obstacleTo({ owner, job: id, model })
    const isReady = type === "needs.met" ? "all that it needs has ended" : "its session is open"
    if (!obstacle) return `${isReady}, and a slot is free`
    if ("hold" in obstacle) {
      const { provider, until } = obstacle.hold
      return `queued: ${provider} on hold until ${clockTime(until, this.#options.now())}`
    }
    const { of, most } = obstacle.full
    return `queued: ${most} of ${most} slots ${of === "" ? "" : `of ${of} `}busy`
  }
}

const blockedBy = ({ needs = [] }: JobInput) => `it needs ${needs.map(({ id }) => id).join(", ")}`

/** Each further attempt of its provider is, and until when that has no more of its jobs start. */
const isNews = (event: string, place: string) =>
  event === "child.retrying" || (event === "slot.held" && place.endsWith(".queued"))

function leavingWords({ context: { job, failure } }: JobSnapshot): string {
  const [next] = job.fallbacks ?? []
  return `${job.model ?? "its model"} cannot be had, ${next?.model} is asked next: ${failure?.message}`
}

function passingWords({ model, attempts = [] }: JobInput): string {
  const left = attempts.at(-1)
  return `${left?.model ?? "its model"} is not waited for, ${model} is asked next: ${left?.error.message}`
}

function redWords({ context: { job, check } }: JobSnapshot): string {
  return `${notPassed(job.hasToPass?.command ?? "", check?.round ?? 1, check?.exitCode)}; the child is told`
}

const endWords = { failed: "failed", timedOut: "timed out", cancelled: "cancelled" }

function causeOf(event: JobEvent): string | undefined {
  switch (event.type) {
    case "needs.met":
      return "all that it needs has ended"
    case "slot.granted":
      return "got a slot"
    case "child.active":
      return event.activity.tool === undefined ? "the child writes" : `the child runs ${event.activity.tool}`
    case "tool.started":
      return "the child runs a tool"
    case "child.idle":
      return "opencode says that the child is idle"
    case "child.retrying":
      return `attempt ${event.retry.attempt} failed, opencode tries again: ${event.retry.reason}`
    case "child.asked":
      return event.ask.kind === "permission"
        ? `asks for permission: ${event.ask.text}`
        : `asks the user: ${event.ask.text}`
    case "child.answered":
      return "somebody answered"
  }
  return undefined
}

/**
 * An event as people read it, in histories and in drawings of the machine: what actors and timers send gets a short
 * name, our own events keep theirs.
 */
export function eventName(type: string): string {
  if (!type.startsWith("xstate.")) return type
  const [, kind, of, ...names] = type.split(".")
  if (kind === "init") return "start"
  if (kind === "after") return `after ${of}`
  if (of === "actor") return `${names[0]} ${kind === "done" ? "done" : "failed"}`
  if (of === "state") return `${names.at(-1)} over`
  return type
}

/** `state` or `state.phase`: where a job stands, in one word. */
export function placeOf({ state, phase }: Place): string {
  return phase === undefined ? state : `${state}.${phase}`
}

const clip = (why: string) => (why.length > longestWhy ? `${why.slice(0, longestWhy)}…` : why)

const keyOf = ({ owner, id }: JobKey) => `${owner}/${id}`
