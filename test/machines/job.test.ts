import { describe, expect, it } from "vitest"
import { createActor, initialTransition, toPromise, transition } from "xstate"
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
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", stage.permission("p1"))
    await stage.pass(10)
    await stage.tell("j1", stage.answered("p1"))
    await stage.tell("j1", stage.idle())
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

describe("The idle timeout", () => {
  it("ends a job whose child shows no activity", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 20_000,
      error: { kind: "idle", message: "no activity for 20 s" },
    })
    expect(stage.prompting("j1").signal.aborted).toBe(true)
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.running()).toEqual(nothing)
  })

  it("starts again with each activity", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(15_000)
    await stage.tell("j1", stage.active())
    await stage.pass(19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 35_000, error: { kind: "idle" } })
  })

  it("starts, while opencode tries again, with the attempt that it has announced", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1, 30_000))
    await stage.pass(49_999)
    expect(stage.record("j1").phase).toBe("retrying")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 50_000,
      error: { kind: "idle", message: "no activity for 20 s" },
    })
    expect(stage.calls.stopping).toHaveLength(1)
  })

  it("starts at once where that attempt is over already", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(10_000)
    await stage.tell("j1", stage.retrying(1, -5_000))
    await stage.pass(19_999)
    expect(stage.record("j1").phase).toBe("retrying")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 30_000, error: { kind: "idle" } })
  })

  it("starts again with each attempt", async () => {
    const stage = play()
    await stage.start("j1")
    for (const attempt of [1, 2]) {
      await stage.tell("j1", stage.retrying(attempt))
      await stage.pass(15_000)
    }
    await stage.pass(6_999)
    expect(stage.record("j1").phase).toBe("retrying")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 37_000, error: { kind: "idle" } })
  })

  it("of 300 s is none for a retry-after of 340 s: the child goes on when its provider does", async () => {
    const stage = play()
    await stage.start("j1", { timeoutMs: 900_000, idleMs: 300_000 })
    await stage.tell("j1", stage.retrying(1, 340_000))
    await stage.pass(340_000)
    expect(stage.record("j1")).toMatchObject({ state: "prompting", phase: "retrying" })
    await stage.tell("j1", stage.active())
    await stage.answer("j1")
    expect(stage.record("j1").state).toBe("done")
  })

  it("does not keep the total time from running out in a long retry", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1, 340_000))
    await stage.pass(60_000)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 60_000,
      error: { kind: "total" },
    })
  })

  it("runs whole again once opencode gave its attempts up", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1, 340_000))
    await stage.pass(1_000)
    await stage.tell("j1", stage.idle())
    expect(stage.record("j1").phase).toBe("working")
    expect(stage.record("j1").retry).toBeUndefined()
    await stage.pass(5_000)
    expect(stage.calls.looking).toHaveLength(1)
    await stage.pass(14_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 21_000, error: { kind: "idle" } })
  })

  it("does not restart for news that is no activity", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(19_000)
    await stage.tell("j1", stage.spent(3))
    await stage.tell("j1", stage.answered("p9"))
    await stage.pass(1_000)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "idle" } })
  })

  it("is paused while people are waited for, and is whole afterwards", async () => {
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

describe("A child that runs tools", () => {
  it("may be silent for as long as one runs: `sleep 9` is no idle timeout of 5 s", async () => {
    const stage = play()
    await stage.start("j1", { idleMs: 5_000 })
    await stage.tell("j1", stage.toolStarted("sleep 9"))
    await stage.pass(9_000)
    expect(stage.record("j1")).toMatchObject({ state: "prompting", phase: "working" })
    await stage.tell("j1", stage.toolEnded("sleep 9"))
    await stage.answer("j1")
    expect(stage.record("j1").state).toBe("done")
    expect(stage.running()).toEqual(nothing)
  })

  it("has a whole idle timeout after its last tool", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(15_000)
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.pass(15_000)
    await stage.tell("j1", stage.toolEnded("build"))
    await stage.pass(19_999)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 50_000,
      error: { kind: "idle" },
    })
  })

  it("that runs several at once is waited for until the last of them has ended", async () => {
    const stage = play()
    await stage.start("j1", { timeoutMs: 900_000 })
    for (const call of ["build", "test", "lint"]) await stage.tell("j1", stage.toolStarted(call))
    for (const call of ["lint", "test"]) await stage.tell("j1", stage.toolEnded(call))
    await stage.pass(100_000)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.tell("j1", stage.toolEnded("build"))
    await stage.pass(20_000)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 120_000,
      error: { kind: "idle" },
    })
  })

  it("is told twice that a tool started and waits for one end", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.toolEnded("build"))
    await stage.pass(20_000)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "idle" } })
  })

  it("waits on when a tool ends that it does not know", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.toolEnded("lint"))
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.toolEnded("lint"))
    await stage.pass(59_999)
    expect(stage.record("j1").state).toBe("prompting")
  })

  it("shows what goes on meanwhile, which starts no idle clock", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.active("a subagent reads"))
    await stage.pass(50_000)
    expect(stage.record("j1")).toMatchObject({
      state: "prompting",
      phase: "working",
      activity: { text: "a subagent reads" },
    })
  })

  it("is ended by the total time all the same", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.pass(60_000)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 60_000,
      error: { kind: "total" },
    })
    expect(stage.running()).toEqual(nothing)
  })

  it("goes on with the tool that asked for a permission once it is granted", async () => {
    const stage = play()
    await stage.start("j1", { timeoutMs: 900_000 })
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.permission("p1"))
    await stage.pass(1_000)
    await stage.tell("j1", stage.answered("p1"))
    expect(stage.record("j1").phase).toBe("working")
    await stage.pass(100_000)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.tell("j1", stage.toolEnded("build"))
    await stage.pass(20_000)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 121_000, error: { kind: "idle" } })
  })

  it("may start and end others while a person is asked", async () => {
    const stage = play()
    await stage.start("j1", { timeoutMs: 900_000 })
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", stage.toolStarted("lint"))
    await stage.tell("j1", stage.toolEnded("build"))
    await stage.tell("j1", stage.answered("p1"))
    await stage.pass(100_000)
    expect(stage.record("j1").state).toBe("prompting")
    await stage.tell("j1", stage.permission("p2"))
    await stage.tell("j1", stage.toolEnded("lint"))
    await stage.tell("j1", stage.answered("p2"))
    await stage.pass(20_000)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 120_000, error: { kind: "idle" } })
  })

  it("whose end got lost runs none once opencode says that the child is idle", async () => {
    const stage = play()
    await stage.start("j1")
    for (const call of ["build", "test"]) await stage.tell("j1", stage.toolStarted(call))
    await stage.pass(10_000)
    await stage.tell("j1", stage.idle())
    await stage.pass(5_000)
    expect(stage.calls.looking).toHaveLength(1)
    await stage.pass(15_000)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 30_000,
      error: { kind: "idle" },
    })
  })

  it("whose end got lost runs none once its model is asked again", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.toolStarted("build"))
    await stage.tell("j1", stage.retrying(1, 0))
    await stage.tell("j1", stage.active())
    await stage.pass(20_000)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "idle" } })
  })

  it("starts one after a retry as after anything else", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", stage.toolStarted("build"))
    expect(stage.record("j1")).toMatchObject({ phase: "working" })
    expect(stage.record("j1").retry).toBeUndefined()
    await stage.pass(50_000)
    expect(stage.record("j1").state).toBe("prompting")
  })
})

