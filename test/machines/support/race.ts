import fc, { type Scheduler } from "fast-check"
import { expect } from "vitest"
import type { Answer, Effects } from "../../../src/machines/effects.ts"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import { type Concurrency, slotsIn } from "../../../src/machines/limits.ts"
import { endOf, standingOf } from "../../../src/machines/needs.ts"
import { hasEnded, type JobKey, type JobRecord, type Need } from "../../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import { CountingClock } from "./counting-clock.ts"
import { dawn, jobInput, usage } from "./jobs.ts"
import { nothing, sessionOf, settled } from "./play.ts"

/** What becomes of one job, as far as the world outside decides it. */
export type Fate = {
  owner: "a" | "b" | typeof ownChild
  /** Absent: opencode chooses. */
  model: "p/x" | "p/y" | "q/z" | undefined
  opens: "opens" | "fails" | "hangs"
  /** An answer that gets lost is there when somebody looks for it. */
  answers: "answers" | "answers with an error" | "gets lost" | "fails" | "hangs"
  looks: "looks" | "fails" | "hangs"
  /** Its check, if it has one: it passes in the second round at the latest. */
  checks: "none" | "passes" | "passes then" | "never passes" | "fails" | "hangs"
  records: "records" | "fails" | "hangs"
  stops: "stops" | "fails" | "hangs"
  /** Which of its owner's earlier jobs it needs: how many before it each is, where that one has the same owner. */
  needs: { before: number; on: Need["on"] }[]
  /** What it is told, in whatever order. */
  hears: Hears[]
  /** Longer than its total time, or much shorter. Milliseconds. */
  idleMs: number
  /** A listener gives it a follow-up the moment it ends. */
  goesOn: boolean
}

export type Race = {
  concurrency: Concurrency
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
  "a subagent has spent",
  "retrying",
  "retrying much later",
  "tool starts",
  "tool ends",
  "second tool starts",
  "second tool ends",
  "idle",
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
  model: fc.constantFrom("p/x", "p/x", "p/y", "q/z", undefined),
  opens: often("opens", "opens", "fails", "hangs"),
  answers: often("answers", "answers with an error", "gets lost", "fails", "hangs"),
  looks: often("looks", "fails", "hangs"),
  checks: often("none", "passes", "passes then", "never passes", "fails", "hangs"),
  records: often("records", "fails", "hangs"),
  stops: often("stops", "fails", "hangs"),
  needs: fc.oneof(
    { arbitrary: fc.constant<Fate["needs"]>([]), weight: 2 },
    fc.uniqueArray(
      fc.record({
        before: fc.integer({ min: 1, max: 3 }),
        on: fc.constantFrom("done" as const, "ended" as const),
      }),
      { minLength: 1, maxLength: 2, selector: ({ before }) => before },
    ),
  ),
  hears: fc.array(
    fc.oneof(
      { arbitrary: fc.constantFrom(...tellings.filter((telling) => telling !== "defect")), weight: 12 },
      fc.constant<Hears>("defect"),
    ),
    { maxLength: 6 },
  ),
  idleMs: fc.constantFrom(20_000, 90_000),
  goesOn: fc.boolean(),
})

