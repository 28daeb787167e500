import { setImmediate as afterMicrotasks } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { createActor, fromPromise, initialTransition, type SnapshotFrom, transition } from "xstate"
import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import type { OwnerMessage } from "../../../../src/plugin/host/port.ts"
import {
  type Compose,
  type Composed,
  type Deliver,
  type Delivered,
  type DeliveryEvent,
  type DeliveryInput,
  deliveryMachine,
} from "../../../../src/plugin/owners/delivery-machine.ts"
import { CountingClock } from "../../../machines/support/counting-clock.ts"
import { takenIn } from "../../../machines/support/transitions.ts"

type DeliverySnapshot = SnapshotFrom<typeof deliveryMachine>
type EffectName = "compose" | "deliver"

/** What a delivery's machine hears, from outside, from its effects and from its timers alike. */
type WalkEvent =
  | DeliveryEvent
  | { type: `xstate.done.actor.${EffectName}`; actorId: EffectName; output: Composed | Delivered }
  | { type: `xstate.error.actor.${EffectName}`; actorId: EffectName; error: object }
  | { type: `xstate.after.${string}` }

const message: OwnerMessage = {
  session: "owner",
  messageID: "msg_1",
  text: "A background job has ended",
  agent: "build",
  mark: { delivered: [] },
}

/** All that can happen to a delivery. */
const happenings = {
  "a job ends": { type: "job.ended", job: "a" },
  "an old job is found": { type: "job.adopted" },
  "an old job is resumed": { type: "job.resumed", job: "old" },
  "the resumed job ends": { type: "job.ended", job: "old" },
  "a turn begins": { type: "owner.busy" },
  "the turn ends": { type: "owner.idle" },
  "the user stops the turn": { type: "owner.interrupted" },
  "all is delivered": { type: "inbox.emptied" },
  "the window closes": { type: "xstate.after.window.delivery.window" },
  "the pause is over": { type: "xstate.after.pause.delivery.backoff" },
  "a message is composed": done("compose", { outcome: "composed", message, hasMore: false }),
  "a message is composed that does not hold all": done("compose", {
    outcome: "composed",
    message,
    hasMore: true,
  }),
  "others of the batch still run": done("compose", { outcome: "early", waitMs: 60_000 }),
  "the batch was waited for long enough": { type: "xstate.after.gathering.delivery.gathering" },
  "the owner turns out to work": done("compose", { outcome: "busy" }),
  "there is nothing to say": done("compose", { outcome: "nothing" }),
  "nobody is there": done("compose", { outcome: "gone" }),
  "nothing can be read": failed("compose"),
  "the message is delivered": done("deliver", { outcome: "delivered" }),
  "the message is held back": done("deliver", { outcome: "busy" }),
  "nobody is there to deliver it to": done("deliver", { outcome: "gone" }),
  "the message is not delivered": failed("deliver"),
} satisfies Record<string, WalkEvent>

type HappeningName = keyof typeof happenings

function done(effect: EffectName, output: Composed | Delivered): WalkEvent {
  return { type: `xstate.done.actor.${effect}`, actorId: effect, output }
}

function failed(effect: EffectName): WalkEvent {
  return { type: `xstate.error.actor.${effect}`, actorId: effect, error: { message: "not now" } }
}

/** Something happens in some state, to which the steps before lead. */
export type Step = { from: DeliveryInput["from"]; steps: HappeningName[] }

/** Everything that can happen in every state of a delivery, reached by a shortest way. */
export function everyStep(from: DeliveryInput["from"]): Step[] {
  const options = {
    input: { owner: "owner", from },
    // xstate types only what comes from outside; what it sends itself is an event like any other in a walk.
    events: Object.entries(happenings).map(([name, event]) => ({
      ...event,
      name,
    })) as unknown as DeliveryEvent[],
    serializeState,
    filterEvents: (snapshot: DeliverySnapshot, { type }: { type: string }) =>
      snapshot.status === "active" && isPossible(snapshot, type),
  }
  const ways = new Map(
    getShortestPaths(deliveryMachine, options).map(({ state, steps }) => [
      serializeState(state),
      steps.slice(1).map(({ event }) => nameOf(event)),
    ]),
  )
  return adjacencyMapToArray(getAdjacencyMap(deliveryMachine, options)).map(({ state, event }) => ({
    from,
    steps: [...(ways.get(serializeState(state)) ?? []), nameOf(event)],
  }))
}

