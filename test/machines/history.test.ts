import { describe, expect, it } from "vitest"
import { createActor } from "xstate"
import { clockTime } from "../../src/machines/durations.ts"
import type { JobEvent } from "../../src/machines/events.ts"
import { eventName, History, placeOf } from "../../src/machines/history.ts"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { recordOf } from "../../src/machines/job-record.ts"
import { dawn, jobInput, usage } from "./support/jobs.ts"
import { type Play, play, sessionOf } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

const j1 = { owner: "owner", id: "j1" }
const stepsOf = (stage: Play, id = "j1") => stage.troupe.history({ owner: "owner", id })
const why = (stage: Play, id = "j1") => stepsOf(stage, id).map((step) => step.why)

describe("What led a job to its state", () => {
  it("is told step by step, each with its time, its event and its cause", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.pass(3_000)
    await stage.answer("j1")
    expect(stepsOf(stage)).toEqual([
      { at: dawn, from: "", to: "created.opening", event: "start", why: "started by its owner" },
      {
        at: dawn,
        from: "created.opening",
        to: "prompting.working",
        event: "openSession done",
        why: "its session is open, and it has a slot",
      },
      {
        at: dawn + 3_000,
        from: "prompting.working",
        to: "done",
        event: "promptChild done",
        why: "the child gave its final answer",
      },
    ])
  })

  it("is nothing for a job of an earlier process", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1")
    stage.troupe.adopt({ ...stage.record("j1"), id: "old" })
    expect(stepsOf(stage, "old")).toEqual([])
  })

  it("says how many slots were busy, and when it got one", async () => {
    const stage = play({ concurrency: 1 })
    await stage.startAll("j0", "j1")
    await stage.answer("j0")
    expect(stepsOf(stage).slice(1)).toMatchObject([
      { to: "created.queued", event: "openSession done", why: "queued: 1 of 1 slots busy" },
      { from: "created.queued", to: "prompting.working", event: "slot.granted", why: "got a slot" },
    ])
  })

  it("says which provider's or model's slots were busy", async () => {
    const stage = play({ concurrency: { total: 9, providers: { p: 1 }, models: { "q/y": 1 } } })
    for (const [id, model] of Object.entries({ j1: "p/x", j2: "p/x", j3: "q/y", j4: "q/y" }))
      await stage.start(id, { model })
    expect(why(stage, "j2").at(-1)).toBe("queued: 1 of 1 slots of p busy")
    expect(why(stage, "j4").at(-1)).toBe("queued: 1 of 1 slots of q/y busy")
  })

  it("says until when its provider is on hold, each time that this changes, and that it no longer is", async () => {
    const stage = play({ concurrency: 1 })
    const at = (ms: number) => clockTime(dawn + ms, dawn)
    await stage.start("j1", { model: "p/x" })
    stage.troupe.hold(j1, dawn + 5_000)
    await stage.start("j2", { model: "p/x" })
    stage.troupe.hold(j1, dawn + 9_000)
    await stage.pass(9_000)
    await stage.answer("j1")
    expect(stepsOf(stage, "j2").slice(1)).toMatchObject([
      { to: "created.queued", event: "openSession done", why: `queued: p on hold until ${at(5_000)}` },
      { to: "created.queued", event: "slot.held", why: `queued: p on hold until ${at(9_000)}` },
      { to: "created.queued", event: "slot.held", why: "queued: 1 of 1 slots busy" },
      { to: "prompting.working", event: "slot.granted", why: "got a slot" },
    ])
  })

  it("leaves out a hold while the session is not open yet", async () => {
    const stage = play({ opens: false })
    await stage.start("j1", { model: "p/x" })
    stage.opening("j1").resolve({ session: "ses_1" })
    await stage.pass(0)
    stage.troupe.hold(j1, dawn + 5_000)
    await stage.start("j2", { model: "p/x" })
    expect(stepsOf(stage, "j2")).toHaveLength(1)
  })

  it("says who cancelled and why, and what is being done about the child", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.cancel("j1", "not needed")
    stage.stopping("j1").resolve({ text: undefined, usage: usage(0) })
    await stage.pass(0)
    expect(stepsOf(stage).slice(2)).toMatchObject([
      {
        to: "prompting.stopping",
        event: "job.cancel",
        why: "cancelled: not needed; the child is being stopped",
      },
      { to: "cancelled", event: "stopChild done", why: "cancelled: not needed" },
    ])
  })

  it("says who cancelled it in the queue, before the child was ever asked", async () => {
    const stage = play({ concurrency: 0, records: false })
    await stage.start("j1")
    await stage.cancel("j1", "not needed")
    stage.recording("j1").resolve()
    await stage.pass(0)
    expect(stepsOf(stage).slice(2)).toMatchObject([
      {
        from: "created.queued",
        to: "created.stopping",
        event: "job.cancel",
        why: "cancelled: not needed",
      },
      { to: "cancelled", event: "recordEnd done", why: "cancelled: not needed" },
    ])
  })

  it("says which time ran out, and that the child could not be stopped in time", async () => {
    const stage = play({ stops: false })
    await stage.start("j1")
    await stage.pass(20_000)
    await stage.pass(5_000)
    expect(stepsOf(stage).slice(2)).toMatchObject([
      { event: "after idle", why: "timed out: no activity for 20 s; the child is being stopped" },
      { to: "timedOut", event: "after stopLimit", why: "timed out: no activity for 20 s" },
    ])
  })

  it("says why it failed: by its session, its prompt, its child's provider", async () => {
    const stage = play({ opens: false })
    await stage.startAll("a", "b", "c")
    stage.opening("a").reject(new Error("no room"))
    for (const id of ["b", "c"]) stage.opening(id).resolve({ session: id })
    await stage.pass(0)
    stage.prompting("b").reject(new Error("gone"))
    await stage.answer("c", { error: { kind: "provider", message: "overloaded" } })
    expect(stepsOf(stage, "a").at(-1)).toMatchObject({
      to: "failed",
      event: "openSession failed",
      why: "failed: no room",
    })
    expect(stepsOf(stage, "b").at(-2)).toMatchObject({
      event: "promptChild failed",
      why: "failed: gone; the child is being stopped",
    })
    expect(stepsOf(stage, "c").at(-1)).toMatchObject({ to: "failed", why: "failed: overloaded" })
  })

  it("says that a defect of ours ended it", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.crash("j1")
    const why = "failed: a defect of opencode-troupe"
    expect(stepsOf(stage).slice(-2)).toEqual([
      {
        at: dawn,
        from: "prompting.working",
        to: "prompting.stopping",
        event: "crash",
        why: `${why}; it is being ended`,
      },
      { at: dawn, from: "prompting.stopping", to: "failed", event: "crash", why },
    ])
  })

  it("says what people were asked, each attempt of the provider, and what the child did next", async () => {
    const stage = play()
    await stage.start("j1")
    const permission = stage.permission("p")
    const question = stage.question("q")
    for (const event of [permission, stage.answered("p"), question, stage.answered("q")])
      await stage.tell("j1", event)
    for (const event of [stage.retrying(1), stage.retrying(2), stage.active(), stage.active("more")])
      await stage.tell("j1", event)
    await stage.tell("j1", stage.retrying(1))
    await stage.tell("j1", { type: "child.active", activity: { tool: "bash", at: dawn } })
    for (const event of [stage.retrying(1), stage.toolStarted("build"), stage.retrying(1), stage.idle()])
      await stage.tell("j1", event)
    expect(why(stage).slice(2)).toEqual([
      "asks for permission: bash: rm -rf dist",
      "somebody answered",
      "asks the user: Which one?",
      "somebody answered",
      "attempt 1 failed, opencode tries again: overloaded",
      "attempt 2 failed, opencode tries again: overloaded",
      "the child writes",
      "attempt 1 failed, opencode tries again: overloaded",
      "the child runs bash",
      "attempt 1 failed, opencode tries again: overloaded",
      "the child runs a tool",
      "attempt 1 failed, opencode tries again: overloaded",
      "opencode says that the child is idle",
    ])
  })

  it("leaves out its tools, of which it may run thousands, and its pauses", async () => {
    const stage = play()
    await stage.start("j1")
    for (const event of [stage.toolStarted("build"), stage.toolEnded("build"), stage.idle()])
      await stage.tell("j1", event)
    await stage.pass(5_000)
    expect(stepsOf(stage)).toHaveLength(2)
  })

  it("goes on with a follow-up", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.answer("j1")
    await stage.start("j1", { run: 2, session: sessionOf(j1) })
    expect(why(stage).slice(3)).toEqual(["its session is open, and a slot is free", "got a slot"])
  })

  it("says that a slot was free where it was this job that took the last one", async () => {
    const stage = play({ concurrency: 1 })
    const follow = { run: 2, session: "ses_1" }
    await stage.start("j1", follow)
    expect(why(stage).at(-2)).toBe("its session is open, and a slot is free")
    await stage.start("j1", { ...follow, owner: "other" })
    expect(stage.troupe.history({ owner: "other", id: "j1" }).at(-1)?.why).toBe("queued: 1 of 1 slots busy")
    await stage.start("j2", follow)
    expect(why(stage, "j2").at(-1)).toBe("queued: 1 of 1 slots busy")
  })

  it("is kept for the last hundred steps", async () => {
    const stage = play()
    await stage.start("j1")
    for (let attempt = 1; attempt <= 98; attempt++) stage.troupe.tell(j1, stage.retrying(attempt))
    expect(why(stage)).toHaveLength(100)
    expect(why(stage)[0]).toBe("started by its owner")
    stage.troupe.tell(j1, stage.retrying(99))
    expect(why(stage)).toHaveLength(100)
    expect(why(stage)[0]).toBe("its session is open, and it has a slot")
    expect(why(stage).at(-1)).toContain("attempt 99")
  })

  it("has causes of 500 characters at most, whatever a provider or a model writes", async () => {
    const stage = play()
    await stage.start("j1")
    const permission = (text: string): JobEvent => ({
      type: "child.asked",
      at: dawn,
      ask: { id: "p", kind: "permission", text },
    })
    const words = "asks for permission: "
    await stage.tell("j1", permission("x".repeat(500 - words.length)))
    expect(why(stage).at(-1)).toBe(words.padEnd(500, "x"))
    await stage.tell("j1", stage.answered("p"))
    await stage.tell("j1", permission("x".repeat(501 - words.length)))
    expect(why(stage).at(-1)).toBe(`${words.padEnd(500, "x")}…`)
  })

  it("does the job no harm where it cannot be kept", async () => {
    const defects: unknown[] = []
    const history = new History({
      now: () => {
        throw new Error("no time")
      },
      reportError: (error) => void defects.push(error),
    })
    const job = createActor(history.listenTo(jobMachine.provide({})), { input: jobInput() })
    job.start()
    job.send({ type: "slot.granted", at: dawn })
    expect(recordOf(job.getSnapshot())).toMatchObject({ state: "created", phase: "opening" })
    expect(defects[0]).toEqual(new Error("no time"))
    job.stop()
  })

  it("is kept where nobody explains the queue", () => {
    const defects: unknown[] = []
    const history = new History({ now: () => dawn, reportError: (error) => void defects.push(error) })
    const input = jobInput({ run: 2, session: "ses_1" })
    const job = createActor(history.listenTo(jobMachine.provide({})), { input })
    job.start()
    expect(history.of(j1).at(-1)?.why).toBe("its session is open, and a slot is free")
    expect(defects).toEqual([])
    job.stop()
  })

  it("is forgotten with its owner, and with no other", async () => {
    const stage = play()
    await stage.start("j1")
    await stage.start("j1", { owner: "owner-2" })
    stage.troupe.forgetOwner("owner")
    expect(stepsOf(stage)).toEqual([])
    expect(stage.troupe.history({ owner: "owner-2", id: "j1" })).toHaveLength(2)
  })
})

