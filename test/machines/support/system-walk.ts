import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import {
  type AnyActorRef,
  createActor,
  fromTransition,
  initialTransition,
  type SnapshotFrom,
  transition,
} from "xstate"
import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import {
  type Claim,
  type Concurrency,
  type Later,
  type Limits,
  longestHold,
  obstacleTo,
  slotsIn,
} from "../../../src/machines/limits.ts"
import type { supervisorMachine } from "../../../src/machines/supervisor-machine.ts"
import { type SystemContext, type SystemEvent, systemMachine } from "../../../src/machines/system-machine.ts"
import { HandClock } from "./hand-clock.ts"
import { jobInput } from "./jobs.ts"
import { takenIn } from "./transitions.ts"

/** An event, and the way to the state in which it comes: each step of it is the event of another scenario. */
export type SystemScenario = { title: string; way: SystemEvent[]; event: SystemEvent }

export type SystemWalk = {
  concurrency: Concurrency
  /** Who asks for slots. */
  claims: readonly Claim[]
  /** What the jobs are told that have asked a provider. */
  holds?: readonly Omit<Later, "at">[]
  /** How many jobs an owner is told to start, at most. */
  mostStarts: number
}

/** Where all time stands still, but for the timers that go off. */
const at = 0

const work = { type: "job.start", job: jobInput() } as const
const news = { type: "job.tell", job: "j1", event: { type: "job.cancel", reason: "", at: 0 } } as const
/** All that can happen next. A supervisor tells that it is idle when it has heard of every start, or too early. */
function eventsIn({ owners, limits }: SystemContext, walk: SystemWalk): SystemEvent[] {
  const { claims, holds = [], mostStarts } = walk
  return [
    ...holds.map((hold) => ({ type: "provider.later", ...hold, at }) as const),
    // One that has asked before any was told, and one that has asked since.
    ...holds.flatMap(({ owner, job, model }) =>
      [at - 1, at].map((askedAt) => ({ type: "provider.answered", owner, job, model, askedAt }) as const),
    ),
    // Else one that is not believed would be tried for ever.
    ...limits.holds
      .filter(({ until }) => until <= 2 * longestHold)
      .map(({ provider, until }) => ({ type: "hold.over", provider, at: until }) as const),
    ...[...new Set(claims.map(({ owner }) => owner))].flatMap((owner): SystemEvent[] => {
      const starts = owners.find(({ id }) => id === owner)?.starts ?? 0
      return [
        ...(starts < mostStarts ? [{ type: "owner.tell", owner, event: work } as const] : []),
        { type: "owner.tell", owner, event: news },
        { type: "supervisor.idle", owner, heard: starts },
        { type: "supervisor.idle", owner, heard: starts - 1 },
        { type: "owner.end", owner },
        ...(starts > 0
          ? [{ type: `xstate.error.actor.${owner}`, actorId: owner, error: "it broke" } as const]
          : []),
      ]
    }),
    ...claims.flatMap((claim): SystemEvent[] => [
      { type: "slot.request", ...claim },
      { type: "slot.release", ...claim },
    ]),
  ]
}

/** Every event in every state that the system can be in, reached by a shortest way. */
export function everyStep(walk: SystemWalk): SystemScenario[] {
  const options = {
    input: { concurrency: walk.concurrency },
    events: ({ context }: { context: SystemContext }) => eventsIn(context, walk),
    serializeState: ({ context }: { context: SystemContext }) => JSON.stringify(context),
    // A machine whose states never end is to fail, not to fill the memory.
    limit: 20_000,
  }
  const ways = new Map(
    getShortestPaths(systemMachine, options).map(({ state, steps }) => [
      JSON.stringify(state.context),
      steps.slice(1).map(({ event }) => event),
    ]),
  )
  return adjacencyMapToArray(getAdjacencyMap(systemMachine, options)).map(({ state, event }) => {
    const way = ways.get(JSON.stringify(state.context)) ?? []
    return { title: [...way, event].map(titleOf).join(", "), way, event }
  })
}

function titleOf(event: SystemEvent): string {
  if ("actorId" in event) return `${event.actorId}'s supervisor breaks`
  if (event.type === "hold.over") return `${event.type} ${event.provider} at ${event.at}`
  const job = "job" in event ? `/${event.job}` : ""
  const told = "event" in event ? ` of ${event.event.type}` : ""
  const until = "until" in event ? ` until ${event.until}` : ""
  const model = "model" in event ? ` for ${event.model}` : ""
  const heard = "heard" in event ? ` after ${event.heard} starts` : ""
  const asked = "askedAt" in event ? ` asked at ${event.askedAt}` : ""
  return `${event.type} ${event.owner}${job}${told}${heard}${until}${model}${asked}`
}

/** Lets it happen to a real system, and on paper with JSON between the steps; returns the transitions taken. */
export function driveSystem({ title, way, event }: SystemScenario, concurrency: Concurrency): Set<string> {
  const taken = new Set<string>()
  const asked: Asked[] = []
  askedInLife = asked
  const clock = new HandClock()
  const system = createActor(realMachine, {
    input: { concurrency },
    clock,
    inspect: (inspected) => {
      for (const name of takenIn(inspected)) taken.add(name)
      if (inspected.type !== "@xstate.event" || !("id" in inspected.actorRef)) return
      const { event, actorRef } = inspected
      const owner = String(actorRef.id)
      if (event.type === "xstate.init" && event.input?.owner)
        asked.push({ type: "started", params: { owner } })
      if (event.type.startsWith("job.")) asked.push({ type: "told", params: { owner, event } })
    },
  })
  system.subscribe({ error: () => {} })
  system.start()
  let paper = Paper.of(concurrency)
  for (const step of [...way, event]) {
    if ("actorId" in step) system.getSnapshot().children[step.actorId]?.send({ type: "break" } as never)
    else if (step.type === "hold.over") letPass(clock, system.getSnapshot().context.limits, step.provider)
    else system.send(step)
    paper = step === event ? paper.after(step) : paper.afterOnce(step)
  }

  const { status, context, children } = system.getSnapshot()
  const seen = { status, context, actors: Object.keys(children), asked, timers: clock.pending.toSorted() }
  const wanted = paper.seen()
  if (!isDeepStrictEqual(seen, wanted)) expect(seen, title).toEqual(wanted)
  expectOrder(title, context.limits, concurrency)
  system.stop()
  return taken
}