describe("A child that is idle although its prompt has not returned", () => {
  it("is looked at every 5 s, for its answer may have got lost", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.idle())
    expect(stage.record("j1")).toMatchObject({ state: "prompting", phase: "working" })
    const looks: number[] = []
    for (const ms of [4_999, 1, 4_999, 1, 4_999, 1]) {
      await stage.pass(ms)
      looks.push(stage.calls.looking.length)
    }
    expect(looks).toEqual([0, 1, 1, 2, 2, 3])
    expect(stage.looking("j1").input).toMatchObject({ session, job: { id: "j1" } })
  })

  it("is done when its answer was found", async () => {
    const stage = play({ looks: false })
    await stage.start("j1")
    await stage.tell("j1", stage.idle())
    await stage.pass(5_000)
    await stage.answer("j1", { text: "found" })
    expect(stage.record("j1")).toMatchObject({ state: "done", text: "found" })
    expect(stage.looking("j1").signal.aborted).toBe(true)
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("is not looked at between two steps", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.idle())
    await stage.pass(4_999)
    await stage.tell("j1", stage.active())
    await stage.pass(15_000)
    expect(stage.calls.looking).toEqual([])
  })

  it("that goes on while it is looked at is not looked at again", async () => {
    const stage = play({ looks: false })
    await stage.start("j1")
    await stage.tell("j1", stage.idle())
    await stage.pass(5_000)
    await stage.tell("j1", stage.toolStarted("build"))
    expect(stage.looking("j1").signal.aborted).toBe(true)
    stage.looking("j1").resolve()
    await stage.pass(50_000)
    expect(stage.calls.looking).toHaveLength(1)
    expect(stage.record("j1").state).toBe("prompting")
  })

  it("is looked at again when opencode did not say", async () => {
    const stage = play({ looks: false })
    await stage.start("j1")
    await stage.tell("j1", stage.idle())
    await stage.pass(5_000)
    stage.looking("j1").reject(new Error("no answer"))
    await settled()
    await stage.pass(5_000)
    expect(stage.calls.looking).toHaveLength(2)
    expect(stage.defects).toEqual([])
  })

  it("is looked at once at a time, however often opencode says that it is idle", async () => {
    const stage = play({ looks: false })
    await stage.start("j1")
    for (const ms of [2_000, 3_000, 5_000]) {
      await stage.tell("j1", stage.idle())
      await stage.pass(ms)
    }
    expect(stage.calls.looking).toHaveLength(1)
    stage.looking("j1").resolve()
    await stage.pass(0)
    await stage.tell("j1", stage.idle())
    await stage.pass(4_999)
    expect(stage.calls.looking).toHaveLength(1)
  })

  it("is timed out by the same idle clock: that it is idle is no activity", async () => {
    const stage = play({ looks: false })
    await stage.start("j1")
    await stage.pass(12_000)
    await stage.tell("j1", stage.idle())
    await stage.pass(8_000)
    expect(stage.record("j1")).toMatchObject({
      state: "timedOut",
      endedAt: dawn + 20_000,
      error: { kind: "idle" },
    })
    expect(stage.looking("j1").signal.aborted).toBe(true)
    expect(stage.running()).toEqual(nothing)
  })
})

