import { describe, expect, it, onTestFinished } from "vitest"
import { createActor, initialTransition, setup, transition } from "xstate"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { recordOf } from "../../src/machines/job-record.ts"
import { hasEnded, type JobRecord } from "../../src/machines/record.ts"
import {
  type SlotEvent,
  type SupervisorEvent,
  supervisorMachine,
} from "../../src/machines/supervisor-machine.ts"
import { systemMachine } from "../../src/machines/system-machine.ts"
import { createTroupe } from "../../src/machines/troupe.ts"
import { dawn, jobInput, usage } from "./support/jobs.ts"
import { type Key, nothing, type Play, type PlayOptions, play, sessionOf, settled } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

const alice = (id: string) => ({ owner: "alice", id })
const bob = (id: string) => ({ owner: "bob", id })

describe("Slots", () => {
  it("let no more children be prompted at once than there are, over all owners", async () => {
    const stage = play({ concurrency: 2 })
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.start("j2", { owner: "bob" })
    expect(stage.calls.prompting).toHaveLength(2)
    expect(stage.record(bob("j2"))).toMatchObject({ state: "created", phase: "queued" })
  })

  it("go round-robin between owners, and in order within one", async () => {
    const stage = play({ concurrency: 1 })
    for (const id of ["j1", "j2", "j3"]) await stage.start(id, { owner: "alice" })
    for (const id of ["j1", "j2"]) await stage.start(id, { owner: "bob" })
    for (let turn = 0; turn < 5; turn++) {
      stage.calls.prompting.at(-1)?.resolve({ text: "", usage: usage(1) })
      await settled()
    }
    const order = stage.calls.prompting.map(({ input: { job } }) => `${job.owner} ${job.id}`)
    // Alice stood in the queue again before Bob came.
    expect(order).toEqual(["alice j1", "alice j2", "bob j1", "alice j3", "bob j2"])
    expect(stage.running()).toEqual(nothing)
  })

  it("go in the order in which jobs were started, however long their sessions take to open", async () => {
    const stage = play({ concurrency: 1, opens: false })
    await stage.startAll("j1", "j2")
    stage.opening("j2").resolve({ session: "ses_2" })
    await settled()
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    expect(stage.record("j1").phase).toBe("working")
    expect(stage.record("j2").phase).toBe("queued")
  })

  it("that come before the session is open start the clocks when it is", async () => {
    const stage = play({ concurrency: 1, opens: false })
    await stage.startAll("j1")
    await stage.pass(5_000)
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    expect(stage.record("j1")).toMatchObject({ phase: "working", startedAt: stage.now() })
  })

  it.each([
    ["a final answer", { end: (stage) => stage.answer("j1") }],
    [
      "an answer with an error",
      { end: (stage) => stage.answer("j1", { error: { kind: "provider", message: "401" } }) },
    ],
    ["a cancel", { end: (stage) => stage.cancel("j1") }],
    [
      "a timeout",
      {
        end: async (stage) => {
          await stage.tell("j2", stage.active())
          await stage.pass(20_000)
        },
      },
    ],
    [
      "a prompt that was not taken",
      {
        end: async (stage) => {
          stage.prompting("j1").reject(new Error("no"))
          await settled()
        },
      },
    ],
    ["a defect of the job's actor", { end: (stage) => stage.crash("j1") }],
  ] satisfies [string, { end(stage: ReturnType<typeof play>): Promise<void> }][])(
    "are freed by %s, and the next job gets it",
    async (_, { end }) => {
      const stage = play({ concurrency: 1 })
      await stage.startAll("j1", "j2")
      await end(stage)
      expect(hasEnded(stage.record("j1"))).toBe(true)
      expect(stage.record("j2").phase).toBe("working")
      await stage.answer("j2")
      expect(stage.running()).toEqual(nothing)
    },
  )

  it("stay taken until a child that is being stopped has stopped", async () => {
    const stage = play({ concurrency: 1, stops: false })
    await stage.startAll("j1", "j2")
    await stage.cancel("j1")
    expect(stage.record("j2").phase).toBe("queued")
    stage.stopping("j1").resolve({ text: undefined, usage: usage(0) })
    await settled()
    expect(stage.record("j2").phase).toBe("working")
  })

  it("are not waited for by a job that was cancelled in the queue", async () => {
    const stage = play({ concurrency: 1 })
    await stage.startAll("j1", "j2", "j3")
    await stage.cancel("j2")
    await stage.answer("j1")
    expect(stage.record("j3").phase).toBe("working")
    expect(stage.calls.prompting).toHaveLength(2)
  })

  it("go in turn through a hundred jobs, and all of them end", async () => {
    const stage = play({ concurrency: 3 })
    for (let index = 0; index < 100; index++) {
      await stage.start(`j${index}`, { owner: index % 3 === 0 ? "alice" : "bob" })
    }
    for (let index = 0; index < 100; index++) {
      expect(stage.running().slots.busy).toBe(Math.min(3, 100 - index))
      stage.calls.prompting[index]?.resolve({ text: `${index}`, usage: usage(1) })
      await settled()
    }
    expect([...stage.troupe.records.all()].every(({ state }) => state === "done")).toBe(true)
    expect(stage.running()).toEqual(nothing)
  })
})

