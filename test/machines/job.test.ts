import { describe, expect, it } from "vitest"
import { createActor, toPromise } from "xstate"
import type { JobEvent } from "../../src/machines/events.ts"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { JobRecord, NO_USAGE } from "../../src/machines/record.ts"
import { dawn, jobInput, usage } from "./support/jobs.ts"
import { nothing, type Play, play, sessionOf, settled } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

const session = sessionOf({ owner: "owner", id: "j1" })

describe("A job on its way to its answer", () => {
  it("opens its child session first, and has a record from the first moment", async () => {
    const stage = play({ opens: false })
    await stage.start("j1", { model: "openai/gpt" })
    expect(stage.record("j1")).toEqual({
      id: "j1",
      session: "",
      owner: "owner",
      description: "Find the bug",
      agent: "general",
      model: "openai/gpt",
      state: "created",
      phase: "opening",
      run: 1,
      createdAt: dawn,
      usage: NO_USAGE,
    })
    expect(stage.calls.opening[0]?.input).toMatchObject({ id: "j1", prompt: "Find the bug in the parser." })
    expect(stage.calls.prompting).toEqual([])
  })

  it("waits for a slot once its session is there", async () => {
    const stage = play({ concurrency: 0 })
    await stage.start("j1")
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "queued", session })
    expect(stage.record("j1").startedAt).toBeUndefined()
    expect(stage.calls.prompting).toEqual([])
  })

  it("prompts its child in its slot, and says when its time runs out", async () => {
    const stage = play()
    await stage.pass(500)
    await stage.start("j1")
    expect(stage.record("j1")).toMatchObject({
      state: "prompting",
      phase: "working",
      startedAt: dawn + 500,
      deadlineAt: dawn + 60_500,
    })
    expect(stage.prompting("j1").input).toMatchObject({ session, job: { id: "j1" } })
  })

  it("is done with the child's final message, and leaves nothing running", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(3_000)
    await stage.answer("j1", { text: "It is in line 7.", usage: usage(12) })
    expect(stage.record("j1")).toEqual({
      id: "j1",
      session,
      owner: "owner",
      description: "Find the bug",
      agent: "general",
      state: "done",
      run: 1,
      createdAt: dawn,
      startedAt: dawn,
      endedAt: dawn + 3_000,
      text: "It is in line 7.",
      usage: usage(12),
    })
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("is plain JSON that its own schema takes, at every step", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.active())
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", stage.answered("p1"))
    await stage.answer("j1")
    for (const record of stage.history) {
      expect(JSON.parse(JSON.stringify(record))).toEqual(record)
      expect(JobRecord.parse(record)).toEqual(record)
    }
    expect(Object.isFrozen(stage.record("j1"))).toBe(true)
  })

  it("shows what its child does and has spent", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(100)
    const event: JobEvent = { type: "child.active", activity: { tool: "bash", text: "ls", at: stage.now() } }
    await stage.tell("j1", event)
    await stage.tell("j1", stage.spent(5))
    expect(stage.record("j1")).toMatchObject({
      phase: "working",
      activity: { tool: "bash", text: "ls", at: dawn + 100 },
      usage: usage(5),
    })
  })

  it("shows that opencode tries again, and why, until the child works", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", stage.retrying(2))
    expect(stage.record("j1")).toMatchObject({
      state: "prompting",
      phase: "retrying",
      retry: { attempt: 2, reason: "overloaded", next: dawn + 2_000 },
    })
    await stage.tell("j1", stage.active())
    expect(stage.record("j1").phase).toBe("working")
    expect(stage.record("j1").retry).toBeUndefined()
  })
})