describe("An end that is not the child's answer", () => {
  const ends = [
    ["a cancel", (stage: Play) => stage.cancel("j1"), { state: "cancelled", error: { kind: "cancelled" } }],
    ["the total time", (stage: Play) => stage.pass(60_000), { state: "timedOut", error: { kind: "total" } }],
    [
      "a prompt that fails",
      async (stage: Play) => {
        stage.prompting("j1").reject(new Error("fetch failed"))
        await settled()
      },
      { state: "failed", error: { kind: "prompt", message: "fetch failed" } },
    ],
  ] as const

  it.each(ends)("by %s is stored before the child is stopped and anybody is told", async (_, end, how) => {
    const stage = play({ records: false })
    await stage.start("j1", { idleMs: 90_000 })
    await end(stage)
    expect(stage.calls.recording.map(({ input }) => input)).toMatchObject([how])
    expect(stage.record("j1")).toMatchObject({ state: "prompting", phase: "stopping" })
    expect(stage.calls.stopping).toEqual([])
    stage.recording("j1").resolve()
    await settled()
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.record("j1")).toMatchObject(how)
    expect(stage.running()).toEqual(nothing)
  })

  it("is stored as a record that says how and when, and that nobody is waited for", async () => {
    const stage = play({ records: false })
    await stage.start("j1")
    await stage.tell("j1", stage.spent(4))
    await stage.pass(500)
    await stage.tell("j1", stage.permission("p1"))
    await stage.pass(500)
    await stage.cancel("j1")
    expect(stage.recording("j1").input).toEqual({
      id: "j1",
      session,
      owner: "owner",
      description: "Find the bug",
      agent: "general",
      state: "cancelled",
      run: 1,
      createdAt: dawn,
      startedAt: dawn,
      endedAt: dawn + 1_000,
      waitedMs: 500,
      error: { kind: "cancelled", message: "no longer needed" },
      usage: usage(4),
    })
  })

  it("comes all the same where opencode could not store it", async () => {
    const stage = play({ records: false })
    await stage.start("j1")
    await stage.cancel("j1")
    stage.recording("j1").reject(new Error("disk full"))
    await settled()
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.record("j1").state).toBe("cancelled")
    expect(stage.defects).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("waits 2 s at most to be stored", async () => {
    const stage = play({ records: false })
    await stage.start("j1")
    await stage.cancel("j1")
    await stage.pass(1_999)
    expect(stage.calls.stopping).toEqual([])
    await stage.pass(1)
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.recording("j1").signal.aborted).toBe(true)
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", endedAt: dawn })
    stage.recording("j1").resolve()
    await settled()
    expect(stage.calls.stopping).toHaveLength(1)
    expect(stage.running()).toEqual(nothing)
  })

  it("is not stored so where the child answered: its text says it", async () => {
    const stage = play()
    await stage.startAll("j1", "j2")
    await stage.answer("j1")
    await stage.answer("j2", { error: { kind: "provider", message: "401" } })
    expect(stage.calls.recording).toEqual([])
  })
})

