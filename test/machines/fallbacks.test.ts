import { beforeEach, describe, expect, it } from "vitest"
import { clockTime } from "../../src/machines/durations.ts"
import type { Answer, LeaveChildOutput } from "../../src/machines/effects.ts"
import type { JobInput } from "../../src/machines/events.ts"
import { usage } from "./support/jobs.ts"
import { nothing, type Play, type PlayOptions, play, settled } from "./support/play.ts"

const noKey = {
  text: "",
  error: { kind: "provider", message: "Invalid API key (HTTP 401)" },
  isUnavailable: true,
} satisfies Partial<Answer>

describe("A job with fallbacks", () => {
  let troupe: Play

  async function start(fields: Partial<JobInput> = {}, options: PlayOptions = {}) {
    troupe = play({ opens: false, ...options })
    await troupe.start("j1", { model: "p/m", fallbacks: [{ model: "q/n" }], ...fields })
    await opened("ses_1")
  }

  async function opened(session: string, job = "j1") {
    troupe.opening(job).resolve({ session })
    await settled()
  }

  async function left(fields: Partial<LeaveChildOutput> = {}) {
    troupe.leaving("j1").resolve({ prompt: "The same, afresh.", changed: [], usage: usage(6), ...fields })
    await settled()
  }

  const opens = () => troupe.calls.opening.length
  const standing = () => {
    const { state, phase } = troupe.record("j1")
    return phase === undefined ? state : `${state}.${phase}`
  }

  describe("goes on with the next one", () => {
    beforeEach(() => start())

    it("where its model cannot be had: asks it the same in a session of its own, and is done by it", async () => {
      await troupe.answer("j1", noKey)
      expect(troupe.leaving("j1").input).toMatchObject({ session: "ses_1", error: noKey.error })
      expect(standing()).toBe("prompting.opening")
      await left()
      expect(troupe.opening("j1").input).toMatchObject({
        model: "q/n",
        prompt: "The same, afresh.",
        fallbacks: [],
        attempts: [{ model: "p/m", error: noKey.error, session: "ses_1", usage: usage(6) }],
      })
      await opened("ses_2")
      expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_2", job: { model: "q/n" } })
      await troupe.answer("j1", { usage: usage(7) })
      expect(troupe.record("j1")).toMatchObject({
        state: "done",
        session: "ses_2",
        model: "q/n",
        text: "the answer",
        attempts: [{ model: "p/m", error: noKey.error, session: "ses_1" }],
        usage: usage(13),
      })
      expect(troupe.running()).toEqual(nothing)
    })

    it.each([
      ["its provider's next try is more than a minute away", 5, 61_000, "its next try would be in 61 s"],
      ["five retries are spent", 6, 2_000, "it failed 6 times"],
    ])("where %s", async (_, attempt, pauseMs, words) => {
      await troupe.tell("j1", troupe.retrying(attempt, pauseMs))
      expect(troupe.leaving("j1").input.error).toMatchObject({
        kind: "provider",
        message: `overloaded (${words})`,
      })
      expect(troupe.prompting("j1").signal.aborted).toBe(true)
      await left()
      await opened("ses_2")
      expect(standing()).toBe("prompting.working")
    })
  })

  it("goes on with as many as there are, and fails with the words of the last", async () => {
    await start({ fallbacks: [{ model: "q/n" }, { model: "r/o", variant: "high" }] })
    for (const session of ["ses_2", "ses_3"]) {
      await troupe.answer("j1", noKey)
      await left()
      await opened(session)
    }
    expect(troupe.prompting("j1").input).toMatchObject({
      session: "ses_3",
      job: { model: "r/o", variant: "high" },
    })
    await troupe.answer("j1", { ...noKey, usage: usage(1) })
    expect(troupe.record("j1")).toMatchObject({
      state: "failed",
      model: "r/o",
      error: noKey.error,
      attempts: [{ model: "p/m" }, { model: "q/n", session: "ses_2" }],
      usage: usage(13),
    })
  })

  describe("stays with its model", () => {
    beforeEach(() => start())

    it.each([
      ["its next try is a minute away and five attempts have failed", 5, 60_000],
      ["it is another session's that is tried again", 9, 600_000],
    ])("where %s", async (what, attempt, pauseMs) => {
      const retrying = troupe.retrying(attempt, pauseMs)
      await troupe.tell(
        "j1",
        what.startsWith("it is") ? Object.assign(retrying, { isSubagents: true }) : retrying,
      )
      expect(standing()).toBe("prompting.retrying")
      expect(troupe.calls.leaving).toEqual([])
    })

    it("where its answer is an error of another kind: it fails", async () => {
      await troupe.answer("j1", { ...noKey, isUnavailable: undefined })
      expect(standing()).toBe("failed")
      expect(troupe.calls.leaving).toEqual([])
    })

    it("where somebody cancels it", async () => {
      await troupe.cancel("j1")
      expect(standing()).toBe("cancelled")
      expect(troupe.calls.leaving).toEqual([])
    })
  })

  describe("is not repeated", () => {
    beforeEach(() => start())

    it("where its child may have changed something: it fails, says what and which model was not asked", async () => {
      await troupe.tell("j1", troupe.retrying(1, 600_000))
      await left({ changed: ["bash", "edit"] })
      expect(troupe.record("j1")).toMatchObject({
        state: "failed",
        session: "ses_1",
        // What a follow-up goes on with.
        model: "q/n",
        attempts: [{ model: "p/m" }],
      })
      const { message } = troupe.record("j1").error ?? {}
      expect(message).toMatch(
        /^overloaded \(its next try would be in 600 s\)\. q\/n was not asked instead: bash, edit /,
      )
      expect(message).toContain("agents_send")
      expect(opens()).toBe(1)
      expect(troupe.calls.recording).toHaveLength(1)
    })

    it("where opencode does not say what its child has done", async () => {
      await troupe.answer("j1", noKey)
      troupe.leaving("j1").reject({ kind: "prompt", message: "fetch failed" })
      await settled()
      expect(standing()).toBe("failed")
      expect(troupe.record("j1").error?.message).toMatch(/could not be stopped: fetch failed$/)
      expect(opens()).toBe(1)
    })

    it("where opencode does not say that in time", async () => {
      await troupe.answer("j1", noKey)
      await troupe.pass(29_999)
      expect(troupe.record("j1").state).toBe("prompting")
      await troupe.pass(1)
      expect(troupe.record("j1")).toMatchObject({
        state: "failed",
        session: "ses_1",
        error: {
          message:
            `${noKey.error.message}. q/n was not asked instead, since the child could not be stopped: ` +
            "opencode gave no answer within 30 s",
        },
        endedAt: troupe.now(),
      })
      expect(troupe.leaving("j1").signal.aborted).toBe(true)
    })
  })

  describe("while it moves", () => {
    beforeEach(async () => {
      await start({ timeoutMs: 60_000, idleMs: 30_000 })
      await troupe.pass(20_000)
      await troupe.answer("j1", noKey)
    })

    it("has no clock; the next model has what was left", async () => {
      expect(troupe.record("j1").deadlineAt).toBeUndefined()
      await troupe.pass(4_000)
      await left()
      await troupe.pass(25_000)
      await opened("ses_2")
      expect(troupe.record("j1").deadlineAt).toBe(troupe.now() + 40_000)
      await troupe.tell("j1", troupe.active())
      await troupe.pass(19_000)
      await troupe.tell("j1", troupe.active())
      await troupe.pass(19_000)
      await troupe.tell("j1", troupe.active())
      await troupe.pass(2_000)
      expect(troupe.record("j1")).toMatchObject({ state: "timedOut", error: { kind: "total" } })
    })

    it("asks nobody, and runs no tool: the next model is idle as soon as any", async () => {
      expect(troupe.record("j1")).not.toHaveProperty("asks")
      await left()
      await opened("ses_2")
      await troupe.pass(30_000)
      expect(troupe.record("j1").error).toEqual({ kind: "idle", message: "no activity for 30 s" })
    })

    it("is cancelled at once while its child is left", async () => {
      await troupe.cancel("j1")
      expect(troupe.record("j1")).toMatchObject({ state: "cancelled", session: "ses_1" })
      expect(opens()).toBe(1)
    })

    it("is cancelled in the session that is being made, once it is there", async () => {
      await left()
      await troupe.cancel("j1")
      expect(standing()).toBe("prompting.opening")
      await opened("ses_2")
      expect(troupe.record("j1")).toMatchObject({ state: "cancelled", session: "ses_2" })
      expect(troupe.recording("j1").input).toMatchObject({ state: "cancelled", session: "ses_2" })
      expect(troupe.calls.prompting).toHaveLength(1)
    })

    it("hears nothing of what the child that it leaves still does", async () => {
      await troupe.tell("j1", troupe.permission("p"))
      await troupe.tell("j1", troupe.spent(99))
      await left()
      await opened("ses_2")
      expect(standing()).toBe("prompting.working")
      expect(troupe.record("j1").usage).toEqual(usage(6))
    })
  })

  describe("whose next session is never there", () => {
    beforeEach(async () => {
      await start({}, { stops: false })
      await troupe.answer("j1", noKey)
      await left()
    })

    it.each<[string, string, () => Promise<unknown>]>([
      [
        "is not made",
        "out of disk",
        async () => {
          troupe.opening("j1").reject({ kind: "create", message: "out of disk" })
          await settled()
        },
      ],
      ["takes too long", "opencode did not make the child session within 30 s", () => troupe.pass(30_000)],
    ])(
      "fails where that %s, says which model was not asked, and stays ready to ask it",
      async (_, why, fail) => {
        await fail()
        troupe.stopping("j1").resolve({ text: "half", usage: usage(6) })
        await settled()
        expect(troupe.record("j1")).toMatchObject({
          state: "failed",
          session: "ses_1",
          // What a follow-up goes on with.
          model: "q/n",
          error: {
            kind: "create",
            message:
              `Invalid API key (HTTP 401). q/n was not asked instead: ${why}. ` +
              "agents_send has it go on where the job is.",
          },
          // It has used nothing twice.
          usage: usage(6),
          endedAt: troupe.now(),
        })
        expect(troupe.record("j1").attempts).toEqual([{ model: "p/m", error: noKey.error }])
      },
    )

    it("fails as it is told where it is not for opencode to make it", async () => {
      const error = { kind: "isolation", message: "a filter of the repository fails" } as const
      troupe.opening("j1").reject(error)
      await settled()
      troupe.stopping("j1").resolve({ usage: usage(6) })
      await settled()
      expect(troupe.record("j1")).toMatchObject({ state: "failed", session: "ses_1", error })
    })

    it("is cancelled where it is, if the session that is being made never comes", async () => {
      await troupe.cancel("j1")
      await troupe.pass(30_000)
      troupe.stopping("j1").resolve({ usage: usage(6) })
      await settled()
      expect(troupe.record("j1")).toMatchObject({ state: "cancelled", session: "ses_1", usage: usage(6) })
      expect(troupe.record("j1").attempts).toEqual([{ model: "p/m", error: noKey.error }])
    })
  })

  it("keeps where it was asked in an earlier process if its session is never made in this one", async () => {
    troupe = play({ opens: false })
    const attempts = [{ model: "p/m", error: noKey.error, session: "ses_1" }]
    await troupe.start("j1", { model: "q/n", attempts })
    troupe.opening("j1").reject({ kind: "create", message: "out of disk" })
    await settled()
    expect(troupe.record("j1")).toMatchObject({ state: "failed", attempts })
  })

  it("has tried all that it was asked of before where the next session is never made", async () => {
    await start({ fallbacks: [{ model: "q/n" }, { model: "r/o" }] })
    await troupe.answer("j1", noKey)
    await left()
    await opened("ses_2")
    await troupe.answer("j1", noKey)
    await left()
    troupe.opening("j1").reject({ kind: "create", message: "out of disk" })
    await settled()
    expect(troupe.record("j1")).toMatchObject({
      state: "failed",
      session: "ses_2",
      attempts: [{ model: "p/m", session: "ses_1" }, { model: "q/n" }],
    })
  })

  describe("stands in line for a slot of its next model", () => {
    it("and lets its own go to others meanwhile", async () => {
      await start({}, { concurrency: { total: 8, models: { "q/n": 1, "p/m": 1 } } })
      await troupe.start("other", { model: "q/n" })
      await opened("ses_other", "other")
      await troupe.start("waiting", { model: "p/m" })
      await opened("ses_waiting", "waiting")
      await troupe.answer("j1", noKey)
      await left()
      expect(troupe.record("waiting").phase).toBe("working")
      await opened("ses_2")
      expect(standing()).toBe("prompting.queued")
      expect(troupe.calls.prompting).toHaveLength(3)
      await troupe.answer("other")
      expect(standing()).toBe("prompting.working")
      await troupe.answer("j1")
      await troupe.answer("waiting")
      expect(troupe.running()).toEqual(nothing)
    })

    it("for which its provider is no obstacle, though it is to be asked later for the model before", async () => {
      await start({ fallbacks: [{ model: "p/n" }] }, { concurrency: 1 })
      troupe.troupe.hold({ owner: "owner", id: "j1" }, troupe.now() + 600_000)
      await troupe.start("other", { model: "p/m" })
      await troupe.tell("j1", troupe.retrying(1, 600_000))
      await left()
      await opened("ses_2")
      expect(standing()).toBe("prompting.working")
      expect(troupe.record("other").phase).toBe("opening")
      await troupe.answer("j1")
      await opened("ses_other", "other")
      expect(troupe.record("other")).toMatchObject({ phase: "queued", holdUntil: expect.any(Number) })
    })

    it("which it has already where only the variant is another", async () => {
      await start({ fallbacks: [{ model: "p/m", variant: "low" }] }, { concurrency: 1 })
      await troupe.answer("j1", noKey)
      await left()
      await opened("ses_2")
      expect(standing()).toBe("prompting.working")
    })

    it("and is cancelled there", async () => {
      await start({}, { concurrency: { total: 8, models: { "q/n": 1 } } })
      await troupe.start("other", { model: "q/n" })
      await opened("ses_other", "other")
      await troupe.answer("j1", noKey)
      await left()
      await opened("ses_2")
      await troupe.cancel("j1")
      expect(troupe.record("j1")).toMatchObject({ state: "cancelled", session: "ses_2" })
      await troupe.answer("other")
      expect(troupe.running()).toEqual(nothing)
    })
  })

  describe("waits for a slot while the provider of its model is put on hold", () => {
    const hour = 3_600_000
    const limits = { total: 8, providers: { p: 1, q: 1 } }

    /** One job at work has the only slot of `p`, and another one waits for it. */
    async function waiting(fields: Partial<JobInput> = {}) {
      troupe = play({ opens: false, concurrency: limits })
      await troupe.start("w", { model: "p/m" })
      await opened("ses_w", "w")
      await troupe.start("j1", { model: "p/m", fallbacks: [{ model: "q/n" }], ...fields })
    }
    /** It has left its model, and `v` has the only slot of the next one. */
    async function leaves(fields: Partial<JobInput>) {
      await start(fields, { concurrency: limits })
      await troupe.start("v", { model: "q/n" })
      await opened("ses_v", "v")
      await troupe.answer("j1", noKey)
      await left()
    }
    const heldUntil = (ms: number) => `q on hold until ${clockTime(troupe.now() + ms, troupe.now())}`
    async function held(ms: number) {
      troupe.troupe.hold({ owner: "owner", id: "w" }, troupe.now() + ms)
      await settled()
    }

    it("for an hour: asks the next one instead, in a session of its own, and is done by it", async () => {
      await waiting()
      await opened("ses_1")
      await held(hour)
      expect(standing()).toBe("created.opening")
      const left = {
        model: "p/m",
        error: { kind: "provider", message: expect.stringMatching(/^p on hold until .*\d\d:\d\d:\d\d$/) },
        session: "ses_1",
      }
      // It is asked as the first one would have been.
      expect(troupe.opening("j1").input).toMatchObject({
        model: "q/n",
        prompt: troupe.opening("w").input.prompt,
        fallbacks: [],
        attempts: [left],
      })
      await opened("ses_2")
      expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_2", job: { model: "q/n" } })
      await troupe.answer("j1", { usage: usage(7) })
      expect(troupe.record("j1")).toMatchObject({
        state: "done",
        session: "ses_2",
        model: "q/n",
        attempts: [left],
        usage: usage(7),
      })
      const whys = troupe.troupe.history({ owner: "owner", id: "j1" }).map(({ why }) => why)
      expect(whys).toContainEqual(
        expect.stringMatching(/^p\/m is not waited for, q\/n is asked next: p on hold until /),
      )
      expect(troupe.calls.leaving).toEqual([])
      await troupe.answer("w")
      expect(troupe.running()).toEqual(nothing)
    })

    it("for an hour, before its session is there: the next one is asked all the same", async () => {
      await waiting()
      await held(hour)
      expect(opens()).toBe(2)
      await opened("ses_1")
      await opened("ses_2")
      expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_2", job: { model: "q/n" } })
    })

    it("for an hour, as a follow-up goes on with that model: the one after it is asked", async () => {
      troupe = play({ opens: false, concurrency: limits })
      await troupe.start("w", { model: "q/n" })
      await opened("ses_w", "w")
      const fallbacks = [{ model: "q/n" }, { model: "r/o" }]
      await troupe.start("j1", { model: "p/m", session: "ses_1", run: 2, fallbacks })
      await troupe.answer("j1", noKey)
      await left()
      await opened("ses_2")
      expect(standing()).toBe("prompting.queued")
      await held(hour)
      expect(troupe.opening("j1").input).toMatchObject({ model: "r/o", fallbacks: [] })
    })

    it("for a minute: waits", async () => {
      await waiting()
      await opened("ses_1")
      await held(60_000)
      expect(standing()).toBe("created.queued")
      expect(troupe.record("j1")).toMatchObject({ model: "p/m", holdUntil: troupe.now() + 60_000 })
    })

    it.each<[string, Partial<JobInput>]>([
      ["it has only other variants of the same", { fallbacks: [{ model: "p/m", variant: "low" }] }],
      ["its session is of an earlier run or process, which may have asked it", { session: "ses_1" }],
    ])("for an hour, where %s: waits", async (_, fields) => {
      await waiting(fields)
      if (!fields.session) await opened("ses_1")
      await held(hour)
      expect(standing()).toBe("created.queued")
    })

    it.each([1, 2])(
      "for an hour, in run %i in a session in which nobody was ever asked: the next one and the one after that take over",
      async (run) => {
        await waiting({
          session: "ses_1",
          isUnasked: true,
          run,
          fallbacks: [{ model: "q/n" }, { model: "r/o" }],
        })
        await troupe.start("v", { model: "q/n" })
        await opened("ses_v", "v")
        await held(hour)
        expect(troupe.opening("j1").input).toMatchObject({
          model: "q/n",
          run,
          attempts: [{ model: "p/m", session: "ses_1" }],
        })
        await opened("ses_2")
        troupe.troupe.hold({ owner: "owner", id: "v" }, troupe.now() + hour)
        await settled()
        await opened("ses_3")
        expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_3", job: { model: "r/o" } })
      },
    )

    it("for an hour, with one variant and another model left: asks the other model", async () => {
      await waiting({ fallbacks: [{ model: "p/m", variant: "low" }, { model: "q/n" }] })
      await opened("ses_1")
      await held(hour)
      expect(troupe.opening("j1").input).toMatchObject({ model: "q/n", fallbacks: [] })
    })

    it("where the next is of the same provider: that hold is not for it", async () => {
      await waiting({ fallbacks: [{ model: "p/n" }] })
      await opened("ses_1")
      await held(hour)
      await opened("ses_2")
      expect(troupe.record("j1")).toMatchObject({ phase: "queued", model: "p/n" })
      expect(troupe.record("j1").holdUntil).toBeUndefined()
      await troupe.answer("w")
      expect(standing()).toBe("prompting.working")
    })

    it.each(["before", "after"])(
      "and that of the next one %s its session is there: asks the third",
      async (when) => {
        await waiting({ fallbacks: [{ model: "q/n" }, { model: "r/o" }] })
        await troupe.start("v", { model: "q/n" })
        await opened("ses_v", "v")
        await opened("ses_1")
        await held(hour)
        if (when === "after") await opened("ses_2")
        // The same time, to the millisecond.
        troupe.troupe.hold({ owner: "owner", id: "v" }, troupe.now() + hour)
        await settled()
        if (when === "before") await opened("ses_2")
        await opened("ses_3")
        expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_3", job: { model: "r/o" } })
        expect(troupe.record("j1").attempts).toMatchObject([
          { model: "p/m", session: "ses_1" },
          { model: "q/n", session: "ses_2" },
        ])
      },
    )

    it("after it has moved to it: asks the third", async () => {
      await leaves({ fallbacks: [{ model: "q/n" }, { model: "r/o" }] })
      await opened("ses_2")
      expect(standing()).toBe("prompting.queued")
      troupe.troupe.hold({ owner: "owner", id: "v" }, troupe.now() + hour)
      await settled()
      await opened("ses_3")
      expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_3", job: { model: "r/o" } })
      expect(troupe.record("j1").attempts?.[1]?.error.message).toBe(heldUntil(hour))
    })

    it("while the session for it is made: asks the third, and says of each until when it would have waited", async () => {
      await leaves({ fallbacks: [{ model: "q/n" }, { model: "r/o" }] })
      troupe.troupe.hold({ owner: "owner", id: "v" }, troupe.now() + hour)
      await settled()
      await opened("ses_2")
      expect(standing()).toBe("prompting.opening")
      await opened("ses_3")
      expect(troupe.prompting("j1").input).toMatchObject({ session: "ses_3", job: { model: "r/o" } })
      expect(troupe.record("j1").attempts).toMatchObject([
        { model: "p/m", error: noKey.error, session: "ses_1" },
        { model: "q/n", error: { message: heldUntil(hour) }, session: "ses_2" },
      ])
    })

    it("after it has moved to it, for a minute: waits for it, and then has all the time that it was given", async () => {
      await leaves({ timeoutMs: 120_000 })
      await opened("ses_2")
      troupe.troupe.hold({ owner: "owner", id: "v" }, troupe.now() + 60_000)
      await settled()
      expect(standing()).toBe("prompting.queued")
      expect(troupe.record("j1").holdUntil).toBe(troupe.now() + 60_000)
      await troupe.pass(10_000)
      // What it answers ends the hold sooner.
      await troupe.answer("v")
      expect(standing()).toBe("prompting.working")
      expect(troupe.record("j1").deadlineAt).toBe(troupe.now() + 120_000)
    })

    it("is cancelled in the session that is being made", async () => {
      await waiting()
      await opened("ses_1")
      await held(hour)
      await troupe.cancel("j1")
      await opened("ses_2")
      expect(troupe.record("j1")).toMatchObject({ state: "cancelled", session: "ses_2" })
      expect(troupe.recording("j1").input).toMatchObject({ state: "cancelled", session: "ses_2" })
    })

    it("fails in the one it had where no other is made in time, counted from its move", async () => {
      await waiting()
      await opened("ses_1")
      await troupe.pass(10_000)
      await held(hour)
      await troupe.pass(30_000)
      const why = expect.stringMatching(/^p on hold until /)
      expect(troupe.record("j1")).toMatchObject({
        state: "failed",
        session: "ses_1",
        error: {
          kind: "create",
          message: expect.stringMatching(
            /^p on hold until .+\. q\/n was not asked instead: opencode did not make the child session within 30 s\. agents_send has it go on where the job is\.$/,
          ),
        },
        attempts: [{ model: "p/m", error: { kind: "provider", message: why } }],
        endedAt: troupe.now(),
      })
      expect(troupe.record("j1").attempts?.[0]).not.toHaveProperty("session")
    })

    it("before its session is there: the time for the next one is counted from when it was", async () => {
      await waiting()
      await held(hour)
      await troupe.pass(20_000)
      await opened("ses_1")
      await troupe.pass(30_000)
      expect(troupe.record("j1")).toMatchObject({ state: "failed", session: "ses_1", endedAt: troupe.now() })
    })

    it("fails in the one it had where no other can be made", async () => {
      await waiting()
      await opened("ses_1")
      await held(hour)
      troupe.opening("j1").reject({ kind: "create", message: "out of disk" })
      await settled()
      expect(troupe.record("j1")).toMatchObject({ state: "failed", session: "ses_1", model: "q/n" })
      expect(troupe.record("j1").attempts?.[0]).not.toHaveProperty("session")
    })

    it("takes no slot for the model that it has left", async () => {
      await waiting()
      await troupe.start("v", { model: "q/n" })
      await opened("ses_v", "v")
      await opened("ses_1")
      await held(hour)
      await troupe.tell("j1", { type: "slot.granted", model: "p/m", at: troupe.now() })
      await opened("ses_2")
      expect(standing()).toBe("created.queued")
      await troupe.answer("v")
      expect(standing()).toBe("prompting.working")
    })
  })

  it("says in its history why it goes on with another model", async () => {
    await start()
    await troupe.answer("j1", noKey)
    await left()
    await opened("ses_2")
    const whys = troupe.troupe.history({ owner: "owner", id: "j1" }).map(({ why }) => why)
    expect(whys).toContain("p/m cannot be had, q/n is asked next: Invalid API key (HTTP 401)")
  })

  it("is known by the session it is in, and no longer by the one it has left", async () => {
    await start()
    await troupe.answer("j1", noKey)
    await left()
    await opened("ses_2")
    expect(troupe.troupe.records.bySession("ses_2")?.id).toBe("j1")
    expect(troupe.troupe.records.bySession("ses_1")).toBeUndefined()
  })
})

describe("A job without fallbacks", () => {
  it("fails where its model cannot be had, and waits for as long as its provider says", async () => {
    const troupe = play()
    await troupe.startAll("j1", "j2")
    await troupe.answer("j1", noKey)
    await troupe.tell("j2", troupe.retrying(9, 600_000))
    expect(troupe.record("j1")).toMatchObject({ state: "failed", error: noKey.error })
    expect(troupe.record("j2").phase).toBe("retrying")
  })
})