describe("A job whose child waits for people", () => {
  it("shows the permission that nobody has given, and works on once it is given", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    expect(stage.record("j1")).toMatchObject({
      state: "prompting",
      phase: "permission",
      asks: [{ id: "p1", kind: "permission", text: "bash: rm -rf dist" }],
    })
    await stage.tell("j1", stage.answered("p1"))
    expect(stage.record("j1").phase).toBe("working")
    expect(stage.record("j1").asks).toBeUndefined()
  })

  it("shows the question that nobody has answered", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.question("q1"))
    expect(stage.record("j1")).toMatchObject({ phase: "question", asks: [{ id: "q1", text: "Which one?" }] })
  })

  it("shows the oldest of several asks, and waits for the last one", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", stage.question("q1"))
    await stage.tell("j1", stage.permission("p2"))
    const phases = [stage.record("j1").phase]
    for (const ask of ["p1", "q1", "p2"]) {
      await stage.tell("j1", stage.answered(ask))
      phases.push(stage.record("j1").phase)
    }
    expect(phases).toEqual(["permission", "question", "permission", "working"])
  })

  it("keeps the others when one in the middle is answered", async () => {
    const stage = play()
    await stage.start("j1")
    for (const id of ["q1", "q2", "q3"]) await stage.tell("j1", stage.question(id))
    await stage.tell("j1", stage.answered("q2"))
    expect(stage.record("j1").asks?.map(({ id }) => id)).toEqual(["q1", "q3"])
  })

  it("is told of one ask twice and waits for it once", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", stage.permission("p1"))
    expect(stage.record("j1").asks).toHaveLength(1)
    await stage.tell("j1", stage.answered("p1"))
    expect(stage.record("j1").phase).toBe("working")
  })

  it("goes on waiting when an ask that it does not know is answered", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.answered("p9"))
    expect(stage.record("j1").phase).toBe("working")
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", stage.answered("p9"))
    expect(stage.record("j1").phase).toBe("permission")
  })

  it("goes on waiting while another tool of the child works", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", stage.active("reads"))
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", stage.spent(3))
    expect(stage.record("j1")).toMatchObject({
      phase: "permission",
      activity: { text: "reads" },
      usage: usage(3),
    })
  })

  it("shows no retry that is over", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", stage.permission("p1"))
    expect(stage.record("j1").retry).toBeUndefined()
  })

  it("is done when the answer comes all the same, and waits for nobody then", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.answer("j1", { text: "Without it, then." })
    expect(stage.record("j1")).toMatchObject({ state: "done", text: "Without it, then." })
    expect(stage.record("j1").asks).toBeUndefined()
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })
})

describe("A job whose provider fails while people are asked", () => {
  it("ends once, as failed, and waits for nobody then", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.answer("j1", { error: { kind: "provider", message: "overloaded" } })
    expect(stage.record("j1")).toMatchObject({ state: "failed", error: { message: "overloaded" } })
    expect(stage.record("j1").asks).toBeUndefined()
    const ends = stage.history.filter(({ state }) => state !== "created" && state !== "prompting")
    expect(new Set(ends.map(({ state }) => state))).toEqual(new Set(["failed"]))
  })
})

describe("The total time", () => {
  const lively = async (stage: Play, ms: number) => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      await stage.pass(Math.min(10_000, ms - passed))
      await stage.tell("j1", stage.active())
    }
  }

  it("ends a job that is not done within it, however lively it is", async () => {
    const stage = play()
    await stage.start("j1")
    await lively(stage, 59_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 60_000,
      error: { kind: "total", message: "not done within 60 s" },
    })
    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.running()).toEqual(nothing)
  })

  it("does not count while the job waits for a slot", async () => {
    const stage = play({ concurrency: 1 })
    await stage.startAll("j0", "j1")
    await stage.tell("j0", stage.permission("p1"))
    await stage.pass(500_000)
    await stage.answer("j0")
    expect(stage.record("j1")).toMatchObject({ phase: "working", deadlineAt: dawn + 560_000 })
  })

  it("does not count while the child waits for people", async () => {
    const stage = play()
    await stage.start("j1")
    await lively(stage, 40_000)
    await stage.tell("j1", stage.permission("p1"))
    expect(stage.record("j1").deadlineAt).toBeUndefined()
    await stage.pass(1_000_000)
    await stage.tell("j1", stage.question("q1"))
    await stage.tell("j1", stage.answered("p1"))
    await stage.pass(1_000_000)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.tell("j1", stage.answered("q1"))
    expect(stage.record("j1").deadlineAt).toBe(stage.now() + 20_000)
    await lively(stage, 19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "total" } })
  })

  it("is what is left of it after each of several waits", async () => {
    const stage = play()
    await stage.start("j1")
    for (const ask of ["p1", "p2", "p3"]) {
      await stage.pass(15_000)
      await stage.tell("j1", stage.permission(ask))
      await stage.pass(100_000)
      await stage.tell("j1", stage.answered(ask))
    }
    expect(stage.record("j1").deadlineAt).toBe(stage.now() + 15_000)
    expect(stage.record("j1").startedAt).toBe(dawn)
    await stage.pass(15_000)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "total" } })
  })

  it("is over at once for a child that asked in its last moment", async () => {
    const stage = play()
    await stage.start("j1", { idleMs: 90_000 })
    await stage.pass(59_000)
    const late = { ...stage.permission("p1"), at: dawn + 61_000 } as JobEvent
    await stage.tell("j1", late)
    await stage.tell("j1", stage.answered("p1"))
    await stage.pass(0)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "total" } })
  })
})