describe("A job that waited for people", () => {
  it("says since when it waits, and afterwards for how long it did", async () => {
    const stage = play()
    await stage.start("j1")
    expect(stage.record("j1")).not.toHaveProperty("waitedMs")
    await stage.pass(1_000)
    await stage.tell("j1", stage.permission("p1"))
    expect(stage.record("j1")).toMatchObject({ waitingSince: dawn + 1_000 })
    await stage.pass(1_000)
    await stage.tell("j1", stage.question("q1"))
    await stage.tell("j1", stage.answered("p1"))
    expect(stage.record("j1")).toMatchObject({ waitingSince: dawn + 1_000 })
    await stage.pass(1_500)
    await stage.tell("j1", stage.answered("q1"))
    expect(stage.record("j1")).toMatchObject({ waitedMs: 2_500 })
    expect(stage.record("j1")).not.toHaveProperty("waitingSince")
    await stage.pass(1_000)
    await stage.tell("j1", stage.question("q2"))
    expect(stage.record("j1")).toMatchObject({ waitedMs: 2_500, waitingSince: dawn + 4_500 })
    await stage.pass(400)
    await stage.tell("j1", stage.answered("q2"))
    await stage.answer("j1")
    expect(stage.record("j1")).toMatchObject({ state: "done", waitedMs: 2_900 })
  })

  it.each([
    ["by its answer", (stage: Play) => stage.answer("j1")],
    ["by a cancel", (stage: Play) => stage.cancel("j1")],
  ] as const)("until its end %s counts that wait too", async (_, end) => {
    const stage = play()
    await stage.start("j1")
    await stage.tell("j1", stage.permission("p1"))
    await stage.pass(700)
    await end(stage)
    expect(stage.record("j1")).toMatchObject({ endedAt: dawn + 700, waitedMs: 700 })
    expect(stage.record("j1")).not.toHaveProperty("waitingSince")
  })

  it("has not waited less than nothing where two clocks disagree", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(700)
    await stage.tell("j1", stage.permission("p1"))
    await stage.tell("j1", { type: "child.answered", ask: "p1", at: dawn })
    expect(stage.record("j1")).not.toHaveProperty("waitedMs")
  })
})

