import { setImmediate as afterMicrotasks } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { createActor, initialTransition, transition } from "xstate"
import { effectActors } from "../../../src/machines/effects.ts"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import { type JobSnapshot, jobMachine } from "../../../src/machines/job-machine.ts"
import { recordOf } from "../../../src/machines/job-record.ts"
import type { JobRecord } from "../../../src/machines/record.ts"
import { HandClock } from "./hand-clock.ts"
import {
  decisionIn,
  decisions,
  type EffectName,
  type HappeningName,
  happenings,
  type WalkEvent,
} from "./job-happenings.ts"
import type { Scenario } from "./job-walk.ts"
import { dawn } from "./jobs.ts"
import { takenIn } from "./transitions.ts"

/**
 * Lets one scenario happen twice, to a real actor on a clock that is moved by hand and to the pure machine, whose
 * snapshot goes through JSON after every step, and compares them: state, context, record, effects in flight, timers.
 * Returns the transitions that the actor took.
 */
export async function drive({ title, input, way, steps }: Scenario): Promise<Set<string>> {
  const real = new RealRun(input)
  let pure = PureRun.of(input)
  const compare = (value?: JobSnapshot["value"]) => {
    const [inLife, onPaper] = [real.seen(), { ...pure.seen(), ...(value !== undefined && { value }) }]
    // The plain comparison is the quick one; `expect` says what differs.
    if (!isDeepStrictEqual(inLife, onPaper)) expect(inLife, title).toEqual(onPaper)
    const clocks = pure.clocks()
    if (!isDeepStrictEqual(clocks.run, clocks.said)) expect(clocks.run, title).toEqual(clocks.said)
  }
  const happen = async (name: HappeningName) => {
    const event: WalkEvent = happenings[name]
    // Everything takes its time, so that no two times in a record are alike by chance.
    const due = isTimer(event) ? pure.due(event.type) : dawn + real.clock.now() + 7
    const now = await real.happen(event, due)
    return { name, event: timed(event, now), now }
  }

  if (way.length === 0) compare()
  for (const { name } of way) pure = pure.afterOnce(await happen(name))
  for (const { name, value } of steps) {
    pure = pure.after(await happen(name))
    compare(value)
  }
  const names = [...way, ...steps].map(({ name }) => name)
  expectEnd(
    title,
    names,
    decisionIn(names, leftToAsk(input, pure.seen().record), leftToTell(input)),
    pure.seen(),
  )
  return real.taken
}

/** How many fallbacks it had without those that took the place of a model that was never asked. */
function leftToAsk({ fallbacks = [] }: JobInput, { attempts = [] }: JobRecord): number {
  return fallbacks.length - attempts.filter(({ error }) => error.message.includes("on hold until")).length
}

/** How often its child may still be told that it did not pass; nothing where it has no check. */
const leftToTell = ({ hasToPass, checked }: JobInput) =>
  hasToPass && hasToPass.attempts - (checked?.round ?? 0)

/** What holds of every end, whatever led to it. */
function expectEnd(
  title: string,
  names: readonly HappeningName[],
  decision: HappeningName | undefined,
  seen: Seen,
): void {
  const { status, output, record, asked, inFlight, timers, value } = seen
  const has = (effect: EffectName) => asked.some((each) => each.effect === effect)
  const wasAnswered =
    decision === "its child answers" ||
    decision === "its check passes" ||
    decision === "its check does not pass" ||
    decision === "its check takes too long" ||
    decision === "its child answers with an error" ||
    decision === "its model cannot be had"
  const isUnknown =
    names.includes("its child cannot be stopped") || names.includes("its child does not stop in time")
  const ends = asked
    .map(({ effect }) => effect)
    .filter((name) => name === "recordEnd" || name === "stopChild")
  expect({ status, output, inFlight, timers, value, ends, hasText: "text" in record }, title).toEqual({
    status: "done",
    output: record,
    inFlight: [],
    timers: [],
    value: decision && decisions[decision],
    // Stored first, and only then stopped; once each, and not without need.
    ends: [
      ...(!wasAnswered && record.session !== "" ? ["recordEnd"] : []),
      ...(!wasAnswered && has("promptChild") ? ["stopChild"] : []),
    ],
    hasText: !isUnknown || record.run > 1,
  })
}