describe("The idle time", () => {
  it("ends a job whose child gives no sign of life", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 20_000,
      error: { kind: "idle", message: "no sign of life for 20 s" },
    })
    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.running()).toEqual(nothing)
  })

  it("starts again with each sign of life", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(15_000)
    await stage.tell("j1", stage.active())
    await stage.pass(19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 35_000, error: { kind: "idle" } })
  })

  it("runs while opencode tries again, and starts again with each attempt", async () => {
    const stage = play()
    await stage.start("j1")
    for (const attempt of [1, 2]) {
      await stage.pass(15_000)
      await stage.tell("j1", stage.retrying(attempt))
    }
    await stage.pass(19_999)
    expect(stage.record("j1").phase).toBe("retrying")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 50_000,
      error: { kind: "idle" },
    })
    expect(stage.calls.stopping).toHaveLength(1)
  })

  it("does not restart for news that is no sign of life", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(19_000)
    await stage.tell("j1", stage.spent(3))
    await stage.tell("j1", stage.answered("p9"))
    await stage.pass(1_000)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "idle" } })
  })

  it("stands still while people are waited for, and is whole afterwards", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(15_000)
    await stage.tell("j1", stage.question("q1"))
    await stage.pass(1_000_000)
    await stage.tell("j1", stage.answered("q1"))
    await stage.pass(19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: stage.now(),
      error: { kind: "idle" },
    })
  })
})

describe("A cancel", () => {
  it("waits for the session that is being made, so that none is left behind unrecorded", async () => {
    const stage = play({ opens: false })
    await stage.start("j1")
    await stage.cancel("j1")
    expect(stage.record("j1").state).toBe("created")
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    expect(stage.record("j1")).toMatchObject({
      state: "cancelled",
      session: "ses_1",
      error: { kind: "cancelled", message: "no longer needed" },
    })
    expect(stage.calls.prompting).toEqual([])
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("stands when the session cannot be made, or not in time", async () => {
    const stage = play({ opens: false })
    await stage.startAll("j1", "j2")
    await stage.cancel("j1")
    await stage.cancel("j2")
    stage.opening("j1").reject(new Error("no"))
    await stage.pass(30_000)
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", error: { kind: "cancelled" } })
    expect(stage.record("j2")).toMatchObject({ state: "cancelled", error: { kind: "cancelled" } })
    expect(stage.running()).toEqual(nothing)
  })

  it("in the queue ends the job at once: there is nothing to stop", async () => {
    const stage = play({ concurrency: 0 })
    await stage.start("j1")
    await stage.pass(100)
    await stage.cancel("j1")
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", endedAt: dawn + 100 })
    expect(stage.record("j1").phase).toBeUndefined()
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it.each([
    { phase: "working", bring: [] },
    { phase: "retrying", bring: ["retrying"] },
    { phase: "permission", bring: ["permission"] },
    { phase: "question", bring: ["question"] },
  ] as const)("in phase $phase aborts the child and keeps what it had written", async ({ phase, bring }) => {
    const stage = play({ stops: false })
    await stage.start("j1")
    const events = {
      retrying: stage.retrying(1),
      permission: stage.permission("p1"),
      question: stage.question("q1"),
    }
    for (const name of bring) await stage.tell("j1", events[name])
    expect(stage.record("j1").phase).toBe(phase)
    await stage.pass(100)
    await stage.cancel("j1")

    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.stopping("j1").input).toMatchObject({ session, job: { id: "j1" } })
    const stopping = stage.record("j1")
    expect(stopping).toMatchObject({ state: "prompting", phase: "stopping" })
    expect(stopping.asks).toBeUndefined()
    expect(stopping.retry).toBeUndefined()
    expect(stopping.deadlineAt).toBeUndefined()

    await stage.pass(50)
    stage.stopping("j1").resolve({ text: "So far: line 7.", usage: usage(9) })
    await settled()
    expect(stage.record("j1")).toMatchObject({
      state: "cancelled",
      endedAt: dawn + 100,
      error: { kind: "cancelled", message: "no longer needed" },
      text: "So far: line 7.",
      usage: usage(9),
    })
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.running()).toEqual(nothing)
  })

  it("twice is one: the first reason stands, and the child is aborted once", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.cancel("j1", "first")
    await stage.cancel("j1", "second")
    stage.stopping("j1").resolve({ text: undefined, usage: NO_USAGE })
    await settled()
    await stage.cancel("j1", "third")
    expect(stage.record("j1").error?.message).toBe("first")
    expect(stage.calls.stopping).toHaveLength(1)
  })

  it("twice while the session is made is one", async () => {
    const stage = play({ opens: false })
    await stage.start("j1")
    await stage.cancel("j1", "first")
    await stage.pass(10)
    await stage.cancel("j1", "second")
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn, error: { message: "first" } })
  })

  it("of a job that a timeout is ending leaves it timed out", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.pass(20_000)
    await stage.cancel("j1")
    stage.stopping("j1").resolve({ text: "half", usage: NO_USAGE })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "idle" }, text: "half" })
  })
})