describe("A provider that says later", () => {
  const [p, q] = [{ model: "p/x" }, { model: "q/y" }]
  const later = (stage: Play, ms: number) => stage.now() + ms

  /** `j1` of the provider p runs, and was told to come back in five seconds. */
  async function held(options: PlayOptions = {}) {
    const stage = play(options)
    await stage.start("j1", p)
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 5_000))
    return stage
  }

  it("has no further job of its start before then, of any owner, and those of others go on", async () => {
    const stage = await held()
    await stage.start("j2", p)
    await stage.start("j1", { ...p, model: "p/other", owner: "alice" })
    await stage.start("j3", q)
    await stage.start("j4")
    const holdUntil = dawn + 5_000
    expect(stage.record("j2")).toMatchObject({ state: "created", phase: "queued", holdUntil })
    expect(stage.record(alice("j1"))).toMatchObject({ phase: "queued", holdUntil })
    expect([stage.record("j3").phase, stage.record("j4").phase]).toEqual(["working", "working"])
    await stage.pass(4_999)
    expect(stage.calls.prompting).toHaveLength(3)
    await stage.pass(1)
    for (const job of ["j2", alice("j1")]) {
      expect(stage.record(job)).toMatchObject({ phase: "working", startedAt: dawn + 5_000 })
      expect(stage.record(job)).not.toHaveProperty("holdUntil")
    }
    expect(stage.running().slots).toEqual({ busy: 5, waiting: 0 })
  })

  it("holds those that wait already, with the time that counts in the end", async () => {
    const stage = await held({ concurrency: 2 })
    await stage.startAll("j2")
    await stage.start("j3", p)
    stage.troupe.hold({ owner: "owner", id: "j2" }, later(stage, 90_000))
    expect(stage.record("j3").holdUntil).toBe(dawn + 5_000)
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 9_000))
    expect(stage.record("j3").holdUntil).toBe(dawn + 9_000)
    await stage.answer("j2")
    await stage.pass(8_999)
    expect(stage.record("j3").phase).toBe("queued")
    await stage.pass(1)
    expect(stage.record("j3").phase).toBe("working")
  })

  it("is asked again at once where the job that was told so gets through", async () => {
    const stage = await held()
    await stage.start("j2", p)
    stage.troupe.answered({ owner: "owner", id: "j2" }, stage.now() - 1)
    expect(stage.record("j2").phase).toBe("queued")
    stage.troupe.answered({ owner: "owner", id: "j1" }, stage.now() - 1)
    expect(stage.record("j2").phase).toBe("working")
    expect(stage.running().slots).toEqual({ busy: 2, waiting: 0 })
    for (const id of ["j1", "j2"]) await stage.answer(id)
    expect(stage.running()).toEqual(nothing)
  })

  it("is asked again at once where its model answers another job that has asked since", async () => {
    const stage = play()
    for (const id of ["j1", "j2"]) await stage.start(id, p)
    await stage.pass(1_000)
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 5_000))
    await stage.start("j3", p)
    stage.troupe.answered({ owner: "owner", id: "j2" }, stage.now() - 1)
    expect(stage.record("j3").phase).toBe("queued")
    stage.troupe.answered({ owner: "owner", id: "j2" }, stage.now())
    expect(stage.record("j3").phase).toBe("working")
  })

  it("is asked by one job after an hour where it named a longer time, and by all once that one is answered", async () => {
    const [hour, year] = [3_600_000, 31_536_000_000]
    const stage = play()
    const job = { ...p, timeoutMs: 10 * hour, idleMs: 10 * hour }
    await stage.start("j1", job)
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, year))
    for (const id of ["j2", "j3", "j4"]) await stage.start(id, job)
    expect(stage.record("j2").holdUntil).toBe(dawn + hour)
    await stage.pass(hour)
    expect(stage.calls.prompting.map(({ input }) => input.job.id)).toEqual(["j1", "j2"])
    expect(stage.record("j3").holdUntil).toBe(dawn + 2 * hour)
    await stage.answer("j2", { error: { kind: "provider", message: "overloaded" } })
    expect(stage.calls.prompting.map(({ input }) => input.job.id)).toEqual(["j1", "j2", "j3"])
    stage.troupe.hold({ owner: "owner", id: "j3" }, later(stage, year))
    expect(stage.record("j4").holdUntil).toBe(dawn + 2 * hour)
    await stage.pass(hour)
    expect(stage.record("j4").phase).toBe("working")
    await stage.start("j5", job)
    expect(stage.record("j5").phase).toBe("queued")
    await stage.answer("j4")
    expect(stage.record("j5").phase).toBe("working")
    for (const id of ["j1", "j3", "j5"]) await stage.answer(id)
    expect(stage.running()).toEqual(nothing)
  })

  it("is asked by the next one after each further hour in which the one that tries says nothing", async () => {
    const hour = 3_600_000
    const stage = play()
    const job = { ...p, timeoutMs: 10 * hour, idleMs: 10 * hour }
    await stage.start("j1", job)
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 9 * hour))
    for (const id of ["j2", "j3", "j4"]) await stage.start(id, job)
    const working = () => ["j2", "j3", "j4"].filter((id) => stage.record(id).phase === "working")
    await stage.pass(hour)
    expect(working()).toEqual(["j2"])
    await stage.pass(hour)
    expect(working()).toEqual(["j2", "j3"])
    await stage.pass(hour)
    expect(working()).toEqual(["j2", "j3", "j4"])
  })

  it("is asked again at once where that job is done, though nobody heard it get through", async () => {
    const stage = await held()
    await stage.start("j2", p)
    await stage.answer("j1")
    expect(stage.record("j2").phase).toBe("working")
  })

  it("is asked again at once where another job of its model is done that has asked since, however long ago it was started", async () => {
    const stage = play({ concurrency: 2 })
    await stage.start("j0", q)
    await stage.start("j1", p)
    await stage.start("j2", p)
    await stage.pass(1_000)
    await stage.answer("j0")
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 5_000))
    expect(stage.record("j2")).toMatchObject({ createdAt: dawn, startedAt: dawn + 1_000 })
    await stage.start("j3", p)
    await stage.answer("j2")
    expect(stage.record("j3").phase).toBe("working")
  })

  it.each<[string, (stage: Play) => Promise<unknown>]>([
    ["is cancelled", (stage) => stage.cancel("j1")],
    ["fails", (stage) => stage.answer("j1", { error: { kind: "provider", message: "overloaded" } })],
    ["is forgotten with its owner", async (stage) => stage.troupe.forgetOwner("owner")],
  ])("is left alone until then, though that job %s: nothing says that it would answer", async (_, end) => {
    const stage = await held()
    await stage.start("j1", { ...p, owner: "bob" })
    await end(stage)
    await stage.pass(4_999)
    expect(stage.record(bob("j1"))).toMatchObject({ phase: "queued", holdUntil: dawn + 5_000 })
    await stage.pass(1)
    expect(stage.record(bob("j1")).phase).toBe("working")
  })

  it("holds a follow-up too, and one that is cancelled meanwhile never starts", async () => {
    const stage = await held()
    await stage.answer("j1", { error: { kind: "provider", message: "overloaded" } })
    await stage.start("j1", { ...p, run: 2, session: "ses_1" })
    expect(stage.record("j1")).toMatchObject({ run: 2, phase: "queued", holdUntil: dawn + 5_000 })
    await stage.cancel("j1")
    expect(stage.record("j1")).not.toHaveProperty("holdUntil")
    await stage.pass(5_000)
    expect(stage.calls.prompting).toHaveLength(1)
    expect(stage.running()).toEqual(nothing)
  })

  it("is on hold for its own time, whatever another one has said", async () => {
    const stage = await held()
    await stage.start("j2", q)
    stage.troupe.hold({ owner: "owner", id: "j2" }, later(stage, 2_000))
    await stage.start("j3", p)
    await stage.start("j4", q)
    await stage.pass(2_000)
    expect([stage.record("j3").phase, stage.record("j4").phase]).toEqual(["queued", "working"])
    await stage.pass(3_000)
    expect(stage.record("j3").phase).toBe("working")
  })

  it("is left alone until then, though a job of the same id of another owner gets through", async () => {
    const stage = await held()
    await stage.start("j2", p)
    stage.troupe.answered(alice("j1"), stage.now())
    expect(stage.record("j2").phase).toBe("queued")
    await stage.pass(5_000)
    expect(stage.record("j2").phase).toBe("working")
  })

  it("is asked at once where its time is over by the time that this is told", async () => {
    const stage = await held()
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 0))
    await stage.start("j2", p)
    expect(stage.record("j2").phase).toBe("working")
    for (const id of ["j1", "j2"]) await stage.answer(id)
    expect(stage.running()).toEqual(nothing)
  })

  it("is unknown where opencode chose the model, or the job is", async () => {
    const stage = play()
    await stage.start("j1")
    for (const id of ["j1", "j9"]) stage.troupe.hold({ owner: "owner", id }, later(stage, 5_000))
    await stage.start("j2", p)
    await stage.start("j3")
    expect(stage.running()).toMatchObject({ slots: { busy: 3, waiting: 0 } })
  })

  it("is held for a job whose session opens only now, and not shown before it waits for that alone", async () => {
    const stage = await held({ opens: false })
    stage.opening("j1").resolve({ session: "ses_1" })
    await stage.start("j2", p)
    expect(stage.record("j2").phase).toBe("opening")
    expect(stage.record("j2")).not.toHaveProperty("holdUntil")
    stage.opening("j2").resolve({ session: "ses_2" })
    await settled()
    expect(stage.record("j2")).toMatchObject({ phase: "queued", holdUntil: dawn + 5_000 })
  })

  it("takes its slot back from a job whose session is still opening, for another provider's", async () => {
    const stage = play({ concurrency: 2, opens: false })
    await stage.start("j1", p)
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    await stage.start("j2", p)
    await stage.start("j3", q)
    stage.opening("j3").resolve({ session: "ses_3" })
    await settled()
    expect(stage.record("j3").phase).toBe("queued")
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 5_000))
    expect(stage.record("j3").phase).toBe("working")
    expect(stage.running().slots).toEqual({ busy: 2, waiting: 1 })
    stage.opening("j2").resolve({ session: "ses_2" })
    await settled()
    expect(stage.record("j2")).toMatchObject({ phase: "queued", holdUntil: dawn + 5_000 })
    await stage.answer("j3")
    await stage.pass(5_000)
    expect(stage.record("j2").phase).toBe("working")
    for (const id of ["j1", "j2"]) await stage.answer(id)
    expect(stage.running()).toEqual(nothing)
  })

  it("leaves those alone that it answers, whose slots are theirs", async () => {
    const stage = play({ concurrency: 2 })
    await stage.start("j1", p)
    await stage.start("j2", p)
    stage.troupe.hold({ owner: "owner", id: "j1" }, later(stage, 5_000))
    await stage.start("j3", q)
    expect(stage.running().slots).toEqual({ busy: 2, waiting: 1 })
  })

  it("shows that a slot alone is waited for once the time is over", async () => {
    const stage = await held({ concurrency: 1 })
    await stage.start("j2", p)
    await stage.pass(5_000)
    expect(stage.record("j2").phase).toBe("queued")
    expect(stage.record("j2")).not.toHaveProperty("holdUntil")
  })
})

