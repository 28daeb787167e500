import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import {
  type ActorScope,
  type AnyActorRef,
  createActor,
  createMachine,
  type SnapshotFrom,
  setup,
} from "xstate"
import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import type { JobInput } from "../../../src/machines/events.ts"
import type { JobContext } from "../../../src/machines/job-context.ts"
import { jobMachine } from "../../../src/machines/job-machine.ts"
import { recordOf } from "../../../src/machines/job-record.ts"
import type { NeedEnd } from "../../../src/machines/needs.ts"
import { type Need, NO_USAGE } from "../../../src/machines/record.ts"
import {
  type IdleEvent,
  type SlotEvent,
  type SupervisorEvent,
  supervisorMachine,
} from "../../../src/machines/supervisor-machine.ts"
import { jobInput } from "./jobs.ts"
import { takenIn } from "./transitions.ts"

/** An event, and the way to the state in which it comes: each step of it is the event of another scenario. */
export type SupervisorScenario = { title: string; way: SupervisorEvent[]; event: SupervisorEvent }

type SupervisorSnapshot = SnapshotFrom<typeof supervisorMachine>
type Asked = { type: string; params: unknown }
type Place = keyof typeof places

const places = {
  opening: { created: "opening" },
  queued: { created: "queued" },
  working: { prompting: { running: { active: "working" } } },
} as const

const owner = "owner"
/** What it needs is its supervisor's business. */
const contextOf = ({ needs: _, hasBegun: __, each: ___, ...job }: JobInput): JobContext => ({
  job,
  session: "",
  isBlocked: false,
  remainingMs: job.timeoutMs,
  waitedMs: 0,
  asks: [],
  tools: [],
  usage: NO_USAGE,
})
const snapshotOf = (id: string, place: Place) =>
  jobMachine.resolveState({ value: places[place], context: contextOf(jobInput({ id })) })
const endOf = (id: string) => ({
  ...recordOf(snapshotOf(id, "queued")),
  state: "done" as const,
  phase: undefined,
})

/** One that needs the other, and a third that is none of this supervisor's. */
const needs: Need[] = [
  { id: "j1", on: "done" },
  { id: "j3", on: "ended" },
]
const ends = {
  "j1 is done": { id: "j1", state: "done" },
  "j1 failed": { id: "j1", state: "failed", why: "the provider refused" },
  "j3 failed": { id: "j3", state: "failed", why: "the provider refused" },
  "j3 is gone": { id: "j3", state: "gone" },
} satisfies Record<string, NeedEnd>
const each = { from: "j1", timeoutMs: 1, idleMs: 1 }
const startsOf: Omit<Extract<SupervisorEvent, { type: "job.start" }>, "type">[] = [
  { job: jobInput({ id: "j1" }) },
  { job: jobInput({ id: "j2" }) },
  { job: jobInput({ id: "j2", needs }), ended: [] },
  { job: jobInput({ id: "j2", needs }), ended: [ends["j3 failed"]] },
  { job: jobInput({ id: "j2", needs }), ended: [ends["j1 is done"], ends["j3 failed"]] },
  { job: jobInput({ id: "j2", needs }), ended: [ends["j1 failed"]] },
  { job: jobInput({ id: "j2", needs, hasBegun: true }), ended: [] },
  { job: jobInput({ id: "j2", needs, each }), ended: [] },
  { job: jobInput({ id: "j2", each }), ended: [] },
]

/** All that can happen next: jobs are started and told, needs end, and each living actor moves, ends or breaks. */
function eventsIn({ context }: SupervisorSnapshot): SupervisorEvent[] {
  return [
    ...startsOf.map((start): SupervisorEvent => ({ type: "job.start", ...start })),
    ...Object.values(ends).map((end): SupervisorEvent => ({ type: "need.ended", end, at: 0 })),
    ...["j1", "j2"].map((id): SupervisorEvent => {
      return { type: "job.tell", job: id, event: { type: "job.cancel", reason: "", at: 0 } }
    }),
    ...context.live.flatMap(({ job, actor }): SupervisorEvent[] => [
      { type: `xstate.snapshot.${actor}`, snapshot: snapshotOf(job, "queued") },
      { type: `xstate.snapshot.${actor}`, snapshot: snapshotOf(job, "working") },
      { type: `xstate.done.actor.${actor}`, actorId: actor, output: endOf(job) },
      { type: `xstate.error.actor.${actor}`, actorId: actor, error: "it broke" },
    ]),
  ]
}