describe("The text of a job", () => {
  it("is empty, and not absent, where the child wrote nothing before it was stopped", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.cancel("j1")
    expect(stage.record("j1").text).toBe("")
  })

  it.each(["is cancelled in the queue", "cannot be opened", "is cancelled and cannot be opened"])(
    "is empty where the child was never asked, as it %s",
    async (how) => {
      const stage = play({ opens: false, concurrency: 0 })
      await stage.start("j1")
      expect(stage.record("j1").text).toBeUndefined()
      if (how === "is cancelled in the queue") {
        stage.opening("j1").resolve({ session })
        await settled()
        await stage.cancel("j1")
      } else {
        if (how.includes("cancelled")) await stage.cancel("j1")
        stage.opening("j1").reject(new Error("no"))
        await settled()
      }
      expect(stage.record("j1").text).toBe("")
    },
  )

  it("is that of the earlier run where this one was cancelled in the queue", async () => {
    const stage = play({ concurrency: 0 })
    const earlier = { text: "It is in line 7.", usage: usage(10) }
    await stage.start("j1", { run: 2, session, earlier })
    await stage.cancel("j1")
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", text: "It is in line 7." })
  })

  it("is absent where opencode did not say what the child had written", async () => {
    const stage = play({ stops: false })
    await stage.startAll("j1", "j2", "j3")
    for (const id of ["j1", "j2", "j3"]) await stage.cancel(id)
    stage.stopping("j1").resolve({ usage: usage(1) })
    stage.stopping("j2").reject(new Error("abort failed"))
    await stage.pass(5_000)
    for (const id of ["j1", "j2", "j3"]) {
      expect(stage.record(id).state).toBe("cancelled")
      expect(stage.record(id)).not.toHaveProperty("text")
    }
  })
})