describe("A job that has ended", () => {
  it("is not changed by anything that comes later", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1", { text: "first" })
    const ended = structuredClone(stage.record("j1"))
    const heard = stage.history.length
    await stage.cancel("j1")
    for (const event of [stage.active(), stage.retrying(1), stage.permission("p1"), stage.spent(99)]) {
      await stage.tell("j1", event)
    }
    await stage.tell("j1", { type: "slot.granted", at: stage.now() })
    await stage.pass(1_000_000)
    expect(stage.record("j1")).toEqual(ended)
    expect(stage.history).toHaveLength(heard)
  })

  it.each(["cancel", "timeout"])("is not changed by the answer that comes after a %s", async (how) => {
    const stage = play()
    await stage.start("j1")
    if (how === "cancel") await stage.cancel("j1")
    else await stage.pass(20_000)
    const ended = structuredClone(stage.record("j1"))
    await stage.answer("j1", { text: "too late", usage: usage(99) })
    expect(stage.record("j1")).toEqual(ended)
  })

  it("does not hear an answer that comes while its child is being stopped", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.cancel("j1")
    await stage.answer("j1", { text: "too late", usage: usage(99) })
    expect(stage.record("j1").phase).toBe("stopping")
    stage.stopping("j1").resolve({ text: "half", usage: usage(1) })
    await settled()
    stage.prompting("j1").reject(new Error("later still"))
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", text: "half", usage: usage(1) })
  })
})

describe("An effect that fails", () => {
  it("to make the session, with a reason, fails the job with it", async () => {
    const stage = play({ opens: false })
    await stage.start("j1")
    await stage.pass(7)
    stage.opening("j1").reject({ kind: "create", message: "no such agent: genral" })
    await settled()
    expect(stage.record("j1")).toMatchObject({
      state: "failed",
      session: "",
      endedAt: dawn + 7,
      error: { kind: "create", message: "no such agent: genral" },
    })
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("with a thrown Error, or anything else, is named by where it failed", async () => {
    const stage = play({ opens: false })
    await stage.startAll("j1", "j2", "j3")
    stage.opening("j1").reject(new Error("socket hang up"))
    stage.opening("j2").reject("just a string")
    stage.opening("j3").resolve({ session: "ses_3" })
    await settled()
    stage.prompting("j3").reject(new Error("fetch failed"))
    await settled()
    expect(stage.record("j1").error).toEqual({ kind: "create", message: "socket hang up" })
    expect(stage.record("j2").error).toEqual({ kind: "create", message: "just a string" })
    expect(stage.record("j3").error).toEqual({ kind: "prompt", message: "fetch failed" })
    expect(stage.record("j3").state).toBe("failed")
  })

  it("to make the session in 30 s, fails the job, and a session that comes later changes nothing", async () => {
    const stage = play({ opens: false })
    await stage.start("j1")
    await stage.pass(29_999)
    expect(stage.record("j1").phase).toBe("opening")
    await stage.pass(1)
    const error = { kind: "create", message: "opencode did not make the child session within 30 s" }
    expect(stage.record("j1")).toMatchObject({ state: "failed", endedAt: dawn + 30_000, error })
    expect(stage.opening("j1").signal.aborted).toBe(true)
    stage.opening("j1").resolve({ session: "ses_late" })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "failed", session: "" })
    expect(stage.running()).toEqual(nothing)
  })

  it("to prompt, stops the child, which may be at work all the same", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.pass(7)
    stage.prompting("j1").reject({ kind: "interrupted", message: "opencode went away" })
    await settled()
    expect(stage.record("j1").phase).toBe("stopping")
    stage.stopping("j1").resolve({ text: "half", usage: usage(2) })
    await settled()
    expect(stage.record("j1")).toMatchObject({
      state: "failed",
      endedAt: dawn + 7,
      error: { kind: "interrupted", message: "opencode went away" },
      text: "half",
      usage: usage(2),
    })
  })

  it("to stop the child does not keep the job from ending", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.tell("j1", stage.spent(4))
    await stage.cancel("j1")
    stage.stopping("j1").reject(new Error("abort failed"))
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", usage: usage(4) })
    expect(stage.running()).toEqual(nothing)
  })

  it("to stop the child within 5 s is not waited for", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.cancel("j1")
    await stage.pass(4_999)
    expect(stage.record("j1").phase).toBe("stopping")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", endedAt: dawn })
    expect(stage.stopping("j1").signal.aborted).toBe(true)
    expect(stage.running()).toEqual(nothing)
  })

  it("never, though: an answer that never comes is ended by the idle time", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(20_000)
    expect(stage.record("j1").state).toBe("timedOut")
    expect(stage.prompting("j1").signal.aborted).toBe(true)
  })
})