/** Every event in every state that a supervisor of two jobs can be in, reached by a shortest way. */
export function everyStep(): SupervisorScenario[] {
  const logic = Paper.logic()
  const keyOf = ({ context }: SupervisorSnapshot) => JSON.stringify(context.live)
  const options = {
    input: { owner },
    events: eventsIn,
    serializeState: keyOf,
    // A machine whose states never end is to fail, not to fill the memory.
    limit: 20_000,
    serializeEvent: titleOf,
  }
  const ways = new Map(
    getShortestPaths(logic, options).map(({ state, steps }) => [
      keyOf(state),
      steps.slice(1).map(({ event }) => event),
    ]),
  )
  return adjacencyMapToArray(getAdjacencyMap(logic, options)).map(({ state, event }) => {
    const way = ways.get(keyOf(state)) ?? []
    return { title: [...way, event].map(titleOf).join(", "), way, event }
  })
}

function titleOf(event: SupervisorEvent): string {
  if (event.type === "job.start") return `${event.job.id} is started ${JSON.stringify(event)}`
  if (event.type === "need.ended") return `${event.end.id} has ended: ${event.end.state}`
  if (event.type === "job.tell") return `${event.job} is told`
  if ("snapshot" in event) return `${event.type} ${JSON.stringify(event.snapshot.value)}`
  return event.type
}

/**
 * Lets it happen to a real supervisor under a parent, and on paper with JSON between the steps; returns the
 * transitions taken.
 */
export function driveSupervisor({ title, way, event }: SupervisorScenario): Set<string> {
  const taken = new Set<string>()
  const asked: Asked[] = []
  askedInLife = asked
  const parent = createActor(realParent, {
    inspect: (inspected) => {
      for (const name of takenIn(inspected)) if (name.startsWith("supervisor")) taken.add(name)
      if (inspected.type !== "@xstate.event") return
      const { event, actorRef } = inspected
      const actor = "id" in actorRef ? String(actorRef.id) : ""
      if (!actor.startsWith("job-")) return
      if (event.type === "xstate.init") asked.push({ type: "started", params: { actor, job: event.input } })
      if (isTold(event)) asked.push({ type: "told a job", params: { actor, event } })
    },
  })
  parent.start()
  const real: AnyActorRef | undefined = parent.getSnapshot().children.supervisor
  if (!real) throw new Error("there is no supervisor")
  let paper = Paper.begun()
  for (const step of [...way, event]) {
    happenInLife(real, step)
    paper = step === event ? paper.after(step) : paper.afterOnce(step)
  }

  const { status, context, children } = real.getSnapshot()
  const seen = { status, context, actors: Object.keys(children), asked: plain(asked) }
  const wanted = paper.seen()
  if (!isDeepStrictEqual(seen, wanted)) expect(seen, title).toEqual(wanted)
  parent.stop()
  return taken
}

function happenInLife(real: AnyActorRef, event: SupervisorEvent): void {
  const actorId = event.type.split(".").at(-1) ?? ""
  const job: AnyActorRef | undefined = real.getSnapshot().children[actorId]
  if (event.type === "job.start" || event.type === "job.tell" || event.type === "need.ended") real.send(event)
  else if ("snapshot" in event) job?.send({ type: event.snapshot.matches("created") ? "queue" : "work" })
  else job?.send({ type: "output" in event ? "end" : "break" })
}

const isTold = ({ type }: { type: string }) => /^(job\.|need|slot\.granted)/.test(type)

const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value))

/**
 * The supervisor's machine alone. It answers to a parent, and xstate's pure `transition` knows none: an actor there
 * may send to nobody above it. So the machine is handed a scope of ours, in which every effect is only noted.
 *
 * Between two steps its snapshot goes through JSON, children and all. What cannot go through it is part of events, not
 * of the snapshot: the error that a job's actor threw, and the machine behind a job's own snapshot.
 */
class Paper {
  static #begun: Paper | undefined

  /** Of a supervisor that has just begun. */
  static begun(): Paper {
    Paper.#begun ??= new Paper()
    return Paper.#begun
  }

