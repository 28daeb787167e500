import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { gathering } from "../../../src/plugin/owners/gathering.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { ownerWithJobs as anOwnerWithJobs, type Setup } from "./support/owner-with-jobs.ts"

quietXState()
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const passing = (ms: number) => vi.advanceTimersByTimeAsync(ms)
/** In which ends are joined, whatever their batches. */
const window = 250
const minute = 60_000

/** An owner whose jobs are all of one batch, told as is the default. */
const ownerWithJobs = (setup: Setup = {}) => anOwnerWithJobs({ notify: "batch", jobs: 3, ...setup })

describe("A batch", () => {
  it("is told once all of it has ended", async () => {
    const { finish, told, states } = await ownerWithJobs()
    await finish("of a", "a")
    await passing(20_000)
    await finish("of b", "b")
    await passing(20_000)
    expect([told(), states()]).toEqual([[], ["gathering"]])
    await finish("of c", "c")
    await passing(window)
    expect([told(), states()]).toEqual([[["a", "b", "c"]], []])
  })

  it("is told of a minute after the first of its results, with what there is by then, and once more of the rest", async () => {
    const { finish, told } = await ownerWithJobs({ jobs: 4 })
    await finish("of a", "a")
    await passing(40_000)
    await finish("of b", "b")
    await passing(minute - 40_000 - 1)
    expect(told()).toEqual([])
    await passing(1)
    expect(told()).toEqual([["a", "b"]])
    await finish("of c", "c")
    await passing(minute - 1)
    expect(told()).toHaveLength(1)
    await finish("of d", "d")
    await passing(window)
    expect(told()).toEqual([
      ["a", "b"],
      ["c", "d"],
    ])
  })

  it("whose jobs end one by one over two minutes costs its owner two turns at most, however long those are", async () => {
    const span = 2 * minute - 1
    const given = fc.record({
      ends: fc.array(fc.integer({ min: 0, max: span }), { minLength: 8, maxLength: 8 }),
      turnMs: fc.integer({ min: 1, max: minute }),
    })
    await fc.assert(
      fc.asyncProperty(given, async ({ ends, turnMs }) => {
        let turns = 0
        const { finish, turn, ids, inbox, deliveries } = await ownerWithJobs({
          jobs: 8,
          faults: (host) => ({
            async deliver(message, wanted) {
              const answer = await host.deliver(message, wanted)
              turns++
              turn("begins")
              setTimeout(() => turn("ends"), turnMs)
              return answer
            },
          }),
        })
        const order = ids.map((id, index) => ({ id, at: ends[index] ?? 0 })).sort((a, b) => a.at - b.at)
        const began = Date.now()
        for (const { id, at } of order) {
          await passing(began + at - Date.now())
          await finish(`of ${id}`, id)
        }
        await passing(3 * minute)
        expect(inbox.undelivered("owner")).toEqual([])
        expect(turns).toBeLessThanOrEqual(2)
        deliveries.stop()
      }),
      { numRuns: 10 },
    )
  })

  it("waits for its own rest, whatever is told of others meanwhile, and its time goes on", async () => {
    const { call, finish, told, host, states } = await ownerWithJobs()
    await call("agents_start", { tasks: [{ id: "other", prompt: "work of other" }] })
    await finish("of a", "a")
    await passing(10_000)
    expect(told()).toEqual([])
    host.prompts.at(-1)?.answer("of other")
    await passing(2 * window)
    expect([told(), states()]).toEqual([[["other"]], ["gathering"]])
    await passing(minute - 10_000 - 2 * window - 1)
    expect(told()).toEqual([["other"]])
    await passing(1 + window)
    expect(told()).toEqual([["other"], ["a"]])
  })

  it("is told of a minute after the first of its own results, not of those of another", async () => {
    const { call, finish, told, host } = await ownerWithJobs()
    const tasks = ["x", "y"].map((id) => ({ id, prompt: `work of ${id}` }))
    await call("agents_start", { tasks })
    await finish("of a", "a")
    await passing(30_000)
    const [prompt] = host.prompts.filter(({ prompt: { text } }) => text === "work of x")
    prompt?.answer("of x")
    await passing(30_000 + window)
    expect(told()).toEqual([["a"]])
    await passing(30_000 + window)
    expect(told()).toEqual([["a"], ["x"]])
  })

  it("is no reason to wait for its owner's other jobs", async () => {
    const { call, finish, told } = await ownerWithJobs({ jobs: 1 })
    await call("agents_start", { tasks: [{ id: "other", prompt: "work of other" }] })
    await finish("of a", "a")
    await passing(window)
    expect(told()).toEqual([["a"]])
  })

  it("has no say over results of an earlier version, which knew none", async () => {
    const { adopt, told, turn } = await ownerWithJobs()
    adopt({ batch: undefined, endedAt: Date.now() })
    turn("ends")
    await passing(window)
    expect(told()).toEqual([["old"]])
  })

  it("counts the time from the first result that its owner has not fetched", async () => {
    const { finish, deliver, told } = await ownerWithJobs()
    await finish("of a", "a")
    await passing(40_000)
    await finish("of b", "b")
    deliver("a")
    await passing(minute - 1)
    expect(told()).toEqual([])
    await passing(1 + window)
    expect(told()).toEqual([["b"]])
  })

  it("is told of at the end of a turn that was longer than that, though some still run", async () => {
    const { finish, turn, told } = await ownerWithJobs()
    turn("begins")
    await finish("of a", "a")
    await passing(minute)
    turn("ends")
    await passing(window)
    expect(told()).toEqual([["a"]])
  })

  it("waits on after a turn that was shorter, and its time goes on", async () => {
    const { finish, turn, told, states } = await ownerWithJobs()
    await finish("of a", "a")
    await passing(10_000)
    turn("begins")
    await passing(10_000)
    turn("ends")
    await passing(window)
    expect(states()).toEqual(["gathering"])
    await passing(40_000 - window - 1)
    expect(told()).toEqual([])
    await passing(1)
    expect(told()).toEqual([["a"]])
  })

  it("is over with for an owner that fetches its results while the rest is waited for", async () => {
    const { finish, deliver, states, told } = await ownerWithJobs()
    await finish("of a", "a")
    await passing(1_000)
    expect(states()).toEqual(["gathering"])
    deliver("a")
    expect(states()).toEqual([])
    await finish("of b", "b")
    await finish("of c", "c")
    await passing(window)
    expect(told()).toEqual([["b", "c"]])
  })

  it("wakes nobody whose turn the user stops while the rest is waited for", async () => {
    const { finish, deliveries, states, told } = await ownerWithJobs()
    await finish("of a", "a")
    await passing(1_000)
    deliveries.hear({ type: "session.interrupted", session: "owner" })
    expect(states()).toEqual(["held"])
    await passing(2 * minute)
    expect(told()).toEqual([])
  })

  it("has a follow-up told at once where nothing else of it runs, and with the rest where something does", async () => {
    const { call, finish, deliver, told, host } = await ownerWithJobs({ jobs: 2 })
    await finish("of a", "a")
    deliver("a")
    await call("agents_send", { id: "a", message: "go on" })
    host.prompts.at(-1)?.answer("more of a")
    await passing(10_000)
    expect(told()).toEqual([])
    await finish("of b", "b")
    await passing(window)
    expect(told()).toEqual([["a", "b"]])
    await call("agents_send", { id: "a", message: "go on still" })
    host.prompts.at(-1)?.answer("the last of a")
    await passing(window)
    expect(told()).toEqual([["a", "b"], ["a"]])
  })

  it("asks nothing of opencode while the rest is waited for", async () => {
    const looks: string[] = []
    const { finish, told } = await ownerWithJobs({
      jobs: 8,
      faults: (host) => ({
        messages: (session) => {
          looks.push(session)
          return host.messages(session)
        },
      }),
    })
    for (const id of "abcdefg") {
      await finish(`of ${id}`, id)
      await passing(1_000)
    }
    expect([told(), looks]).toEqual([[], []])
  })
})

