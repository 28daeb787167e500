import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { JobInput } from "../../../src/machines/events.ts"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { JobStore } from "../../../src/plugin/records/store.ts"
import { StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { gate } from "../../support/gate.ts"
import { failed, type HostDouble, hostDouble, ok } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { atDesk, lease } from "../support/services.ts"

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

/** A store with one job in it, beside what another plugin keeps there. */
function stored(overrides: Parameters<typeof hostDouble>[0] = {}) {
  const host = hostDouble(overrides)
  const store = new JobStore(host, lease)
  const metadata = { ...store.newMetadata(job), bookmark: "of another plugin" }
  host.sessions.set("ses_1", sessionOf("ses_1", { parentID: "owner", metadata }))
  const current = () => StoredJob.parse(host.sessions.get("ses_1")?.metadata?.troupe)
  return { host, store, current }
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
      toldRun: 0,
    })
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
    store.save(ended)
    await store.settled()
    expect(host.sessions.get("ses_1")?.metadata).toMatchObject({ bookmark: "of another plugin" })
  })

  it("holds no text that the child's messages hold", async () => {
    const { store, current } = stored()
    store.save(ended)
    await store.settled()
    expect(current().record).toMatchObject({ state: "done", endedAt: 9 })
    expect(JSON.stringify(current())).not.toMatch(/long text|a tail/)
  })

  it("is written in the order in which it changed, and loses none of the changes", async () => {
    const { host, store, current } = stored()
    store.save({ ...ended, state: "prompting" })
    // The first write is under way.
    await Promise.resolve()
    store.save(ended)
    store.markDelivered([ended])
    await store.settled()
    const states = host.writes.map(({ metadata }) => StoredJob.parse(metadata.troupe))
    expect(states.map(({ record, toldRun }) => [record.state, toldRun])).toEqual([
      ["prompting", 0],
      ["done", 1],
    ])
    expect(current()).toMatchObject({ record: { state: "done" }, toldRun: 1, prompt: "Look around." })
  })

  it("that could not be written is once opencode takes it, and never goes back", async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const faults = [failed("the store is away"), failed("the store is away")]
    const { host, store, current } = stored({ session: async (id) => faults.pop() ?? found(id) })
    const found = (id: string) => {
      const session = host.sessions.get(id)
      return session ? ok(session) : failed("gone", 404)
    }
    store.save({ ...ended, state: "prompting" })
    await vi.advanceTimersByTimeAsync(1_500)
    expect(host.logged).toHaveLength(2)
    store.save(ended)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(host.writes).toHaveLength(1)
    expect(current().record.state).toBe("done")
  })

  it("is never half lost when its metadata was damaged: that is named, and left alone", async () => {
    const { host, store } = stored()
    const damaged = { troupe: { version: 99 }, bookmark: "kept" }
    host.sessions.set("ses_1", sessionOf("ses_1", { metadata: damaged }))
    store.save(ended)
    await store.settled()
    expect(host.writes).toEqual([])
    expect(host.logged).toEqual([
      expect.stringMatching(/^warn: the record of ses_1 .*metadata\.troupe was damaged/),
    ])
  })

  it.each([
    ["read", { session: async () => failed("the store is away") }],
    ["written", { writeMetadata: async () => failed("the store is away") }],
  ])("that cannot be %s is named in the log, and harms nothing", async (_, overrides) => {
    const { host, store } = stored(overrides)
    store.save(ended)
    await store.settled()
    expect(host.logged).toEqual(["warn: the record of ses_1 could not be written: the store is away"])
  })

  it("costs one write when all goes well and quickly: changes in no hurry go together", async () => {
    const { host, store, call } = atDesk()
    await call("agents_start", { tasks: [{ prompt: "look" }] })
    host.prompts[0]?.answer("seen")
    await call("agents_wait", {})
    await store.settled()
    expect(host.writes.map(({ metadata }) => StoredJob.parse(metadata.troupe))).toEqual([
      expect.objectContaining({ record: expect.objectContaining({ state: "done" }), toldRun: 1 }),
    ])
  })

  it("is written before the child is stopped, once its end is decided: no message tells why", async () => {
    const { host, store, call } = atDesk()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    await call("agents_cancel", { ids: ["a"] })
    const [decided] = host.writes.map(({ metadata }) => StoredJob.parse(metadata.troupe).record)
    expect(decided).toMatchObject({ state: "prompting", phase: "stopping", error: { kind: "cancelled" } })
    await store.settled()
  })
})

