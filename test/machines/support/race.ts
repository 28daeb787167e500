import fc, { type Scheduler } from "fast-check"
import { expect } from "vitest"
import type { Effects } from "../../../src/machines/effects.ts"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import { hasEnded, type JobRecord } from "../../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import { CountingClock } from "./counting-clock.ts"
import { dawn, jobInput, usage } from "./jobs.ts"
import { nothing, sessionOf, settled } from "./play.ts"

/** What becomes of one job, as far as the world outside decides it. */
export type Fate = {
  owner: "a" | "b" | typeof ownChild
  opens: "opens" | "fails" | "hangs"
  answers: "answers" | "answers with an error" | "fails" | "hangs"
  stops: "stops" | "fails" | "hangs"
  /** What it is told, in whatever order. */
  hears: Hears[]
  /** Longer than its total time, or much shorter. Milliseconds. */
  idleMs: number
  /** A listener gives it a follow-up the moment it ends. */
  goesOn: boolean
}

export type Race = {
  concurrency: number
  jobs: Fate[]
  /** Time that passes in between, milliseconds. */
  passes: number[]
}

type Hears = (typeof tellings)[number]

/** The child of a's first job, which starts jobs itself. */
const ownChild = sessionOf({ owner: "a", id: "j0" })
const tellings = [
  "cancel",
  "active",
  "spent",
  "retrying",
  "asks permission",
  "is given permission",
  "asks a question",
  "is given an answer",
  "defect",
] as const

const often = <T>(usual: T, ...seldom: T[]) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 3 }, ...seldom.map((value) => fc.constant(value)))

const fate: fc.Arbitrary<Fate> = fc.record({
  owner: fc.constantFrom("a", "a", "b", "b", ownChild),
  opens: often("opens", "opens", "fails", "hangs"),
  answers: often("answers", "answers with an error", "fails", "hangs"),
  stops: often("stops", "fails", "hangs"),
  hears: fc.array(
    fc.oneof(
      { arbitrary: fc.constantFrom(...tellings.filter((telling) => telling !== "defect")), weight: 12 },
      fc.constant<Hears>("defect"),
    ),
    { maxLength: 5 },
  ),
  idleMs: fc.constantFrom(20_000, 90_000),
  goesOn: fc.boolean(),
})

export const race: fc.Arbitrary<Race> = fc.record({
  concurrency: fc.constantFrom(1, 2),
  jobs: fc.array(fate, { minLength: 2, maxLength: 5 }),
  passes: fc.array(fc.constantFrom(1, 4_999, 5_000, 19_999, 20_000, 30_000, 60_000), { maxLength: 4 }),
})

/** Runs one race in the order that the scheduler picks, and throws when what must always hold does not. */
export async function run({ concurrency, jobs, passes }: Race, scheduler: Scheduler): Promise<void> {
  const clock = new CountingClock()
  const now = () => dawn + clock.now()
  const world = new World(scheduler, jobs, now)
  const defects: unknown[] = []
  const troupe = createTroupe({
    effects: world.effects,
    concurrency,
    now,
    clock,
    reportError: (error) => void defects.push(error),
  })
  const witness = new Witness(troupe, world, concurrency)
  world.onPrompt = () => witness.countPrompts()
  troupe.records.subscribe((record) => {
    if (!hasEnded(record) || record.run > 1 || record.session === "") return
    // Who was cancelled because its starter ended has nobody left to go on for.
    const isOrphan = record.owner === ownChild && record.state === "cancelled"
    if (!world.fateOf(record)?.goesOn || isOrphan) return
    const { text, usage } = record
    world.start(troupe, { ...world.jobOf(record), run: 2, session: record.session, earlier: { text, usage } })
  })

  const soon = (label: string, act: () => void) => {
    void scheduler.schedule(Promise.resolve(), label).then(act)
  }
  for (const [index, { owner, hears }] of jobs.entries()) {
    const job = { owner, id: `j${index}` }
    const name = `${owner}/${job.id}`
    soon(`${name} starts`, () => world.start(troupe, world.jobOf(job)))
    for (const telling of hears) soon(`${name}: ${telling}`, () => tell(troupe, job, telling, now()))
  }
  for (const ms of passes) soon(`${ms} ms pass`, () => clock.increment(ms))

  await scheduler.waitIdle()
  await settled()
  // What people leave open keeps a job for ever, and that is right: here they come back, and time passes.
  for (let round = 0; round < 20; round++) {
    for (const record of troupe.records.all()) {
      for (const { id } of record.asks ?? []) {
        troupe.tell(record, { type: "child.answered", ask: id, at: now() })
      }
    }
    clock.increment(60_000)
    await scheduler.waitIdle()
    await settled()
  }
  witness.judge()
  expect(witness.broken).toEqual([])
  // That the child of a crashed job could not be stopped is reported too: its record can no longer say so.
  expect(defects.filter((defect) => defect instanceof Error)).toHaveLength(witness.crashes)
  const { counts, children } = troupe.actors()
  expect({
    jobs: children.flatMap((supervisor) => supervisor.children.map(({ id }) => id)),
    slots: { busy: counts.busy, waiting: counts.waiting },
    timers: clock.pending,
  }).toEqual(nothing)
  troupe.stop()
}