/** What both runs must agree on. */
type Seen = {
  value: unknown
  status: string
  context: unknown
  output: unknown
  record: JobRecord
  asked: { effect: string; input: unknown }[]
  inFlight: string[]
  /** When each of them goes off, milliseconds. */
  timers: number[]
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
  readonly clock = new HandClock()
  readonly taken = new Set<string>()
  readonly #asked: Seen["asked"] = []
  readonly #calls = new Map<
    string,
    { signal: AbortSignal; settle: PromiseWithResolvers<never>; over: boolean }
  >()
  readonly #actor

  constructor(input: JobInput) {
    running = this
    this.#actor = createActor(realMachine, {
      input,
      clock: this.clock,
      inspect: (inspected) => {
        for (const name of takenIn(inspected)) this.taken.add(name)
      },
    })
    this.#actor.start()
  }

  ask(effect: EffectName, input: unknown, signal: AbortSignal): Promise<never> {
    const settle = promiseWithResolvers<never>()
    this.#asked.push({ effect, input: json(input) })
    this.#calls.set(effect, { signal, settle, over: false })
    return settle.promise
  }

  /** Lets time pass until `due`, and the event happen then. Returns the time. */
  async happen(event: WalkEvent, due: number): Promise<number> {
    if (isTimer(event)) this.clock.goOff(due - dawn)
    else this.clock.set(due - dawn)
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
    return dawn + this.clock.now()
  }

  seen(): Seen {
    return {
      ...seenOf(this.#actor.getSnapshot()),
      asked: this.#asked,
      inFlight: [...this.#calls]
        .filter(([, { over, signal }]) => !over && !signal.aborted)
        .map(([name]) => name),
      timers: this.clock.pending.toSorted(ascending),
    }
  }
}

/** The one real run. A machine for each would cost more than what happens to it. */
let running: RealRun
const effect = (name: EffectName) => (input: unknown, signal: AbortSignal) => running.ask(name, input, signal)
const realMachine = jobMachine.provide({
  actors: effectActors(
    {
      openSession: effect("openSession"),
      promptChild: effect("promptChild"),
      lookForAnswer: effect("lookForAnswer"),
      runCheck: effect("runCheck"),
      recordEnd: effect("recordEnd"),
      leaveChild: effect("leaveChild"),
      stopChild: effect("stopChild"),
    },
    () => dawn + running.clock.now(),
  ),
})

type Happened = { name: HappeningName; event: WalkEvent & JobEvent; now: number }

class PureRun {
  static readonly #begun = new Map<string, PureRun>()

  /** One that has just begun. */
  static of(input: JobInput): PureRun {
    const key = JSON.stringify(input)
    const run = PureRun.#begun.get(key) ?? new PureRun(initialTransition(jobMachine, input), dawn)
    PureRun.#begun.set(key, run)
    return run
  }

  readonly #snapshot: JobSnapshot
  readonly #asked: Seen["asked"] = []
  readonly #inFlight = new Set<string>()
  readonly #timers = new Map<string, number>()
  readonly #next = new Map<HappeningName, PureRun>()

  private constructor(
    [snapshot, actions]: readonly [JobSnapshot, ReturnType<typeof transition>[1]],
    now: number,
    before?: PureRun,
  ) {
    this.#snapshot = snapshot
    if (before) {
      this.#asked = [...before.#asked]
      this.#inFlight = new Set(before.#inFlight)
      this.#timers = new Map(before.#timers)
    }
    this.#note(actions, now)
  }

  after({ event, now }: Happened): PureRun {
    const before = new PureRun([this.#snapshot, []], now, this)
    if (isTimer(event)) before.#timers.delete(event.type)
    if ("actorId" in event) before.#inFlight.delete(String(event.actorId))
    return new PureRun(transition(jobMachine, throughJson(this.#snapshot), event as JobEvent), now, before)
  }

  /** The same, remembered: many ways begin alike. */
  afterOnce(happened: Happened): PureRun {
    const next = this.#next.get(happened.name) ?? this.after(happened)
    this.#next.set(happened.name, next)
    return next
  }

  /** When a timer goes off, epoch milliseconds. */
  due(timer: string): number {
    const due = this.#timers.get(timer)
    if (due === undefined) throw new Error(`no timer ${timer} runs`)
    return due
  }

  /** The two clocks of a prompt: those that run, and what the context says of them. */
  clocks() {
    const { deadlineAt, idleAt } = this.#snapshot.context
    const dueOf = (name: RegExp) => [...this.#timers].find(([timer]) => name.test(timer))?.[1]
    return {
      run: { total: dueOf(/after\.total\./), idle: dueOf(/after\.idle/) },
      said: { total: deadlineAt, idle: idleAt },
    }
  }

  seen(): Seen {
    return {
      ...seenOf(this.#snapshot),
      asked: this.#asked,
      inFlight: [...this.#inFlight],
      timers: [...this.#timers.values()].map((due) => due - dawn).toSorted(ascending),
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

const ascending = (a: number, b: number) => a - b

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
