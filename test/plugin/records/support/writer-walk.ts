import { setImmediate as afterMicrotasks } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { createActor, fromPromise, initialTransition, type SnapshotFrom, transition } from "xstate"
import { getSimplePaths } from "xstate/graph"
import { merged, type Patch } from "../../../../src/plugin/records/patch.ts"
import {
  type Change,
  type WriteInput,
  type WriteOutcome,
  type WriterEvent,
  type WriterInput,
  writerMachine,
} from "../../../../src/plugin/records/writer-machine.ts"
import { CountingClock } from "../../../machines/support/counting-clock.ts"
import { takenIn } from "../../../machines/support/transitions.ts"

type WriterSnapshot = SnapshotFrom<typeof writerMachine>
type WriteName = "write" | "lastWrite"

const change = (isUrgent: boolean): WriterEvent => ({
  type: "record.changed",
  change: { patch: {}, isUrgent, number: 0 },
})
const done = (actor: WriteName, type: WriteOutcome["type"]) => ({
  type: `xstate.done.actor.${actor}`,
  actorId: actor,
  output: { type },
})
const failed = (actor: WriteName) => ({
  type: `xstate.error.actor.${actor}`,
  actorId: actor,
  error: { message: "the store is away" },
})

/** All that can happen to a writer, from outside, by its writes and by its timers alike. */
const happenings = {
  "the job changes": change(false),
  "the job changes urgently": change(true),
  "another one is written": { type: "others.due" },
  "the plugin closes": { type: "store.closing" },
  "it has waited for others": { type: "xstate.after.soon.writer.dirty" },
  "its pause is over": { type: "xstate.after.backoff.writer.retrying" },
  "the write succeeds": done("write", "written"),
  "the write is refused": done("write", "refused"),
  "the write fails": failed("write"),
  "the last write succeeds": done("lastWrite", "written"),
  "the last write is refused": done("lastWrite", "refused"),
  "the last write fails": failed("lastWrite"),
} as const

type HappeningName = keyof typeof happenings

/** One way of a writer from its first change to its end. */
export type Way = { isUrgent: boolean; steps: HappeningName[]; end: WriterSnapshot["value"] }

export type WalkOptions = {
  /** Whether its first change is urgent. */
  isUrgent?: boolean
  /** What may happen. Default: everything. */
  alphabet?: readonly HappeningName[]
  /** Also tells apart whether a write has failed before, so that attempts after failures are walked too. */
  withFailures?: boolean
}

/** Every way on which no state comes twice, from the machine itself. */
export function everyWay({
  isUrgent = false,
  alphabet = Object.keys(happenings) as HappeningName[],
  withFailures = false,
}: WalkOptions): Way[] {
  return getSimplePaths(writerMachine, {
    input: inputOf(isUrgent),
    // xstate types only what comes from outside; what it sends itself is an event like any other in a walk.
    events: alphabet.map((name) => ({ ...happenings[name], name })) as unknown as WriterEvent[],
    serializeState: ({ value, context: { waiting, failures } }) =>
      JSON.stringify([value, waiting?.isUrgent, withFailures && failures > 0]),
    filterEvents: (snapshot, { type }) => snapshot.status === "active" && isPossible(snapshot, type),
  })
    .filter(({ state }) => state.status === "done")
    .map(({ state, steps }) => ({
      isUrgent,
      steps: steps.slice(1).map(({ event }) => (event as unknown as { name: HappeningName }).name),
      end: state.value,
    }))
}

/** Writes end and timers go off only where they run. Whatever comes from outside may come at any time. */
function isPossible(snapshot: WriterSnapshot, type: string): boolean {
  if (!type.startsWith("xstate.")) return true
  return snapshot._nodes.some(({ ownEvents }) => ownEvents.some((own) => own === type))
}

/**
 * Lets one way happen twice, to a real actor on a simulated clock and to the pure machine, whose snapshot goes through
 * JSON after every step, and compares them. What the record holds in the end is what was to be written of it.
 * Returns the transitions that the actor took.
 */
export async function drive({ isUrgent, steps, end }: Way): Promise<Set<string>> {
  const input = inputOf(isUrgent)
  const [real, pure] = [new RealRun(input), new PureRun(input)]
  let all: Patch = input.change.patch
  let number = input.change.number
  const story = [`its first change${isUrgent ? " is urgent" : ""}`]
  const compare = () => {
    const [inLife, onPaper] = [real.seen(), pure.seen()]
    if (!isDeepStrictEqual(inLife, onPaper)) expect(inLife, story.join(", ")).toEqual(onPaper)
  }

  compare()
  for (const name of steps) {
    story.push(name)
    const event: { type: string } = happenings[name]
    if (event.type.startsWith("xstate.after.")) {
      const due = pure.due(event.type)
      real.clock.set(due)
      pure.happen(event, due)
    } else {
      // Everything takes its time, so that no two timers go off together by chance.
      real.clock.increment(7)
      const isChange = event.type === "record.changed"
      const next = isChange
        ? changeOf(++number, "change" in event ? (event.change as Change).isUrgent : false)
        : undefined
      const happening = next ? { ...event, change: next } : event
      // What comes once it is decided that nothing more is written has come too late.
      if (next && !isDraining(real.seen().value)) all = merged(all, next.patch)
      await real.happen(happening)
      pure.happen(happening, real.clock.now())
    }
    compare()
  }

  const { status, value, inFlight, timers, context } = real.seen()
  expect({ status, value, inFlight, timers, most: real.most }, story.join(", ")).toEqual({
    status: "done",
    value: end,
    inFlight: [],
    timers: 0,
    most: 1,
  })
  const isAllWritten = value === "clean" || steps.at(-1) === "the last write succeeds"
  if (isAllWritten) expect(real.stored, story.join(", ")).toEqual(all)
  if (value === "clean") expect(context).toMatchObject({ written: number })
  return real.taken
}

