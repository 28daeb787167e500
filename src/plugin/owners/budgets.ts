import { createActor } from "xstate"
import { realClock } from "../../machines/clock.ts"
import { type Budget, hasEnded, type JobRecord, withSubagents } from "../../machines/record.ts"
import type { Troupe } from "../../machines/troupe.ts"
import type { Toast } from "../host/port.ts"
import {
  type BudgetEvent,
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
  /** Why it is not known what owners may spend, where somebody has limited it in a way that cannot be read. */
  problem?: string | undefined
  /** Shows the person what they should know. */
  show: (toast: Toast) => void
  /** Told of defects. */
  reportError: (error: unknown) => void
}

/** Holds batches and owners to what they may spend, with all that their jobs start: one actor for each budget. */
export class Budgets {
  readonly #options: BudgetsOptions
  readonly #held = new Map<string, Held>()
  readonly #subscriptions: (() => void)[]

  constructor(options: BudgetsOptions) {
    this.#options = options
    const { records } = options.troupe
    this.#subscriptions = [
      records.subscribe((record, before) => {
        // After a restart, what a job's child had started may be found before the job itself.
        if (before?.session !== record.session) this.#joined(record.session)
        // Most changes of a record are activity.
        if (before && isSameFor(before, record)) return
        this.#tell(this.#of(record), seen(record, standOf(record)))
      }),
      records.onForgotten((record) => {
        this.#end(keyOfOwner(record.owner))
        if (record.batch !== undefined) this.#end(keyOfBatch(record.batch))
        if (records.bySession(record.owner)) this.#tell(this.#above(record.owner), seen(record, "ended"))
      }),
    ]
  }

  /** Why no job may start for this owner, in words; nothing where one may. */
  refusal(owner: string): string | undefined {
    const { problem } = this.#options
    if (problem !== undefined) return problem
    const spent = this.#above(owner).find(isOver)
    if (!spent) return undefined
    return spent.of === "owner"
      ? `the budget of this session's jobs is spent: ${amounts(spent)}. ${byUser}`
      : `the budget of the batch that this session works for is spent: ${amounts(spent)}.`
  }

  /** Why this job may not run again, in words; nothing where it may. */
  refusalFor(record: JobRecord): string | undefined {
    const { problem } = this.#options
    if (problem !== undefined) return problem
    const spent = this.#of(record).find(isOver)
    if (!spent) return undefined
    return spent.of === "owner"
      ? `the budget of this session's jobs is spent: ${amounts(spent)}. ${byUser}`
      : `the budget of the batch of ${record.id} is spent: ${amounts(spent)}. A new job can do the rest.`
  }

  /** Whether what the jobs of this owner cost is limited. */
  limitsCost(owner: string): boolean {
    return this.#above(owner).some(({ limit }) => limit.cost !== undefined)
  }

  /** Whether anything limits what the jobs of this owner spend. */
  isLimited(owner: string): boolean {
    return this.#above(owner).length > 0
  }

  /** How much of its budgets an owner has spent, a line each; those of batches that are over are left out. */
  standing(owner: string): string[] {
    const records = this.#options.troupe.records.of(owner)
    const batches = new Map<Held, JobRecord[]>()
    for (const record of records) {
      const held = this.#batchOf(record)
      if (held) batches.set(held, [...(batches.get(held) ?? []), record])
    }
    const running = [...batches].filter(([, jobs]) => jobs.some((job) => !hasEnded(job)))
    return [
      ...this.#above(owner)
        .filter(({ of }) => of === "owner")
        .map((held) => `Budget of this session's jobs: ${amounts(held)} spent.`),
      ...running.map(([held, jobs]) => `Budget of the batch of ${namesOf(jobs)}: ${amounts(held)} spent.`),
    ]
  }

  /**
   * What the owner of these jobs is to be told of budgets, a line each: what was spent, and what is left undone. Nothing
   * where none of these jobs was cancelled because of one, or where it was told before, with another of them.
   */
  notes(records: readonly JobRecord[], isTold: (record: JobRecord) => boolean): string[] {
    const cut = records.flatMap((record) => {
      const held = this.#cutOffBy(record)
      return held ? [{ held, owner: record.owner }] : []
    })
    return [...new Map(cut.map((each) => [each.held, each])).values()].flatMap(({ held, owner }) => {
      const undone = this.#options.troupe.records
        .of(owner)
        .filter((record) => this.#cutOffBy(record) === held)
      const isNews = (record: JobRecord) => records.some(({ id }) => id === record.id) || !isTold(record)
      if (!undone.every(isNews)) return []
      const unasked = undone.filter(({ startedAt }) => startedAt === undefined)
      const never = unasked.length > 0 ? ` (never begun: ${namesOf(unasked)})` : ""
      const whose = held.of === "owner" ? "this session's jobs" : "their batch"
      return `The budget of ${whose} is spent: ${amounts(held)}. Left undone: ${namesOf(undone)}${never}.`
    })
  }

  /** The budgets that a job counts towards, and what is spent of each, for those who look. */
  of(record: JobRecord): Spending[] {
    return this.#of(record).map(({ of, name, limit, actor }) => ({
      of,
      name,
      limit,
      spent: totalOf(actor.getSnapshot().context),
      isSpent: isOver({ actor }),
    }))
  }

  /** The budgets that are kept, for those who look. */
  *actors(): Iterable<{ owner: string; name: string; state: string }> {
    for (const { name, owner, actor } of this.#held.values())
      yield { owner, name, state: actor.getSnapshot().value }
  }

  stop(): void {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe()
    for (const key of [...this.#held.keys()]) this.#end(key)
  }

  /** Which budget has ended this job. */
  #cutOffBy(record: JobRecord): Held | undefined {
    return record.error?.kind === "budget" ? this.#of(record).find(isOver) : undefined
  }

  #tell(budgets: readonly Held[], event: BudgetEvent): void {
    for (const { actor } of budgets) actor.send(event)
  }

  /** The session turns out to be a job's: what its own jobs use counts where that job counts. */
  #joined(session: string): void {
    // It grows meanwhile, by the sessions of theirs.
    const joined = new Set([session])
    for (const owner of joined) {
      this.#end(keyOfOwner(owner))
      for (const job of this.#options.troupe.records.of(owner)) {
        this.#tell(this.#of(job), seen(job, standOf(job)))
        joined.add(job.session)
      }
    }
  }

  /** The budgets that a job counts towards, the narrowest first. */
  #of(record: JobRecord): Held[] {
    const own = this.#batchOf(record)
    return [...new Set([...(own ? [own] : []), ...this.#above(record.owner)])]
  }

  #above(owner: string): Held[] {
    const { records } = this.#options.troupe
    const held: Held[] = []
    let root = owner
    // What a store says of who started whom may go round in circles.
    const passed = new Set<JobRecord>()
    for (let job = records.bySession(root); job && !passed.has(job); job = records.bySession(root)) {
      passed.add(job)
      const batch = this.#batchOf(job)
      if (batch) held.push(batch)
      root = job.owner
    }
    const ofOwner = this.#ofOwner(root)
    return ofOwner ? [...held, ofOwner] : held
  }

  #batchOf({ owner, batch, budget }: JobRecord): Held | undefined {
    if (batch === undefined) return undefined
    const key = keyOfBatch(batch)
    return this.#held.get(key) ?? (budget && this.#begin({ of: "batch", name: batch, owner, limit: budget }))
  }

  #ofOwner(owner: string): Held | undefined {
    const { budget } = this.#options
    const key = keyOfOwner(owner)
    return this.#held.get(key) ?? (budget && this.#begin({ of: "owner", name: owner, owner, limit: budget }))
  }

  #begin({ of, name, owner, limit }: Omit<Held, "actor">): Held {
    const machine = budgetMachine.provide({
      actions: { cancel: (_, { runs, spent }) => this.#cancel(of, limit, runs, spent) },
    })
    const actor = createActor(machine, { input: { limit }, clock: realClock })
    actor.subscribe({ error: this.#options.reportError })
    const held = { of, name, owner, limit, actor }
    this.#held.set(of === "batch" ? keyOfBatch(name) : keyOfOwner(name), held)
    actor.start()
    return held
  }

  #cancel(of: Held["of"], limit: Budget, runs: readonly Run[], spent: Spent): void {
    if (runs.length === 0) return
    const { troupe, show } = this.#options
    const amount = amountsOf(limit, spent)
    const whose = of === "batch" ? "its batch has" : "its session's jobs have"
    troupe.cancel([...runs], `${whose} spent ${amount}`, "budget")
    const jobs = runs.length === 1 ? "1 job is" : `${runs.length} jobs are`
    show({ message: `A budget is spent (${amount}): ${jobs} cancelled.`, variant: "warning" })
  }

  #end(key: string): void {
    this.#held.get(key)?.actor.stop()
    this.#held.delete(key)
  }
}