  /** For the graph: the same machine, in our scope. */
  static logic() {
    const paper = new Paper()
    const logic = Object.create(supervisorMachine) as typeof supervisorMachine
    logic.transition = (snapshot, event) => supervisorMachine.transition(snapshot, event, paper.#scope())
    return logic
  }

  #asked: Asked[] = []
  /** Where the actor of each job is. */
  #places = new Map<string, Place>()
  #looked = 0
  #snapshot: SupervisorSnapshot
  readonly #next = new Map<string, Paper>()

  private constructor(snapshot?: SupervisorSnapshot) {
    this.#snapshot = snapshot ?? supervisorMachine.getInitialSnapshot(this.#scope(), { owner })
  }

  after(event: SupervisorEvent): Paper {
    const next = new Paper(this.#snapshot)
    next.#asked = [...this.#asked]
    next.#places = new Map(this.#places)
    next.#looked = this.#looked
    next.#takeStep(event)
    return next
  }

  /** The same, remembered: many ways begin alike. */
  afterOnce(event: SupervisorEvent): Paper {
    const title = titleOf(event)
    const next = this.#next.get(title) ?? this.after(event)
    this.#next.set(title, next)
    return next
  }

  seen() {
    const { status, context, children } = this.#snapshot
    return { status, context, actors: Object.keys(children), asked: plain(this.#asked) }
  }

  #takeStep(event: SupervisorEvent): void {
    const startsNew = event.type === "job.start" && this.#actorOf(event.job.id) === undefined
    this.#happen(event)
    // What a job's actor says of itself when it starts, and when it has heard something.
    if (startsNew) {
      this.#places.set(event.job.id, "opening")
      this.#hear(event.job.id)
    }
    if ("snapshot" in event) {
      const place = event.snapshot.matches("created") ? "queued" : "working"
      this.#places.set(event.snapshot.context.job.id, place)
    }
    if (event.type === "job.tell") this.#hear(event.job)
    for (const job of this.#toldOfNeeds()) this.#hear(job)
  }

  #happen(event: SupervisorEvent): void {
    this.#snapshot = supervisorMachine.transition(this.#throughJson(), event, this.#scope())
  }

  #hear(job: string): void {
    const [actor, place] = [this.#actorOf(job), this.#places.get(job)]
    if (!actor || !place) return
    this.#happen({ type: `xstate.snapshot.${actor}`, snapshot: snapshotOf(job, place) })
  }

  /** The jobs that have been told of their needs since this was last asked. */
  #toldOfNeeds(): string[] {
    const asked = this.#asked.slice(this.#looked)
    this.#looked = this.#asked.length
    return asked.flatMap(({ type, params }) => {
      if (type !== "told a job") return []
      const { actor, event } = params as { actor: string; event: { type: string } }
      return !event.type.startsWith("job.")
        ? (this.#snapshot.context.live.find((live) => live.actor === actor)?.job ?? [])
        : []
    })
  }

  #actorOf(job: string): string | undefined {
    return this.#snapshot.context.live.find((live) => live.job === job)?.actor
  }

  /** As a durable engine keeps it between two steps. */
  #throughJson(): SupervisorSnapshot {
    const kept = plain(supervisorMachine.getPersistedSnapshot(this.#snapshot))
    const restored = createActor(supervisorMachine, { snapshot: kept, input: { owner }, parent: above() })
    const again = plain(supervisorMachine.getPersistedSnapshot(restored.getSnapshot()))
    if (!isDeepStrictEqual(again, kept)) expect(again).toEqual(kept)
    return restored.getSnapshot()
  }

  #scope(): ActorScope<SupervisorSnapshot, SupervisorEvent> {
    const self = createActor(supervisorMachine, { input: { owner }, parent: above() })
    return {
      self,
      id: "",
      sessionId: "",
      logger: () => {},
      defer: () => {},
      emit: () => {},
      stopChild: () => {},
      system: self.system,
      actionExecutor: ({ type, params }) => {
        if (type === "keepRecord" || type === "keepCrash") this.#asked.push({ type, params })
        if (type === "xstate.spawnChild") {
          const { id: actor, input: job } = params as { id: string; input: JobInput }
          this.#asked.push({ type: "started", params: { actor, job } })
        }
        if (type !== "xstate.sendTo") return
        const { event, to } = params as { event: { type: string }; to: AnyActorRef }
        if (!isTold(event)) this.#asked.push({ type: "told the system", params: event })
        else this.#asked.push({ type: "told a job", params: { actor: to.id, event } })
      },
    }
  }
}

const above = () => createActor(createMachine({}))

/** A job that goes where it is told to. */
const jobDouble = setup({
  types: { input: {} as JobInput, context: {} as JobContext },
}).createMachine({
  id: "job",
  context: ({ input }) => contextOf(input),
  initial: "created",
  output: ({ context }) => endOf(context.job.id),
  on: {
    queue: ".created.queued",
    work: ".prompting",
    end: ".done",
    break: {
      actions: () => {
        throw "it broke"
      },
    },
  },
  states: {
    created: { initial: "opening", states: { opening: {}, queued: {} } },
    prompting: {
      initial: "running",
      states: {
        running: { initial: "active", states: { active: { initial: "working", states: { working: {} } } } },
      },
    },
    done: { type: "final" },
  },
})

let askedInLife: Asked[] = []
/** One for all scenarios: a machine for each would cost more than what happens to it. */
const realParent = setup({
  types: { events: {} as SlotEvent | IdleEvent },
  actors: {
    supervisor: supervisorMachine.provide({
      // The supervisor knows its jobs by their snapshots, their ends and how they break.
      actors: { job: jobDouble as unknown as typeof jobMachine },
      actions: {
        keepRecord: (_, params) => void askedInLife.push({ type: "keepRecord", params }),
        keepCrash: (_, params) => void askedInLife.push({ type: "keepCrash", params }),
      },
    }),
  },
  actions: { note: ({ event }) => void askedInLife.push({ type: "told the system", params: event }) },
}).createMachine({
  invoke: { id: "supervisor", src: "supervisor", input: { owner } },
  on: { "slot.*": { actions: "note" }, "supervisor.idle": { actions: "note" } },
})