const nameOf = (event: object) => (event as unknown as { name: HappeningName }).name

function serializeState({
  value,
  context: { resumed, message, attempt, hasMore },
}: DeliverySnapshot): string {
  return JSON.stringify([value, resumed.length > 0, message?.messageID, attempt > 0, hasMore])
}

/** Effects settle and timers go off only where they run. Whatever comes from outside may come at any time. */
function isPossible(snapshot: DeliverySnapshot, type: string): boolean {
  if (!type.startsWith("xstate.")) return true
  return snapshot._nodes.some(({ ownEvents }) => ownEvents.some((own) => own === type))
}

/**
 * Lets the steps happen twice, to a real actor on a simulated clock and to the pure machine, whose snapshot goes
 * through JSON after every step, and compares them: state, context, effects in flight, timers. Returns the transitions
 * that the actor took.
 */
export async function drive({ from, steps }: Step): Promise<Set<string>> {
  const input: DeliveryInput = { owner: "owner", from }
  const [real, pure] = [new RealRun(input), new PureRun(input)]
  const story = [`results of ${from}`]
  let isBusy = false
  const compare = () => {
    const [inLife, onPaper] = [real.seen(), pure.seen()]
    if (!isDeepStrictEqual(inLife, onPaper)) expect(inLife, story.join(", ")).toEqual(onPaper)
  }

  compare()
  for (const name of steps) {
    story.push(name)
    const event: WalkEvent = happenings[name]
    const before = real.seen()
    if (event.type === "owner.busy" || name === "the owner turns out to work") isBusy = true
    if (event.type === "owner.idle") isBusy = false
    if (event.type.startsWith("xstate.after.")) real.clock.set(pure.due(event.type))
    // Everything takes its time, so that no two timers go off together by chance.
    else {
      real.clock.increment(7)
      await real.happen(event)
    }
    pure.happen(event, real.clock.now())
    compare()

    const { value, asked, inFlight, timers } = real.seen()
    const isOver = "actorId" in event && event.actorId === "deliver"
    const newlyAsked = asked.slice(before.asked.length).map(({ effect }) => effect)
    const broken = [
      ...(isBusy && newlyAsked.length > 0 ? [`${newlyAsked} for an owner that works`] : []),
      ...(inFlight.length > 1 ? [`${inFlight} at once`] : []),
      ...(before.inFlight.includes("deliver") && !isOver && !inFlight.includes("deliver")
        ? ["a message is given up that may still be stored"]
        : []),
      ...(value === "dormant" && asked.length > 0 ? ["a session is looked at that nobody uses"] : []),
      ...(value === "held" && newlyAsked.length > 0 ? ["a session is woken whose user has stopped it"] : []),
      ...(value === "gathering" && timers !== 1 ? ["a batch is waited for without end"] : []),
      ...(value === "quiet" && inFlight.length + timers > 0 ? ["something is left of it"] : []),
    ]
    if (broken.length > 0) expect(broken, story.join(", ")).toEqual([])
  }
  return real.taken
}

/** What both runs must agree on. */
type Seen = {
  value: unknown
  status: string
  context: unknown
  asked: { effect: EffectName; input: unknown }[]
  inFlight: string[]
  timers: number
}

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value ?? null))

type Call = {
  signal: AbortSignal
  resolve(output: never): void
  reject(error: unknown): void
  isOver: boolean
}

class RealRun {
  readonly clock = new CountingClock()
  readonly taken = new Set<string>()
  readonly #asked: Seen["asked"] = []
  readonly #calls = new Map<EffectName, Call>()
  readonly #actor