export const race: fc.Arbitrary<Race> = fc.record({
  concurrency: fc.constantFrom<Concurrency>(
    1,
    2,
    { total: 2, providers: { p: 1 } },
    { total: 3, providers: { p: 2 }, models: { "p/x": 1 } },
  ),
  jobs: fc.array(fate, { minLength: 2, maxLength: 5 }),
  passes: fc.array(fc.constantFrom(1, 2_000, 4_999, 5_000, 19_999, 20_000, 30_000, 60_000), { maxLength: 4 }),
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
  world.onPrompt = (job) => {
    witness.countPrompts()
    witness.seePrompt(job)
  }
  world.onCheck = () => witness.countPrompts()
  world.onStop = (job) => witness.seeStop(job)
  troupe.records.subscribe((record) => {
    if (!hasEnded(record) || record.run > 1 || record.session === "") return
    // Who was cancelled because its starter ended has nobody left to go on for.
    const isOrphan = record.owner === ownChild && record.state === "cancelled"
    if (!world.fateOf(record)?.goesOn || isOrphan) return
    const { text, usage, session, error } = record
    // What a need has ended waits for it again; a follow-up waits for nothing.
    const { needs, ...job } = world.jobOf(record)
    const again = error?.kind === "dependency" ? { needs } : {}
    world.start(troupe, { ...job, ...again, run: 2, session, earlier: { text, usage } })
  })

  const soon = (label: string, act: () => void) => {
    void scheduler.schedule(Promise.resolve(), label).then(act)
  }
  for (const [index, { owner, hears }] of jobs.entries()) {
    const job = { owner, id: `j${index}` }
    const name = `${owner}/${job.id}`
    soon(`${name} starts`, () => world.start(troupe, world.jobOf(job)))
    for (const telling of hears) {
      soon(`${name}: ${telling}`, () => {
        witness.hears(job, telling, now())
        tellProvider(troupe, job, telling, now())
        tell(troupe, job, telling, now())
      })
    }
  }
  for (const ms of passes) soon(`${ms} ms pass`, () => clock.increment(ms))

  await scheduler.waitIdle()
  await settled()
  // What people leave open keeps a job for ever, and that is right: here they come back, and time passes.
  for (let round = 0; round < 20; round++) {
    for (const record of troupe.records.all()) {
      for (const { id } of record.asks ?? []) {
        witness.hears(record, id === "p" ? "is given permission" : "is given an answer", now())
        troupe.tell(record, { type: "child.answered", ask: id, at: now() })
      }
    }
    clock.increment(60_000)
    await scheduler.waitIdle()
    await settled()
  }
  witness.judge()
  expect(witness.broken).toEqual([])
  expect(defects.filter((defect) => defect instanceof Error)).toHaveLength(witness.crashes)
  const { counts, children } = troupe.actors()
  expect({
    supervisors: children.map(({ id }) => id),
    jobs: children.flatMap((supervisor) => supervisor.children.map(({ id }) => id)),
    slots: { busy: counts.busy, waiting: counts.waiting },
    timers: clock.pending,
  }).toEqual({ ...nothing, supervisors: [] })
  troupe.stop()
}

/** Longer than an idle timeout, shorter than the total time. Milliseconds. */
const longPause = 25_000

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
    "a subagent has spent": { type: "subagent.spent", session: "ses_task", usage: usage(2) },
    retrying: { type: "child.retrying", at, retry: { attempt: 1, reason: "overloaded", next: at } },
    "retrying much later": {
      type: "child.retrying",
      at,
      retry: { attempt: 1, reason: "overloaded", next: at + longPause },
    },
    "tool starts": { type: "tool.started", call: "t1", at },
    "tool ends": { type: "tool.ended", call: "t1", at },
    "second tool starts": { type: "tool.started", call: "t2", at },
    "second tool ends": { type: "tool.ended", call: "t2", at },
    idle: { type: "child.idle", at },
    "asks permission": { type: "child.asked", at, ask: permission },
    "is given permission": { type: "child.answered", at, ask: "p" },
    "asks a question": { type: "child.asked", at, ask: question },
    "is given an answer": { type: "child.answered", at, ask: "q" },
    // No code of ours sends this: the job's actor throws over it, where it listens.
    defect: { type: "child.active" } as JobEvent,
  }
  troupe.tell(job, events[telling])
}

/** As the watch of children has it: of a child that was asked. */
function tellProvider(troupe: Troupe, job: JobKey, telling: Hears, at: number): void {
  if (troupe.records.get(job.owner, job.id)?.state !== "prompting") return
  if (telling === "retrying much later") troupe.hold(job, at + longPause)
  // Its model was asked before: that is news of what it was told itself alone.
  if (telling === "active") troupe.answered(job, 0)
}

type Call = Run & { signal: AbortSignal; askedAt: number; settledAt?: number }

const isOver = ({ settledAt, signal }: Call) => settledAt !== undefined || signal.aborted