describe("Jobs of one id", () => {
  it("are each their owner's own", async () => {
    const stage = play()
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.cancel(alice("j1"))
    expect(stage.record(alice("j1")).state).toBe("cancelled")
    expect(stage.record(bob("j1")).state).toBe("prompting")
    await stage.tell(bob("j1"), stage.permission("p1"))
    expect(stage.record(bob("j1")).phase).toBe("permission")
    await stage.answer(bob("j1"))
    expect(stage.record(bob("j1")).state).toBe("done")
  })

  it("started twice are started once", async () => {
    const stage = play()
    await stage.start("j1", { description: "the first" })
    await stage.start("j1", { description: "the second" })
    expect(stage.calls.opening).toHaveLength(1)
    expect(stage.record("j1").description).toBe("the first")
    await stage.answer("j1")
    expect(stage.running()).toEqual(nothing)
  })
})

describe("Whatever is told to a job that is not there", () => {
  it("is heard by nobody", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j9", stage.active())
    await stage.cancel("j9")
    await stage.cancel(bob("j1"))
    expect(stage.troupe.records.get("owner", "j9")).toBeUndefined()
    expect(stage.troupe.records.of("bob")).toEqual([])
    expect(stage.record("j1").phase).toBe("working")
    expect(stage.troupe.actors().children.map(({ id }) => id)).toEqual(["owner"])
    expect(stage.defects).toEqual([])
  })
})

