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
import type { Claim } from "../../../src/machines/limits.ts"
import type { supervisorMachine } from "../../../src/machines/supervisor-machine.ts"
import { type SystemContext, type SystemEvent, systemMachine } from "../../../src/machines/system-machine.ts"
import { jobInput } from "./jobs.ts"
import { takenIn } from "./transitions.ts"

/** An event, and the way to the state in which it comes: each step of it is the event of another scenario. */
export type SystemScenario = { title: string; way: SystemEvent[]; event: SystemEvent }

export type SystemWalk = {
  concurrency: number
  /** Who asks for slots. */
  claims: readonly Claim[]
  /** How many jobs an owner is told to start, at most. */
  mostStarts: number
}

const work = { type: "job.start", job: jobInput() } as const
const news = { type: "job.tell", job: "j1", event: { type: "job.cancel", reason: "", at: 0 } } as const
/** All that can happen next. A supervisor tells that it is idle when it has heard of every start, or too early. */
function eventsIn(owners: SystemContext["owners"], { claims, mostStarts }: SystemWalk): SystemEvent[] {
  return [
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
    events: ({ context }: { context: SystemContext }) => eventsIn(context.owners, walk),
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
  if (event.type === "hold.over") return `${event.type} ${event.provider}`
  const job = "job" in event ? `/${event.job}` : ""
  const told = "event" in event ? ` of ${event.event.type}` : ""
  const heard = "heard" in event ? ` after ${event.heard} starts` : ""
  return `${event.type} ${event.owner}${job}${told}${heard}`
}

/** Lets it happen to a real system, and on paper with JSON between the steps; returns the transitions taken. */
export function driveSystem({ title, way, event }: SystemScenario, concurrency: number): Set<string> {
  const taken = new Set<string>()
  const asked: Asked[] = []
  askedInLife = asked
  const system = createActor(realMachine, {
    input: { concurrency },
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
    else system.send(step)
    paper = step === event ? paper.after(step) : paper.afterOnce(step)
  }

  const { status, context, children } = system.getSnapshot()
  const seen = { status, context, actors: Object.keys(children), asked }
  const wanted = paper.seen()
  if (!isDeepStrictEqual(seen, wanted)) expect(seen, title).toEqual(wanted)
  expect(context.limits.holders.length, title).toBeLessThanOrEqual(concurrency)
  system.stop()
  return taken
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
  static readonly #begun = new Map<number, Paper>()

  /** Of a system that has just begun. */
  static of(concurrency: number): Paper {
    const known = Paper.#begun.get(concurrency)
    const paper = known ?? new Paper(concurrency, initialTransition(systemMachine, { concurrency })[0], [])
    Paper.#begun.set(concurrency, paper)
    return paper
  }

  readonly #concurrency: number
  readonly #snapshot: SnapshotFrom<typeof systemMachine>
  readonly #asked: readonly Asked[]
  readonly #next = new Map<string, Paper>()

  constructor(concurrency: number, snapshot: SnapshotFrom<typeof systemMachine>, asked: readonly Asked[]) {
    this.#concurrency = concurrency
    this.#snapshot = snapshot
    this.#asked = asked
  }

  after(event: SystemEvent): Paper {
    const [next, actions] = transition(systemMachine, this.#throughJson(), event)
    const asked = actions.flatMap(({ type, params }): Asked[] => {
      if (type === "announceGrants" || type === "keepCrash") return [{ type, params }]
      const { id, to, event: told } = params as { id: string; to: AnyActorRef; event: object }
      if (type === "xstate.spawnChild") return [{ type: "started", params: { owner: id } }]
      if (type === "xstate.sendTo") return [{ type: "told", params: { owner: to.id, event: told } }]
      return []
    })
    return new Paper(this.#concurrency, next, [...this.#asked, ...asked])
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
    return { status, context, actors: Object.keys(children), asked: this.#asked }
  }

  /** As a durable engine keeps it between two steps. */
  #throughJson(): SnapshotFrom<typeof systemMachine> {
    const kept = JSON.parse(JSON.stringify(systemMachine.getPersistedSnapshot(this.#snapshot)))
    const input = { concurrency: this.#concurrency }
    return createActor(systemMachine, { snapshot: kept, input }).getSnapshot()
  }
}

type Asked = { type: string; params: unknown }
