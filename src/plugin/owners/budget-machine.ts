import { type ActorRefFrom, assign, setup } from "xstate"
import type { Reasons } from "../../machines/reasons.ts"
import type { Budget, JobKey, Usage } from "../../machines/record.ts"

/** What counts towards a budget. Cost in US dollars. */
export type Spent = { tokens: number; cost: number }

export const NOTHING: Spent = { tokens: 0, cost: 0 }

export type BudgetInput = { limit: Budget }

/** Plain JSON. The ledger has the jobs. */
export type BudgetContext = BudgetInput & {
  /** What each session has used, by session: one that is deleted has used it all the same. */
  bySession: Record<string, Spent>
  /** The runs under way. */
  live: Run[]
  /** Those of them that were told to stop. */
  cancelled: Run[]
}

/** One run of a job, which is cancelled once. */
export type Run = JobKey & { run: number }

/** A job of the budget as it is now: its session, what that has used over all its runs, and whether it lives. */
export type BudgetEvent = { type: "job.seen"; run: Run; session: string; spent: Spent; isLive: boolean }

/** Costs are sums of fractions, which no number holds to the last digit. */
const tolerance = 1e-9

/** Decides when a batch or an owner has spent what it may. */
export const budgetMachine = setup({
  types: {
    input: {} as BudgetInput,
    context: {} as BudgetContext,
    events: {} as BudgetEvent,
  },
  guards: {
    "is spent": ({ context }) => isSpent(context.limit, totalOf(context)),
    "nothing runs": ({ context }) => context.live.length === 0,
    lives: (_, { isLive }: { isLive: boolean }) => isLive,
  },
  actions: {
    /** Provided by `Budgets`. Without runs there is nothing to do. */
    cancel: (_, _params: { runs: Run[]; spent: Spent }) => {},
    remember: assign(({ context }, seen: BudgetEvent) => remembered(context, seen)),
    rememberCancelled: assign({ cancelled: ({ context }) => context.live }),
  },
}).createMachine({
  id: "budget",
  description:
    "Holds a batch, or an owner, to what it may spend with all that its jobs start. It learns what a job has used " +
    "after each step of the child; how often that is, opencode decides.",
  context: ({ input }) => ({ ...input, bySession: {}, live: [], cancelled: [] }),
  initial: "keeping",
  states: {
    keeping: {
      description: "Something is left: jobs may start and run.",
      always: { guard: "is spent", target: "stopping" },
      on: { "job.seen": { actions: { type: "remember", params: ({ event }) => event } } },
    },
    stopping: {
      description:
        "All is spent. What runs or waits is cancelled, once. Each news of a job enters this state again: what is new among them is cancelled as well.",
      entry: [
        {
          type: "cancel",
          params: ({ context }) => ({ runs: uncancelled(context), spent: totalOf(context) }),
        },
        "rememberCancelled",
      ],
      always: { guard: "nothing runs", target: "spent" },
      on: {
        "job.seen": {
          target: "stopping",
          reenter: true,
          actions: { type: "remember", params: ({ event }) => event },
        },
      },
    },
    spent: {
      description: "All is spent, and nothing runs any more. What it had in flight has been counted.",
      on: {
        "job.seen": [
          {
            guard: { type: "lives", params: ({ event }) => event },
            target: "stopping",
            actions: { type: "remember", params: ({ event }) => event },
          },
          { actions: { type: "remember", params: ({ event }) => event } },
        ],
      },
    },
  },
})

export type BudgetRef = ActorRefFrom<typeof budgetMachine>

/** Why each transition is there. */
export const budgetReasons: Reasons = {
  keeping: {
    "at once, if is spent": "Another step would be more than was permitted.",
    "job.seen": "What a job has used is known while it runs.",
  },
  stopping: {
    "at once, if nothing runs": "Each job has ended, and what it used is known.",
    "job.seen":
      "A step that was under way adds what it used. A job that was just being started is cancelled like the others.",
  },
  spent: {
    "job.seen, if lives":
      "Something started it all the same: a follow-up that was being stored, or a restart. It is not prompted.",
    "job.seen": "A session's use became known late, or was found after a restart.",
  },
}

/** What counts: all tokens that a provider has to work on anew. What it reads from its cache costs a fraction of that. */
export function spentBy({ input, output, reasoning, cacheWrite, cost }: Usage): Spent {
  return { tokens: input + output + reasoning + cacheWrite, cost }
}

export function isSpent({ tokens, cost }: Budget, spent: Spent): boolean {
  return (
    (tokens !== undefined && spent.tokens >= tokens) || (cost !== undefined && spent.cost >= cost - tolerance)
  )
}

export function totalOf({ bySession }: Pick<BudgetContext, "bySession">): Spent {
  const all = Object.values(bySession)
  return {
    tokens: all.reduce((sum, { tokens }) => sum + tokens, 0),
    cost: all.reduce((sum, { cost }) => sum + cost, 0),
  }
}

const uncancelled = ({ live, cancelled }: BudgetContext) => live.filter((run) => !cancelled.some(isSame(run)))

function remembered({ bySession, live }: BudgetContext, seen: BudgetEvent): Partial<BudgetContext> {
  const { run, session, spent, isLive } = seen
  const before = bySession[session] ?? NOTHING
  // What was used once stays used, in whatever order the news come.
  const most = {
    tokens: Math.max(before.tokens, spent.tokens),
    cost: Math.max(before.cost, spent.cost),
  }
  const others = live.filter((each) => !isSame(run)(each))
  return {
    bySession: session === "" ? bySession : { ...bySession, [session]: most },
    live: isLive ? [...others, run] : others,
  }
}

const isSame =
  ({ owner, id, run }: Run) =>
  (other: Run) =>
    other.owner === owner && other.id === id && other.run === run