describe("The writes of a job", () => {
  const statesOf = ({ writes }: HostDouble) =>
    writes.map(({ metadata }) => StoredJob.parse(metadata.troupe).record.state)

  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
  afterEach(() => void vi.useRealTimers())

  it("are none while it works, and one a second after it has ended", async () => {
    const { host, call, troupe } = atDesk()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    troupe.tell({ owner: "owner", id: "a" }, { type: "child.active", activity: { at: 1 } })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(host.writes).toEqual([])
    host.prompts[0]?.answer("seen")
    await vi.advanceTimersByTimeAsync(999)
    expect(host.writes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(statesOf(host)).toEqual(["done"])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(host.writes).toHaveLength(1)
  })

  it("are two where it is cancelled: that it is decided, and that it is over", async () => {
    const { host, call } = atDesk()
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    await call("agents_cancel", { ids: ["a"] })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(statesOf(host)).toEqual(["prompting", "cancelled"])
  })

  it("are none for one of an earlier process that is taken in as it is, nor for one without a session", async () => {
    const { host, troupe, store } = atDesk()
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
    const { host, call } = atDesk({ createSession: async () => failed("the disk is full") })
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    await vi.advanceTimersByTimeAsync(5_000)
    expect([host.writes, host.logged]).toEqual([[], []])
  })

  it("say once that its end is decided, whatever its child still does", async () => {
    const aborting = gate<void>()
    const { host, call, troupe } = atDesk({ abort: () => aborting.passed.then(() => ok(true)) })
    await call("agents_start", { tasks: [{ id: "a", prompt: "look" }] })
    const cancelling = call("agents_cancel", { ids: ["a"] })
    await vi.advanceTimersByTimeAsync(100)
    troupe.tell({ owner: "owner", id: "a" }, { type: "child.active", activity: { at: 1 } })
    await vi.advanceTimersByTimeAsync(100)
    expect(statesOf(host)).toEqual(["prompting"])
    aborting.open()
    await cancelling
    await vi.advanceTimersByTimeAsync(5_000)
    expect(statesOf(host)).toEqual(["prompting", "cancelled"])
  })

  it("never overlap, and what comes meanwhile is written once they are over", async () => {
    const gates = [gate<void>(), gate<void>()]
    let underWay = 0
    let most = 0
    const { host, store, current } = stored({
      session: async (id) => {
        most = Math.max(most, ++underWay)
        await gates.shift()?.passed
        underWay--
        const session = host.sessions.get(id)
        return session ? ok(session) : failed("gone", 404)
      },
    })
    const [first, second] = gates
    store.save({ ...ended, state: "created" })
    await vi.advanceTimersByTimeAsync(0)
    store.save({ ...ended, state: "prompting" })
    first?.open()
    await vi.advanceTimersByTimeAsync(0)
    store.save(ended)
    await vi.advanceTimersByTimeAsync(0)
    expect(most).toBe(1)
    second?.open()
    await vi.advanceTimersByTimeAsync(0)
    expect(statesOf(host)).toEqual(["created", "prompting", "done"])
    expect(current().record.state).toBe("done")
    expect(most).toBe(1)
  })

  it("are not repeated where all is written, when all is to be", async () => {
    const writing = gate<void>()
    const { host, store } = stored({
      session: async (id) => {
        await writing.passed
        const session = host.sessions.get(id)
        return session ? ok(session) : failed("gone", 404)
      },
    })
    store.save(ended)
    await vi.advanceTimersByTimeAsync(0)
    const settled = store.settled()
    writing.open()
    await settled
    expect(host.writes).toHaveLength(1)
  })

  it("that fail are tried again at growing pauses, of a minute at most", async () => {
    const tries: number[] = []
    let now = 0
    const { store } = stored({
      session: async () => {
        tries.push(now)
        return failed("the store is away")
      },
    })
    store.save(ended)
    await vi.advanceTimersByTimeAsync(0)
    for (now = 1; now <= 300; now++) await vi.advanceTimersByTimeAsync(1_000)
    const pauses = tries.slice(1).map((time, index) => time - (tries[index] ?? 0))
    expect(pauses.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  })

  it.each([
    ["was damaged", { metadata: { troupe: { version: 99 } } }, /metadata\.troupe was damaged/],
    ["has lost its metadata", {}, /metadata\.troupe was damaged/],
    ["is gone", undefined, /no session ses_1/],
  ])("are not tried again where the session %s", async (_, fields, words) => {
    const { host, store } = stored()
    if (fields) host.sessions.set("ses_1", sessionOf("ses_1", fields))
    else host.sessions.delete("ses_1")
    expect(await store.read("ses_1")).toBeUndefined()
    store.save(ended)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(host.logged).toEqual([expect.stringMatching(words)])
  })

  it("of a follow-up hold what a new start would ask, and nothing of how the last run ended", async () => {
    const { store, current } = stored()
    const error = { kind: "provider" as const, message: "overloaded" }
    store.save({ ...ended, state: "failed", error, startedAt: 6 })
    store.saveRun("ses_1", { ...job, run: 2, prompt: "Go on.", variant: "low", askedAt: 20 })
    await store.settled()
    expect(current()).toMatchObject({ prompt: "Go on.", variant: "low", askedAt: 20, lease, toldRun: 0 })
    expect(current().record).toEqual({
      id: "j1",
      owner: "owner",
      description: "Look",
      agent: "general",
      state: "created",
      run: 2,
      createdAt: 5,
      usage: NO_USAGE,
    })
  })

  it("that take over a job from a dead process are none where another has it", async () => {
    const { host, store, current } = stored()
    const dead = { ...lease, instance: "dead" }
    const other = { ...lease, instance: "other" }
    const held = (by: typeof lease) => {
      const metadata = { troupe: { ...current(), lease: by } }
      host.sessions.set("ses_1", sessionOf("ses_1", { metadata }))
    }
    held(other)
    expect(await store.claim("ses_1", dead)).toBe("another's")
    expect(current().lease).toEqual(other)
    held(dead)
    expect(await store.claim("ses_1", dead)).toBe("taken")
    expect(current().lease).toEqual(lease)
    host.sessions.delete("ses_1")
    expect(await store.claim("ses_1", dead)).toBe("unknown")
  })
})
