import { setImmediate as afterMicrotasks } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { createActor, initialTransition, transition } from "xstate"
import { getSimplePaths } from "xstate/graph"
import { effectActors } from "../../../src/machines/effects.ts"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import type { JobContext } from "../../../src/machines/job-context.ts"
import { type JobSnapshot, jobMachine } from "../../../src/machines/job-machine.ts"
import { recordOf } from "../../../src/machines/job-record.ts"
import type { Activity, Ask, EndedState, Retry } from "../../../src/machines/record.ts"
import { CountingClock } from "./counting-clock.ts"
import { dawn, jobInput, usage } from "./jobs.ts"
import { takenIn } from "./transitions.ts"

/** What happens to a job, by its name in a scenario. */
export type Happening = { title: string; event: WalkEvent }

/** What a job's machine hears, from outside, from its effects and from its timers alike. */
type WalkEvent =
  | JobEvent
  | { type: `xstate.done.actor.${EffectName}`; actorId: string; output: object }
  | { type: `xstate.error.actor.${EffectName}`; actorId: string; error: object }
  | { type: `xstate.after.${string}` }

type EffectName = "openSession" | "promptChild" | "stopChild"

const at = dawn
const activity: Activity = { tool: "bash", text: "ls", at }
const retry: Retry = { attempt: 1, reason: "overloaded", next: at + 2_000 }
const permission: Ask = { id: "p", kind: "permission", text: "bash: ls" }
const question: Ask = { id: "q", kind: "question", text: "Which one?" }
const active = "job.prompting.running.active"

/** All that can happen to a job, each with the payload that it has in life. */
export const happenings = {
  "its session opens": done("openSession", { session: "ses_1", at }),
  "its session fails": failed("openSession", { kind: "create", message: "no such agent", at }),
  "its session does not open in time": after("openLimit", "job.created.opening"),
  "it gets a slot": { type: "slot.granted", at },
  "it is cancelled": { type: "job.cancel", reason: "no longer needed", at },
  "its child works": { type: "child.active", activity },
  "its child has spent": { type: "child.spent", usage: usage(3) },
  "opencode tries again": { type: "child.retrying", retry, at },
  "its child asks for permission": { type: "child.asked", ask: permission, at },
  "its child asks a question": { type: "child.asked", ask: question, at },
  // Later than all else, so that a walk tells a job that has waited for people from one that has not.
  "the permission is given": { type: "child.answered", ask: "p", at: at + 1_000 },
  "the question is answered": { type: "child.answered", ask: "q", at: at + 1_000 },
  "its child answers": done("promptChild", { text: "the answer", usage: usage(7), at }),
  "its child answers with an error": done("promptChild", {
    text: "half",
    usage: usage(5),
    error: { kind: "provider", message: "401" },
    at,
  }),
  "its prompt fails": failed("promptChild", { kind: "prompt", message: "fetch failed", at }),
  "its total time runs out": after("total", active),
  "its child is lifeless": after("idle", `${active}.working`),
  "its child is lifeless between attempts": after("idle", `${active}.retrying`),
  "its child stops": done("stopChild", { text: "half", usage: usage(4) }),
  "its child cannot be stopped": failed("stopChild", { message: "abort failed" }),
  "its child does not stop in time": after("stopLimit", "job.prompting.stopping.aborting"),
} satisfies Record<string, WalkEvent>

export type HappeningName = keyof typeof happenings

function done(effect: EffectName, output: object): WalkEvent {
  return { type: `xstate.done.actor.${effect}`, actorId: effect, output }
}

function failed(effect: EffectName, error: object): WalkEvent {
  return { type: `xstate.error.actor.${effect}`, actorId: effect, error }
}

function after(delay: string, state: string): WalkEvent {
  return { type: `xstate.after.${delay}.${state}` }
}

/** What decides how a job ends. The first one stands. */
const decisions: Partial<Record<HappeningName, EndedState>> = {
  "its session fails": "failed",
  "its session does not open in time": "failed",
  "it is cancelled": "cancelled",
  "its child answers": "done",
  "its child answers with an error": "failed",
  "its prompt fails": "failed",
  "its total time runs out": "timedOut",
  "its child is lifeless": "timedOut",
  "its child is lifeless between attempts": "timedOut",
}

/** One way of a job from its start to its end. */
export type Scenario = {
  title: string
  input: JobInput
  steps: { name: HappeningName; value: JobSnapshot["value"] }[]
  end: JobSnapshot["value"]
}

export type WalkOptions = {
  input?: Partial<JobInput>
  /** What may happen on these ways. */
  alphabet: readonly HappeningName[]
  /** Also tells apart states that differ in what the child did and spent, so that such news is walked too. */
  withNews?: boolean
}