describe("The history of very many jobs", () => {
  it("is kept for ten thousand; then the oldest gives way", () => {
    const history = new History({ now: () => dawn, reportError: () => {} })
    const failed = { state: "failed" } as const
    for (let id = 0; id < 10_000; id++) history.noteCrash({ owner: "owner", id: `j${id}` }, failed)
    expect(history.of({ owner: "owner", id: "j0" })).toHaveLength(1)
    history.noteCrash({ owner: "owner", id: "j10000" }, failed)
    expect(history.of({ owner: "owner", id: "j0" })).toEqual([])
    expect(history.of({ owner: "owner", id: "j1" })).toHaveLength(1)
    expect(history.of({ owner: "owner", id: "j10000" })).toHaveLength(1)
  })
})

describe("An event, as people read it,", () => {
  it.each([
    ["xstate.init", "start"],
    ["xstate.after.openLimit.job.created.opening", "after openLimit"],
    ["xstate.done.actor.promptChild", "promptChild done"],
    ["xstate.error.actor.promptChild", "promptChild failed"],
    ["xstate.done.state.job.prompting.stopping", "stopping over"],
    ["xstate.error.execution", "xstate.error.execution"],
    ["xstate.done.other", "xstate.done.other"],
    ["job.init", "job.init"],
    ["job.cancel", "job.cancel"],
    ["after.xstate.after", "after.xstate.after"],
  ])("of %s is %s", (type, name) => {
    expect(eventName(type)).toBe(name)
  })

  it("stands beside a place: the state, and the phase where there is one", () => {
    expect(placeOf({ state: "done" })).toBe("done")
    expect(placeOf({ state: "prompting", phase: "working" })).toBe("prompting.working")
  })
})

