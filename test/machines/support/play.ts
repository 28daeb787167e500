import { setImmediate as afterMicrotasks } from "node:timers/promises"
import { onTestFinished } from "vitest"
import type {
  Answer,
  CheckInput,
  CheckOutput,
  ChildInput,
  Effects,
  LeaveChildOutput,
  LeaveInput,
  Opened,
  StopChildOutput,
} from "../../../src/machines/effects.ts"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import type { Concurrency } from "../../../src/machines/limits.ts"
import type { JobRecord } from "../../../src/machines/record.ts"
import { createTroupe, type Troupe } from "../../../src/machines/troupe.ts"
import { CountingClock } from "./counting-clock.ts"
import { dawn, jobInput, usage } from "./jobs.ts"

/** One call of an effect, which the test settles. */
export type Call<Input, Output> = {
  input: Input
  signal: AbortSignal
  resolve(output: Output): void
  reject(reason: unknown): void
}

export type Key = Pick<JobRecord, "owner" | "id">

export type PlayOptions = {
  concurrency?: Concurrency
  /** Child sessions are made at once. Default: true; otherwise the test settles `opening`. */
  opens?: boolean
  /** Ends are stored at once. Default: true; otherwise the test settles `recording`. */
  records?: boolean
  /** Children are stopped at once, having written nothing. Default: true; otherwise the test settles `stopping`. */
  stops?: boolean
  /** Children's messages have no answer. Default: true; otherwise the test settles `looking`. */
  looks?: boolean
}

/** A troupe on a simulated clock, whose effects the test plays. */
export type Play = ReturnType<typeof play>

