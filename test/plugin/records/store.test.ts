import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { JobEvent, JobInput } from "../../../src/machines/events.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import { JobStore } from "../../../src/plugin/records/store.ts"
import { type Lease, newStoredJob, StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { gate } from "../../support/gate.ts"
import { failed, type HostDouble, hostDouble, ok, okMessage } from "../support/host-double.ts"
import { answerTo, sessionOf } from "../support/opencode-data.ts"
import { holder, lease, testServices } from "../support/services.ts"

const job: JobInput = {
  id: "j1",
  owner: "owner",
  description: "Look",
  prompt: "Look around.",
  agent: "general",
  model: "fake/m1",
  variant: "high",
  createdAt: 5,
  askedAt: 5,
  run: 1,
  timeoutMs: 1_000,
  idleMs: 100,
}

const ended: JobRecord = {
  id: "j1",
  session: "ses_1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "done",
  run: 1,
  createdAt: 5,
  endedAt: 9,
  text: "A long text that the child's messages hold already.",
  activity: { text: "a tail", at: 8 },
  usage: NO_USAGE,
}
const cancelled: JobRecord = {
  ...ended,
  state: "cancelled",
  error: { kind: "cancelled", message: "not needed" },
}

/** Longer than all pauses together after which a write is tried again. */
const longEnough = 10 * 60_000
/** How long changes that are in no hurry wait for others. */
const soon = 3_000

quietXState()
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
afterEach(() => void vi.useRealTimers())

type Setup = { held?: Lease; by?: Holder }

/** A store with one job in it, beside what another plugin keeps there. */
function stored({ held = lease, by = holder }: Setup = {}) {
  const host = hostDouble()
  const store = new JobStore(host, by)
  onTestFinished(() => store.drain(0))
  const put = (troupe: unknown) => {
    const metadata = { troupe, bookmark: "of another plugin" }
    host.sessions.set("ses_1", sessionOf("ses_1", { parentID: "owner", metadata }))
  }
  put(newStoredJob(job, held))
  const current = () => StoredJob.parse(host.sessions.get("ses_1")?.metadata?.troupe)
  return { host, store, put, current }
}

const used = (input: number) => ({ ...NO_USAGE, input })
const storedIn = ({ writes }: HostDouble) => writes.map(({ metadata }) => StoredJob.parse(metadata.troupe))
const statesIn = (host: HostDouble) => storedIn(host).map(({ record }) => record.state)
const allWritten = () => vi.advanceTimersByTimeAsync(soon)

/** Lets so many writes fail, after opencode has been asked what is there. */
function fail(host: HostDouble, times = Number.POSITIVE_INFINITY, how = failed("the store is away")) {
  const tries: number[] = []
  const write = host.updateStored
  host.updateStored = async (id, change) => {
    tries.push(Date.now())
    if (tries.length > times) return write(id, change)
    change(host.sessions.get(id)?.metadata?.troupe)
    return how
  }
  return tries
}

/** Keeps opencode from answering until the gate is opened; gates are used up one by one. */
function hold(host: HostDouble, ...gates: { passed: Promise<void> }[]) {
  const write = host.updateStored
  const underWay = { now: 0, most: 0 }
  host.updateStored = async (...given) => {
    underWay.most = Math.max(underWay.most, ++underWay.now)
    await gates.shift()?.passed
    underWay.now--
    return write(...given)
  }
  return underWay
}

describe("A job in opencode's store", () => {
  it("begins with all that a new start needs", () => {
    expect(stored().current()).toEqual({
      version: 1,
      record: {
        id: "j1",
        owner: "owner",
        description: "Look",
        agent: "general",
        model: "fake/m1",
        state: "created",
        run: 1,
        createdAt: 5,
        usage: NO_USAGE,
      },
      prompt: "Look around.",
      variant: "high",
      mayStartJobs: false,
      askedAt: 5,
      timeoutMs: 1_000,
      idleMs: 100,
      lease,
      deliveredRun: 0,
    })
  })

  it("is made once the lease is known", async () => {
    const known = gate<Lease>()
    const store = new JobStore(hostDouble(), { ...holder, lease: known.passed })
    const making = store.newStored(job)
    known.open(lease)
    expect(await making).toEqual({ ...newStoredJob(job, lease), key: expect.stringMatching(/./) })
  })

  it("is read as an earlier version has left it", async () => {
    const { store, put, current } = stored()
    const { deliveredRun: _, ...rest } = current()
    put({ ...rest, toldRun: 2, lease: { ...lease, host: "here" } })
    expect(await store.read("ses_1")).toEqual({ ...rest, deliveredRun: 2 })
  })

  it("holds nothing that its child's messages say, or that nobody asks for once its process is gone", () => {
    const kept = { ...stored().current().record, phase: "working" as const, startedAt: 6 }
    const record: JobRecord = {
      ...kept,
      session: "ses_1",
      text: "of an earlier run",
      activity: { text: "a tail", at: 8 },
      asks: [{ id: "q1", kind: "question", text: "Which?" }],
      retry: { attempt: 1, reason: "overloaded", next: 9 },
    }
    expect(StoredJob.parse({ ...stored().current(), record }).record).toEqual(kept)
  })

  it("keeps the keys of others", async () => {
    const { host, store } = stored()
    await store.recordEnd(ended)
    expect(host.sessions.get("ses_1")?.metadata).toMatchObject({ bookmark: "of another plugin" })
  })

  it("holds what opencode's own subagents of it had used in the session that it has left", async () => {
    const { host, store, current } = stored()
    const subagents = [{ session: "ses_task", usage: used(5) }]
    const moved = await store.newStored({ ...job, subagents }, { stored: current() })
    expect(moved.subagents).toEqual(subagents)
    await store.recordEnd({ ...ended, subagents })
    expect(storedIn(host)).toMatchObject([{ record: { state: "done" }, subagents }])
    expect(current().record).not.toHaveProperty("subagents")
  })

  it("holds no text that the child's messages hold", async () => {
    const { store, current } = stored()
    await store.recordEnd(ended)
    expect(current().record).toMatchObject({ state: "done", endedAt: 9 })
    expect(JSON.stringify(current())).not.toMatch(/long text|a tail/)
  })

  it("holds the text of a group, which is in no messages", async () => {
    const { store, current } = stored()
    await store.recordEnd({ ...ended, isGroup: true, text: "2 of 2 items are done." })
    expect(current().text).toBe("2 of 2 items are done.")
  })

  it("is never half lost when its metadata was damaged: that is named, and left alone", async () => {
    const { host, store, put } = stored()
    put({ version: 99 })
    await expect(store.recordEnd(ended)).rejects.toThrow("could not be written")
    expect(host.writes).toEqual([])
    expect(host.logged).toEqual([expect.stringMatching(/^warn: the record of ses_1 .*it was damaged/)])
  })

  it("costs one write when all goes well and quickly: changes in no hurry go together", async () => {
    const { host, call } = testServices()
    await call("agents_start", { tasks: [{ prompt: "look" }] })
    host.prompts[0]?.answer("seen")
    await call("agents_wait", {})
    await vi.advanceTimersByTimeAsync(soon - 1)
    expect(host.writes).toEqual([])
    await allWritten()
    expect(storedIn(host)).toMatchObject([{ record: { state: "done" }, deliveredRun: 1 }])
  })

  it("is written before the child is stopped, once its end is decided: no message tells why", async () => {
    const aborting = gate<void>()
    const { host, call } = testServices({ abort: () => aborting.passed.then(() => ok(true)) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    const cancelling = call("agents_cancel", { ids: ["a"] })
    await vi.advanceTimersByTimeAsync(0)
    expect(storedIn(host)).toMatchObject([{ record: { state: "cancelled", error: { kind: "cancelled" } } }])
    aborting.open()
    await cancelling
  })
})

describe("The end of a job", () => {
  it("is recorded when it is written, and not before", async () => {
    const writing = gate<void>()
    const { host, store, current } = stored()
    hold(host, writing)
    const recorded = vi.fn()
    const recording = store.recordEnd(cancelled).then(recorded)
    await vi.advanceTimersByTimeAsync(0)
    expect(recorded).not.toHaveBeenCalled()
    writing.open()
    await recording
    expect(current().record).toMatchObject({ state: "cancelled", error: { message: "not needed" } })
  })

  it("is recorded at a later attempt where opencode did not take the first", async () => {
    const { host, store, current } = stored()
    fail(host, 2)
    const recording = store.recordEnd(cancelled)
    await vi.advanceTimersByTimeAsync(longEnough)
    await recording
    expect(current().record.state).toBe("cancelled")
  })

  it("does not wait behind what is in no hurry, and takes it along", async () => {
    const { store, host } = stored()
    store.markDelivered([ended])
    await store.recordEnd(cancelled)
    await allWritten()
    expect(storedIn(host)).toMatchObject([{ record: { state: "cancelled" }, deliveredRun: 1 }])
  })

  it.each([
    // Whoever has deleted it knows.
    ["whose session is gone", (host: HostDouble) => void host.sessions.delete("ses_1"), []],
    [
      "that lost its metadata",
      (host: HostDouble) => void host.sessions.set("ses_1", sessionOf("ses_1")),
      [expect.stringContaining("damaged")],
    ],
  ])("cannot be recorded of a job %s, and that is not tried again", async (_, breakIt, logged) => {
    const { host, store } = stored()
    breakIt(host)
    await expect(store.recordEnd(ended)).rejects.toThrow()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(host.logged).toEqual(logged)
    expect(await store.read("ses_1")).toBeUndefined()
    expect(store.actors()).toEqual([])
  })

  it("needs no place where there never was a session", async () => {
    const { host, store } = stored()
    await store.recordEnd({ ...cancelled, session: "" })
    expect(host.writes).toEqual([])
  })
})

describe("The writes of a job", () => {
  it("are none while it works, and one three seconds after it has ended", async () => {
    const { host, call, troupe } = testServices()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    troupe.tell({ owner: "owner", id: "a" }, { type: "child.active", activity: { at: 1 } })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(host.writes).toEqual([])
    host.prompts[0]?.answer("seen")
    await vi.advanceTimersByTimeAsync(soon - 1)
    expect(host.writes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(statesIn(host)).toEqual(["done"])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(host.writes).toHaveLength(1)
  })

  it("say three seconds after it is told what opencode's own subagents have used, and nothing else, while it works", async () => {
    const { host, call, troupe } = testServices()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    const before = StoredJob.parse(
      host.sessions.get(troupe.records.get("owner", "a")?.session ?? "")?.metadata?.troupe,
    )
    const tell = (input: number) =>
      troupe.tell(
        { owner: "owner", id: "a" },
        { type: "subagent.spent", session: "ses_task", usage: used(input) },
      )
    tell(1)
    await vi.advanceTimersByTimeAsync(soon - 1)
    tell(2)
    expect(host.writes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(storedIn(host)).toEqual([{ ...before, subagents: [{ session: "ses_task", usage: used(2) }] }])
  })

  it("are made together with those of the other jobs: with pauses between them, they cost opencode twice as much", async () => {
    const { host, call } = testServices()
    await call("agents_start", { tasks: [{ prompt: "look" }, { prompt: "listen" }, { prompt: "wait" }] })
    host.prompts[0]?.answer("seen")
    await vi.advanceTimersByTimeAsync(soon - 500)
    host.prompts[1]?.answer("heard")
    await vi.advanceTimersByTimeAsync(499)
    expect(host.writes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(statesIn(host)).toEqual(["done", "done"])
    await vi.advanceTimersByTimeAsync(2 * soon)
    expect(host.writes).toHaveLength(2)
  })

  it("begin at once where its child's messages would not say how it ended: a new start would run it again", async () => {
    const { host, call } = testServices()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    const [asked] = host.prompts
    const error = { name: "MessageAbortedError", data: { message: "Aborted" } } as const
    if (asked) asked.settle(okMessage(answerTo(asked.prompt, "", { error })))
    await vi.advanceTimersByTimeAsync(0)
    expect(statesIn(host)).toEqual(["failed"])
  })

  it("begin at once, too, where a defect of ours has ended it", async () => {
    const { host, call, troupe, defects } = testServices()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    // No code of ours sends that: the job's actor throws over it.
    troupe.tell({ owner: "owner", id: "a" }, { type: "child.active" } as JobEvent)
    await vi.advanceTimersByTimeAsync(0)
    expect(statesIn(host)).toEqual(["failed"])
    expect(defects.splice(0)).toHaveLength(1)
  })

  it("are none for one of an earlier process that is taken in as it is, nor for one without a session", async () => {
    const { host, troupe, store } = testServices()
    troupe.adopt(ended)
    troupe.adopt({ ...ended, id: "j2", session: "", state: "failed" })
    store.markDelivered([
      { ...ended, session: "" },
      { ...ended, state: "prompting" },
    ])
    await vi.advanceTimersByTimeAsync(5_000)
    expect([host.writes, host.logged]).toEqual([[], []])
  })

  it("are none for a job whose session opencode did not make", async () => {
    const { host, call } = testServices({ createSession: async () => failed("the disk is full") })
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    await vi.advanceTimersByTimeAsync(5_000)
    expect([host.writes, host.logged]).toEqual([[], []])
  })

  it("are none where all of it is there already", async () => {
    const { host, store } = stored()
    await store.recordEnd(cancelled)
    await store.recordEnd({ ...cancelled, text: "what it had written" })
    expect(host.writes).toHaveLength(1)
  })

  it("are in the order in which the job changed, and lose none of the changes", async () => {
    const { host, store, current } = stored()
    const first = store.recordEnd({ ...cancelled, endedAt: 7 })
    // The first write is under way.
    void store.saveRun("ses_1", { ...job, run: 2, prompt: "Go on.", askedAt: 20 })
    store.markDelivered([cancelled])
    await first
    await allWritten()
    expect(
      storedIn(host).map(({ record, deliveredRun }) => [record.state, record.run, deliveredRun]),
    ).toEqual([
      ["cancelled", 1, 0],
      ["created", 2, 1],
    ])
    expect(current()).toMatchObject({ record: { state: "created" }, deliveredRun: 1, prompt: "Go on." })
  })

  it("never overlap, and what comes meanwhile is written once they are over", async () => {
    const gates = [gate<void>(), gate<void>()]
    const [first, second] = gates
    const { host, store, current } = stored()
    const underWay = hold(host, ...gates)
    const recording = [store.recordEnd({ ...cancelled, endedAt: 7 })]
    await vi.advanceTimersByTimeAsync(0)
    recording.push(store.recordEnd({ ...cancelled, endedAt: 8 }))
    first?.open()
    await vi.advanceTimersByTimeAsync(0)
    recording.push(store.recordEnd(cancelled))
    await vi.advanceTimersByTimeAsync(0)
    second?.open()
    await Promise.all(recording)
    expect(storedIn(host).map(({ record }) => record.endedAt)).toEqual([7, 8, 9])
    expect(current().record.endedAt).toBe(9)
    expect(underWay.most).toBe(1)
  })

  it("that fail are tried again at growing pauses, of a minute at most", async () => {
    vi.useFakeTimers()
    const { host, store } = stored()
    const tries = fail(host)
    store.markDelivered([ended])
    await vi.advanceTimersByTimeAsync(longEnough)
    const pauses = tries.slice(1).map((time, index) => (time - (tries[index] ?? 0)) / 1_000)
    expect(pauses.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    expect(host.logged[0]).toBe("warn: the record of ses_1 could not be written: the store is away")
  })

  it("that somebody waits for do not wait for the pause after one that failed", async () => {
    vi.useFakeTimers()
    const { host, store } = stored()
    const tries = fail(host, 1)
    store.markDelivered([ended])
    await vi.advanceTimersByTimeAsync(soon)
    expect(tries).toHaveLength(1)
    void store.recordEnd(cancelled)
    await vi.advanceTimersByTimeAsync(0)
    expect(storedIn(host)).toMatchObject([{ record: { state: "cancelled" }, deliveredRun: 1 }])
  })

  it("begin again with the first pause once one succeeded", async () => {
    vi.useFakeTimers()
    const { host, store } = stored()
    fail(host, 3)
    store.markDelivered([ended])
    await vi.advanceTimersByTimeAsync(longEnough)
    const tries = fail(host, 2)
    store.markDelivered([{ ...ended, run: 2 }])
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(tries.slice(1).map((time, index) => time - (tries[index] ?? 0))).toEqual([1_000, 2_000])
  })

  it("never bring back what is older, though it could not be written when it was new", async () => {
    const { host, store, current } = stored()
    fail(host, 1)
    const first = store.recordEnd(cancelled)
    void store.saveRun("ses_1", { ...job, run: 2, prompt: "Go on.", askedAt: 20 })
    store.markDelivered([cancelled])
    await vi.advanceTimersByTimeAsync(longEnough)
    await first
    expect(current()).toMatchObject({ record: { state: "created", run: 2 }, askedAt: 20, deliveredRun: 1 })
    expect(host.writes).toHaveLength(1)
  })

  it("of a follow-up hold what a new start would ask, and nothing of how the last run ended", async () => {
    const { store, current } = stored()
    const error = { kind: "provider" as const, message: "overloaded" }
    await store.recordEnd({ ...ended, state: "failed", error, startedAt: 6 })
    const usage = { ...NO_USAGE, input: 3 }
    void store.saveRun("ses_1", {
      ...job,
      run: 2,
      prompt: "Go on.",
      variant: "low",
      askedAt: 20,
      earlier: { usage },
    })
    await allWritten()
    expect(current()).toMatchObject({ prompt: "Go on.", variant: "low", askedAt: 20, lease, deliveredRun: 0 })
    expect(current().record).toEqual({
      id: "j1",
      owner: "owner",
      description: "Look",
      agent: "general",
      model: "fake/m1",
      state: "created",
      run: 2,
      createdAt: 5,
      usage,
    })
  })

  it("have an actor while there are any, and none when all is written", async () => {
    const { host, store } = stored()
    fail(host, 1)
    store.markDelivered([ended])
    expect(store.actors()).toEqual([{ session: "ses_1", state: "dirty" }])
    const recording = store.recordEnd(ended)
    expect(store.actors()).toEqual([{ session: "ses_1", state: "writing" }])
    await vi.advanceTimersByTimeAsync(0)
    expect(store.actors()).toEqual([{ session: "ses_1", state: "retrying" }])
    await vi.advanceTimersByTimeAsync(longEnough)
    await recording
    expect(store.actors()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe("A job that is another's", () => {
  const other: Lease = { ...lease, instance: "other" }
  /** The other lives, or not. */
  const beside = (isAlive: boolean): Holder => ({
    ...holder,
    isHeld: async ({ instance }) => isAlive || instance === lease.instance,
  })

  it("is not written to while its holder lives", async () => {
    const { host, store, current } = stored({ held: other, by: beside(true) })
    store.markDelivered([ended])
    const saving = expect(store.saveRun("ses_1", { ...job, run: 2 })).rejects.toThrow()
    await expect(store.recordEnd(ended)).rejects.toThrow()
    await saving
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(current()).toEqual(newStoredJob(job, other))
    expect(host.logged).toEqual([expect.stringContaining("another process has it by now")])
  })

  it("is written to once its holder is gone, whose it still is: any process may use its result", async () => {
    const { store, current } = stored({ held: other, by: beside(false) })
    store.markDelivered([ended])
    await allWritten()
    expect(current()).toMatchObject({ deliveredRun: 1, lease: other })
  })

  it("is ours with a follow-up, once its holder is gone", async () => {
    const { store, current } = stored({ held: other, by: beside(false) })
    void store.saveRun("ses_1", { ...job, run: 2 })
    await allWritten()
    expect(current()).toMatchObject({ record: { run: 2 }, lease })
  })

  it("is left alone where another process takes it while its dead holder is looked for", async () => {
    const third: Lease = { ...lease, instance: "third" }
    const by: Holder = {
      ...holder,
      async isHeld() {
        put(newStoredJob(job, third))
        return false
      },
    }
    const { store, current, put } = stored({ held: other, by })
    await expect(store.recordEnd(ended)).rejects.toThrow()
    expect(current()).toEqual(newStoredJob(job, third))
  })
})

describe("When the plugin closes", () => {
  it("what is unwritten is written at once", async () => {
    const { store, current } = stored()
    store.markDelivered([ended])
    await store.drain(3_000)
    expect(current().deliveredRun).toBe(1)
    expect(store.actors()).toEqual([])
  })

  it("a write under way is waited for, and what changed meanwhile is written after it", async () => {
    const writing = gate<void>()
    const { host, store, current } = stored()
    const underWay = hold(host, writing)
    const recording = store.recordEnd(cancelled)
    await vi.advanceTimersByTimeAsync(0)
    store.markDelivered([cancelled])
    const draining = store.drain(3_000)
    expect(store.actors()).toMatchObject([{ state: "writing" }])
    writing.open()
    await Promise.all([draining, recording])
    expect(current()).toMatchObject({ record: { state: "cancelled" }, deliveredRun: 1 })
    expect(underWay.most).toBe(1)
  })

  it("a write under way that fails is the last, though it would succeed now: a successor may have written since", async () => {
    const writing = gate<void>()
    const { host, store, current } = stored()
    fail(host, 1)
    hold(host, writing)
    const refused = expect(store.recordEnd(cancelled)).rejects.toThrow("could not be written")
    await vi.advanceTimersByTimeAsync(0)
    const draining = store.drain(3_000)
    writing.open()
    await Promise.all([draining, refused])
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(current().record.state).toBe("created")
    expect([store.actors(), vi.getTimerCount()]).toEqual([[], 0])
  })

  it("what waits for its next attempt has a last one at once, and none after it", async () => {
    const { host, store } = stored()
    const tries = fail(host)
    const recording = store.recordEnd(cancelled)
    const refused = expect(recording).rejects.toThrow("could not be written")
    await vi.advanceTimersByTimeAsync(0)
    await store.drain(3_000)
    await refused
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(tries).toHaveLength(2)
    expect([store.actors(), vi.getTimerCount()]).toEqual([[], 0])
  })

  it("what changes from then on is not written", async () => {
    const { host, store } = stored()
    await store.drain(3_000)
    store.markDelivered([ended])
    await expect(store.saveRun("ses_1", job)).rejects.toThrow()
    await expect(store.recordEnd(ended)).rejects.toThrow()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(host.writes).toEqual([])
    const left = newStoredJob(job, { ...lease, instance: "dead" })
    expect(await store.claim("owner", [{ session: "ses_1", stored: left }])).toEqual(["unknown"])
  })

  it("an opencode that hangs is not waited for, and what it does later overwrites nothing of a successor", async () => {
    const writing = gate<void>()
    const { host, store, put, current } = stored()
    hold(host, writing)
    const recording = store.recordEnd(cancelled)
    const refused = expect(recording).rejects.toThrow()
    const draining = store.drain(3_000)
    await vi.advanceTimersByTimeAsync(3_000)
    await draining
    await refused
    put(newStoredJob(job, { ...lease, instance: "successor" }))
    writing.open()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(current()).toEqual(newStoredJob(job, { ...lease, instance: "successor" }))
    // Nor where it is still its own.
    expect(host.writes).toEqual([])
  })
})
