import { createActor } from "xstate"
import { type Budget, hasEnded, type JobRecord } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Toast } from "../host/port.ts"
import {
  type BudgetRef,
  budgetMachine,
  isSpent,
  type Run,
  type Spent,
  spentBy,
  totalOf,
} from "./budget-machine.ts"

export type BudgetsOptions = {
  troupe: Pick<Troupe, "records" | "cancel">
  /** What each owner may spend, if that is limited. */
  budget: Budget | undefined
  /** Shows the person what they should know. */
  show: (toast: Toast) => void
  /** Told of defects. */
  reportError: (error: unknown) => void
}

/** Deeper than jobs ever are: records come from a store that others can write. */
const mostLevels = 20

/** Holds batches and owners to what they may spend, with all that their jobs start: one actor for each budget. */
export class Budgets {
  readonly #options: BudgetsOptions
  readonly #budgets = new Map<string, Held>()
  readonly #subscriptions: (() => void)[]

  constructor(options: BudgetsOptions) {
    this.#options = options
    const { records } = options.troupe
    this.#subscriptions = [
      records.subscribe((record, before) => {
        // After a restart, what a job's child had started may be found before the job itself.
        if (record.session !== "" && before?.session !== record.session) this.#joined(record)
        this.#hear(record, !hasEnded(record))
      }),
      records.onForgotten((record) => {
        this.#hear(record, false)
        this.#end(keyOfOwner(record.owner))
        if (record.batch !== undefined) this.#end(keyOfBatch(record.batch))
      }),
    ]
  }

  /** Why no job may start for this owner, in words; nothing where one may. */
  refusal(owner: string): string | undefined {
    const spent = this.#above(owner).find(isOver)
    if (!spent) return undefined
    const whose = spent.of === "owner" ? "this session's jobs" : "the batch that this session works for"
    return `the budget of ${whose} is spent: ${amounts(spent)}. ${spent.of === "owner" ? byUser : ""}`.trim()
  }

  /** Why this job may not run again, in words; nothing where it may. */
  refusalFor(record: JobRecord): string | undefined {
    const spent = this.#of(record).find(isOver)
    if (!spent) return undefined
    return spent.of === "owner"
      ? `the budget of this session's jobs is spent: ${amounts(spent)}. ${byUser}`
      : `the budget of the batch of ${record.id} is spent: ${amounts(spent)}. A new job can do the rest.`
  }

  /**
   * What the owner of these jobs is to be told of budgets, a line each: what was spent, and what is left undone. None
   * where none of the jobs was cancelled because of one.
   */
  notes(records: readonly JobRecord[]): string[] {
    const undone = new Map<Held, JobRecord[]>()
    for (const record of records) {
      const held = record.error?.kind === "budget" ? this.#of(record).find(isOver) : undefined
      if (held) undone.set(held, [...(undone.get(held) ?? []), record])
    }
    return [...undone].map(([held, jobs]) => {
      const unasked = jobs.filter(({ startedAt }) => startedAt === undefined)
      const never = unasked.length > 0 ? ` (never begun: ${idsOf(unasked)})` : ""
      const whose = held.of === "owner" ? "this session's jobs" : "their batch"
      return `The budget of ${whose} is spent: ${amounts(held)}. Left undone: ${idsOf(jobs)}${never}.`
    })
  }

  stop(): void {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe()
    for (const key of [...this.#budgets.keys()]) this.#end(key)
  }

  #hear(record: JobRecord, isLive: boolean): void {
    const seen = {
      type: "job.seen",
      run: runOf(record),
      session: record.session,
      spent: spentBy(record.usage),
      isLive,
    } as const
    for (const { actor } of this.#of(record)) actor.send(seen)
  }

  /** The jobs of this one's child count where it counts. */
  #joined({ session }: JobRecord): void {
    this.#end(keyOfOwner(session))
    for (const job of this.#options.troupe.records.of(session)) {
      this.#hear(job, !hasEnded(job))
      if (job.session !== "") this.#joined(job)
    }
  }

  /** The budgets that a job counts towards, the narrowest first. */
  #of(record: JobRecord): Held[] {
    const own = this.#batchOf(record)
    return [...(own ? [own] : []), ...this.#above(record.owner)]
  }

  #above(owner: string): Held[] {
    const { records } = this.#options.troupe
    const held: Held[] = []
    let root = owner
    for (let level = 0; level < mostLevels; level++) {
      const job = records.bySession(root)
      if (!job) break
      const batch = this.#batchOf(job)
      if (batch) held.push(batch)
      root = job.owner
    }
    const ofOwner = this.#ofOwner(root)
    return ofOwner ? [...held, ofOwner] : held
  }

  #batchOf({ batch, budget }: JobRecord): Held | undefined {
    if (batch === undefined) return undefined
    const key = keyOfBatch(batch)
    return this.#budgets.get(key) ?? (budget && this.#begin(key, "batch", budget))
  }

  #ofOwner(owner: string): Held | undefined {
    const { budget } = this.#options
    const key = keyOfOwner(owner)
    return this.#budgets.get(key) ?? (budget && this.#begin(key, "owner", budget))
  }

  #begin(key: string, of: Held["of"], limit: Budget): Held {
    const cancel = (runs: readonly Run[], spent: Spent) => {
      if (runs.length === 0) return
      const { troupe, show } = this.#options
      const amount = amountsOf(limit, spent)
      const reason =
        of === "batch" ? `its batch has spent ${amount}` : `its session's jobs have spent ${amount}`
      troupe.cancel([...runs], reason, "budget")
      const jobs = runs.length === 1 ? "1 job is" : `${runs.length} jobs are`
      show({ message: `A budget is spent (${amount}): ${jobs} being cancelled.`, variant: "warning" })
    }
    const machine = budgetMachine.provide({
      actions: { cancel: (_, { runs, spent }) => cancel(runs, spent) },
    })
    const actor = createActor(machine, { input: { limit } })
    actor.subscribe({ error: this.#options.reportError })
    const held = { of, limit, actor }
    this.#budgets.set(key, held)
    actor.start()
    return held
  }

  #end(key: string): void {
    this.#budgets.get(key)?.actor.stop()
    this.#budgets.delete(key)
  }
}

