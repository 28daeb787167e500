import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { NO_USAGE } from "../../../src/machines/record.ts"
import type { Host, Result, Session } from "../../../src/plugin/host/port.ts"
import { createNotifier } from "../../../src/plugin/owners/notify.ts"
import { takeLease } from "../../../src/plugin/records/lease.ts"
import { createRecovery } from "../../../src/plugin/records/recovery.ts"
import { METADATA_KEY, type StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { failed, type HostDouble, ok } from "../support/host-double.ts"
import { answerTo, askedBy, sessionOf } from "../support/opencode-data.ts"
import { atDesk, lease } from "../support/services.ts"

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
  const desk = atDesk(overrides)
  await desk.call("agents_start", { tasks: [{ id: "it", prompt: "work", timeout: 60 }] })
  await vi.advanceTimersByTimeAsync(0)
  const [asked] = desk.host.prompts
  if (!asked) throw new Error("the child was not asked")
  const { session, messageID } = asked.prompt
  const status = (type: "busy" | "idle") =>
    desk.children.hear({ type: "session.status", properties: { sessionID: session, status: { type } } })
  return { ...desk, asked, session, messageID, status, record: () => desk.troupe.records.get("owner", "it") }
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
    await vi.advanceTimersByTimeAsync(5_000)
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
    expect(host.toasts).toEqual([])
  })

  it("that cannot be stopped is named to the person", async () => {
    const { call, host } = await startedJob({ abort: async () => failed("busy", 503) })
    const cancelled = call("agents_cancel", { all: true })
    await vi.advanceTimersByTimeAsync(longEnough)
    await cancelled
    expect(host.toasts).toMatchObject([
      { variant: "error", message: expect.stringContaining("still be working") },
    ])
  })
})

describe("A session that is made when its job has failed already", () => {
  it("is removed", async () => {
    let make = (_: Result<Session>) => {}
    const desk = atDesk({ createSession: () => new Promise((resolve) => (make = resolve)) })
    const starting = desk.call("agents_start", { tasks: [{ id: "it", prompt: "work" }] })
    await vi.advanceTimersByTimeAsync(30_000)
    expect((await starting).output).toContain("did not make the child session within 30 s")
    desk.host.sessions.set("ses_late", sessionOf("ses_late"))
    make(ok(sessionOf("ses_late")))
    await vi.advanceTimersByTimeAsync(0)
    expect(desk.host.sessions.has("ses_late")).toBe(false)
  })
})

describe("A message for a working job", () => {
  it("counts as told where opencode has it, though it did not say so", async () => {
    const { call } = await startedJob({ send: async () => noAnswer })
    expect((await call("agents_send", { id: "it", message: "more" })).output).toContain("at its next step")
  })

  it("is refused in words that say what is not known", async () => {
    const { call, host } = await startedJob({ send: async () => noAnswer })
    host.message = async () => failed("no such message", 404)
    await expect(call("agents_send", { id: "it", message: "more" })).rejects.toThrow(
      "Whether it was sent is not known",
    )
  })
})

describe("A result whose text cannot be read", () => {
  const record = {
    id: "old",
    session: "ses_old",
    owner: "owner",
    description: "Old",
    agent: "general",
    state: "done" as const,
    run: 1,
    createdAt: 1,
    endedAt: 2,
    usage: NO_USAGE,
  }

  it("is not handed over without it, and stays unread until it can be", async () => {
    let isAway = true
    const { troupe, inbox, call } = atDesk({
      messages: async () =>
        isAway ? failed("away", 503) : ok([answerTo({ session: "s", messageID: "m" }, "it")]),
    })
    troupe.adopt(record)
    const first = await call("agents_wait", {})
    expect(first.output).toContain("old is done, but its text could not be read now: away")
    expect(inbox.unread("owner")).toHaveLength(1)
    isAway = false
    expect((await call("agents_wait", {})).output).toMatch(/<job id="old" state="done"[^>]*>\nit\n/)
    expect(inbox.unread("owner")).toEqual([])
  })

  it("is handed over without it where its session is gone", async () => {
    const { troupe, inbox, call } = atDesk({ messages: async () => failed("gone", 404) })
    troupe.adopt(record)
    expect((await call("agents_wait", {})).output).toContain('<job id="old" state="done"')
    expect(inbox.unread("owner")).toEqual([])
  })
})