export function play(options: PlayOptions = {}) {
  const { concurrency = 8, opens = true, records = true, stops = true, looks = true } = options
  const clock = new CountingClock()
  let setBackMs = 0
  const now = () => dawn + clock.now() - setBackMs
  const opening: Call<JobInput, Opened>[] = []
  const prompting: Call<ChildInput, Answer>[] = []
  const looking: Call<ChildInput, void>[] = []
  const checking: Call<CheckInput, CheckOutput>[] = []
  const recording: Call<JobRecord, void>[] = []
  const leaving: Call<LeaveInput, LeaveChildOutput>[] = []
  const stopping: Call<ChildInput, StopChildOutput>[] = []
  const defects: unknown[] = []
  const history: JobRecord[] = []

  const effects: Effects = {
    openSession: (input, signal) => {
      const answer = called(opening, input, signal)
      return opens ? Promise.resolve({ session: sessionOf(input) }) : answer
    },
    promptChild: (input, signal) => called(prompting, input, signal),
    lookForAnswer: (input, signal) => {
      const answer = called(looking, input, signal)
      return looks ? Promise.resolve() : answer
    },
    recordEnd: (input, signal) => {
      const answer = called(recording, input, signal)
      return records ? Promise.resolve() : answer
    },
    runCheck: (input, signal) => called(checking, input, signal),
    leaveChild: (input, signal) => called(leaving, input, signal),
    stopChild: (input, signal) => {
      const answer = called(stopping, input, signal)
      return stops ? Promise.resolve({ text: "", usage: usage(0) }) : answer
    },
  }
  const troupe: Troupe = createTroupe({
    effects,
    concurrency,
    now,
    clock,
    reportError: (error) => void defects.push(error),
  })
  troupe.records.subscribe((record) => void history.push(record))
  onTestFinished(() => troupe.stop())

  const keyOf = (job: string | Key): Key => (typeof job === "string" ? { owner: "owner", id: job } : job)
  const record = (job: string | Key): JobRecord => {
    const { owner, id } = keyOf(job)
    const found = troupe.records.get(owner, id)
    if (!found) throw new Error(`${owner} has no record of ${id}`)
    return found
  }
  const latest = <Input, Output>(
    calls: Call<Input, Output>[],
    jobOf: (input: Input) => Key,
    job: string | Key,
  ): Call<Input, Output> => {
    const { owner, id } = keyOf(job)
    const found = calls.findLast(({ input }) => jobOf(input).id === id && jobOf(input).owner === owner)
    if (!found) throw new Error(`${owner}'s ${id} has not asked for this`)
    return found
  }

  return {
    troupe,
    clock,
    now,
    /** Every effect that was asked for, oldest first. */
    calls: { opening, prompting, looking, checking, recording, leaving, stopping },
    /** What `reportError` heard. */
    defects,
    /** Every record that a listener heard of, oldest first. */
    history,
    record,
    /** What runs: actors of jobs, slots in use or waited for, timers. */
    running: () => {
      const { counts, children } = troupe.actors()
      return {
        jobs: children.flatMap((supervisor) => supervisor.children.map(({ id }) => id)),
        slots: { busy: counts.busy, waiting: counts.waiting },
        timers: clock.pending,
      }
    },

    /** Starts a job and lets its session open. */
    async start(id: string, fields: Partial<JobInput> = {}) {
      troupe.start(jobInput({ id, createdAt: now(), askedAt: now(), ...fields }))
      await settled()
    },
    async startAll(...ids: string[]) {
      for (const id of ids) await this.start(id)
    },
    /** What the latest call for this job was, to be settled. */
    opening: (job: string | Key) => latest(opening, (input) => input, job),
    prompting: (job: string | Key) => latest(prompting, (input) => input.job, job),
    looking: (job: string | Key) => latest(looking, (input) => input.job, job),
    checking: (job: string | Key) => latest(checking, (input) => input.job, job),
    recording: (job: string | Key) => latest(recording, (input) => input, job),
    leaving: (job: string | Key) => latest(leaving, (input) => input.job, job),
    stopping: (job: string | Key) => latest(stopping, (input) => input.job, job),

    async answer(job: string | Key, answer: Partial<Answer> = {}) {
      this.prompting(job).resolve({ text: "the answer", usage: usage(7), ...answer })
      await settled()
    },
    /** Its check ends. */
    async check(job: string | Key, check: Partial<CheckOutput> = {}) {
      this.checking(job).resolve({ exitCode: 0, output: "", endedAt: now(), ...check })
      await settled()
    },
    async tell(job: string | Key, event: JobEvent) {
      troupe.tell(keyOf(job), event)
      await settled()
    },
    async cancel(job: string | Key, reason = "no longer needed") {
      troupe.cancel([keyOf(job)], reason)
      await settled()
    },
    /** An event that no code of ours sends: the job's actor throws over it. */
    async crash(job: string | Key) {
      troupe.tell(keyOf(job), { type: "child.active" } as JobEvent)
      await settled()
    },
    /** The same, for one that waits for people. */
    async crashWaiting(job: string | Key) {
      troupe.tell(keyOf(job), { type: "child.asked" } as JobEvent)
      await settled()
    },
    /** The computer's clock jumps; timers run on. */
    setBack(ms: number) {
      setBackMs += ms
    },
    async pass(ms: number) {
      clock.increment(ms)
      await settled()
    },

    permission: (id: string): JobEvent => ({
      type: "child.asked",
      at: now(),
      ask: { id, kind: "permission", text: "bash: rm -rf dist" },
    }),
    question: (id: string): JobEvent => ({
      type: "child.asked",
      at: now(),
      ask: { id, kind: "question", text: "Which one?" },
    }),
    answered: (ask: string): JobEvent => ({ type: "child.answered", at: now(), ask }),
    active: (text = "writes"): JobEvent => ({ type: "child.active", activity: { text, at: now() } }),
    spent: (input: number): JobEvent => ({ type: "child.spent", usage: usage(input) }),
    idle: (): JobEvent => ({ type: "child.idle", at: now() }),
    toolStarted: (call: string): JobEvent => ({ type: "tool.started", at: now(), call }),
    toolEnded: (call: string): JobEvent => ({ type: "tool.ended", at: now(), call }),
    /** @param pauseMs until opencode tries again. */
    retrying: (attempt: number, pauseMs = 2_000): JobEvent => ({
      type: "child.retrying",
      at: now(),
      retry: { attempt, reason: "overloaded", next: now() + pauseMs },
    }),
  }
}

/** Waits until all that can happen without the passing of time has happened. */
export const settled = () => afterMicrotasks()

/** What `running` says when all has ended. */
export const nothing = { jobs: [], slots: { busy: 0, waiting: 0 }, timers: 0 }

export const sessionOf = (job: Pick<JobInput, "owner" | "id">) => `ses_${job.owner}_${job.id}`

function called<Input, Output>(
  calls: Call<Input, Output>[],
  input: Input,
  signal: AbortSignal,
): Promise<Output> {
  return new Promise((resolve, reject) => calls.push({ input, signal, resolve, reject }))
}