type JobKey = Pick<JobRecord, "owner" | "id">
type Run = JobKey & { run: number }

const nameOf = ({ owner, id, run }: Run) => `${owner}/${id}#${run}`
const answerOf = (run: Run) => `the answer of ${nameOf(run)}`
const providerError = (run: Run) => `the provider's error of ${nameOf(run)}`

function tell(troupe: Troupe, job: JobKey, telling: Hears, at: number): void {
  if (telling === "cancel") {
    troupe.cancel([job], "no longer needed")
    return
  }
  const permission = { id: "p", kind: "permission", text: "bash: ls" } as const
  const question = { id: "q", kind: "question", text: "Which one?" } as const
  const events: Record<Exclude<Hears, "cancel">, JobEvent> = {
    active: { type: "child.active", activity: { text: "writes", at } },
    spent: { type: "child.spent", usage: usage(1) },
    retrying: { type: "child.retrying", at, retry: { attempt: 1, reason: "overloaded", next: at } },
    "asks permission": { type: "child.asked", at, ask: permission },
    "is given permission": { type: "child.answered", at, ask: "p" },
    "asks a question": { type: "child.asked", at, ask: question },
    "is given an answer": { type: "child.answered", at, ask: "q" },
    // No code of ours sends this: the job's actor throws over it, where it listens.
    defect: { type: "child.active" } as JobEvent,
  }
  troupe.tell(job, events[telling])
}

type Call = Run & { signal: AbortSignal; askedAt: number; settledAt?: number }

/** opencode, as each job's fate has it, each answer when the scheduler says. */
class World {
  readonly started: Run[] = []
  readonly opened: Call[] = []
  readonly prompted: Call[] = []
  readonly stopped: Call[] = []
  onPrompt: () => void = () => {}
  readonly #scheduler: Scheduler
  readonly #fates: Fate[]

  readonly #now: () => number

  constructor(scheduler: Scheduler, fates: Fate[], now: () => number) {
    this.#scheduler = scheduler
    this.#fates = fates
    this.#now = now
  }

  fateOf({ id }: Pick<JobRecord, "id">): Fate | undefined {
    return this.#fates[Number(id.slice(1))]
  }

  jobOf({ owner, id }: JobKey): JobInput {
    return jobInput({ owner, id, idleMs: this.fateOf({ id })?.idleMs ?? 0 })
  }

  start(troupe: Troupe, job: JobInput): void {
    this.started.push(job)
    troupe.start(job)
  }

  readonly effects: Effects = {
    openSession: (job, signal) =>
      this.#soon(this.opened, job, signal, "session", this.fateOf(job)?.opens, () => ({
        session: sessionOf(job),
      })),
    promptChild: ({ job }, signal) => {
      const how = this.fateOf(job)?.answers
      const answer = this.#soon(this.prompted, job, signal, "answer", how, () => ({
        text: answerOf(job),
        usage: usage(job.run),
        ...(how === "answers with an error" && {
          error: { kind: "provider" as const, message: providerError(job) },
        }),
      }))
      this.onPrompt()
      return answer
    },
    stopChild: ({ job }, signal) =>
      this.#soon(this.stopped, job, signal, "stop", this.fateOf(job)?.stops, () => ({
        text: `what ${nameOf(job)} had written`,
        usage: usage(job.run),
      })),
  }

  #soon<T>(
    calls: Call[],
    job: Run,
    signal: AbortSignal,
    what: string,
    how: string | undefined,
    outcome: () => T,
  ) {
    const { owner, id, run } = job
    const call: Call = { owner, id, run, signal, askedAt: this.#now() }
    calls.push(call)
    if (how === "hangs") return new Promise<T>(() => {})
    return this.#scheduler.schedule(Promise.resolve(), `${nameOf(job)}: ${what} ${how}`).then(() => {
      call.settledAt = this.#now()
      if (how === "fails") throw { kind: "interrupted", message: `${what} failed` }
      return outcome()
    })
  }
}