describe("A notification that is stored, whose turn did not start", () => {
  it("has its turn started later, and is not sent twice", async () => {
    const posted: string[] = []
    const sent: string[] = []
    const desk = atDesk()
    const { host, troupe, inbox } = desk
    const words = { session: "owner", messageID: "msg_1", partID: "prt_1", text: "hello" }
    const conversation = [askedBy({ ...words, agent: "plan", model: "fake/m2" })]
    host.said.set("owner", conversation)
    const notifier = createNotifier({
      host: {
        ...host,
        post: async (prompt) => {
          posted.push(prompt.messageID ?? "")
          conversation.push(askedBy({ ...words, ...prompt, messageID: prompt.messageID ?? "", partID: "p" }))
          return ok(undefined)
        },
        send: async (prompt) => {
          sent.push(prompt.messageID ?? "")
          return sent.length < 3 ? noAnswer : ok(undefined)
        },
      },
      troupe,
      inbox,
      notify: "idle",
      now: Date.now,
    })
    onTestFinished(() => notifier.stop())
    await desk.call("agents_start", { tasks: [{ id: "it", prompt: "work" }] })
    await vi.advanceTimersByTimeAsync(0)
    host.prompts[0]?.answer("the answer")
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(posted).toHaveLength(1)
    expect(sent).toEqual([posted[0], posted[0], posted[0]])
  })
})

describe("A look for the jobs of earlier processes", () => {
  const dead = { ...lease, instance: "earlier", pid: 2 ** 22 + 1 }
  const stored = (fields: Partial<StoredJob["record"]> = {}): StoredJob => ({
    version: 1,
    record: {
      id: "it",
      owner: "owner",
      description: "It",
      agent: "general",
      state: "created",
      run: 1,
      createdAt: 1,
      usage: NO_USAGE,
      ...fields,
    },
    prompt: "work",
    mayStartJobs: false,
    askedAt: 1,
    timeoutMs: 1_000,
    idleMs: 1_000,
    lease: dead,
    toldRun: 0,
  })

  function recoveryOf(overrides: (host: HostDouble) => Partial<Host>, recover: "fail" | "resume" = "fail") {
    const desk = atDesk()
    const { troupe, inbox, store } = desk
    const child = (id: string, job: StoredJob, updated: number) =>
      desk.host.sessions.set(
        id,
        sessionOf(id, {
          parentID: "owner",
          time: { created: 0, updated },
          metadata: { [METADATA_KEY]: job },
        }),
      )
    const host = { ...desk.host, ...overrides(desk.host) }
    const recovery = createRecovery({ host, troupe, inbox, store, recover, onFound: () => {}, now: Date.now })
    onTestFinished(() => recovery.stop())
    return { ...desk, recovery, child, record: () => troupe.records.get("owner", "it") }
  }

  /** A call that fails three times. */
  const flaky = <Call extends (...args: never[]) => Promise<unknown>>(call: Call) => {
    let failures = 3
    const attempt = (...args: Parameters<Call>) =>
      failures-- > 0 ? Promise.resolve(failed("not now", 503)) : call(...args)
    return attempt as Call
  }

  it.each(["sessionsSince", "children", "messages"] as const)(
    "is made again until opencode answers, where `%s` failed",
    async (name) => {
      const { recovery, child, record } = recoveryOf((host) => ({ [name]: flaky(host[name]) }))
      child("ses_it", stored(), 1)
      await recovery.everybody()
      expect(record()).toBeUndefined()
      await vi.advanceTimersByTimeAsync(longEnough)
      expect(record()).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
    },
  )

  it("is made again when the one that runs a job has ended, and not before", async () => {
    const { recovery, child, record } = recoveryOf(() => ({}))
    const other = takeLease()
    child("ses_it", { ...stored(), lease: other.lease }, 1)
    await recovery.everybody()
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(record()).toBeUndefined()
    other.drop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(record()).toMatchObject({ state: "failed", error: { kind: "interrupted" } })
  })

  it("finds one job where a request that came twice had made two sessions: the one that was used", async () => {
    const { recovery, child, troupe } = recoveryOf(() => ({}))
    child("ses_used", stored(), 9)
    child("ses_empty", stored(), 1)
    await recovery.everybody()
    expect(troupe.records.of("owner").map(({ session }) => session)).toEqual(["ses_used"])
  })

  it("prefers the session in which the job ended", async () => {
    const { recovery, child, troupe } = recoveryOf(() => ({}))
    child("ses_ended", stored({ state: "done", endedAt: 5 }), 1)
    child("ses_empty", stored(), 9)
    await recovery.everybody()
    expect(troupe.records.of("owner")).toMatchObject([{ session: "ses_ended", state: "done" }])
  })

  it("leaves a job alone that could not be claimed, and claims it later", async () => {
    const { recovery, child, host, record } = recoveryOf(() => ({}), "resume")
    child("ses_it", stored(), 1)
    const session = host.session
    let isAway = true
    host.session = async (id) => (isAway ? failed("away", 503) : session(id))
    await recovery.everybody()
    expect(record()).toBeUndefined()
    isAway = false
    await vi.advanceTimersByTimeAsync(longEnough)
    expect(record()?.state).not.toBeUndefined()
  })
})