  constructor(input: DeliveryInput) {
    const effect = (name: EffectName) =>
      fromPromise<never, never>(({ input: asked, signal }) => {
        this.#asked.push({ effect: name, input: json(asked) })
        return new Promise((resolve, reject) => {
          this.#calls.set(name, { signal, resolve, reject, isOver: false })
        })
      })
    const actors = {
      compose: effect("compose") as Compose,
      deliver: effect("deliver") as Deliver,
    }
    this.#actor = createActor(deliveryMachine.provide({ actors }), {
      input,
      clock: this.clock,
      inspect: (inspected) => {
        for (const name of takenIn(inspected)) this.taken.add(name)
      },
    }).start()
  }

  async happen(event: WalkEvent): Promise<void> {
    if (!("actorId" in event)) {
      this.#actor.send(event as DeliveryEvent)
      return
    }
    const call = this.#calls.get(event.actorId)
    if (!call) throw new Error(`${event.actorId} has not been asked for`)
    call.isOver = true
    if ("output" in event) call.resolve(event.output as never)
    else call.reject(event.error)
    await afterMicrotasks()
  }

  seen(): Seen {
    const { value, status, context } = this.#actor.getSnapshot()
    return {
      value,
      status,
      context: json(context),
      asked: [...this.#asked],
      inFlight: [...this.#calls]
        .filter(([, { isOver, signal }]) => !isOver && !signal.aborted)
        .map(([name]) => name),
      timers: this.clock.pending,
    }
  }
}

class PureRun {
  #snapshot: DeliverySnapshot
  readonly #asked: Seen["asked"] = []
  readonly #inFlight = new Set<EffectName>()
  readonly #timers = new Map<string, number>()

  constructor(input: DeliveryInput) {
    const [snapshot, actions] = initialTransition(deliveryMachine, input)
    this.#snapshot = snapshot
    this.#note(actions, 0)
  }

  happen(event: WalkEvent, now: number): void {
    this.#timers.delete(event.type)
    if ("actorId" in event) this.#inFlight.delete(event.actorId)
    const [snapshot, actions] = transition(
      deliveryMachine,
      throughJson(this.#snapshot),
      event as DeliveryEvent,
    )
    this.#snapshot = snapshot
    this.#note(actions, now)
  }

  /** When a timer goes off. */
  due(timer: string): number {
    const due = this.#timers.get(timer)
    if (due === undefined) throw new Error(`no timer ${timer} runs`)
    return due
  }

  seen(): Seen {
    const { value, status, context } = this.#snapshot
    return {
      value,
      status,
      context: json(context),
      asked: [...this.#asked],
      inFlight: [...this.#inFlight],
      timers: this.#timers.size,
    }
  }

  #note(actions: readonly { type: string; params: unknown }[], now: number): void {
    for (const { type, params } of actions) {
      const { id, delay, src, input, sendId } = params as ActionParams
      if (type === "xstate.raise" && delay !== undefined) this.#timers.set(id, now + delay)
      if (type === "xstate.cancel") this.#timers.delete(sendId)
      if (type === "xstate.spawnChild") {
        this.#asked.push({ effect: src, input: json(input) })
        this.#inFlight.add(src)
      }
      if (type === "xstate.stopChild") this.#inFlight.delete(src ?? (id as EffectName))
    }
  }
}

/** What the actions that matter here say, each a part of it. */
type ActionParams = { id: string; delay?: number; src: EffectName; input: unknown; sendId: string }

/** As a durable engine keeps it between two steps. */
function throughJson(snapshot: DeliverySnapshot): DeliverySnapshot {
  const kept = JSON.parse(JSON.stringify(deliveryMachine.getPersistedSnapshot(snapshot)))
  const { owner, from } = snapshot.context
  return createActor(deliveryMachine, { snapshot: kept, input: { owner, from } }).getSnapshot()
}