describe("An owner that is forgotten", () => {
  it("leaves neither records nor an actor behind", async () => {
    const stage = play()
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.answer(alice("j1"))
    stage.troupe.forgetOwner("alice")
    const { records } = stage.troupe
    expect(records.of("alice")).toEqual([])
    expect(records.bySession("ses_alice_j1")).toBeUndefined()
    expect(stage.troupe.actors().children.map(({ id }) => id)).toEqual(["bob"])
    expect(stage.record(bob("j1")).state).toBe("prompting")
  })

  it("while a child of its is being stopped takes no slot with it", async () => {
    const stage = play({ concurrency: 1, stops: false })
    await stage.start("j1", { owner: "alice" })
    await stage.start("j2", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.cancel(alice("j1"))
    stage.troupe.forgetOwner("alice")
    await settled()
    expect(stage.record(bob("j1")).phase).toBe("working")
    expect(stage.running().slots).toEqual({ busy: 1, waiting: 0 })
  })

  it("by a listener, the moment its last job ends, takes no slot with it", async () => {
    const stage = play({ concurrency: 1 })
    stage.troupe.records.subscribe((record) => {
      if (record.owner === "alice" && hasEnded(record)) stage.troupe.forgetOwner("alice")
    })
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.answer(alice("j1"))
    expect(stage.record(bob("j1")).phase).toBe("working")
    await stage.answer(bob("j1"))
    expect(stage.running()).toEqual(nothing)
    expect(stage.defects).toEqual([])
  })

  it("can start jobs again, like a new one", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1")
    stage.troupe.forgetOwner("owner")
    await stage.start("j1", { description: "again" })
    await stage.answer("j1", { text: "again" })
    expect(stage.record("j1")).toMatchObject({ state: "done", description: "again", text: "again" })
    expect(stage.running()).toEqual(nothing)
  })

  it("that nobody knows is nothing", () => {
    const stage = play()
    stage.troupe.forgetOwner("nobody")
    expect(stage.defects).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })
})

describe("A supervisor whose jobs have all ended", () => {
  const supervisors = (stage: ReturnType<typeof play>) => stage.troupe.actors().children.map(({ id }) => id)

  it("goes; the records of its jobs stay", async () => {
    const stage = play()
    await stage.start("j1", { owner: "alice" })
    await stage.start("j2", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.answer(alice("j1"))
    expect(supervisors(stage)).toEqual(["alice", "bob"])
    await stage.cancel(alice("j2"))
    expect(supervisors(stage)).toEqual(["bob"])
    expect(stage.troupe.records.of("alice").map(({ state }) => state)).toEqual(["done", "cancelled"])
    await stage.answer(bob("j1"))
    expect(supervisors(stage)).toEqual([])
    expect(stage.troupe.actors().counts).toMatchObject({ supervisors: 0, busy: 0, waiting: 0 })
  })

  it("goes after a job of its that threw, as after any other", async () => {
    const stage = play()
    await stage.startAll("j1", "j2")
    await stage.answer("j1")
    await stage.crash("j2")
    expect(supervisors(stage)).toEqual([])
  })

  it("stays while a child is being stopped", async () => {
    const stage = play({ stops: false })
    await stage.startAll("j1", "j2")
    await stage.answer("j1")
    await stage.cancel("j2")
    expect(supervisors(stage)).toEqual(["owner"])
    stage.stopping("j2").resolve({ text: "half" })
    await settled()
    expect(supervisors(stage)).toEqual([])
  })

  it("comes back with the owner's next job, time after time", async () => {
    const stage = play()
    for (const run of [1, 2, 3]) {
      await stage.start("j1", { run, ...(run > 1 && { session: sessionOf({ owner: "owner", id: "j1" }) }) })
      expect(supervisors(stage)).toEqual(["owner"])
      await stage.answer("j1", { text: `of run ${run}` })
      expect(supervisors(stage)).toEqual([])
    }
    expect(stage.record("j1")).toMatchObject({ state: "done", run: 3, text: "of run 3" })
    expect(stage.running()).toEqual(nothing)
  })

  it("stays for a job that is started the moment its last one ends", async () => {
    const stage = play()
    stage.troupe.records.subscribe((record) => {
      if (record.id === "j1" && hasEnded(record)) stage.troupe.start(jobInput({ id: "j2" }))
    })
    await stage.start("j1")
    // As many starts as the other's supervisor has heard of when it has nothing to do.
    await stage.start("j9", { owner: "bob" })
    await stage.answer("j1")
    expect(stage.record("j2")).toMatchObject({ state: "prompting", phase: "working" })
    expect(supervisors(stage)).toEqual(["owner", "bob"])
    await stage.answer("j2")
    await stage.answer(bob("j9"))
    expect(stage.record("j2").state).toBe("done")
    expect(stage.running()).toEqual(nothing)
  })

  it("goes although one of its jobs was started twice", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.start("j1")
    await stage.answer("j1")
    expect(supervisors(stage)).toEqual([])
  })
})

/** What is no event at all reaches no job: it breaks the supervisor that passes it on. */
const crashSupervisor = async (stage: ReturnType<typeof play>, job: Key) => {
  stage.troupe.tell(job, null as never)
  await settled()
}