/** opencode, as each job's fate has it, each answer when the scheduler says. */
class World {
  readonly started: JobInput[] = []
  readonly opened: Call[] = []
  readonly prompted: Call[] = []
  readonly looked: Call[] = []
  readonly checked: Call[] = []
  readonly recorded: (Call & { record: JobRecord })[] = []
  readonly stopped: Call[] = []
  onPrompt: (job: JobInput) => void = () => {}
  onCheck: () => void = () => {}
  onStop: (run: Run) => void = () => {}
  readonly #lost = new Map<string, () => void>()
  readonly #scheduler: Scheduler
  readonly #fates: Fate[]

  readonly now: () => number

  constructor(scheduler: Scheduler, fates: Fate[], now: () => number) {
    this.#scheduler = scheduler
    this.#fates = fates
    this.now = now
  }

  fateOf({ id }: Pick<JobRecord, "id">): Fate | undefined {
    return this.#fates[Number(id.slice(1))]
  }

  jobOf({ owner, id }: JobKey): JobInput {
    const { idleMs = 0, model, needs = [], checks = "none" } = this.fateOf({ id }) ?? {}
    const needed = needs.flatMap(({ before, on }): Need[] => {
      const need = `j${Number(id.slice(1)) - before}`
      return this.fateOf({ id: need })?.owner === owner ? [{ id: need, on }] : []
    })
    return jobInput({
      owner,
      id,
      model,
      idleMs,
      ...(needed.length > 0 && { needs: needed }),
      ...(checks !== "none" && { hasToPass: { command: "check", attempts: 1 } }),
    })
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
      if (how === "gets lost") return this.#lose(job, signal)
      const answer = this.#soon(this.prompted, job, signal, "answer", how, () => ({
        text: answerOf(job),
        usage: usage(job.run),
        ...(how === "answers with an error" && {
          error: { kind: "provider" as const, message: providerError(job) },
        }),
      }))
      this.onPrompt(job)
      return answer
    },
    lookForAnswer: ({ job }, signal) =>
      this.#soon(this.looked, job, signal, "look", this.fateOf(job)?.looks, () =>
        this.#lost.get(nameOf(job))?.(),
      ),
    runCheck: ({ job, round }, signal) => {
      const { checked } = this
      const how = this.fateOf(job)?.checks
      const isRed = how === "never passes" || (how === "passes then" && round === 1)
      const check = this.#soon(checked, job, signal, `check ${round}`, how, () => ({
        exitCode: isRed ? 1 : 0,
        output: "",
        endedAt: this.now(),
      }))
      this.onCheck()
      return check
    },
    recordEnd: (record, signal) => {
      const stored = this.#soon(
        this.recorded,
        record,
        signal,
        "record",
        this.fateOf(record)?.records,
        () => {},
      )
      Object.assign(this.recorded.at(-1) ?? {}, { record })
      return stored
    },
    leaveChild: async ({ job: { prompt } }) => ({ prompt, changed: [] }),
    stopChild: ({ job }, signal) => {
      const stopped = this.#soon(this.stopped, job, signal, "stop", this.fateOf(job)?.stops, () => ({
        text: `what ${nameOf(job)} had written`,
        usage: usage(job.run),
      }))
      this.onStop(job)
      return stopped
    },
  }

  /** The child answers, and nobody hears of it before somebody looks. */
  #lose(job: JobInput, signal: AbortSignal): Promise<Answer> {
    const { owner, id, run } = job
    const call: Call = { owner, id, run, signal, askedAt: this.now() }
    this.prompted.push(call)
    this.onPrompt(job)
    return new Promise((resolve) =>
      this.#lost.set(nameOf(job), () => {
        call.settledAt ??= this.now()
        resolve({ text: answerOf(job), usage: usage(job.run) })
      }),
    )
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
    const call: Call = { owner, id, run, signal, askedAt: this.now() }
    calls.push(call)
    if (how === "hangs") return new Promise<T>(() => {})
    return this.#scheduler.schedule(Promise.resolve(), `${nameOf(job)}: ${what} ${how}`).then(() => {
      call.settledAt = this.now()
      if (how === "fails") throw { kind: "interrupted", message: `${what} failed` }
      return outcome()
    })
  }
}

