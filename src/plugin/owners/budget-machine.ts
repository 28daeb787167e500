import { type ActorRefFrom, assign, setup } from "xstate"
import type { Reasons } from "../../machines/reasons.ts"
import type { Budget, JobKey, Usage } from "../../machines/record.ts"

/** What counts towards a budget. Cost in US dollars. */
export type Spent = { tokens: number; cost: number }

export type BudgetInput = { limit: Budget }

/** Plain JSON. The ledger has the jobs. */
export type BudgetContext = BudgetInput & {
  /** What each job has used, by owner and id: one whose session is deleted has used it all the same. */
  byJob: Record<string, Spent>
  /** The runs under way. */
  live: LiveRun[]
  /** Those that were cancelled and have not ended yet. */
  cancelled: Run[]
}

/** One run of a job, which is cancelled once. */
export type Run = JobKey & { run: number }

/** `isAsked`: its child was prompted. */
type LiveRun = Run & { isAsked: boolean }

export type BudgetEvent =
  /** A job as it is now, and what it has used over all its runs, with the subagents that its child has started. */
  { type: "job.seen"; run: Run; stands: "unasked" | "asked" | "ended"; spent: Spent }

/**
 * How long a child at work may go on once all is spent, milliseconds: opencode tells what a step has used about when it
 * gives the answer that this step may have been.
 */
const lastAnswer = 2_000

/** Costs are sums of fractions, which no number holds to the last digit: the part of a limit that may be missing. */
const tolerance = 1e-9

export const budgetMachine = setup({
  types: {
    input: {} as BudgetInput,
    context: {} as BudgetContext,
    events: {} as BudgetEvent,
  },
  delays: { lastAnswer },
  guards: {
    "is spent": ({ context }) => isSpent(context.limit, totalOf(context)),
    "nothing runs": ({ context }) => context.live.length === 0,
    lives: (_, { stands }: { stands: Stands }) => stands !== "ended",
  },
  actions: {
    /** Provided by `Budgets`. Without runs there is nothing to do. */
    cancel: (_, _params: Cancel) => {},
    rememberJob: assign(({ context }, seen: BudgetEvent) => ({
      live: withJob(context.live, seen),
      byJob: withSpent(context.byJob, seen),
      cancelled: context.cancelled.filter((each) => seen.stands !== "ended" || !isSame(each, seen.run)),
    })),
    rememberCancelled: assign(({ context }, { runs }: Cancel) => ({
      cancelled: [...context.cancelled, ...runs],
    })),
  },
}).createMachine({
  id: "budget",
  description:
    "Holds a batch, or an owner, to what it may spend with all that its jobs start. What a job has used is told at " +
    "the end of each step of its child.",
  context: ({ input }) => ({ ...input, byJob: {}, live: [], cancelled: [] }),
  initial: "keeping",
  states: {
    keeping: {
      description: "Something is left: jobs may start and run.",
      always: { guard: "is spent", target: "closing" },
      on: { "job.seen": { actions: { type: "rememberJob", params: ({ event }) => event } } },
    },
    closing: {
      description:
        "All is spent. No child is prompted any more; those at work get a moment in which the answer may come that they have just given.",
      entry: [
        { type: "cancel", params: ({ context }) => unasked(context) },
        { type: "rememberCancelled", params: ({ context }) => unasked(context) },
      ],
      always: { guard: "nothing runs", target: "spent" },
      after: { lastAnswer: "stopping" },
      on: {
        "job.seen": {
          actions: [
            { type: "rememberJob", params: ({ event }) => event },
            { type: "cancel", params: ({ context }) => unasked(context) },
            { type: "rememberCancelled", params: ({ context }) => unasked(context) },
          ],
        },
      },
    },
    stopping: {
      description: "What still runs is cancelled, each run once.",
      entry: [
        { type: "cancel", params: ({ context }) => running(context) },
        { type: "rememberCancelled", params: ({ context }) => running(context) },
      ],
      always: { guard: "nothing runs", target: "spent" },
      on: {
        "job.seen": {
          actions: [
            { type: "rememberJob", params: ({ event }) => event },
            { type: "cancel", params: ({ context }) => running(context) },
            { type: "rememberCancelled", params: ({ context }) => running(context) },
          ],
        },
      },
    },
    spent: {
      description: "All is spent, and nothing runs any more.",
      on: {
        "job.seen": [
          {
            guard: { type: "lives", params: ({ event }) => event },
            target: "stopping",
            actions: { type: "rememberJob", params: ({ event }) => event },
          },
          { actions: { type: "rememberJob", params: ({ event }) => event } },
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
    "job.seen": "What a job has used is known after each of its steps.",
  },
  closing: {
    "at once, if nothing runs": "The answer that used up the rest was the last.",
    "after lastAnswer": "Whoever still works has not given its last answer, but is at its next step.",
    "job.seen":
      "An answer has come, a step that was under way adds what it used, or something was started all the same: it is not prompted.",
  },
  stopping: {
    "at once, if nothing runs": "All have ended, and what they used is known.",
    "job.seen": "One has ended, or was started all the same.",
  },
  spent: {
    "job.seen, if lives":
      "It was started all the same: a follow-up that was just being stored, or a job that a restart resumed. It is not prompted.",
    "job.seen": "What it used was found after a restart.",
  },
}

type Stands = BudgetEvent["stands"]
type Cancel = { runs: Run[]; spent: Spent }

/** What counts: tokens that a provider works on anew. What it reads from its cache costs a fraction, which `cost` has. */
export function spentBy({ input, output, reasoning, cacheWrite, cost }: Usage): Spent {
  return { tokens: input + output + reasoning + cacheWrite, cost }
}

export function isSpent({ tokens = Infinity, cost = Infinity }: Budget, spent: Spent): boolean {
  return spent.tokens >= tokens || spent.cost >= cost * (1 - tolerance)
}

export function totalOf({ byJob }: Pick<BudgetContext, "byJob">): Spent {
  const all = Object.values(byJob)
  return {
    tokens: all.reduce((sum, { tokens }) => sum + tokens, 0),
    cost: all.reduce((sum, { cost }) => sum + cost, 0),
  }
}

const unasked = (context: BudgetContext): Cancel => toCancel(context, ({ isAsked }) => !isAsked)

const running = (context: BudgetContext): Cancel => toCancel(context, () => true)

function toCancel(context: BudgetContext, test: (run: LiveRun) => boolean): Cancel {
  const runs = context.live.filter((run) => test(run) && !context.cancelled.some((each) => isSame(each, run)))
  return {
    runs: runs.map(({ owner, id, run }) => ({ owner, id, run })),
    spent: totalOf(context),
  }
}

function withJob(live: readonly LiveRun[], { run, stands }: BudgetEvent): LiveRun[] {
  const others = live.filter((each) => !isSame(each, run))
  return stands === "ended" ? others : [...others, { ...run, isAsked: stands === "asked" }]
}

/** What was used once stays used, in whatever order the news come. */
function withSpent(byJob: BudgetContext["byJob"], { run, spent }: BudgetEvent): BudgetContext["byJob"] {
  const key = `${run.owner}/${run.id}`
  const before = byJob[key]
  const tokens = Math.max(before?.tokens ?? 0, spent.tokens)
  const cost = Math.max(before?.cost ?? 0, spent.cost)
  return { ...byJob, [key]: { tokens, cost } }
}

const isSame = (a: Run, b: Run) => a.owner === b.owner && a.id === b.id && a.run === b.run