type Held = { of: "batch" | "owner"; limit: Budget; actor: BudgetRef }

const byUser = 'Only your user can raise it: it is the plugin\'s option "budget".'

const keyOfBatch = (batch: string) => `batch ${batch}`
const keyOfOwner = (owner: string) => `owner ${owner}`

const runOf = ({ owner, id, run }: JobRecord): Run => ({ owner, id, run })

const isOver = ({ actor }: Held) => !actor.getSnapshot().matches("keeping")

const amounts = ({ limit, actor }: Held) => amountsOf(limit, totalOf(actor.getSnapshot().context))

/** `12,345 of 10,000 tokens`: of what is limited and used up; of all that is limited where that is nothing. */
function amountsOf({ tokens, cost }: Budget, spent: Spent): string {
  const words = [
    ...(tokens !== undefined && isSpent({ tokens }, spent)
      ? [`${number(spent.tokens)} of ${number(tokens)} tokens`]
      : []),
    ...(cost !== undefined && isSpent({ cost }, spent) ? [`${dollars(spent.cost)} of ${dollars(cost)}`] : []),
  ]
  return words.join(" and ")
}

const number = (count: number) => Math.round(count).toLocaleString("en-US")

/** To the cent; small amounts to as many digits as say something. */
const dollars = (cost: number) => `$${cost < 1 ? Number(cost.toPrecision(3)) : cost.toFixed(2)}`

const idsOf = (records: readonly JobRecord[]) => records.map(({ id }) => id).join(", ")
