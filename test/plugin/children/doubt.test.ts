import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { watchChildren } from "../../../src/plugin/children/watch.ts"
import type { Host, HostSession, Prompt, Result } from "../../../src/plugin/host/port.ts"
import { decodeSession } from "../../../src/plugin/host/v1/decode.ts"
import { failed, ok } from "../support/host-double.ts"
import { answerTo, sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"

/** Longer than all pauses together after which anything is tried again. */
const longEnough = 10 * 60_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const noAnswer: Result<never> = {
  ok: false,
  error: { message: "opencode gave no answer within 10 s", isInDoubt: true },
}
const never = () => new Promise<never>(() => {})

async function startedJob(overrides: Partial<Host> = {}) {
  const services = testServices(overrides)
  const watch = watchChildren(services.troupe)
  await services.call("agents_start", { tasks: [{ id: "it", prompt: "work", timeout: 60 }] })
  await vi.advanceTimersByTimeAsync(0)
  const [asked] = services.host.prompts
  if (!asked) throw new Error("the child was not asked")
  const { session, messageID } = asked.prompt
  const record = () => services.troupe.records.get("owner", "it")
  const status = (type: "busy" | "idle") => watch.handle({ type: `session.${type}`, session })
  return { ...services, asked, session, messageID, status, record }
}

describe("An answer that gets lost on its way", () => {
  it("is found in the child's messages once the child has been idle for a while", async () => {
    const { asked, messageID, session, status, record } = await startedJob()
    status("busy")
    asked.write(answerTo({ session, messageID }, "the answer"))
    status("idle")
    await vi.advanceTimersByTimeAsync(10_000)
    expect(record()).toMatchObject({ state: "done", text: "the answer" })
  })

  it("is not looked for in a child that is idle for a moment between its steps", async () => {
    const { asked, messageID, session, status, record } = await startedJob()
    status("idle")
    await vi.advanceTimersByTimeAsync(1_000)
    status("busy")
    asked.write(answerTo({ session, messageID }, "so far"))
    await vi.advanceTimersByTimeAsync(30_000)
    expect(record()?.state).toBe("prompting")
  })

  it("is no answer where the child's messages have none", async () => {
    const { status, record } = await startedJob()
    status("idle")
    await vi.advanceTimersByTimeAsync(50_000)
    expect(record()?.state).toBe("prompting")
  })
})

describe("A child that nobody waits for", () => {
  it("is stopped at a later attempt where opencode did not take the first", async () => {
    let failures = 3
    const aborts: string[] = []
    const { call } = await startedJob({
      abort: async (id) => {
        aborts.push(id)
        return failures-- > 0 ? failed("busy", 503) : ok(true)
      },
    })
    const cancelled = call("agents_cancel", { all: true })
    await vi.advanceTimersByTimeAsync(longEnough)
    expect((await cancelled).jobs[0]?.state).toBe("cancelled")
    expect(aborts).toHaveLength(4)
  })

  it("does not keep its job from ending, whatever opencode leaves unanswered", async () => {
    const { call, host } = await startedJob()
    Object.assign(host, { abort: never, messages: never, session: never })
    const cancelled = call("agents_cancel", { all: true })
    await vi.advanceTimersByTimeAsync(6_000)
    expect((await cancelled).jobs[0]?.state).toBe("cancelled")
  })

  it("is left alone where a follow-up works in it by now, and the person is told of one that cannot be stopped", async () => {
    const aborts: string[] = []
    const { call, host } = await startedJob({
      abort: async (id) => {
        aborts.push(id)
        return failed("busy", 503)
      },
    })
    const cancelled = call("agents_cancel", { all: true })
    await vi.advanceTimersByTimeAsync(3_000)
    await cancelled
    await call("agents_send", { id: "it", message: "go on" })
    const before = aborts.length
    await vi.advanceTimersByTimeAsync(40_000)
    expect(aborts).toHaveLength(before)
    expect(host.toasts.filter(({ variant }) => variant === "error")).toEqual([])
  })

  it("that cannot be stopped is named to the person", async () => {
    const { call, host } = await startedJob({ abort: async () => failed("busy", 503) })
    const cancelled = call("agents_cancel", { all: true })
    await vi.advanceTimersByTimeAsync(longEnough)
    await cancelled
    expect(host.toasts).toContainEqual(
      expect.objectContaining({ variant: "error", message: expect.stringContaining("still be working") }),
    )
  })
})

describe("A session that is made when its job has failed already", () => {
  it("is removed", async () => {
    let make = (_: Result<HostSession>) => {}
    const services = testServices({ createSession: () => new Promise((resolve) => (make = resolve)) })
    const starting = services.call("agents_start", { tasks: [{ id: "it", prompt: "work" }] })
    await vi.advanceTimersByTimeAsync(30_000)
    expect((await starting).output).toContain("did not make the child session within 30 s")
    services.host.sessions.set("ses_late", sessionOf("ses_late"))
    make(ok(decodeSession(sessionOf("ses_late"))))
    await vi.advanceTimersByTimeAsync(0)
    expect(services.host.sessions.has("ses_late")).toBe(false)
  })
})

describe("A message for a working job", () => {
  it("counts as told where opencode has it, though it did not say so", async () => {
    const { call } = await startedJob({ steer: async () => noAnswer })
    expect((await call("agents_send", { id: "it", message: "more" })).output).toContain("at its next step")
  })

  it("is asked by the same ids once the turn is over, so that it is answered in either case, and once", async () => {
    const sent: Prompt[] = []
    const { call, host } = await startedJob({
      steer: async (prompt) => {
        sent.push(prompt)
        return noAnswer
      },
    })
    await call("agents_send", { id: "it", message: "more" })
    host.prompts[0]?.answer("of the first turn")
    await vi.advanceTimersByTimeAsync(0)
    expect(host.prompts.slice(1).map(({ prompt }) => prompt.messageID)).toEqual([sent[0]?.messageID])
  })
})
