import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"
import { createActor, initialTransition, type SnapshotFrom, transition } from "xstate"
import { adjacencyMapToArray, getAdjacencyMap, getShortestPaths } from "xstate/graph"
import {
  type BudgetEvent,
  budgetMachine,
  isSpent,
  type Run,
  type Spent,
  totalOf,
} from "../../../../src/plugin/owners/budget-machine.ts"
import { CountingClock } from "../../../machines/support/counting-clock.ts"
import { takenIn } from "../../../machines/support/transitions.ts"

type BudgetSnapshot = SnapshotFrom<typeof budgetMachine>
type WalkEvent = BudgetEvent | { type: `xstate.after.${string}` }

const limit = { tokens: 100, cost: 1 }
const input = { limit }

const seen = (
  id: string,
  stands: "unasked" | "asked" | "ended",
  spent: Partial<Spent> = {},
  run = 1,
): BudgetEvent => ({
  type: "job.seen",
  run: { owner: "owner", id, run },
  stands,
  spent: { tokens: 0, cost: 0, ...spent },
})

/** All that can happen to a budget of two jobs. */
const happenings = {
  "a is started": seen("a", "unasked"),
  "a is asked": seen("a", "asked"),
  "a uses some": seen("a", "asked", { tokens: 60 }),
  "a uses all": seen("a", "asked", { tokens: 60, cost: 1 }),
  "a ends": seen("a", "ended", { tokens: 60 }),
  "a runs again": seen("a", "unasked", { tokens: 60 }, 2),
  "a ends again": seen("a", "ended", { tokens: 60 }, 2),
  "b is started": seen("b", "unasked"),
  "b uses some": seen("b", "asked", { tokens: 40 }),
  "b ends": seen("b", "ended", { tokens: 40 }),
  "the moment is over": { type: "xstate.after.lastAnswer.budget.closing" },
} satisfies Record<string, WalkEvent>

export type HappeningName = keyof typeof happenings

const nameOf = (event: object) => (event as unknown as { name: HappeningName }).name

/** Amounts matter only as far as all is spent, or some. */
const serializeState = ({ value, context }: BudgetSnapshot): string => {
  const total = totalOf(context)
  const left = isSpent(limit, total) ? "nothing" : total.tokens > 0 ? "some" : "all"
  return JSON.stringify([value, left, sorted(context.live), sorted(context.cancelled)])
}

const sorted = (runs: readonly Run[]) => runs.map((run) => JSON.stringify(run)).toSorted()

const keyOf = ({ owner, id, run }: Run) => `${owner}/${id}/${run}`

/** Everything that can happen in every state of a budget, reached by a shortest way. */
export function everyStep(): HappeningName[][] {
  const options = {
    // xstate types only what comes from outside; a timer is an event like any other in a walk.
    events: Object.entries(happenings).map(([name, event]) => ({
      ...event,
      name,
    })) as unknown as BudgetEvent[],
    input,
    serializeState,
    filterEvents: (snapshot: BudgetSnapshot, event: object) =>
      !("name" in event && event.name === "the moment is over") || snapshot.matches("closing"),
  }
  const ways = new Map(
    getShortestPaths(budgetMachine, options).map(({ state, steps }) => [
      serializeState(state),
      steps.slice(1).map(({ event }) => nameOf(event)),
    ]),
  )
  return adjacencyMapToArray(getAdjacencyMap(budgetMachine, options)).map(({ state, event }) => [
    ...(ways.get(serializeState(state)) ?? []),
    nameOf(event),
  ])
}

/**
 * Lets the steps happen twice, to a real actor on a simulated clock and to the pure machine, whose snapshot goes
 * through JSON after every step, and compares them. Returns the transitions that the actor took.
 */