describe("A job machine without effects", () => {
  it("fails at its first one, and says why", async () => {
    const job = createActor(jobMachine, { input: jobInput() })
    const done = toPromise(job)
    job.start()
    const error = { kind: "create", message: "Error: no effects were provided" }
    expect(await done).toMatchObject({ state: "failed", error, endedAt: dawn })
  })

  it("that has a session fails at its prompt, and says so", async () => {
    const job = createActor(jobMachine, { input: jobInput({ session, run: 2 }) })
    const done = toPromise(job)
    job.start()
    job.send({ type: "slot.granted", at: dawn })
    const error = { kind: "prompt", message: "Error: no effects were provided" }
    expect(await done).toMatchObject({ state: "failed", error, endedAt: dawn })
  })
})

describe("An answer that carries an error", () => {
  it("is a failure in the provider's words, never done, and the child needs no stopping", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(5)
    const error = { kind: "provider", message: "401: invalid key" } as const
    await stage.answer("j1", { text: "half", usage: usage(3), error })
    expect(stage.record("j1")).toMatchObject({
      state: "failed",
      endedAt: dawn + 5,
      error,
      text: "half",
      usage: usage(3),
    })
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })
})

describe("A follow-up", () => {
  const earlier = { text: "It is in line 7.", usage: usage(10) }
  const followUp = { run: 2, session, earlier }

  it("goes on in the same child session, without making another", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1", { text: earlier.text })
    await stage.start("j1", followUp)
    expect(stage.calls.opening).toHaveLength(1)
    expect(stage.prompting("j1").input).toMatchObject({ session, job: { run: 2 } })
    expect(stage.record("j1")).toMatchObject({
      state: "prompting",
      run: 2,
      text: earlier.text,
      usage: usage(10),
    })
    await stage.answer("j1", { text: "Line 9 too.", usage: usage(15) })
    expect(stage.record("j1")).toMatchObject({ state: "done", run: 2, text: "Line 9 too.", usage: usage(15) })
    expect(stage.running()).toEqual(nothing)
  })

  it("waits for a slot like any other run", async () => {
    const stage = play({ concurrency: 1 })
    await stage.start("j0")
    await stage.start("j1", followUp)
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "queued", session, run: 2 })
    await stage.answer("j0")
    expect(stage.record("j1").phase).toBe("working")
  })

  it("that fails keeps the earlier answer", async () => {
    const stage = play()
    await stage.start("j1", followUp)
    const error = { kind: "provider", message: "overloaded" } as const
    await stage.answer("j1", { text: "", usage: usage(11), error })
    expect(stage.record("j1")).toMatchObject({ state: "failed", text: earlier.text, usage: usage(11), error })
  })

  it("that is stopped keeps the earlier answer", async () => {
    const stage = play({ stops: false })
    await stage.start("j1", followUp)
    await stage.cancel("j1")
    stage.stopping("j1").resolve({ text: "half", usage: usage(11) })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", text: earlier.text, usage: usage(11) })
  })

  it("of a job that never answered keeps what it writes itself", async () => {
    const stage = play({ stops: false })
    await stage.start("j1", { run: 2, session, earlier: { usage: usage(1) } })
    await stage.start("j2", { run: 2, session: "ses_2", earlier: { usage: usage(1) } })
    await stage.cancel("j1")
    stage.stopping("j1").resolve({ text: "half", usage: usage(2) })
    await stage.answer("j2", { text: "bits", error: { kind: "provider", message: "overloaded" } })
    expect(stage.record("j1").text).toBe("half")
    expect(stage.record("j2").text).toBe("bits")
  })

  it("does not hear an answer of the run before it", async () => {
    const stage = play()
    await stage.start("j1")
    const before = stage.prompting("j1")
    await stage.cancel("j1")
    await stage.start("j1", { run: 2, session })
    before.resolve({ text: "of run 1", usage: usage(99) })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "prompting", run: 2, usage: NO_USAGE })
  })
})
