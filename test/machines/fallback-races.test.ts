import fc, { type Scheduler } from "fast-check"
import { describe, expect, it } from "vitest"
import type { Answer, Effects } from "../../src/machines/effects.ts"
import type { JobInput } from "../../src/machines/events.ts"
import { type Concurrency, slotsIn } from "../../src/machines/limits.ts"
import { hasEnded, type JobRecord } from "../../src/machines/record.ts"
import { createTroupe } from "../../src/machines/troupe.ts"
import { races } from "../support/depth.ts"
import { CountingClock } from "./support/counting-clock.ts"
import { dawn, jobInput, usage } from "./support/jobs.ts"
import { nothing, settled } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

const outcomes = {
  opens: ["opens", "opens", "opens", "fails"],
  answers: ["answers", "cannot be had", "cannot be had", "fails", "hangs"],
  leaves: ["leaves", "leaves", "leaves", "has changed something", "fails", "hangs"],
} as const
const tellings = [
  "cancel",
  "is asked later",
  "is put on hold",
  "is put on hold for a year",
  "fails again and again",
  "asks",
  "works",
] as const

const fate = fc.record({
  model: fc.constantFrom("p/m", "q/n"),
  fallbacks: fc.constantFrom<string[]>(["q/n"], ["p/o"], ["q/n", "p/o"], []),
  opens: fc.array(fc.constantFrom(...outcomes.opens), { minLength: 3, maxLength: 3 }),
  answers: fc.array(fc.constantFrom(...outcomes.answers), { minLength: 3, maxLength: 3 }),
  leaves: fc.array(fc.constantFrom(...outcomes.leaves), { minLength: 3, maxLength: 3 }),
  hears: fc.array(fc.constantFrom(...tellings), { maxLength: 3 }),
})
type Fate = typeof fate extends fc.Arbitrary<infer T> ? T : never

const concurrency = fc.constantFrom<Concurrency>(
  1,
  { total: 2, models: { "q/n": 1 } },
  { total: 2, providers: { p: 1 } },
)

const year = 31_536_000_000

type Prompted = {
  job: string
  model: string | undefined
  session: string
  signal: AbortSignal
  over: boolean
}