describe("A job whose actor throws", () => {
  it("ends as failed, keeps what it had, and says that the defect is ours", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.tell("j1", stage.spent(4))
    await stage.pass(30)
    await stage.crash("j1")
    stage.stopping("j1").resolve({})
    await settled()
    const record = stage.record("j1")
    expect(record).toMatchObject({ state: "failed", endedAt: dawn + 30, usage: usage(4), startedAt: dawn })
    expect(record.error).toMatchObject({
      kind: "prompt",
      message: expect.stringContaining("a defect of opencode-troupe: "),
    })
    expect(record.phase).toBeUndefined()
    expect(record.deadlineAt).toBeUndefined()
    expect(Object.isFrozen(record)).toBe(true)
    expect(stage.defects).toHaveLength(1)
  })

  it("while it waits for people shows no ask any more", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.crashWaiting("j1")
    expect(stage.record("j1").state).toBe("failed")
    expect(stage.record("j1").asks).toBeUndefined()
  })

  it("while it waits for people has waited until then", async () => {
    const stage = play()
    await stage.start("j1")
    for (const ask of ["p1", "p2"]) {
      await stage.tell("j1", stage.permission(ask))
      await stage.pass(300)
      if (ask === "p1") await stage.tell("j1", stage.answered(ask))
    }
    await stage.crashWaiting("j1")
    expect(stage.record("j1")).toMatchObject({ state: "failed", endedAt: dawn + 600, waitedMs: 600 })
    expect(stage.record("j1")).not.toHaveProperty("waitingSince")
  })

  it("while it tries its provider again shows no retry any more", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1))
    await stage.crash("j1")
    expect(stage.record("j1").state).toBe("failed")
    expect(stage.record("j1")).not.toHaveProperty("retry")
    expect(stage.record("j1")).not.toHaveProperty("waitedMs")
  })

  it("touches nothing else: siblings, other owners, and what is started later go on", async () => {
    const stage = play()
    await stage.startAll("j1", "j2")
    await stage.start("j1", { owner: "bob" })
    const untouched = [stage.record("j2"), stage.record(bob("j1"))]
    await stage.crash("j1")
    expect([stage.record("j2"), stage.record(bob("j1"))]).toEqual(untouched)
    await stage.answer("j2")
    await stage.answer(bob("j1"))
    await stage.start("j3")
    await stage.answer("j3")
    expect(
      [stage.record("j2"), stage.record(bob("j1")), stage.record("j3")].map(({ state }) => state),
    ).toEqual(["done", "done", "done"])
  })

  it("leaves nothing running: its prompt is let go, its timers are gone, its child is stopped", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.crash("j1")
    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.calls.stopping.map(({ input }) => input.session)).toEqual([stage.record("j1").session])
    expect(stage.running()).toEqual(nothing)
  })

  it("in one owner's name leaves the prompt of another's job of that id alone", async () => {
    const stage = play()
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.start("j2", { owner: "alice" })
    await stage.crash(alice("j1"))
    expect(stage.prompting(alice("j1")).signal.aborted).toBe(true)
    expect(stage.prompting(bob("j1")).signal.aborted).toBe(false)
    expect(stage.prompting(alice("j2")).signal.aborted).toBe(false)
    expect(stage.calls.stopping).toHaveLength(1)
  })

  it("in a later run has its child stopped too, whatever became of the prompt before it", async () => {
    const stage = play()
    await stage.start("j1")
    const before = stage.prompting("j1")
    await stage.cancel("j1")
    await stage.start("j1", { run: 2, session: stage.record("j1").session })
    before.resolve({ text: "late", usage: usage(1) })
    await settled()
    await stage.crash("j1")
    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.calls.stopping.map(({ input }) => input.job.run)).toEqual([1, 2])
  })

  it("is on record as failed before its child is stopped, and before anybody is told", async () => {
    const stage = play({ records: false, stops: false })
    await stage.start("j1")
    await stage.crash("j1")
    expect(stage.recording("j1").input).toMatchObject({ state: "failed", error: { kind: "prompt" } })
    expect(stage.record("j1")).toMatchObject({ state: "prompting", phase: "stopping" })
    expect(stage.calls.stopping).toEqual([])
    stage.recording("j1").resolve()
    await settled()
    expect(hasEnded(stage.record("j1"))).toBe(false)
    stage.stopping("j1").resolve({ text: "half of it", usage: usage(5) })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "failed", text: "half of it", usage: usage(5) })
    expect(stage.record("j1")).not.toHaveProperty("phase")
  })

  it("does not end before it began, though the clock was set back", async () => {
    const stage = play({ opens: false })
    await stage.startAll("j1")
    await stage.pass(50)
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    stage.setBack(40)
    await stage.crash("j1")
    expect(stage.record("j1")).toMatchObject({ state: "failed", startedAt: dawn + 50, endedAt: dawn + 50 })
  })

  it("keeps no text where none could be read", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.crash("j1")
    stage.stopping("j1").resolve({})
    await settled()
    expect(stage.record("j1").state).toBe("failed")
    expect(stage.record("j1")).not.toHaveProperty("text")
  })

  it("ends all the same where its end crashes, too", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.crash("j1")
    stage.stopping("j1").resolve({
      get text(): string {
        throw new Error("one defect more")
      },
    })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "failed" })
    expect(stage.defects.map(String)).toContainEqual(expect.stringContaining("one defect more"))
  })

  it("is ended no further once all is stopped", async () => {
    const stage = play({ records: false, stops: false })
    await stage.start("j1")
    await stage.crash("j1")
    stage.troupe.stop()
    stage.recording("j1").resolve()
    await settled()
    expect(stage.calls.stopping).toEqual([])
    expect(hasEnded(stage.record("j1"))).toBe(false)
  })

  it("as it waits for a slot is on record as well, and has no child to stop", async () => {
    const stage = play({ concurrency: 1, records: false })
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await crashSupervisor(stage, bob("j1"))
    expect(stage.record(bob("j1"))).toMatchObject({ state: "created", phase: "stopping" })
    stage.recording(bob("j1")).resolve()
    await settled()
    expect(stage.record(bob("j1")).state).toBe("failed")
    expect(stage.calls.stopping).toEqual([])
  })

  it.each<[string, PlayOptions, number]>([
    ["store its end", { records: false }, 2_000],
    ["stop its child", { stops: false }, 5_000],
  ])("ends all the same where opencode does not %s", async (_, options, limitMs) => {
    const stage = play(options)
    await stage.start("j1")
    await stage.crash("j1")
    await stage.pass(limitMs - 1)
    expect(hasEnded(stage.record("j1"))).toBe(false)
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ state: "failed", endedAt: dawn })
    expect(stage.running()).toEqual(nothing)
  })

  it("ends all the same where opencode can neither store its end nor stop its child", async () => {
    const stage = play({ records: false, stops: false })
    await stage.start("j1")
    await stage.crash("j1")
    stage.recording("j1").reject(new Error("the disk is full"))
    await settled()
    stage.stopping("j1").reject(new Error("abort failed"))
    await settled()
    expect(stage.record("j1").state).toBe("failed")
  })

  it("ends once, whatever it is told and whoever starts it while its end is being stored", async () => {
    const stage = play({ records: false })
    await stage.start("j1")
    await stage.crash("j1")
    await stage.cancel("j1")
    await stage.tell("j1", stage.active())
    await stage.start("j1")
    stage.recording("j1").resolve()
    await settled()
    expect(stage.record("j1").state).toBe("failed")
    expect(stage.history.filter(hasEnded)).toHaveLength(1)
    expect(stage.calls.prompting).toHaveLength(1)
  })

  it("ends nowhere once the plugin is closed", async () => {
    const stage = play({ records: false })
    await stage.start("j1")
    await stage.crash("j1")
    stage.troupe.stop()
    stage.recording("j1").resolve()
    await stage.pass(10_000)
    expect(stage.history.filter(hasEnded)).toEqual([])
    expect(stage.clock.pending).toBe(0)
  })

  it("in a follow-up keeps the earlier answer", async () => {
    const stage = play({ stops: false })
    await stage.start("j1", { run: 2, session: "ses_owner_j1", earlier: { text: "before", usage: usage(1) } })
    await stage.crash("j1")
    stage.stopping("j1").resolve({ text: "half", usage: usage(3) })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "failed", text: "before", usage: usage(3) })
  })

  it("does not hear the answer that comes later", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.crash("j1")
    await stage.answer("j1")
    await stage.pass(1_000_000)
    expect(stage.record("j1").state).toBe("failed")
    expect(stage.defects).toHaveLength(1)
  })

  it("is the one that ends, however many started before it", async () => {
    const stage = play()
    await stage.startAll("j1", "j2", "j3")
    await stage.crash("j2")
    expect(["j1", "j2", "j3"].map((id) => stage.record(id).state)).toEqual([
      "prompting",
      "failed",
      "prompting",
    ])
  })

  it("can be given a follow-up", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.crash("j1")
    await stage.start("j1", { run: 2, session: stage.record("j1").session })
    await stage.answer("j1")
    expect(stage.record("j1")).toMatchObject({ state: "done", run: 2 })
  })
})