/** Every way from start to end on which no state is visited twice, from the machine itself. */
export function waysThrough({ input, alphabet, withNews = false }: WalkOptions): Scenario[] {
  const full = jobInput(input)
  // xstate types only what comes from outside; what it sends itself is an event like any other in a walk.
  const events = alphabet.map((name) => ({ ...happenings[name], name })) as unknown as JobEvent[]
  const paths = getSimplePaths(jobMachine, {
    input: full,
    events,
    serializeState: ({ value, context }) =>
      JSON.stringify([
        value,
        context.asks.map(({ id }) => id),
        context.ending?.state,
        context.slotAt !== undefined,
        hasWaited(context),
        withNews && [context.activity !== undefined, context.usage.input],
      ]),
    filterEvents: (snapshot, event) => snapshot.status === "active" && isPossible(snapshot, event),
  })
  return paths
    .filter(({ state }) => state.status === "done")
    .map(({ state, steps }) => {
      const walked = steps.slice(1).map((step) => ({
        name: (step.event as unknown as { name: HappeningName }).name,
        value: step.state.value,
      }))
      return {
        title: walked.map(({ name }) => name).join(", "),
        input: full,
        steps: walked,
        end: state.value,
      }
    })
}

function hasWaited({ job, deadlineAt = at + job.timeoutMs, remainingMs }: JobContext): boolean {
  return deadlineAt > at + job.timeoutMs || remainingMs > job.timeoutMs
}

/** Effects settle and timers go off only where they run. Whatever comes from outside may come at any time. */
function isPossible(snapshot: JobSnapshot, { type }: { type: string }): boolean {
  if (!type.startsWith("xstate.")) return true
  return snapshot._nodes.some((node) => node.ownEvents.some((own) => own === type))
}

/**
 * Lets one scenario happen twice, to a real actor on a simulated clock and to the pure machine, whose snapshot goes
 * through JSON after every step, and compares them: state, context, record, effects in flight, timers.
 * Returns the transitions that the actor took.
 */
export async function drive({ title, input, steps }: Scenario): Promise<Set<string>> {
  const outOfTime = steps.some(({ name }) => name === "its total time runs out")
  const job: JobInput = { ...input, ...(outOfTime ? { timeoutMs: 50_000, idleMs: 900_000 } : {}) }
  const real = new RealRun(job)
  const pure = new PureRun(job)
  const happened: string[] = ["it is started"]
  const compare = (value?: JobSnapshot["value"]) => {
    const [inLife, onPaper] = [real.seen(), pure.seen()]
    const isAsWalked = value === undefined || isDeepStrictEqual(onPaper.value, value)
    // The plain comparison is the quick one; `expect` says what differs.
    if (isDeepStrictEqual(inLife, onPaper) && isAsWalked) return
    const story = `${happened.join(", ")}\nof: ${title}`
    expect(inLife, story).toEqual({ ...onPaper, value: value ?? onPaper.value })
    throw new Error(`${story}: ${JSON.stringify(onPaper.value)} is not ${JSON.stringify(value)}`)
  }

  compare()
  for (const { name, value } of steps) {
    happened.push(name)
    const event: WalkEvent = happenings[name]
    // Everything takes its time, so that no two times in a record are alike by chance.
    const due = event.type.startsWith("xstate.after.") ? pure.due(event.type) : dawn + real.clock.now() + 7
    const now = await real.happen(event, due)
    pure.happen(timed(event, now), now)
    compare(value)
  }
  const { status, output, record, asked, inFlight, timers, value } = pure.seen()
  const names = steps.map(({ name }) => name)
  const decision = names.find((name) => decisions[name])
  const wasPrompted = asked.some(({ effect }) => effect === "promptChild")
  const wasAnswered = decision === "its child answers" || decision === "its child answers with an error"
  expect({ status, output, inFlight, timers, value, stops: timesAsked(asked, "stopChild") }, title).toEqual({
    status: "done",
    output: record,
    inFlight: [],
    timers: 0,
    value: decision && decisions[decision],
    stops: wasPrompted && !wasAnswered ? 1 : 0,
  })
  return real.taken
}

const timesAsked = (asked: Seen["asked"], name: EffectName) =>
  asked.filter(({ effect }) => effect === name).length

/** What both runs must agree on. */
type Seen = {
  value: unknown
  status: string
  context: unknown
  output: unknown
  record: unknown
  asked: { effect: string; input: unknown }[]
  inFlight: string[]
  timers: number
}

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value ?? null))

function seenOf(snapshot: JobSnapshot) {
  const { value, status, context, output } = snapshot
  return {
    value,
    status,
    context: json(context),
    output: json(output),
    record: json(recordOf(snapshot)),
  }
}

class RealRun {
  readonly clock = new CountingClock()
  readonly taken = new Set<string>()
  readonly #asked: Seen["asked"] = []
  readonly #calls = new Map<
    string,
    { signal: AbortSignal; settle: PromiseWithResolvers<never>; over: boolean }
  >()
  readonly #actor

