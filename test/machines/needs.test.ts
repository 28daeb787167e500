import { describe, expect, it } from "vitest"
import { breachOf, openNeeds, standingOf } from "../../src/machines/needs.ts"
import type { JobRecord } from "../../src/machines/record.ts"
import { nothing, play } from "./support/play.ts"
import { quietXState } from "./support/quiet.ts"

quietXState()

const done = (...ids: string[]) => ids.map((id) => ({ id, on: "done" as const }))
const ended = (...ids: string[]) => ids.map((id) => ({ id, on: "ended" as const }))
const stateOf = ({ state, phase }: JobRecord) => (phase ? `${state}.${phase}` : state)

describe("A job that needs others", () => {
  it("has its session from the start, is blocked until all of them are done, and is prompted then", async () => {
    const troupe = play()
    await troupe.startAll("a", "b")
    await troupe.start("c", { needs: done("a", "b") })
    expect(stateOf(troupe.record("c"))).toBe("created.blocked")
    expect(troupe.record("c").session).not.toBe("")
    expect(troupe.record("c").needs).toEqual(done("a", "b"))
    await troupe.answer("a")
    expect(stateOf(troupe.record("c"))).toBe("created.blocked")
    await troupe.answer("b")
    expect(stateOf(troupe.record("c"))).toBe("prompting.working")
    await troupe.answer("c")
    expect(troupe.record("c").state).toBe("done")
    expect(troupe.running()).toEqual(nothing)
  })

  it("takes no slot and no place in line while it is blocked", async () => {
    const troupe = play({ concurrency: 1 })
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    await troupe.start("c")
    expect(troupe.running().slots).toEqual({ busy: 1, waiting: 1 })
    await troupe.answer("a")
    expect(["b", "c"].map((id) => stateOf(troupe.record(id)))).toEqual([
      "created.queued",
      "prompting.working",
    ])
    expect(troupe.running().slots).toEqual({ busy: 1, waiting: 1 })
  })

  it("may be started before them", async () => {
    const troupe = play()
    await troupe.start("b", { needs: done("a") })
    await troupe.start("a")
    expect(stateOf(troupe.record("b"))).toBe("created.blocked")
    await troupe.answer("a")
    expect(stateOf(troupe.record("b"))).toBe("prompting.working")
  })

  it("is not blocked by what has ended before", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.answer("a")
    await troupe.start("b", { needs: done("a") })
    expect(stateOf(troupe.record("b"))).toBe("prompting.working")
  })

  it("fails at once where one of several has ended otherwise before, whichever it is", async () => {
    const troupe = play()
    await troupe.startAll("a", "b", "x")
    await troupe.answer("a")
    await troupe.cancel("b", "no use")
    await troupe.start("c", { needs: done("a", "b", "x") })
    expect(troupe.record("c")).toMatchObject({
      state: "failed",
      error: { message: "it needs b, which was cancelled: no use" },
    })
    expect(troupe.running().slots).toEqual({ busy: 1, waiting: 0 })
  })

  it("is none of the business of what others need", async () => {
    const troupe = play()
    await troupe.startAll("a", "b")
    await troupe.start("c", { needs: done("a") })
    await troupe.start("d", { needs: done("b") })
    await troupe.answer("a")
    expect(["c", "d"].map((id) => stateOf(troupe.record(id)))).toEqual([
      "prompting.working",
      "created.blocked",
    ])
    await troupe.answer("b")
    expect(stateOf(troupe.record("d"))).toBe("prompting.working")
  })

  it("ends when what it needs has, not when that was started", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    await troupe.pass(5_000)
    await troupe.cancel("a")
    expect(troupe.record("b").endedAt).toBe(troupe.now())
  })

  it("says in its history what it waits for, and why it goes on", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    await troupe.answer("a")
    expect(troupe.troupe.history({ owner: "owner", id: "b" }).map(({ to, why }) => `${to}: ${why}`)).toEqual([
      "created.opening: started by its owner",
      "created.blocked: it needs a",
      "created.queued: all that it needs has ended, and a slot is free",
      "prompting.working: got a slot",
    ])
  })

  it("is not blocked where its child was asked in an earlier process, whatever became of its needs", async () => {
    const troupe = play()
    await troupe.start("b", { needs: done("a"), hasBegun: true, session: "ses_b" })
    expect(stateOf(troupe.record("b"))).toBe("prompting.working")
  })

  it("waits only for the end of those of which it needs no more", async () => {
    const troupe = play()
    await troupe.startAll("a", "b")
    await troupe.start("c", { needs: ended("a", "b") })
    await troupe.cancel("a")
    await troupe.answer("b", { error: { kind: "provider", message: "401" } })
    expect(stateOf(troupe.record("c"))).toBe("prompting.working")
  })

  it("fails, unprompted, as soon as one of them ends otherwise, and so do those that need it, with the chain", async () => {
    const troupe = play()
    await troupe.startAll("a", "x")
    await troupe.start("b", { needs: done("a", "x") })
    await troupe.start("c", { needs: done("b") })
    await troupe.start("d", { needs: ended("b") })
    await troupe.pass(20_000)
    expect(["b", "c"].map((id) => troupe.record(id))).toMatchObject([
      {
        state: "failed",
        error: { kind: "dependency", message: "it needs a, which timed out: no activity for 20 s" },
        text: "",
      },
      {
        state: "failed",
        error: {
          kind: "dependency",
          message: "it needs b, which failed: it needs a, which timed out: no activity for 20 s",
        },
      },
    ])
    expect(stateOf(troupe.record("d"))).toBe("prompting.working")
    // Stored before anybody is told, in the order in which they ended.
    expect(troupe.calls.recording.map(({ input }) => input.id)).toEqual(["a", "x", "b", "c"])
    expect(troupe.calls.prompting.map(({ input }) => input.job.id)).toEqual(["a", "x", "d"])
  })

  it("is stored as failed in its session, even if that is still being made when its need breaks", async () => {
    const troupe = play({ opens: false })
    await troupe.start("a")
    troupe.opening("a").resolve({ session: "ses_a" })
    await troupe.start("b", { needs: done("a") })
    await troupe.cancel("a", "no use")
    expect(stateOf(troupe.record("b"))).toBe("created.opening")
    troupe.opening("b").resolve({ session: "ses_b" })
    await troupe.pass(0)
    expect(troupe.record("b")).toMatchObject({
      session: "ses_b",
      state: "failed",
      error: { kind: "dependency", message: "it needs a, which was cancelled: no use" },
    })
    expect(troupe.recording("b").input.session).toBe("ses_b")
    expect(troupe.running().jobs).toEqual([])
  })

  it("gets in line at once where its needs end while its session is being made", async () => {
    const troupe = play({ opens: false })
    await troupe.start("a")
    troupe.opening("a").resolve({ session: "ses_a" })
    await troupe.start("b", { needs: done("a") })
    await troupe.pass(0)
    await troupe.answer("a")
    expect(troupe.running().slots.busy).toBe(1)
    troupe.opening("b").resolve({ session: "ses_b" })
    await troupe.pass(0)
    expect(stateOf(troupe.record("b"))).toBe("prompting.working")
  })

  it("can be cancelled while it is blocked", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    await troupe.cancel("b")
    expect(troupe.record("b")).toMatchObject({ state: "cancelled", text: "" })
    await troupe.answer("a")
    expect(troupe.record("b").state).toBe("cancelled")
    expect(troupe.calls.prompting).toHaveLength(1)
  })

  it("is cancelled, not failed, where it is cancelled together with what it needs", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    troupe.troupe.cancel(
      ["a", "b"].map((id) => ({ owner: "owner", id })),
      "enough",
    )
    await troupe.pass(0)
    expect(["a", "b"].map((id) => troupe.record(id).state)).toEqual(["cancelled", "cancelled"])
  })

  it("fails where a job that it needs has crashed", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    await troupe.crash("a")
    expect(troupe.record("b").error?.message).toMatch(
      /^it needs a, which failed: a defect of opencode-troupe/,
    )
  })

  it("waits for a job of an earlier process, and goes on or fails as that is taken in", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.answer("a")
    const earlier = troupe.record("a")
    await troupe.start("y", { needs: done("old") })
    await troupe.start("z", { needs: done("older") })
    expect(stateOf(troupe.record("y"))).toBe("created.blocked")
    troupe.troupe.adopt({ ...earlier, id: "old", session: "ses_old" })
    troupe.troupe.adopt({ ...earlier, id: "older", session: "ses_older", state: "timedOut" })
    await troupe.pass(0)
    expect(stateOf(troupe.record("y"))).toBe("prompting.working")
    expect(troupe.record("z").error?.message).toBe("it needs older, which timed out")
  })

  it("fails where a job that it needs is gone and never comes, even if it only waits for its end", async () => {
    const troupe = play()
    await troupe.start("b", { needs: ended("a") })
    troupe.troupe.giveUpNeed({ owner: "owner", id: "a" })
    await troupe.pass(0)
    expect(troupe.record("b").error).toEqual({
      kind: "dependency",
      message: "it needs a, which is gone with its session",
    })
  })

  it("runs again with the same needs once the one that failed is done", async () => {
    const troupe = play()
    await troupe.start("a")
    await troupe.start("b", { needs: done("a") })
    await troupe.answer("a", { error: { kind: "provider", message: "401" } })
    expect(troupe.record("b").state).toBe("failed")
    await troupe.start("a", { run: 2, session: "ses_owner_a" })
    await troupe.start("b", { run: 2, session: "ses_owner_b", needs: done("a") })
    expect(stateOf(troupe.record("b"))).toBe("created.blocked")
    await troupe.answer("a")
    expect(stateOf(troupe.record("b"))).toBe("prompting.working")
  })
})

