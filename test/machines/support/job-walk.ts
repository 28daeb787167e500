import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import { type JobSnapshot, jobMachine } from "../../../src/machines/job-machine.ts"
import { type HappeningName, happenings } from "./job-happenings.ts"
import { jobInput } from "./jobs.ts"

/** One way of a job from its start to its end. */
export type Scenario = {
  title: string
  input: JobInput
  /** The innermost state in which the event of this scenario comes. */
  from: string
  /** The way there. Each of its steps is the event of another scenario. */
  way: Step[]
  /** The event, and the way on to an end. */
  steps: Step[]
}

type Step = { name: HappeningName; value: JobSnapshot["value"] }

/**
 * Every event in every state that a job can be in, of which its machine says so: there by a shortest way, and on to an
 * end by a shortest way.
 * @param among what may happen to it
 */
export function everyStep(
  fields?: Partial<JobInput>,
  among = Object.keys(happenings) as HappeningName[],
): Scenario[] {
  const input = jobInput(fields)
  // xstate types only what comes from outside; what it sends itself is an event like any other in a walk.
  const events = among.map((name) => ({ ...happenings[name], name })) as unknown as JobEvent[]
  const options = {
    input,
    events,
    serializeState: keyOf,
    // A machine whose states never end is to fail, not to fill the memory.
    limit: 20_000,
    filterEvents: (snapshot: JobSnapshot, event: JobEvent) =>
      snapshot.status === "active" && isPossible(snapshot, event),
  }
  const ways = new Map(
    getShortestPaths(jobMachine, options).map(({ state, steps }) => [
      keyOf(state),
      steps.slice(1).map(({ state, event }) => ({ name: nameOf(event), value: state.value })),
    ]),
  )
  const edges = adjacencyMapToArray(getAdjacencyMap(jobMachine, options))
  const endings = waysToAnEnd(edges)
  return edges.map(({ state, event, nextState }) => {
    const way = ways.get(keyOf(state)) ?? []
    const steps = [{ name: nameOf(event), value: nextState.value }, ...(endings.get(keyOf(nextState)) ?? [])]
    const from = state._nodes.at(-1)?.id ?? ""
    return { title: [...way, ...steps].map(({ name }) => name).join(", "), input, from, way, steps }
  })
}

type Edge = { state: JobSnapshot; event: JobEvent; nextState: JobSnapshot }

/** From each state, by its key; backwards from the ends, so that the first way found is a shortest. */
function waysToAnEnd(edges: readonly Edge[]): Map<string, Step[]> {
  const ways = new Map(
    edges.filter(({ nextState }) => nextState.status === "done").map((edge) => [keyOf(edge.nextState), none]),
  )
  for (let before = -1; before < ways.size; ) {
    before = ways.size
    const known = new Map(ways)
    for (const { state, event, nextState } of edges) {
      const rest = known.get(keyOf(nextState))
      if (!rest || ways.has(keyOf(state))) continue
      ways.set(keyOf(state), [{ name: nameOf(event), value: nextState.value }, ...rest])
    }
  }
  return ways
}

const none: Step[] = []

const nameOf = (event: object) => Reflect.get(event, "name") as HappeningName

/** What tells two states of a job apart as far as its future goes. */
function keyOf({ value, context }: JobSnapshot): string {
  const { asks, tools, ending, slotAt, holdUntil, waitedMs, isBlocked, heldAt, movedAt, check, job } = context
  const ids = asks.map(({ id }) => id)
  const isLong = job.fallbacks?.length && holdUntil !== undefined && holdUntil - (heldAt ?? 0) > 60_000
  const waits = [slotAt !== undefined, holdUntil !== undefined, isLong, movedAt !== undefined, isBlocked]
  const has = [...waits, waitedMs > 0, job.fallbacks?.length, check?.round]
  return JSON.stringify([value, ids, tools.toSorted(), ending?.state, has])
}

/** Effects settle and timers go off only where they run. Whatever comes from outside may come at any time. */
function isPossible(snapshot: JobSnapshot, event: JobEvent): boolean {
  const isOwn = event.type.startsWith("xstate.")
  return isOwn
    ? snapshot._nodes.some((node) => node.ownEvents.some((own) => own === event.type))
    : snapshot.can(event)
}