const isInTime = ({ askedAt, settledAt = Number.POSITIVE_INFINITY }: Call, limitMs: number) =>
  settledAt - askedAt < limitMs

/** A job was told at `at` that its model is to be asked again much later. */
type ToldLater = JobKey & { model: string | undefined; at: number; until: number }

/** Whether that job is done all the same, or another one which has asked that model since. */
function isOverWith(hold: ToldLater, { owner, id, model, state, startedAt = 0 }: JobRecord): boolean {
  const isOfHold = owner === hold.owner && id === hold.id
  return state === "done" && (isOfHold || (model === hold.model && startedAt >= hold.at))
}

/** Sees every record and every effect, and knows what must hold of them. */
class Witness {
  crashes = 0
  /** What did not hold. Kept, not thrown: a listener that throws disturbs nobody. */
  readonly broken: string[] = []
  readonly #ended = new Map<string, JobRecord>()
  readonly #world: World
  readonly #concurrency: Concurrency
  readonly #troupe: Troupe
  readonly #orphans = new Set<string>()
  /** By provider, what its jobs were told. */
  readonly #holds = new Map<string, ToldLater>()
  readonly #quiet = new Map<string, Quiet>()

  constructor(troupe: Troupe, world: World, concurrency: Concurrency) {
    this.#troupe = troupe
    this.#world = world
    this.#concurrency = concurrency
    troupe.records.subscribe((record, before) => this.#check(record, before))
  }

  countPrompts(): void {
    const { prompted, checked } = this.#world
    const inFlight = [...prompted, ...checked].filter((call) => !isOver(call))
    const names = inFlight.map(({ owner, id }) => `${owner}/${id}`)
    const { providers = {}, models = {} } = typeof this.#concurrency === "number" ? {} : this.#concurrency
    const limits = Object.entries({ "": slotsIn(this.#concurrency), ...providers, ...models })
    for (const [of, most] of limits) {
      const under = inFlight.filter((run) => `${this.#world.fateOf(run)?.model ?? ""}/`.startsWith(of))
      this.#must(
        under.length <= most,
        `${under.length} prompts and checks of ${of || "all"} in flight: ${names}`,
      )
    }
    this.#must(new Set(names).size === names.length, `a job is prompted or checked twice at once: ${names}`)
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
    if (record.state === "prompting" && before?.state === "created") this.#quiet.set(name, new Quiet(record))
    if (before) this.#judgeHold(record, before)
    if (before?.phase === "checking") this.#quiet.get(name)?.begin(this.#world.now())
    if (before && isAtWork(before) && !isAtWork(record)) this.#judgeTimes(record, before)
    if (hasEnded(record)) {
      this.#ended.set(name, record)
      for (const [provider, hold] of this.#holds) if (isOverWith(hold, record)) this.#holds.delete(provider)
      this.#noteOrphans(record)
      for (const call of this.#world.recorded)
        this.#must(nameOf(call) !== name || isOver(call), `${name} ended before its end was stored`)
    }
    if (hasEnded(record) && record.error?.message.startsWith("a defect")) this.crashes++
  }

  /** What it needs has ended as it was to end, in whichever run. */
  seePrompt({ needs = [], ...job }: JobInput): void {
    for (const need of needs)
      this.#must(
        this.#endsOf(job, need).some((end) => standingOf(need, endOf(end)) === "met"),
        `${nameOf(job)} was prompted before ${need.id} had ended as needed`,
      )
  }

  #endsOf({ owner }: JobKey, { id }: Need) {
    return [...this.#ended.values()].filter((end) => end.owner === owner && end.id === id).filter(hasEnded)
  }

  /** How a child is stopped: the end was stored, or that took too long. */
  seeStop(run: Run): void {
    const name = nameOf(run)
    const stored = this.#world.recorded.filter((call) => nameOf(call) === name)
    this.#must(stored.length > 0 && stored.every(isOver), `${name} was stopped before its end was stored`)
  }

  /** Just before a job is told. */
  hears(job: JobKey, telling: Hears, at: number): void {
    const record = this.#troupe.records.get(job.owner, job.id)
    if (record?.state === "prompting") this.#hearProvider(record, telling, at)
    if (record) this.#quiet.get(nameOf(record))?.hear(telling, record, at)
  }

  #hearProvider({ owner, id, model }: JobRecord, telling: Hears, at: number): void {
    const provider = model?.charAt(0)
    if (telling === "active") this.#endHold({ owner, id })
    // It is the same pause whoever is told, so the last one is the longest.
    if (provider !== undefined && telling === "retrying much later")
      this.#holds.set(provider, { owner, id, model, at, until: at + longPause })
  }

  #endHold({ owner, id }: JobKey): void {
    for (const [provider, hold] of this.#holds)
      if (hold.owner === owner && hold.id === id) this.#holds.delete(provider)
  }

  #judgeHold(record: JobRecord, before: JobRecord): void {
    const hold = this.#holds.get(record.model?.charAt(0) ?? "")
    // Whoever hears first that the model has answered has the next one start.
    const isOver = hold && [...this.#troupe.records.all()].some((each) => isOverWith(hold, each))
    const isHeld = hold !== undefined && hold.until > this.#world.now() && !isOver
    if (before.state === "created" && record.state === "prompting")
      this.#must(!isHeld, `${nameOf(record)} started while its provider was on hold`)
    if (record.holdUntil !== undefined)
      this.#must(record.phase === "queued", `${nameOf(record)} is held as ${record.phase}`)
  }

  /** As its end is decided: neither too early nor too late. */
  #judgeTimes(
    { error, startedAt = 0, endedAt = 0, waitedMs = 0, ...record }: JobRecord,
    before: JobRecord,
  ): void {
    const name = nameOf(record)
    this.#must(endedAt <= this.#world.now(), `${name} ended before its time`)
    if (error?.kind === "total")
      this.#must(endedAt - startedAt - waitedMs === 60_000, `${name} had another total time than its own`)
    const idleMs = this.#world.fateOf(record)?.idleMs ?? 0
    const since = before.asks || before.phase === "checking" ? undefined : this.#quiet.get(name)?.since
    // The clock jumps to the end of all its timers: a cancel that one of them brought comes later than it would.
    const isOfStarter =
      error?.kind === "cancelled" && error.message.startsWith("the job that started it ended")
    const quietMs = isOfStarter ? 0 : endedAt - (since ?? endedAt)
    this.#must(quietMs <= idleMs, `${name} was quiet for ${quietMs} ms, and nobody minded`)
    if (error?.kind === "idle") this.#must(quietMs === idleMs, `${name} was quiet for ${quietMs} ms only`)
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
    const { started, opened, prompted, looked, checked, recorded, stopped } = this.#world
    for (const run of started) {
      const name = nameOf(run)
      const end = this.#ended.get(name)
      this.#must(end !== undefined, `${name} never ended`)
      if (!end) continue

      const of = <T extends Call>(calls: T[]) => calls.filter((call) => nameOf(call) === name)
      this.#must(
        of(opened).length === (run.run === 1 ? 1 : 0),
        `${name} opened ${of(opened).length} sessions`,
      )
      const isRed = checksThatDoNotPass.has(this.#world.fateOf(run)?.checks)
      this.#must(of(prompted).length <= (isRed ? 2 : 1), `${name} was prompted ${of(prompted).length} times`)
      this.#must(of(checked).length <= of(prompted).length, `${name} was checked twice for one answer`)
      this.#must(
        end.state !== "done" || end.check === undefined || end.check.exitCode === 0,
        `${name} is done although its check did not pass`,
      )

      const isOrphan = this.#orphans.has(name)
      const isBroken = end.error?.kind === "dependency"
      this.#must(
        !isOrphan || isBroken || end.state === "cancelled",
        `${name} outlived the job that started it`,
      )
      const { needs = [] } = run
      const breaks = needs.filter((need) =>
        this.#endsOf(run, need).some((each) => standingOf(need, endOf(each)) === "broken"),
      )
      this.#must(!isBroken || breaks.length > 0, `${name} failed of needs that nothing broke`)
      const isOpen =
        of(opened).some((call) => isInTime(call, 30_000)) && this.#world.fateOf(run)?.opens === "opens"
      this.#must(!isOpen || end.session !== "", `${name} left a session behind unrecorded`)

      const isFoundWanting = end.error?.kind === "check"
      const answered = end.state === "done" || isFoundWanting || end.error?.message === providerError(run)
      const leftUnfinished = of(prompted).length > 0 && !answered
      const stops = of(stopped).length
      this.#must(
        stops === (leftUnfinished ? 1 : 0),
        `${name} ended as ${end.state}, and was stopped ${stops} times`,
      )
      if (end.state === "done") this.#must(end.text === answerOf(run), `${name} has an answer not its own`)
      for (const call of of([...prompted, ...looked, ...checked, ...recorded, ...stopped]))
        this.#must(isOver(call), `${name} left an effect running`)

      const isStored = !answered && end.session !== ""
      const stores = of(recorded)
      this.#must(
        stores.length === (isStored ? 1 : 0),
        `${name} ended as ${end.state}, and that was stored ${stores.length} times`,
      )
      for (const { record } of stores)
        this.#must(record.state === end.state, `${name} was stored as ${record.state}, and ended otherwise`)
      const isUnknown = !of(stopped).every((call) => isInTime(call, 5_000))
      const hasFailed = this.#world.fateOf(run)?.stops === "fails"
      const before = this.#ended.get(nameOf({ ...run, run: run.run - 1 }))
      const mayLack = isUnknown || hasFailed || (before && before.text === undefined)
      this.#must(end.text !== undefined || !!mayLack, `${name} has no text`)

