import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { type AnyActorRef, createActor, fromTransition, initialTransition, transition } from "xstate"
import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import type { Claim } from "../../../src/machines/limits.ts"
import type { supervisorMachine } from "../../../src/machines/supervisor-machine.ts"
import { type SystemContext, type SystemEvent, systemMachine } from "../../../src/machines/system-machine.ts"
import { jobInput } from "./jobs.ts"
import { takenIn } from "./transitions.ts"

/** What happens to the system, in the order in which it does. */
export type SystemScenario = { title: string; events: SystemEvent[] }

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
    const events = [...(ways.get(JSON.stringify(state.context)) ?? []), event]
    return { title: events.map(titleOf).join(", "), events }
  })
}

function titleOf(event: SystemEvent): string {
  if ("actorId" in event) return `${event.actorId}'s supervisor breaks`
  const job = "job" in event ? `/${event.job}` : ""
  const told = "event" in event ? ` of ${event.event.type}` : ""
  const heard = "heard" in event ? ` after ${event.heard} starts` : ""
  return `${event.type} ${event.owner}${job}${told}${heard}`
}

/** Lets it happen to a real system, and on paper with JSON between the steps; returns the transitions taken. */
export function driveSystem({ title, events }: SystemScenario, concurrency: number): Set<string> {
  const taken = new Set<string>()
  const asked: Asked[] = []
  const system = createActor(
    systemMachine.provide({
      // The system knows its supervisors by what it tells them and by how they break.
      actors: { supervisor: supervisorDouble as unknown as typeof supervisorMachine },
      actions: {
        announceGrants: (_, params) => void asked.push({ type: "announceGrants", params }),
        keepCrash: (_, params) => void asked.push({ type: "keepCrash", params }),
      },
    }),
    {
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
    },
  )
  system.subscribe({ error: () => {} })
  system.start()
  let [onPaper] = initialTransition(systemMachine, { concurrency })
  const askedOnPaper: Asked[] = []

  for (const event of events) {
    if ("actorId" in event) system.getSnapshot().children[event.actorId]?.send({ type: "break" } as never)
    else system.send(event)
    const kept = JSON.parse(JSON.stringify(systemMachine.getPersistedSnapshot(onPaper)))
    const [next, actions] = transition(
      systemMachine,
      createActor(systemMachine, { snapshot: kept, input: { concurrency } }).getSnapshot(),
      event,
    )
    onPaper = next
    for (const { type, params } of actions) {
      if (type === "announceGrants" || type === "keepCrash") askedOnPaper.push({ type, params })
      const { id, to, event: told } = params as { id: string; to: AnyActorRef; event: object }
      if (type === "xstate.spawnChild") askedOnPaper.push({ type: "started", params: { owner: id } })
      if (type === "xstate.sendTo") askedOnPaper.push({ type: "told", params: { owner: to.id, event: told } })
    }
    const inLife = system.getSnapshot()
    const seen = {
      status: inLife.status,
      context: inLife.context,
      actors: Object.keys(inLife.children),
      asked,
    }
    const wanted = {
      status: onPaper.status,
      context: onPaper.context,
      actors: Object.keys(onPaper.children),
      asked: askedOnPaper,
    }
    if (!isDeepStrictEqual(seen, wanted)) expect(seen, title).toEqual(wanted)
    expect(inLife.context.limits.holders.length, title).toBeLessThanOrEqual(concurrency)
  }
  system.stop()
  return taken
}

type Asked = { type: string; params: unknown }

/** Hears everything, and breaks when told to. */
const supervisorDouble = fromTransition((state: null, event: { type: string }) => {
  if (event.type === "break") throw "it broke"
  return state
}, null)