describe("How long results wait for those of jobs that were started with them", () => {
  const longestMs = 60_000
  const now = 1_000_000

  const jobOf = (fields: Partial<JobRecord>): JobRecord => ({
    id: "a",
    session: "ses_a",
    owner: "owner",
    description: "Work",
    agent: "general",
    state: "prompting",
    run: 1,
    createdAt: 0,
    usage: NO_USAGE,
    ...fields,
  })
  const record = fc
    .record({
      batch: fc.option(fc.constantFrom("x", "y", "z"), { nil: undefined }),
      state: fc.constantFrom("created", "prompting", "done", "failed", "timedOut", "cancelled"),
      isRead: fc.boolean(),
      age: fc.integer({ min: -1_000, max: 2 * longestMs }),
    })
    .map(({ batch, state, age, isRead }) => {
      const hasEnded = state !== "created" && state !== "prompting"
      const job = jobOf({ batch, state, ...(hasEnded && { endedAt: now - age }) })
      return { job, hasEnded, isUnread: hasEnded && !isRead }
    })
  const jobs = fc.array(record, { maxLength: 8 })
  type Job = typeof record extends fc.Arbitrary<infer T> ? T : never
  const timeOf = (all: readonly Job[]) =>
    gathering(
      all.filter(({ isUnread }) => isUnread).map(({ job }) => job),
      all.map(({ job }) => job),
      now,
      longestMs,
    ).waitMs

  it("is never longer than the option says, for whichever of them", () => {
    fc.assert(
      fc.property(jobs, (all) => {
        const time = timeOf(all)
        expect(time).toBeGreaterThanOrEqual(0)
        for (const { job, isUnread } of all)
          if (isUnread) expect(time).toBeLessThanOrEqual(Math.max(0, longestMs - (now - (job.endedAt ?? 0))))
      }),
    )
  })

  it("is none once a batch with unread results is over, or nothing is unread", () => {
    fc.assert(
      fc.property(jobs, (all) => {
        const isOver = ({ job: { batch } }: Job) =>
          batch === undefined || all.every(({ job, hasEnded }) => job.batch !== batch || hasEnded)
        const unread = all.filter(({ isUnread }) => isUnread)
        if (unread.length === 0 || unread.some(isOver)) expect(timeOf(all)).toBe(0)
      }),
    )
  })

  it("is all that is left for the oldest, where something of each batch still runs", () => {
    const batch = fc.constantFrom("x", "y", "z")
    const unread = fc.array(fc.record({ batch, age: fc.integer({ min: 0, max: longestMs }) }), {
      minLength: 1,
    })
    fc.assert(
      fc.property(unread, (given) => {
        const ended = given.map(({ batch, age }) => jobOf({ batch, state: "done", endedAt: now - age }))
        const running = ["x", "y", "z"].map((batch) => jobOf({ batch }))
        const oldest = Math.max(...given.map(({ age }) => age))
        expect(gathering(ended, [...ended, ...running], now, longestMs).waitMs).toBe(longestMs - oldest)
      }),
    )
  })

  it("is none where the clock was set back, so that nobody knows how long they have waited", () => {
    const time = (age: number) => {
      const ended = jobOf({ batch: "x", state: "done", endedAt: now - age })
      return gathering([ended], [ended, jobOf({ batch: "x" })], now, longestMs).waitMs
    }
    expect([time(0), time(-1)]).toEqual([longestMs, 0])
  })
})