describe("The actors that live", () => {
  it("are the system with its slots, supervisors, and their jobs", async () => {
    const stage = play({ concurrency: 1 })
    await stage.start("j0")
    await stage.answer("j0")
    await stage.startAll("j1", "j2", "j3")
    await stage.tell("j1", stage.permission("p"))
    expect(stage.troupe.actors()).toEqual({
      kind: "system",
      id: "system",
      state: "active",
      counts: { supervisors: 1, slots: 1, busy: 1, waiting: 2 },
      children: [
        {
          kind: "supervisor",
          id: "owner",
          state: "active",
          counts: { done: 1, prompting: 1, created: 2 },
          children: [
            {
              kind: "job",
              id: "j1",
              state: "prompting.permission",
              session: "ses_owner_j1",
              counts: { run: 1, asks: 1 },
              children: [],
            },
            ...["j2", "j3"].map((id) => ({
              kind: "job",
              id,
              state: "created.queued",
              session: `ses_owner_${id}`,
              counts: { run: 1, asks: 0 },
              children: [],
            })),
          ],
        },
      ],
    })
  })

  it("have no session until opencode has made it, and are none of an owner that is gone", async () => {
    const stage = play({ opens: false })
    await stage.start("j1")
    const [supervisor] = stage.troupe.actors().children
    expect(supervisor?.children).toEqual([
      { kind: "job", id: "j1", state: "created.opening", counts: { run: 1, asks: 0 }, children: [] },
    ])
    stage.troupe.forgetOwner("owner")
    expect(stage.troupe.actors().children).toEqual([])
    stage.troupe.stop()
    expect(stage.troupe.actors().state).toBe("stopped")
  })
})