/** opencode has 30 s to make a session. */
const isInTime = ({ askedAt, settledAt = Number.POSITIVE_INFINITY }: Call) => settledAt - askedAt < 30_000

/** Sees every record and every effect, and knows what must hold of them. */
class Witness {
  crashes = 0
  /** What did not hold. Kept, not thrown: a listener that throws disturbs nobody. */
  readonly broken: string[] = []
  readonly #ended = new Map<string, JobRecord>()
  readonly #world: World
  readonly #concurrency: number
  readonly #troupe: Troupe
  readonly #orphans = new Set<string>()

  constructor(troupe: Troupe, world: World, concurrency: number) {
    this.#troupe = troupe
    this.#world = world
    this.#concurrency = concurrency
    troupe.records.subscribe((record, before) => this.#check(record, before))
  }

  countPrompts(): void {
    const inFlight = this.#world.prompted.filter(
      ({ settledAt, signal }) => settledAt === undefined && !signal.aborted,
    )
    const names = inFlight.map(({ owner, id }) => `${owner}/${id}`)
    this.#must(names.length <= this.#concurrency, `${names.length} prompts in flight: ${names}`)
    this.#must(new Set(names).size === names.length, `a job is prompted twice at once: ${names}`)
  }

  #check(record: JobRecord, before: JobRecord | undefined): void {
    const name = nameOf(record)
    this.#must(!this.#ended.has(name), `${name} has a new record after its end`)
    if (before) {
      this.#must(record.run >= before.run, `${name} went back from run ${before.run}`)
      const isFollowUp = record.run > before.run
      this.#must(!isFollowUp || hasEnded(before), `${name} began before run ${before.run} had ended`)
      this.#must(isFollowUp || rank(record) >= rank(before), `${name} went back from ${before.phase}`)
      this.#must(before.session === "" || record.session === before.session, `${name} changed its session`)
    }
    if (hasEnded(record)) {
      this.#ended.set(name, record)
      this.#noteOrphans(record)
    }
    if (record.error?.message.startsWith("a defect")) this.crashes++
  }

  /** The jobs that this one's child started and that have not even begun to end. */
  #noteOrphans({ session }: JobRecord): void {
    if (session === "") return
    for (const job of this.#troupe.records.of(session)) {
      if (!hasEnded(job) && job.phase !== "stopping") this.#orphans.add(nameOf(job))
    }
  }

  /** When all is over. */
  judge(): void {
    const { started, opened, prompted, stopped } = this.#world
    for (const run of started) {
      const name = nameOf(run)
      const end = this.#ended.get(name)
      this.#must(end !== undefined, `${name} never ended`)
      if (!end) continue

      const of = (calls: Call[]) => calls.filter((call) => nameOf(call) === name)
      this.#must(
        of(opened).length === (run.run === 1 ? 1 : 0),
        `${name} opened ${of(opened).length} sessions`,
      )
      this.#must(of(prompted).length <= 1, `${name} was prompted ${of(prompted).length} times`)

      const isOrphan = this.#orphans.has(name)
      this.#must(!isOrphan || end.state === "cancelled", `${name} outlived the job that started it`)
      const isOpen = of(opened).some(isInTime) && this.#world.fateOf(run)?.opens === "opens"
      this.#must(!isOpen || end.session !== "", `${name} left a session behind unrecorded`)

      const answered = end.state === "done" || end.error?.message === providerError(run)
      const leftUnfinished = of(prompted).length === 1 && !answered
      const stops = of(stopped).length
      this.#must(
        stops === (leftUnfinished ? 1 : 0),
        `${name} ended as ${end.state}, and was stopped ${stops} times`,
      )
      if (end.state === "done") this.#must(end.text === answerOf(run), `${name} has an answer not its own`)
      for (const call of of([...prompted, ...stopped])) {
        const isDefect = end.error?.message.startsWith("a defect")
        this.#must(
          call.settledAt !== undefined || call.signal.aborted || !!isDefect,
          `${name} left an effect running`,
        )
      }
    }
    this.#must(this.#ended.size === started.length, "something ended that was never started")
  }

  #must(holds: boolean, otherwise: string): void {
    if (!holds) this.broken.push(otherwise)
  }
}

function rank({ state, phase }: JobRecord): number {
  if (state === "created") return phase === "opening" ? 0 : 1
  if (state === "prompting") return phase === "stopping" ? 3 : 2
  return 4
}