export function drive(steps: readonly HappeningName[]): Set<string> {
  const [real, pure] = [new RealRun(), new PureRun()]
  /** The runs that were told to stop and have not ended. */
  const told = new Set<string>()
  for (const [index, name] of steps.entries()) {
    const story = steps.slice(0, index + 1).join(", ")
    const event: WalkEvent = happenings[name]
    const before = real.seen()
    real.happen(event)
    pure.happen(event)
    const [inLife, onPaper] = [real.seen(), pure.seen()]
    if (!isDeepStrictEqual(inLife, onPaper)) expect(inLife, story).toEqual(onPaper)

    const { value, live, cancelled, total, timers } = inLife
    const news = cancelled.slice(before.cancelled.length).map(keyOf)
    const isTwice = news.some((key) => told.has(key)) || new Set(news).size < news.length
    for (const key of news) told.add(key)
    if (event.type === "job.seen" && event.stands === "ended") told.delete(keyOf(event.run))
    const untold = live.filter((run) => !told.has(keyOf(run)))
    const broken = [
      ...((value === "keeping") === isSpent(limit, total) ? [`${value} with ${JSON.stringify(total)}`] : []),
      ...(total.tokens < before.total.tokens || total.cost < before.total.cost
        ? ["what was used is used no more"]
        : []),
      ...(value === "keeping" && news.length > 0 ? ["something is cancelled that may run"] : []),
      ...(value === "closing" && untold.some(({ isAsked }) => !isAsked) ? ["a child will be prompted"] : []),
      ...(value === "stopping" && untold.length > 0 ? ["something is left at work"] : []),
      ...(value === "spent" && live.length > 0 ? ["something runs that may not"] : []),
      ...(isTwice ? ["a run is cancelled twice"] : []),
      ...((value === "closing") !== timers > 0 ? [`${timers} timers in ${value}`] : []),
    ]
    if (broken.length > 0) expect(broken, story).toEqual([])
  }
  return real.taken
}

/** What both runs must agree on. */
type Seen = {
  value: unknown
  live: BudgetSnapshot["context"]["live"]
  total: Spent
  /** All that were told to stop, oldest first. */
  cancelled: Run[]
  /** What was said to be spent each time. */
  said: Spent[]
  timers: number
}

class RealRun {
  readonly taken = new Set<string>()
  readonly #clock = new CountingClock()
  readonly #cancelled: Run[] = []
  readonly #said: Spent[] = []
  readonly #actor

  constructor() {
    const machine = budgetMachine.provide({
      actions: {
        cancel: (_, { runs, spent }) => {
          this.#cancelled.push(...runs)
          if (runs.length > 0) this.#said.push(spent)
        },
      },
    })
    this.#actor = createActor(machine, {
      input,
      clock: this.#clock,
      inspect: (inspected) => {
        for (const name of takenIn(inspected)) this.taken.add(name)
      },
    }).start()
  }

  happen(event: WalkEvent): void {
    if (event.type.startsWith("xstate.after.")) this.#clock.increment(2_000)
    else this.#actor.send(event as BudgetEvent)
  }

  seen(): Seen {
    const { value, context } = this.#actor.getSnapshot()
    return {
      value,
      live: context.live,
      total: totalOf(context),
      cancelled: [...this.#cancelled],
      said: [...this.#said],
      timers: this.#clock.pending,
    }
  }
}

class PureRun {
  #snapshot: BudgetSnapshot
  readonly #cancelled: Run[] = []
  readonly #said: Spent[] = []
  readonly #timers = new Set<string>()

  constructor() {
    const [snapshot] = initialTransition(budgetMachine, input)
    this.#snapshot = snapshot
  }

  happen(event: WalkEvent): void {
    this.#timers.delete(event.type)
    const [snapshot, actions] = transition(budgetMachine, throughJson(this.#snapshot), event as BudgetEvent)
    this.#snapshot = snapshot
    for (const { type, params } of actions as readonly { type: string; params: unknown }[]) {
      const { id, sendId, runs = [], spent } = params as ActionParams
      if (type === "xstate.raise") this.#timers.add(id)
      if (type === "xstate.cancel") this.#timers.delete(sendId)
      if (type !== "cancel" || runs.length === 0) continue
      this.#cancelled.push(...runs)
      this.#said.push(spent)
    }
  }

  seen(): Seen {
    const { value, context } = this.#snapshot
    return {
      value,
      live: context.live,
      total: totalOf(context),
      cancelled: [...this.#cancelled],
      said: [...this.#said],
      timers: this.#timers.size,
    }
  }
}

/** What the actions that matter here say, each a part of it. */
type ActionParams = { id: string; sendId: string; runs?: Run[]; spent: Spent }

/** As a durable engine keeps it between two steps. */
function throughJson(snapshot: BudgetSnapshot): BudgetSnapshot {
  const kept = JSON.parse(JSON.stringify(budgetMachine.getPersistedSnapshot(snapshot)))
  return createActor(budgetMachine, { snapshot: kept, input }).getSnapshot()
}