/** `name`: of the batch, or of the owner's session. `owner`: whose jobs they are. */
type Held = { of: "batch" | "owner"; name: string; owner: string; limit: Budget; actor: BudgetRef }

/** `isSpent`: nothing more is prompted. */
export type Spending = Pick<Held, "of" | "name" | "limit"> & { spent: Spent; isSpent: boolean }

const byUser = `Only your user can raise it: it is the plugin's option "budget".`

const keyOfBatch = (batch: string) => `batch ${batch}`
const keyOfOwner = (owner: string) => `owner ${owner}`

const isOver = ({ actor }: Pick<Held, "actor">) => !actor.getSnapshot().matches("keeping")

type Stands = BudgetEvent["stands"]

function standOf(record: JobRecord): Stands {
  if (hasEnded(record)) return "ended"
  return record.state === "prompting" ? "asked" : "unasked"
}

const isSameFor = (before: JobRecord, record: JobRecord) =>
  before.usage === record.usage &&
  before.subagents === record.subagents &&
  standOf(before) === standOf(record)

function seen(record: JobRecord, stands: Stands): BudgetEvent {
  const { owner, id, run } = record
  return { type: "job.seen", run: { owner, id, run }, stands, spent: spentBy(withSubagents(record)) }
}

const amounts = ({ limit, actor }: Held) => amountsOf(limit, totalOf(actor.getSnapshot().context))

/** `12,345 of 10,000 tokens`: of what is used up, or of all that is limited while nothing is. */
function amountsOf(limit: Budget, spent: Spent): string {
  const { tokens, cost } = limit
  const isNothing = !isSpent(limit, spent)
  return [
    ...(tokens !== undefined && (isNothing || isSpent({ tokens }, spent))
      ? [`${whole(spent.tokens)} of ${whole(tokens)} tokens`]
      : []),
    ...(cost !== undefined && (isNothing || isSpent({ cost }, spent))
      ? [`${dollars(spent.cost)} of ${dollars(cost)}`]
      : []),
  ].join(" and ")
}

const whole = (count: number) => Math.round(count).toLocaleString("en-US")

/** To the cent; what is less than a dollar, to as many digits as say something. */
const dollars = (cost: number) => `$${cost < 1 ? Number(cost.toPrecision(3)) : cost.toFixed(2)}`

/** Jobs that are named; the others are counted. */
const mostNames = 20

function namesOf(records: readonly JobRecord[]): string {
  const names = records.slice(0, mostNames).map(({ id }) => id)
  const more = records.length > mostNames ? ` and ${records.length - mostNames} more` : ""
  return `${names.join(", ")}${more}`
}