describe("A cancel", () => {
  it("waits for the session that is being made, so that none is left behind unrecorded", async () => {
    const stage = play({ opens: false, records: false })
    await stage.start("j1")
    await stage.cancel("j1")
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "opening" })
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "stopping" })
    expect(stage.recording("j1").input).toMatchObject({ state: "cancelled", session: "ses_1" })
    stage.recording("j1").resolve()
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
    // There is no session to store it in.
    expect(stage.calls.recording).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("in the queue ends the job once that is stored: there is nothing to stop", async () => {
    const stage = play({ concurrency: 0, records: false })
    await stage.start("j1")
    await stage.pass(100)
    await stage.cancel("j1")
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "stopping", endedAt: dawn + 100 })
    expect(stage.recording("j1").input).toMatchObject({ state: "cancelled", session, text: "" })
    stage.recording("j1").resolve()
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", endedAt: dawn + 100 })
    expect(stage.record("j1").phase).toBeUndefined()
    expect(stage.calls.stopping).toEqual([])
    expect(stage.running()).toEqual(nothing)
  })

  it("in the queue waits 2 s at most to be stored", async () => {
    const stage = play({ concurrency: 0, records: false })
    await stage.start("j1")
    await stage.cancel("j1")
    await stage.pass(1_999)
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "stopping" })
    await stage.pass(1)
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", endedAt: dawn })
    expect(stage.recording("j1").signal.aborted).toBe(true)
    expect(stage.running()).toEqual(nothing)
  })

  it("in the queue ends the job where it cannot be stored, too", async () => {
    const stage = play({ concurrency: 0, records: false })
    await stage.start("j1")
    await stage.cancel("j1")
    stage.recording("j1").reject(new Error("disk full"))
    await settled()
    expect(stage.record("j1").state).toBe("cancelled")
    expect(stage.running()).toEqual(nothing)
  })

  it("in the queue stands when a slot comes while it is stored", async () => {
    const stage = play({ concurrency: 1, records: false })
    await stage.startAll("j0", "j1")
    await stage.cancel("j1", "first")
    await stage.answer("j0")
    await stage.cancel("j1", "second")
    expect(stage.record("j1")).toMatchObject({ state: "created", phase: "stopping" })
    stage.recording("j1").resolve()
    await settled()
    expect(stage.record("j1")).toMatchObject({ state: "cancelled", error: { message: "first" } })
    expect(stage.calls.prompting).toHaveLength(1)
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
    expect(stage.calls.recording).toHaveLength(1)
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

  it("to make a worktree and the session in it in 300 s, fails the job", async () => {
    const stage = play({ opens: false })
    await stage.start("j1", { isolation: "worktree" })
    await stage.pass(299_999)
    expect(stage.record("j1").phase).toBe("opening")
    await stage.pass(1)
    const message = "its worktree and its child session were not made within 300 s"
    expect(stage.record("j1")).toMatchObject({ state: "failed", error: { kind: "isolation", message } })
  })

  it("to make the session, which no clock of the job counts, though its slot came before", async () => {
    const stage = play({ opens: false })
    await stage.start("j1")
    await stage.pass(5_000)
    stage.opening("j1").resolve({ session: "ses_1" })
    await settled()
    expect(stage.record("j1")).toMatchObject({ startedAt: stage.now(), deadlineAt: stage.now() + 60_000 })
  })

  it("to make a worktree, which the job then has, and which may be another after its child has been asked", async () => {
    const stage = play({ opens: false })
    const worktree = { directory: "/w", branch: "troupe/j1", base: "0" }
    await stage.start("j1", { isolation: "worktree" })
    stage.opening("j1").resolve({ session: "ses_1", worktree })
    await settled()
    expect(stage.record("j1")).toMatchObject({ session: "ses_1", worktree })
    expect(stage.prompting("j1").input.job.worktree).toEqual(worktree)
    await stage.answer("j1", { worktree: { ...worktree, base: "1" } })
    expect(stage.record("j1")).toMatchObject({ state: "done", worktree: { base: "1" } })
  })

  it("to make the session in 30 s where the worktree is there, fails the job", async () => {
    const stage = play({ opens: false })
    const worktree = { directory: "/w", branch: "troupe/j1", base: "0" }
    await stage.start("j1", { isolation: "worktree", worktree })
    await stage.pass(30_000)
    const message = "opencode did not make the child session within 30 s"
    expect(stage.record("j1")).toMatchObject({ state: "failed", error: { kind: "create", message } })
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

  it("never, though: an answer that never comes is ended by the idle timeout", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(20_000)
    expect(stage.record("j1").state).toBe("timedOut")
    expect(stage.prompting("j1").signal.aborted).toBe(true)
  })
})

describe("The context of a job", () => {
  it("says when the clocks that run are over, and nothing of those that are paused", () => {
    const at = dawn
    const ask = { id: "p1", kind: "permission", text: "bash: ls" } as const
    const retry = { attempt: 1, reason: "overloaded", next: at + 30_000 }
    const [queued] = initialTransition(jobMachine, jobInput({ session, run: 2 }))
    let snapshot = queued
    const clocksAfter = (event: JobEvent) => {
      snapshot = transition(jobMachine, snapshot, event)[0]
      const { deadlineAt, idleAt } = snapshot.context
      return [deadlineAt, idleAt].map((due) => due !== undefined && due - at)
    }
    expect(clocksAfter({ type: "slot.granted", at })).toEqual([60_000, 20_000])
    expect(clocksAfter({ type: "tool.started", call: "build", at })).toEqual([60_000, false])
    expect(clocksAfter({ type: "child.asked", ask, at })).toEqual([false, false])
    expect(clocksAfter({ type: "child.answered", ask: "p1", at })).toEqual([60_000, false])
    expect(clocksAfter({ type: "tool.ended", call: "build", at })).toEqual([60_000, 20_000])
    expect(clocksAfter({ type: "child.retrying", retry, at })).toEqual([60_000, 50_000])
    expect(clocksAfter({ type: "job.cancel", reason: "no longer needed", at })).toEqual([false, false])
  })
})

describe("The tools in the context of a job", () => {
  it("are each there once, however often it is told of one: nothing grows for ever", () => {
    const [queued] = initialTransition(jobMachine, jobInput({ session, run: 2 }))
    let [snapshot] = transition(jobMachine, queued, { type: "slot.granted", at: dawn })
    for (const call of ["build", "lint", "build", "lint"])
      snapshot = transition(jobMachine, snapshot, { type: "tool.started", call, at: dawn })[0]
    expect(snapshot.context.tools).toEqual(["build", "lint"])
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

it("A job whose child was deleted is cancelled, as its prompt says", async () => {
  const stage = play()
  await stage.start("j1")
  const error = { kind: "cancelled", message: "its child session was deleted" } as const
  stage.prompting("j1").reject(error)
  await settled()
  expect(stage.record("j1")).toMatchObject({ state: "cancelled", error })
})

describe("A job during which the computer's clock is set back by an hour", () => {
  const hour = 3_600_000

  it.each<[string, (stage: Play) => Promise<void>]>([
    ["its answer", (stage) => stage.answer("j1")],
    ["a failed answer", (stage) => stage.answer("j1", { error: { kind: "provider", message: "no" } })],
    ["a cancel", (stage) => stage.cancel("j1")],
    ["its total time", (stage) => stage.pass(hour)],
    ["a defect", (stage) => stage.crash("j1")],
  ])("does not end before it began: by %s", async (_, end) => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(1_000)
    stage.setBack(hour)
    await end(stage)
    const { state, startedAt = 0, endedAt = 0 } = stage.record("j1")
    expect(state).not.toBe("prompting")
    expect(endedAt).toBeGreaterThanOrEqual(startedAt)
  })

  it("does not begin before it was made", async () => {
    const stage = play({ concurrency: 1 })
    await stage.startAll("j0", "j1")
    stage.setBack(hour)
    await stage.answer("j0")
    const { startedAt, createdAt } = stage.record("j1")
    expect(startedAt).toBe(createdAt)
  })

  it("gets no more time than it had left, though a person was waited for", async () => {
    const stage = play()
    await stage.start("j1", { timeoutMs: 60_000, idleMs: 10 * hour })
    await stage.pass(10_000)
    stage.setBack(hour)
    await stage.tell("j1", stage.permission("p"))
    await stage.tell("j1", { type: "child.answered", ask: "p", at: stage.now() })
    await stage.pass(60_000)
    expect(stage.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "total" } })
    expect(stage.record("j1").waitedMs ?? 0).toBeGreaterThanOrEqual(0)
  })
})

describe("Sessions that a job's child has started by itself", () => {
  const told = (session: string, input: number): JobEvent => ({
    type: "subagent.spent",
    session,
    usage: usage(input),
  })

  it("count with what they have used while it works, and those of an earlier run while it waits too", async () => {
    const stage = play({ concurrency: 1 })
    await stage.start("j1")
    await stage.start("j2")
    await stage.tell("j1", told("ses_a", 3))
    await stage.tell("j2", told("ses_b", 4))
    expect(stage.record("j1").subagents).toEqual([{ session: "ses_a", usage: usage(3) }])
    expect(stage.record("j2")).toMatchObject({
      phase: "queued",
      subagents: [{ session: "ses_b", usage: usage(4) }],
    })
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
    expect(stage.record("j1")).toMatchObject({ state: "prompting", run: 2, usage: usage(10) })
    // It has written nothing yet: the answer of run 1 is not that of run 2.
    expect(stage.record("j1")).not.toHaveProperty("text")
    await stage.answer("j1", { text: "Line 9 too.", usage: usage(15) })
    expect(stage.record("j1")).toMatchObject({ state: "done", run: 2, text: "Line 9 too.", usage: usage(15) })
    expect(stage.running()).toEqual(nothing)
  })

  it("has what its owner was not given of the earlier run before its own answer", async () => {
    const stage = play()
    const undelivered = { ...earlier, isUndelivered: true }
    await stage.start("j1", { ...followUp, earlier: undelivered })
    await stage.answer("j1", { text: "Line 9 too." })
    expect(stage.record("j1").text).toBe("It is in line 7.\n\nLine 9 too.")
    await stage.start("j2", { ...followUp, earlier: { ...undelivered, text: "" } })
    await stage.answer("j2", { text: "Nowhere." })
    expect(stage.record("j2").text).toBe("Nowhere.")
  })

  it("whose answer does not fit its schema has it all the same, after what its owner was not given; one that fails otherwise has not", async () => {
    const stage = play()
    const undelivered = { ...followUp, earlier: { ...earlier, isUndelivered: true } }
    const [unfit, broken] = (["schema", "provider"] as const).map((kind) => ({ kind, message: "no" }))
    await stage.start("j1", undelivered)
    await stage.answer("j1", { text: "{}", isTruncated: true, error: unfit })
    expect(stage.record("j1")).toMatchObject({
      state: "failed",
      error: unfit,
      text: "It is in line 7.\n\n{}",
      isTruncated: true,
    })
    await stage.start("j2", undelivered)
    await stage.answer("j2", { text: "{", isTruncated: true, error: broken })
    expect(stage.record("j2")).toMatchObject({ state: "failed", error: broken, text: "It is in line 7." })
    expect(stage.record("j2")).not.toHaveProperty("isTruncated")
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