      const looks = of(looked).map(({ askedAt }) => askedAt)
      for (const [index, askedAt] of looks.entries())
        this.#must(askedAt - (looks[index - 1] ?? 0) >= 5_000, `${name} was looked at too often`)
    }
    this.#must(this.#ended.size === started.length, "something ended that was never started")
  }

  #must(holds: boolean, otherwise: string): void {
    if (!holds) this.broken.push(otherwise)
  }
}

const checksThatDoNotPass = new Set<string | undefined>(["passes then", "never passes"])

const isAtWork = ({ state, phase }: JobRecord) => state === "prompting" && phase !== "stopping"

/** Since when a child is quiet, by what it was seen to do: what an idle timeout has to agree with. */
class Quiet {
  readonly #tools = new Set<string>()
  /** Without the tools that run now. */
  #since: number

  constructor({ startedAt = 0 }: JobRecord) {
    this.#since = startedAt
  }

  /** Absent while a tool runs. */
  get since(): number | undefined {
    return this.#tools.size > 0 ? undefined : this.#since
  }

  /** Its child is asked anew. */
  begin(at: number): void {
    this.#since = at
    this.#tools.clear()
  }

  hear(telling: Hears, { phase, asks = [] }: JobRecord, at: number): void {
    const isAsked = phase === "permission" || phase === "question"
    if (phase === "stopping" || phase === "checking") return
    const ran = this.#tools.size
    if (telling === "tool starts") this.#tools.add("t1")
    if (telling === "second tool starts") this.#tools.add("t2")
    if (telling === "tool ends") this.#tools.delete("t1")
    if (telling === "second tool ends") this.#tools.delete("t2")
    if (isAsked) {
      const answered = { "is given permission": "p", "is given an answer": "q" }[telling as string]
      if (asks.every(({ id }) => id === answered)) this.#since = at
      return
    }
    if (telling === "active") this.#since = at
    if (telling === "idle" && (ran > 0 || phase === "retrying")) this.#since = at
    if (telling === "idle" || telling.startsWith("retrying")) this.#tools.clear()
    if (telling === "retrying") this.#since = at
    if (telling === "retrying much later") this.#since = at + longPause
    if (ran > 0 && this.#tools.size === 0 && telling.endsWith("ends")) this.#since = at
  }
}

function rank({ state, phase }: JobRecord): number {
  if (phase === "stopping") return 3
  if (state === "created") return phase === "opening" ? 0 : 1
  return state === "prompting" ? 2 : 4
}