describe("A job that stands for others", () => {
  const each = { from: "scan", timeoutMs: 1_000, idleMs: 1_000 }

  it("takes no slot, for it prompts nobody", async () => {
    const troupe = play({ concurrency: 1 })
    await troupe.start("a")
    await troupe.start("files", { each })
    expect(stateOf(troupe.record("files"))).toBe("prompting.working")
    expect(troupe.running().slots).toEqual({ busy: 1, waiting: 0 })
  })

  it("takes none either that has been blocked, or whose needs had ended before", async () => {
    const troupe = play({ concurrency: 1 })
    await troupe.startAll("scan", "b")
    await troupe.start("files", { each, needs: done("scan") })
    expect(stateOf(troupe.record("files"))).toBe("created.blocked")
    await troupe.answer("scan")
    await troupe.start("more", { each, needs: done("scan") })
    expect(["files", "more", "b"].map((id) => stateOf(troupe.record(id)))).toEqual(
      Array(3).fill("prompting.working"),
    )
    expect(troupe.running().slots).toEqual({ busy: 1, waiting: 0 })
  })
})

describe("What a blocked job waits for", () => {
  it("is all that it needs and has not ended, that of earlier processes included, which is not there yet", async () => {
    const troupe = play()
    await troupe.startAll("a", "b")
    await troupe.start("c", { needs: done("a", "b", "old") })
    await troupe.answer("a")
    expect(openNeeds(troupe.record("c"), troupe.troupe.records)).toEqual(["b", "old"])
  })

  it("is nothing where it needs nothing", async () => {
    const troupe = play()
    await troupe.start("a")
    expect(openNeeds(troupe.record("a"), troupe.troupe.records)).toEqual([])
  })
})