describe("A supervisor that throws", () => {
  it("fails the jobs that it answered for, stops their children, and leaves those that had ended", async () => {
    const stage = play()
    for (const id of ["j1", "j2", "j3"]) await stage.start(id, { owner: "alice" })
    await stage.answer(alice("j1"))
    const ended = stage.record(alice("j1"))
    await crashSupervisor(stage, alice("j2"))
    expect(stage.record(alice("j1"))).toBe(ended)
    for (const id of ["j2", "j3"]) {
      expect(stage.record(alice(id))).toMatchObject({ state: "failed", error: { kind: "prompt" } })
      expect(stage.prompting(alice(id)).signal.aborted).toBe(true)
    }
    expect(stage.calls.stopping.map(({ input }) => input.job.id)).toEqual(["j2", "j3"])
    expect(stage.defects).toHaveLength(1)
  })

  it.each(["is answered", "is cancelled"])("stops no child for a prompt that %s already", async (how) => {
    const stage = play({ concurrency: 1 })
    await stage.start("j1", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    if (how === "is answered") await stage.answer(alice("j1"))
    else await stage.cancel(alice("j1"))
    const stops = stage.calls.stopping.length
    await stage.start("j1", { owner: "alice", run: 2, session: "ses_alice_j1" })
    await crashSupervisor(stage, alice("j1"))
    expect(stage.record(alice("j1"))).toMatchObject({ state: "failed", run: 2 })
    expect(stage.calls.stopping).toHaveLength(stops)
  })

  it("touches no other owner, and takes no slot with it", async () => {
    const stage = play({ concurrency: 1 })
    await stage.start("j1", { owner: "alice" })
    await stage.start("j2", { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await crashSupervisor(stage, alice("j1"))
    expect(stage.record(bob("j1")).phase).toBe("working")
    expect(stage.running().slots).toEqual({ busy: 1, waiting: 0 })
    await stage.answer(bob("j1"))
    expect(stage.record(bob("j1")).state).toBe("done")
    expect(stage.running().slots).toEqual(nothing.slots)
  })

  it("is followed by a new one", async () => {
    const stage = play()
    await stage.start("j1", { owner: "alice" })
    await crashSupervisor(stage, alice("j1"))
    await stage.start("j2", { owner: "alice" })
    await stage.answer(alice("j2"))
    expect(stage.record(alice("j2")).state).toBe("done")
    expect(stage.running().slots).toEqual(nothing.slots)
  })

  it("leaves no job's actor behind that could still speak", async () => {
    const stage = play()
    await stage.start("j1", { owner: "alice" })
    await crashSupervisor(stage, alice("j1"))
    const failed = stage.record(alice("j1"))
    await stage.answer(alice("j1"))
    await stage.pass(1_000_000)
    expect(stage.record(alice("j1"))).toBe(failed)
    expect(stage.calls.stopping).toHaveLength(1)
  })
})

describe("A supervisor's own book", () => {
  /** A supervisor by itself, under a parent that notes what it is told. */
  function supervisor() {
    const told: string[] = []
    const parent = createActor(
      setup({ types: { events: {} as SlotEvent } }).createMachine({
        on: { "slot.*": { actions: ({ event }) => void told.push(`${event.type} ${event.job}`) } },
      }),
    ).start()
    const actor = createActor(supervisorMachine, { input: { owner: "alice" }, parent }).start()
    return {
      told,
      send: (event: SupervisorEvent) => actor.send(event),
      start: (id: string) => actor.send({ type: "job.start", job: jobInput({ owner: "alice", id }) }),
      live: () => actor.getSnapshot().context.live.map(({ job, actor }) => `${job}: ${actor}`),
    }
  }
  const ended = recordOf(createActor(jobMachine, { input: jobInput() }).getSnapshot())

  it("numbers the actors of its jobs, and gives a number that is free again to the next", () => {
    const { start, send, live } = supervisor()
    for (const id of ["a", "b", "c"]) start(id)
    expect(live()).toEqual(["a: job-0", "b: job-1", "c: job-2"])
    send({ type: "xstate.done.actor.job-1", actorId: "job-1", output: ended })
    start("d")
    expect(live()).toEqual(["a: job-0", "c: job-2", "d: job-1"])
  })

  it("gives no slot back for an actor that is not in it", () => {
    const { start, send, live, told } = supervisor()
    start("a")
    send({ type: "xstate.done.actor.job-7", actorId: "job-7", output: ended })
    send({ type: "xstate.error.actor.job-7", actorId: "job-7", error: new Error("what?") })
    expect(live()).toEqual(["a: job-0"])
    expect(told).toEqual(["slot.request a"])
  })

  it("is empty where nothing was started, as is the system's", () => {
    expect(supervisor().live()).toEqual([])
    const [system] = initialTransition(systemMachine, { concurrency: 3 })
    expect(system.context.owners).toEqual([])
  })

  it("is not looked for where an owner has none", () => {
    const [empty] = initialTransition(systemMachine, { concurrency: 3 })
    const start = { type: "job.start", job: jobInput({ owner: "alice" }) } as const
    const [system] = transition(systemMachine, empty, { type: "owner.tell", owner: "alice", event: start })
    const [ended, effects] = transition(systemMachine, system, { type: "owner.end", owner: "nobody" })
    expect(ended.context.owners).toEqual([{ id: "alice", starts: 1 }])
    expect(effects.map(({ type }) => type)).toEqual(["announceGrants"])
  })
})

describe("A system that throws", () => {
  it("is reported, and throws nothing into opencode", async () => {
    const defects: unknown[] = []
    const troupe = createTroupe({
      effects: {
        openSession: () => new Promise(() => {}),
        promptChild: () => new Promise(() => {}),
        lookForAnswer: () => new Promise(() => {}),
        recordEnd: () => new Promise(() => {}),
        runCheck: () => Promise.reject(new Error("no job here has one")),
        leaveChild: async ({ job: { prompt } }) => ({ prompt, changed: [] }),
        stopChild: () => new Promise(() => {}),
      },
      concurrency: 1,
      now: () => {
        throw new Error("no time")
      },
      reportError: (error) => void defects.push(error),
    })
    onTestFinished(() => troupe.stop())
    troupe.start(jobInput())
    await settled()
    expect(troupe.actors().state).toBe("error")
    expect(defects).toContainEqual(new Error("no time"))
  })
})

describe("A listener", () => {
  it("hears of every change, with the record before it, until it has had enough", async () => {
    const stage = play({ concurrency: 0 })
    const heard: [string | undefined, string | undefined][] = []
    const enough = stage.troupe.records.subscribe((record, before) => {
      heard.push([before?.phase ?? before?.state, record.phase ?? record.state])
    })
    await stage.start("j1")
    await stage.cancel("j1")
    expect(heard).toEqual([
      [undefined, "opening"],
      ["opening", "queued"],
      ["queued", "stopping"],
      ["stopping", "cancelled"],
    ])
    enough()
    await stage.start("j2")
    expect(heard).toHaveLength(4)
  })

  it("that throws is reported and disturbs nobody", async () => {
    const stage = play()
    const heard: JobRecord[] = []
    stage.troupe.records.subscribe(() => {
      throw new Error("a listener's own")
    })
    stage.troupe.records.subscribe((record) => void heard.push(record))
    await stage.start("j1")
    await stage.answer("j1")
    expect(stage.record("j1").state).toBe("done")
    expect(heard.at(-1)?.state).toBe("done")
    expect(stage.defects).toContainEqual(new Error("a listener's own"))
    expect(stage.running()).toEqual(nothing)
  })

  it("that starts a follow-up the moment a job ends gets it", async () => {
    const stage = play({ concurrency: 1 })
    stage.troupe.records.subscribe((record) => {
      if (hasEnded(record) && record.run < 3) {
        stage.troupe.start(jobInput({ id: record.id, run: record.run + 1, session: record.session }))
      }
    })
    await stage.start("j1")
    await stage.answer("j1", { text: "one" })
    await stage.cancel("j1")
    await stage.answer("j1", { text: "three" })
    expect(stage.record("j1")).toMatchObject({ state: "done", run: 3, text: "three" })
    expect(stage.running()).toEqual(nothing)
  })
})

describe("Jobs that a job's own child started", () => {
  const child = sessionOf({ owner: "owner", id: "j1" })
  const grandchild = sessionOf({ owner: child, id: "j1" })

  it.each([
    ["is done", "done"],
    ["is cancelled", "cancelled"],
    ["times out", "timedOut"],
    ["crashes", "failed"],
  ] as const)("are cancelled when it %s, down to the last, and their slots are freed", async (_, state) => {
    const stage = play()
    await stage.start("j1")
    await stage.start("j1", { owner: child })
    await stage.start("j2", { owner: child })
    await stage.start("j1", { owner: grandchild })
    await stage.answer({ owner: child, id: "j2" })
    if (state === "done") await stage.answer("j1")
    if (state === "cancelled") await stage.cancel("j1")
    if (state === "failed") await stage.crash("j1")
    if (state === "timedOut") {
      await stage.tell({ owner: child, id: "j1" }, stage.permission("p1"))
      await stage.tell({ owner: grandchild, id: "j1" }, stage.permission("p1"))
      await stage.pass(20_000)
    }
    expect(stage.record("j1").state).toBe(state)
    expect(stage.record({ owner: child, id: "j1" })).toMatchObject({
      state: "cancelled",
      error: { kind: "cancelled", message: `the job that started it ended (j1: ${state})` },
    })
    expect(stage.record({ owner: grandchild, id: "j1" }).state).toBe("cancelled")
    expect(stage.record({ owner: child, id: "j2" }).state).toBe("done")
    expect(stage.running()).toEqual(nothing)
  })

  it("are left alone when another job ends", async () => {
    const stage = play()
    await stage.startAll("j1", "j2")
    await stage.start("j1", { owner: child })
    await stage.answer("j2")
    expect(stage.record({ owner: child, id: "j1" }).state).toBe("prompting")
  })
})

describe("Records", () => {
  it("are found by owner and id, by owner in the order of the start, and by session", async () => {
    const stage = play()
    for (const id of ["j2", "j1"]) await stage.start(id, { owner: "alice" })
    await stage.start("j1", { owner: "bob" })
    await stage.answer(alice("j2"))
    const { records } = stage.troupe
    expect(records.of("alice").map(({ id }) => id)).toEqual(["j2", "j1"])
    expect([...records.all()]).toHaveLength(3)
    expect(records.bySession("ses_bob_j1")).toBe(records.get("bob", "j1"))
    expect(records.bySession("ses_of_nobody")).toBeUndefined()
    expect(records.get("bob", "j2")).toBeUndefined()
    expect(records.of("carol")).toEqual([])
  })

  it("of jobs whose session was never made cannot be mistaken for one another", async () => {
    const stage = play({ opens: false })
    await stage.startAll("j1", "j2")
    expect(stage.troupe.records.bySession("")).toBeUndefined()
  })

  it("of an earlier process are taken in as they are, and can be given a follow-up", async () => {
    const stage = play()
    const old: JobRecord = {
      id: "j1",
      session: "ses_old",
      owner: "owner",
      description: "Find the bug",
      agent: "general",
      state: "done",
      run: 1,
      createdAt: 1,
      text: "It was in line 3.",
      usage: usage(1),
    }
    stage.troupe.adopt(old)
    await stage.cancel("j1")
    expect(stage.record("j1")).toEqual(old)
    expect(stage.troupe.records.bySession("ses_old")).toEqual(old)
    await stage.start("j1", { run: 2, session: "ses_old", earlier: { text: old.text, usage: old.usage } })
    await stage.answer("j1", { text: "And in line 5." })
    expect(stage.record("j1")).toMatchObject({ state: "done", run: 2, text: "And in line 5." })
    expect(stage.calls.opening).toEqual([])
  })
})

describe("The text of a job that has ended", () => {
  it("leaves memory when it is released, and nothing else does", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1", { text: "x".repeat(1_000_000) })
    const { text: _text, ...rest } = stage.record("j1")
    const heard = stage.history.length
    stage.troupe.releaseText({ owner: "owner", id: "j1" })
    expect(stage.record("j1")).toEqual(rest)
    expect(stage.record("j1")).not.toHaveProperty("text")
    expect(Object.isFrozen(stage.record("j1"))).toBe(true)
    expect(stage.troupe.records.bySession(rest.session)).toBe(stage.record("j1"))
    // Nothing has happened to the job.
    expect(stage.history).toHaveLength(heard)
  })

  it("cannot be released while it runs, nor that of a job that is not there", async () => {
    const stage = play()
    const earlier = { text: "of run 1", usage: usage(1) }
    await stage.start("j1", { run: 2, session: "ses_1", earlier })
    stage.troupe.releaseText({ owner: "owner", id: "j1" })
    await stage.cancel("j1")
    expect(stage.record("j1").text).toBe("of run 1")
    stage.troupe.releaseText({ owner: "owner", id: "j9" })
    stage.troupe.releaseText({ owner: "nobody", id: "j1" })
    expect(stage.troupe.records.of("owner")).toHaveLength(1)
    expect(stage.troupe.records.of("nobody")).toEqual([])
  })

  it("is there again after a follow-up", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1", { text: "of run 1" })
    stage.troupe.releaseText({ owner: "owner", id: "j1" })
    await stage.start("j1", { run: 2, session: stage.record("j1").session })
    await stage.answer("j1", { text: "of run 2" })
    expect(stage.record("j1").text).toBe("of run 2")
  })
})

describe("A troupe that is stopped", () => {
  it("lets go of every effect and every timer, and ends no job", async () => {
    const stage = play({ concurrency: 1 })
    await stage.startAll("j1", "j2")
    stage.troupe.stop()
    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.clock.pending).toBe(0)
    expect(stage.record("j1").state).toBe("prompting")
    expect(stage.calls.stopping).toEqual([])
  })

  it("hears nothing any more, and complains about nothing", async () => {
    const stage = play()
    await stage.start("j1")
    stage.troupe.stop()
    await stage.answer("j1")
    await stage.pass(1_000_000)
    expect(stage.record("j1").state).toBe("prompting")
    expect(stage.defects).toEqual([])
  })
})