async function run(scheduler: Scheduler, fates: Fate[], limits: Concurrency): Promise<void> {
  const clock = new CountingClock()
  const now = () => dawn + clock.now()
  const prompted: Prompted[] = []
  const opened = new Map<string, string[]>()
  const leftSafely = new Set<string>()
  const stopped = new Set<string>()
  const broken: string[] = []
  const must = (holds: boolean, otherwise: string) => void (holds || broken.push(otherwise))
  const fateOf = ({ id }: Pick<JobInput, "id">) => fates[Number(id.slice(1))]
  /** Which of the models it is. */
  const at = ({ attempts = [] }: JobInput) => attempts.length
  const soon = (label: string) => scheduler.schedule(Promise.resolve(), label)

  const effects: Effects = {
    async openSession(job) {
      const how = fateOf(job)?.opens[at(job)]
      await soon(`${job.id}: session ${at(job)} ${how}`)
      if (how === "fails") throw { kind: "create", message: "no session" }
      const session = `ses_${job.id}_${at(job)}`
      opened.set(job.id, [...(opened.get(job.id) ?? []), session])
      return { session }
    },
    async promptChild({ job, session }, signal): Promise<Answer> {
      const call: Prompted = { job: job.id, model: job.model, session, signal, over: false }
      prompted.push(call)
      const inFlight = prompted.filter(({ over, signal }) => !over && !signal.aborted)
      must(
        new Set(inFlight.map((each) => each.job)).size === inFlight.length,
        `${job.id} is prompted twice at once`,
      )
      const under = (of: string) =>
        inFlight.filter(({ model = "" }) => `${model}/`.startsWith(`${of}/`)).length
      must(inFlight.length <= slotsIn(limits), `${inFlight.length} prompts in flight`)
      if (typeof limits !== "number")
        for (const [of, most] of Object.entries({ ...limits.models, ...limits.providers }))
          must(under(of) <= most, `${under(of)} prompts of ${of} in flight`)
      const before = prompted.filter((each) => each.job === job.id && each !== call)
      for (const each of before)
        must(
          leftSafely.has(each.session),
          `${job.id} is repeated although it is not known what ${each.session} has done`,
        )
      const how = fateOf(job)?.answers[at(job)]
      if (how === "hangs") return new Promise(() => {})
      await soon(`${job.id}: answer ${at(job)} ${how}`)
      call.over = true
      if (how === "fails") throw { kind: "prompt", message: "broke off" }
      if (how === "answers") return { text: `by ${job.model}`, usage: usage(1) }
      const error = { kind: "provider" as const, message: `no ${job.model}` }
      return { text: "", usage: usage(1), error, isUnavailable: true }
    },
    lookForAnswer: async () => {},
    async recordEnd(record) {
      await soon(`${record.id}: end is stored`)
    },
    runCheck: () => Promise.reject(new Error("no job here has one")),
    async leaveChild({ job, session }) {
      const how = fateOf(job)?.leaves[at(job)]
      if (how === "hangs") return new Promise(() => {})
      await soon(`${job.id}: ${at(job)} ${how}`)
      if (how === "fails") throw { kind: "prompt", message: "no answer" }
      if (how === "has changed something") return { prompt: job.prompt, changed: ["bash"], usage: usage(1) }
      leftSafely.add(session)
      return { prompt: job.prompt, changed: [], usage: usage(1) }
    },
    async stopChild({ job, session }) {
      stopped.add(session)
      await soon(`${job.id}: stopped`)
      return { text: "half", usage: usage(1) }
    },
  }
  const defects: unknown[] = []
  const troupe = createTroupe({
    effects,
    concurrency: limits,
    now,
    clock,
    reportError: (error) => void defects.push(error),
  })
  const ends = new Map<string, JobRecord>()
  troupe.records.subscribe((record) => {
    must(!ends.has(record.id), `${record.id} has a record after its end`)
    if (hasEnded(record)) ends.set(record.id, record)
  })

  for (const [index, { model, fallbacks, hears }] of fates.entries()) {
    const id = `j${index}`
    const others = fallbacks.filter((each) => each !== model).map((each) => ({ model: each }))
    const input = jobInput({
      id,
      model,
      fallbacks: others,
      timeoutMs: 600_000,
      createdAt: now(),
      askedAt: now(),
    })
    void soon(`${id} starts`).then(() => troupe.start(input))
    for (const telling of hears)
      void soon(`${id} ${telling}`).then(() => {
        const job = { owner: "owner", id }
        const retry = { reason: "overloaded", attempt: 1, next: now() + 61_000 }
        if (telling === "cancel") troupe.cancel([job], "no longer needed")
        if (telling === "works") {
          troupe.answered(job, now())
          troupe.tell(job, { type: "child.active", activity: { at: now() } })
        }
        if (telling === "is put on hold") troupe.hold(job, now() + 120_000)
        if (telling === "is put on hold for a year") troupe.hold(job, now() + year)
        if (telling === "is asked later") troupe.tell(job, { type: "child.retrying", at: now(), retry })
        if (telling === "fails again and again")
          troupe.tell(job, {
            type: "child.retrying",
            at: now(),
            retry: { ...retry, attempt: 6, next: now() },
          })
        if (telling === "asks")
          troupe.tell(job, {
            type: "child.asked",
            at: now(),
            ask: { id: "p", kind: "permission", text: "ls" },
          })
      })
  }
  await scheduler.waitIdle()
  await settled()
  for (let round = 0; round < 20; round++) {
    for (const { owner, id, asks = [] } of troupe.records.all())
      for (const ask of asks) troupe.tell({ owner, id }, { type: "child.answered", ask: ask.id, at: now() })
    // Together much less than a year.
    clock.increment(1_200_000)
    await scheduler.waitIdle()
    await settled()
  }

  must(ends.size === fates.length, `${fates.length - ends.size} jobs never ended`)
  for (const { id, state, session, model, attempts = [], text } of ends.values()) {
    const own = prompted.filter(({ job }) => job === id)
    for (const { model, session } of own)
      must(
        own.filter((each) => each.model === model).length === 1,
        `${id} asked ${model} twice in ${session}`,
      )
    must(
      own.every(({ over, signal }) => over || signal.aborted),
      `${id} left a prompt running`,
    )
    const last = own.at(-1)
    if (state === "done") {
      must(text === `by ${last?.model}` && model === last?.model, `${id} has an answer of another model`)
      must(session === last?.session, `${id} ended in another session`)
      const asked = attempts.filter(({ error }) => !error.message.includes("on hold until"))
      must(asked.length === own.length - 1, `${id} does not name each attempt`)
    } else if (last && !last.over)
      must(stopped.has(last.session) || leftSafely.has(last.session), `${id} works on`)
    must(
      session === "" || opened.get(id)?.includes(session) === true,
      `${id} is in a session that is not its own`,
    )
  }
  expect(broken).toEqual([])
  expect(defects).toEqual([])
  const { counts, children } = troupe.actors()
  expect({
    jobs: children,
    slots: { busy: counts.busy, waiting: counts.waiting },
    timers: clock.pending,
  }).toEqual(nothing)
  troupe.stop()
}

describe("Moves, cancels, ends of time and providers that come and go", () => {
  it(`in ${Math.ceil(races.machines / 2)} orders: no model is asked twice, none beside another, none while it is not known what was done`, {
    timeout: 60_000 + races.machines * 20,
  }, async () => {
    const given = fc.array(fate, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), given, concurrency, (scheduler, fates, limits) =>
        run(scheduler, fates, limits),
      ),
      { numRuns: Math.ceil(races.machines / 2) },
    )
  })
})