describe("A need", () => {
  it.each([
    ["open for as long as its job has not ended", "done", undefined, "open"],
    ["met by a job that is done", "done", "done", "met"],
    ["broken by one that ended otherwise", "done", "failed", "broken"],
    ["met by one that ended in any way, where no more is needed", "ended", "cancelled", "met"],
    ["broken by one that is gone, even then", "ended", "gone", "broken"],
  ] as const)("is %s", (_, on, state, standing) => {
    expect(standingOf({ id: "a", on }, state && { id: "a", state })).toBe(standing)
  })
})

describe("The words for a broken need", () => {
  it.each([
    [{ state: "failed", why: "the provider refused" }, "failed: the provider refused"],
    [{ state: "failed" }, "failed"],
    [{ state: "timedOut", why: "no activity for 20 s" }, "timed out: no activity for 20 s"],
    [{ state: "cancelled", why: "cancelled by its owner: no use" }, "was cancelled by its owner: no use"],
    [
      { state: "cancelled", why: "its child session was deleted" },
      "was cancelled: its child session was deleted",
    ],
    [{ state: "gone" }, "is gone with its session"],
  ] as const)("say how it ended: %j", (end, words) => {
    expect(breachOf({ id: "a", ...end })).toBe(`it needs a, which ${words}`)
  })

  it("leave a cause of 600 characters whole", () => {
    const why = "x".repeat(600)
    expect(breachOf({ id: "a", state: "failed", why })).toBe(`it needs a, which failed: ${why}`)
  })

  it("keep the beginning of a long chain, and its end, which is the first cause", () => {
    const why = `${"it needs x, which failed: ".repeat(100)}the provider refused`
    const words = breachOf({ id: "y", state: "failed", why })
    expect(words.length).toBeLessThan(700)
    expect(words).toMatch(/^it needs y, which failed: it needs x, .* … .*the provider refused$/)
  })
})