describe("Effects that fail in every way", () => {
  it("leave no unhandled rejection", async () => {
    const unhandled: unknown[] = []
    const remember = (reason: unknown) => void unhandled.push(reason)
    process.on("unhandledRejection", remember)
    onTestFinished(() => void process.off("unhandledRejection", remember))

    const stage = play({ opens: false, stops: false })
    await stage.startAll("j1", "j2", "j3")
    await stage.pass(30_000)
    stage.opening("j1").reject(new Error("after its limit"))
    await stage.startAll("j4", "j5", "j6")
    for (const id of ["j4", "j5", "j6"]) stage.opening(id).resolve({ session: `ses_${id}` })
    await settled()
    await stage.cancel("j4")
    stage.prompting("j4").reject(new Error("after its cancel"))
    stage.prompting("j5").reject(new Error("at work"))
    await settled()
    stage.stopping("j5").reject(new Error("not stopped"))
    await stage.crash("j6")
    stage.prompting("j6").reject(new Error("after its crash"))
    await stage.pass(5_000)
    stage.stopping("j4").reject(new Error("after its limit"))
    await settled()
    await settled()
    expect(unhandled).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })
})

describe("Providers that want to be asked later", () => {
  it("are on hold each by itself: an answer ends the hold of its own, and the other's ends in time", async () => {
    const day = play()
    const models = { a: "anthropic/opus", b: "openai/gpt" }
    await day.start("a", { model: models.a })
    await day.start("b", { model: models.b })
    for (const id of ["a", "b"]) day.troupe.hold({ owner: "owner", id }, day.now() + 60_000)
    await day.start("a2", { model: models.a })
    await day.start("b2", { model: models.b })
    const phases = () => [day.record("a2").phase, day.record("b2").phase]
    expect(phases()).toEqual(["queued", "queued"])
    await day.pass(10_000)
    await day.answer("b")
    expect(phases()).toEqual(["queued", "working"])
    await day.pass(49_999)
    expect(day.record("a2").phase).toBe("queued")
    await day.pass(1)
    expect(day.record("a2").phase).toBe("working")
  })
})
