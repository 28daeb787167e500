import { describe, expect, it } from "vitest"
import { usage } from "./support/jobs.ts"
import { nothing, play, settled } from "./support/play.ts"

const hasToPass = { command: "npm test", attempts: 1 }
const red = { exitCode: 1, output: "1 failed" }

/** A job whose child has answered, and whose check runs. */
async function checked(fields = {}) {
  const day = play({ concurrency: 1 })
  await day.start("a", { hasToPass, ...fields })
  await day.pass(1_000)
  await day.answer("a", { message: { id: "msg_1", at: day.now() } })
  return day
}

describe("A job that has to pass a check", () => {
  it("is checked once its child has answered, keeps its slot, and is done with that answer once it passes", async () => {
    const day = await checked()
    await day.start("b")
    expect(day.record("a")).toMatchObject({
      state: "prompting",
      phase: "checking",
      check: { command: "npm test", rounds: 0, output: "" },
    })
    expect(day.record("a")).not.toHaveProperty("text")
    expect(day.record("b").phase).toBe("queued")
    expect(day.checking("a").input).toMatchObject({ round: 1, check: hasToPass, answer: { id: "msg_1" } })

    await day.pass(5_000)
    await day.check("a", { output: "all well" })
    expect(day.record("a")).toMatchObject({
      state: "done",
      text: "the answer",
      check: { command: "npm test", exitCode: 0, rounds: 1, output: "all well" },
    })
    expect((day.record("a").endedAt ?? 0) - (day.record("a").startedAt ?? 0)).toBe(6_000)
    expect(day.record("b").phase).toBe("working")
  })

  it("counts what its child has spent, as it hears of it while the check runs", async () => {
    const day = await checked()
    await day.tell("a", day.spent(99))
    expect(day.record("a").usage).toEqual(usage(99))
    await day.check("a")
    expect(day.record("a")).toMatchObject({ state: "done", usage: usage(99) })
  })

  it("has what was committed for the check in its record, and what was as it was stopped", async () => {
    const worktree = { directory: "/w/a", branch: "troupe/o/a", base: "0".repeat(40) }
    const committed = { ...worktree, commit: "1".repeat(40), files: 1, insertions: 1, deletions: 0 }
    const day = play({ stops: false })
    for (const id of ["a", "b"]) await day.start(id, { hasToPass, worktree })
    await day.answer("a")
    await day.check("a", { worktree: committed })
    expect(day.record("a")).toMatchObject({ state: "done", worktree: committed })
    await day.cancel("b")
    day.stopping("b").resolve({ text: "", usage: usage(0), worktree: committed })
    await settled()
    expect(day.record("b")).toMatchObject({ state: "cancelled", worktree: committed })
  })

  it("has failed of the check where that cannot be run at all", async () => {
    const day = await checked()
    expect(day.record("a").check).not.toHaveProperty("exitCode")
    day.checking("a").reject(new Error("no shell"))
    await settled()
    expect(day.record("a").error).toEqual({ kind: "check", message: "no shell" })
  })

  it("has the data of the answer that passes", async () => {
    const day = play()
    await day.start("a", { hasToPass })
    await day.answer("a", { structured: { n: 1 } })
    await day.check("a")
    expect(day.record("a")).toMatchObject({ state: "done", structured: { n: 1 } })
  })

  it("is checked for an answer that is known by when it was given, where opencode names no message", async () => {
    const day = play()
    await day.start("a", { hasToPass })
    await day.pass(1_000)
    await day.answer("a")
    expect(day.checking("a").input.answer).toEqual({ id: `${day.now()}`, at: day.now() })
  })

  it("has its child told in the same session where it does not, and fails where that is in vain, with the answer kept", async () => {
    const day = await checked()
    await day.check("a", { ...red, endedAt: 77 })
    expect(day.record("a")).toMatchObject({ phase: "working", check: { ...red, rounds: 1 } })
    expect(day.prompting("a").input).toMatchObject({ red: { ...red, round: 1, endedAt: 77 } })
    await day.answer("a", { text: "the second answer", structured: { n: 1 } })
    expect(day.checking("a").input.round).toBe(2)
    await day.check("a", red)
    const record = day.record("a")
    expect(record).toMatchObject({
      state: "failed",
      text: "the second answer",
      error: { kind: "check", message: '"npm test" exited with 1, in the last of 2 rounds' },
      check: { ...red, rounds: 2 },
    })
    expect(record).not.toHaveProperty("structured")
    expect(day.calls.stopping).toEqual([])
    expect(day.running()).toEqual(nothing)
  })

  it("is not checked where its child has failed, and not while it stands for others", async () => {
    const day = play()
    await day.start("a", { hasToPass })
    await day.answer("a", { error: { kind: "provider", message: "401" } })
    expect(day.record("a").error?.kind).toBe("provider")
    await day.start("g", { hasToPass, each: { from: "x", timeoutMs: 1, idleMs: 1 } })
    await day.answer("g")
    expect(day.record("g")).toMatchObject({ state: "done", isGroup: true })
    expect(day.record("g")).not.toHaveProperty("check")
    expect(day.calls.checking).toEqual([])
  })

  it("says in which round its check still ran when its time was over", async () => {
    const day = await checked()
    await day.check("a", red)
    await day.answer("a", { message: { id: "msg_2", at: day.now() } })
    await day.pass(59_000)
    const message = 'not done within 60 s: its check "npm test" still ran, in round 2'
    expect(day.record("a")).toMatchObject({ state: "timedOut", error: { message } })
  })

  it("may be silent while it is checked, for as long as its total time", async () => {
    const day = await checked()
    await day.pass(58_999)
    expect(day.record("a").phase).toBe("checking")
    await day.pass(1)
    const message = 'not done within 60 s: its check "npm test" still ran'
    expect(day.record("a")).toMatchObject({
      state: "timedOut",
      error: { kind: "total", message },
      text: "the answer",
    })
    expect(day.checking("a").signal.aborted).toBe(true)
    expect(day.running()).toEqual(nothing)
  })

  it("has its child at work with the time that is left, and its idle clock starts again", async () => {
    const day = await checked()
    await day.pass(30_000)
    await day.check("a", red)
    expect((day.record("a").deadlineAt ?? 0) - day.now()).toBe(29_000)
    await day.pass(19_999)
    expect(day.record("a").phase).toBe("working")
    await day.pass(1)
    expect(day.record("a")).toMatchObject({
      error: { kind: "idle", message: "no activity for 20 s" },
      endedAt: day.now(),
    })
  })

  it("has no less time because its child was waiting for somebody as it answered", async () => {
    const day = play()
    await day.start("a", { hasToPass })
    await day.pass(10_000)
    await day.tell("a", day.permission("p"))
    await day.pass(500_000)
    await day.answer("a")
    expect(day.record("a")).toMatchObject({ phase: "checking", waitedMs: 500_000 })
    expect(day.record("a")).not.toHaveProperty("asks")
    expect((day.record("a").deadlineAt ?? 0) - day.now()).toBe(50_000)
  })

  it("ends its check where it is cancelled, or its actor crashes", async () => {
    const day = await checked()
    await day.cancel("a")
    expect(day.record("a")).toMatchObject({ state: "cancelled", text: "the answer" })
    expect(day.checking("a").signal.aborted).toBe(true)

    await day.start("b", { hasToPass, attempts: [{ error: { kind: "provider", message: "401" } }] })
    await day.answer("b")
    // No code of ours sends one without a use, which is added to that of earlier attempts.
    await day.tell("b", { type: "child.spent" } as never)
    expect(day.record("b").error?.message).toContain("a defect of opencode-troupe")
    expect(day.checking("b").signal.aborted).toBe(true)
  })

  it("fails where it cannot be checked", async () => {
    const day = await checked()
    day.checking("a").reject({ kind: "check", message: "it was not run: its owner may not" })
    await day.pass(0)
    expect(day.record("a")).toMatchObject({
      state: "failed",
      text: "the answer",
      error: { kind: "check", message: "it was not run: its owner may not" },
    })
  })

  it("says in its history what was run, and how that went", async () => {
    const day = await checked()
    await day.check("a", red)
    await day.answer("a")
    await day.check("a")
    const why = day.troupe.history({ owner: "owner", id: "a" }).map(({ to, why }) => `${to}: ${why}`)
    expect(why.slice(-4)).toEqual([
      "prompting.checking: the child has answered, and npm test is run",
      'prompting.working: "npm test" exited with 1; the child is told',
      "prompting.checking: the child has answered, and npm test is run",
      "done: npm test has passed",
    ])
  })
})