  constructor(input: JobInput) {
    const effect = (name: EffectName) => (effectInput: unknown, signal: AbortSignal) => {
      const settle = promiseWithResolvers<never>()
      this.#asked.push({ effect: name, input: json(effectInput) })
      this.#calls.set(name, { signal, settle, over: false })
      return settle.promise
    }
    const effects = {
      openSession: effect("openSession"),
      promptChild: effect("promptChild"),
      stopChild: effect("stopChild"),
    }
    this.#actor = createActor(
      jobMachine.provide({ actors: effectActors(effects, () => dawn + this.clock.now()) }),
      {
        input,
        clock: this.clock,
        inspect: (inspected) => {
          for (const name of takenIn(inspected)) this.taken.add(name)
        },
      },
    )
    this.#actor.start()
  }

  /** Lets time pass until `due`, and the event happen then. Returns the time. */
  async happen(event: WalkEvent, due: number): Promise<number> {
    this.clock.set(due - dawn)
    if ("output" in event || "error" in event) {
      const call = this.#calls.get(event.actorId)
      if (!call) throw new Error(`${event.actorId} has not been asked for`)
      call.over = true
      if ("output" in event) call.settle.resolve(event.output as never)
      else call.settle.reject(event.error)
      await afterMicrotasks()
    } else if (!isTimer(event)) {
      this.#actor.send(timed(event, due))
    }
    return due
  }

  seen(): Seen {
    return {
      ...seenOf(this.#actor.getSnapshot()),
      asked: this.#asked,
      inFlight: [...this.#calls]
        .filter(([, { over, signal }]) => !over && !signal.aborted)
        .map(([name]) => name),
      timers: this.clock.pending,
    }
  }
}

class PureRun {
  #snapshot: JobSnapshot
  readonly #asked: Seen["asked"] = []
  readonly #inFlight = new Set<string>()
  readonly #timers = new Map<string, number>()

  constructor(input: JobInput) {
    const [snapshot, actions] = initialTransition(jobMachine, input)
    this.#snapshot = snapshot
    this.#note(actions, dawn)
  }

  happen(event: WalkEvent, now: number): void {
    if (isTimer(event)) this.#timers.delete(event.type)
    if ("actorId" in event) this.#inFlight.delete(event.actorId)
    const [snapshot, actions] = transition(jobMachine, throughJson(this.#snapshot), event as JobEvent)
    this.#snapshot = snapshot
    this.#note(actions, now)
  }

  /** When a timer goes off, epoch milliseconds. */
  due(timer: string): number {
    const due = this.#timers.get(timer)
    if (due === undefined) throw new Error(`no timer ${timer} runs`)
    return due
  }

  seen(): Seen {
    return {
      ...seenOf(this.#snapshot),
      asked: this.#asked,
      inFlight: [...this.#inFlight],
      timers: this.#timers.size,
    }
  }

  /** A runtime starts what is asked for when the step is over: what the same step stops again never runs. */
  #note(actions: readonly { type: string; params: unknown }[], now: number): void {
    const asked: Seen["asked"] = []
    for (const { type, params } of actions) {
      const { id, delay, src, input, sendId } = params as ActionParams
      if (type === "xstate.raise" && delay !== undefined) this.#timers.set(id, now + delay)
      if (type === "xstate.cancel") this.#timers.delete(sendId)
      if (type === "xstate.spawnChild") {
        asked.push({ effect: src, input: json(input) })
        this.#inFlight.add(src)
      }
      if (type === "xstate.stopChild" && this.#inFlight.delete(id)) {
        const index = asked.findIndex(({ effect }) => effect === id)
        if (index >= 0) asked.splice(index, 1)
      }
    }
    this.#asked.push(...asked)
  }
}

/** What the actions that matter here say, each a part of it. */
type ActionParams = { id: string; delay?: number; src: EffectName; input: unknown; sendId: string }

/** As a durable engine keeps it between two steps. */
function throughJson(snapshot: JobSnapshot): JobSnapshot {
  const kept = JSON.parse(JSON.stringify(jobMachine.getPersistedSnapshot(snapshot)))
  return createActor(jobMachine, { snapshot: kept, input: snapshot.context.job }).getSnapshot()
}

const isTimer = ({ type }: WalkEvent): boolean => type.startsWith("xstate.after.")

/** The same event at another time. */
function timed<Event extends WalkEvent>(event: Event, now: number): Event & JobEvent {
  const moved = structuredClone(event) as Event & JobEvent & Record<string, { at?: number }>
  const stamped = (part: object | undefined) => part && "at" in part && Object.assign(part, { at: now })
  for (const part of [moved, moved.activity, moved.output, moved.error]) stamped(part)
  return moved
}

function promiseWithResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: PromiseWithResolvers<T>["resolve"] = () => {}
  let reject: PromiseWithResolvers<T>["reject"] = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

type PromiseWithResolvers<T> = {
  promise: Promise<T>
  resolve(value: T | PromiseLike<T>): void
  reject(reason: unknown): void
}