function letPass(clock: HandClock, { holds }: Limits, provider: string): void {
  clock.goOff(holds.find((hold) => hold.provider === provider)?.until ?? -1)
  clock.set(at)
}

/** What holds of the limits at all times. */
function expectOrder(title: string, limits: Limits, concurrency: Concurrency): void {
  const { holders, waiting, holds } = limits
  const providers = typeof concurrency === "number" ? {} : (concurrency.providers ?? {})
  const ofProvider = (provider: string, { model }: Claim) => model?.startsWith(`${provider}/`)
  expect(holders.length, title).toBeLessThanOrEqual(slotsIn(concurrency))
  for (const [provider, most] of Object.entries(providers))
    expect(holders.filter((holder) => ofProvider(provider, holder)).length, title).toBeLessThanOrEqual(most)
  for (const claim of waiting) {
    expect(obstacleTo(limits, claim), `${title}: ${claim.job} waits for something`).toBeDefined()
    const hold = holds.find(({ provider }) => ofProvider(provider, claim))
    const isTried = holders.some(
      ({ owner, job, model }) =>
        isDeepStrictEqual(hold?.trial?.by, { owner, job }) &&
        ofProvider(hold?.provider ?? "", { owner, job, model }),
    )
    const until = hold?.trial && !isTried ? undefined : hold?.until
    expect(claim.heldUntil, `${title}: ${claim.job} knows of the hold`).toBe(until)
  }
}

let askedInLife: Asked[] = []
/** One for all scenarios: a machine for each would cost more than what happens to it. */
const realMachine = systemMachine.provide({
  // The system knows its supervisors by what it tells them and by how they break.
  actors: { supervisor: fromTransition(hearOrBreak, null) as unknown as typeof supervisorMachine },
  actions: {
    announceGrants: (_, params) => void askedInLife.push({ type: "announceGrants", params }),
    keepCrash: (_, params) => void askedInLife.push({ type: "keepCrash", params }),
  },
})

function hearOrBreak(state: null, event: { type: string }): null {
  if (event.type === "break") throw "it broke"
  return state
}

class Paper {
  static readonly #begun = new Map<string, Paper>()

  /** Of a system that has just begun. */
  static of(concurrency: Concurrency): Paper {
    const key = JSON.stringify(concurrency)
    const known = Paper.#begun.get(key)
    const paper = known ?? new Paper(concurrency, initialTransition(systemMachine, { concurrency })[0])
    Paper.#begun.set(key, paper)
    return paper
  }

  readonly #concurrency: Concurrency
  readonly #snapshot: SnapshotFrom<typeof systemMachine>
  readonly #asked: readonly Asked[]
  readonly #timers: ReadonlyMap<string, number>
  readonly #next = new Map<string, Paper>()

  constructor(
    concurrency: Concurrency,
    snapshot: SnapshotFrom<typeof systemMachine>,
    asked: readonly Asked[] = [],
    timers: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#concurrency = concurrency
    this.#snapshot = snapshot
    this.#asked = asked
    this.#timers = timers
  }

  after(event: SystemEvent): Paper {
    const [next, actions] = transition(systemMachine, this.#throughJson(), event)
    const asked = [...this.#asked]
    const timers = new Map(this.#timers)
    if (event.type === "hold.over") timers.delete(`hold of ${event.provider}`)
    for (const { type: name, params } of actions) {
      const type: string = name
      const { id, to, event: told, delay, sendId } = params as Params
      if (type === "announceGrants" || type === "keepCrash") asked.push({ type, params })
      if (type === "xstate.spawnChild") asked.push({ type: "started", params: { owner: id } })
      if (type === "xstate.sendTo") asked.push({ type: "told", params: { owner: to.id, event: told } })
      if (type === "xstate.raise") timers.set(id, ("at" in event ? event.at : at) + delay)
      if (type === "xstate.cancel") timers.delete(sendId)
    }
    return new Paper(this.#concurrency, next, asked, timers)
  }

  /** The same, remembered: many ways begin alike. */
  afterOnce(event: SystemEvent): Paper {
    const title = titleOf(event)
    const next = this.#next.get(title) ?? this.after(event)
    this.#next.set(title, next)
    return next
  }

  seen() {
    const { status, context, children } = this.#snapshot
    const timers = [...this.#timers.values()].toSorted()
    return { status, context, actors: Object.keys(children), asked: this.#asked, timers }
  }

  /** As a durable engine keeps it between two steps. */
  #throughJson(): SnapshotFrom<typeof systemMachine> {
    const kept = JSON.parse(JSON.stringify(systemMachine.getPersistedSnapshot(this.#snapshot)))
    const input = { concurrency: this.#concurrency }
    return createActor(systemMachine, { snapshot: kept, input }).getSnapshot()
  }
}

/** What the actions that matter here say, each a part of it. */
type Params = { id: string; to: AnyActorRef; event: object; delay: number; sendId: string }

type Asked = { type: string; params: unknown }