const isDraining = (value: unknown) => value === "draining"

const inputOf = (isUrgent: boolean): WriterInput => ({ session: "ses_1", change: changeOf(1, isUrgent) })

/** Each change has a key that all have, and one that every second has, so that no order of theirs looks like another. */
const changeOf = (number: number, isUrgent: boolean): Change => ({
  patch: { deliveredRun: number, ...(number % 2 === 0 && { prompt: `prompt ${number}` }) },
  isUrgent,
  number,
})

type Seen = {
  value: unknown
  status: string
  context: unknown
  asked: WriteInput[]
  inFlight: string[]
  timers: number
}

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value ?? null))

type Call = { input: WriteInput; resolve(outcome: WriteOutcome): void; reject(error: unknown): void }

class RealRun {
  readonly clock = new CountingClock()
  readonly taken = new Set<string>()
  /** What has been written, over each other. */
  stored: Patch = {}
  /** Writes at once. */
  most = 0
  readonly #asked: WriteInput[] = []
  readonly #calls: Call[] = []
  readonly #actor

  constructor(input: WriterInput) {
    const write = fromPromise<WriteOutcome, WriteInput>(({ input: asked }) => {
      this.#asked.push(json(asked))
      return new Promise((resolve, reject) => {
        this.#calls.push({ input: asked, resolve, reject })
        this.most = Math.max(this.most, this.#calls.length)
      })
    })
    this.#actor = createActor(writerMachine.provide({ actors: { write } }), {
      input,
      clock: this.clock,
      inspect: (inspected) => {
        for (const name of takenIn(inspected)) this.taken.add(name)
      },
    }).start()
  }

  async happen(event: { type: string; output?: unknown; error?: unknown }): Promise<void> {
    if (!event.type.startsWith("xstate.")) {
      this.#actor.send(event as WriterEvent)
      return
    }
    const call = this.#calls.shift()
    if (!call) throw new Error("nothing is being written")
    const outcome = event.output as WriteOutcome | undefined
    if (outcome?.type === "written") this.stored = merged(this.stored, call.input.patch)
    if (outcome) call.resolve(outcome)
    else call.reject(event.error)
    await afterMicrotasks()
  }

  seen(): Seen {
    const { value, status, context } = this.#actor.getSnapshot()
    const inFlight = this.#calls.map(({ input }) => JSON.stringify(input))
    return { value, status, context: json(context), asked: this.#asked, inFlight, timers: this.clock.pending }
  }
}

class PureRun {
  #snapshot: WriterSnapshot
  readonly #asked: WriteInput[] = []
  readonly #inFlight = new Map<string, string>()
  readonly #timers = new Map<string, number>()

  constructor(input: WriterInput) {
    const [snapshot, actions] = initialTransition(writerMachine, input)
    this.#snapshot = snapshot
    this.#note(actions, 0)
  }

  happen(event: { type: string; actorId?: string }, now: number): void {
    this.#timers.delete(event.type)
    if (event.actorId !== undefined) this.#inFlight.delete(event.actorId)
    const [snapshot, actions] = transition(writerMachine, throughJson(this.#snapshot), event as WriterEvent)
    this.#snapshot = snapshot
    this.#note(actions, now)
  }

  due(timer: string): number {
    const due = this.#timers.get(timer)
    if (due === undefined) throw new Error(`no timer ${timer} runs`)
    return due
  }

  seen(): Seen {
    const { value, status, context } = this.#snapshot
    const inFlight = [...this.#inFlight.values()]
    return { value, status, context: json(context), asked: this.#asked, inFlight, timers: this.#timers.size }
  }

  #note(actions: readonly { type: string; params: unknown }[], now: number): void {
    for (const { type, params } of actions) {
      const { id, delay, input, sendId } = params as {
        id: string
        delay?: number
        input: WriteInput
        sendId: string
      }
      if (type === "xstate.raise" && delay !== undefined) this.#timers.set(id, now + delay)
      if (type === "xstate.cancel") this.#timers.delete(sendId)
      if (type === "xstate.stopChild") this.#inFlight.delete(id)
      if (type === "xstate.spawnChild") {
        this.#asked.push(json(input))
        this.#inFlight.set(id, JSON.stringify(input))
      }
    }
  }
}

/** As a durable engine keeps it between two steps. */
function throughJson(snapshot: WriterSnapshot): WriterSnapshot {
  const kept = JSON.parse(JSON.stringify(writerMachine.getPersistedSnapshot(snapshot)))
  return createActor(writerMachine, { snapshot: kept, input: inputOf(false) }).getSnapshot()
}
