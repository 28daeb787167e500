import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import type { Api } from "../../../src/terminal/opencode/api-of-1.ts"
import { jobsOf } from "../../../src/terminal/opencode/jobs-of-1.ts"
import type { Place } from "../../../src/terminal/opencode/requests-of-1.ts"
import { shownJob } from "../support/shown-job.ts"
import { storedJob } from "../support/stored-job.ts"

type Status = ReturnType<Api["state"]["session"]["status"]>

const owner = "ses_owner"
const session = "ses_child"
const metadataOf = (id: string) => ({ troupe: storedJob(id) })

/** What a terminal of 1.18 hands over, as far as jobs are read from it; `say` is one of its events. */
function opencode(status: Status = { type: "busy" }) {
  const hearers: [string, (event: { properties: object }, from?: Place) => void][] = []
  const children = vi.fn<Api["client"]["session"]["children"]>(async () => ({
    data: [{ id: session, parentID: owner, metadata: metadataOf("auth") }],
  }))
  const unexpected = () => expect.fail("nobody asked for this")
  const list = vi.fn<Api["client"]["session"]["list"]>(async () => ({ data: [] }))
  const messages = vi.fn<Api["client"]["session"]["messages"]>(async () => ({ data: [] }))
  const publish = vi.fn<Api["client"]["tui"]["publish"]>(async () => ({}))
  const ids = vi.fn<Api["client"]["tool"]["ids"]>(async () => ({ data: ["bash", "agents_start"] }))
  const log = vi.fn(async (_: { message: string }) => ({}))
  const permissions = vi.fn<Api["client"]["permission"]["list"]>(async () => ({ data: [] }))
  const reply = vi.fn<Api["client"]["permission"]["reply"]>(async () => ({}))
  const jobs = jobsOf({
    client: {
      session: { list, children, messages, message: unexpected, get: async () => ({ data: {} }) },
      tui: { publish },
      tool: { ids },
      app: { log },
      permission: { list: permissions, reply },
      question: { list: async () => ({ data: [] }), reply: unexpected, reject: unexpected },
    },
    state: {
      path: { directory: "/project" },
      session: {
        get: () => undefined,
        status: () => status,
      },
    },
    event: {
      on: (type, hear) => {
        hearers.push([type, hear])
        return () => {}
      },
    },
  })
  const say = (type: string, properties: object, from = { directory: "/project" }) => {
    for (const [each, hear] of hearers) if (each === type) hear({ properties }, from)
  }
  return { children, list, messages, publish, ids, log, permissions, reply, jobs, say }
}

/** A sidebar, which reads the jobs whenever they have changed. */
async function sidebar() {
  const { jobs, ...rest } = opencode()
  const show = vi.fn(async () => (await jobs.of(owner)).map(({ activity }) => activity?.text))
  const end = jobs.subscribe(() => void show())
  await show()
  const next = async () => {
    await vi.advanceTimersByTimeAsync(250)
    return show.mock.results.at(-1)?.value
  }
  return { ...rest, jobs, next, end }
}

describe("The jobs of a session in 1.18", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("are shown with what they write without being read again", async () => {
    const { children, say, next } = await sidebar()
    say("message.part.delta", { sessionID: session, delta: "half " })
    expect(await next()).toEqual(["half "])
    say("message.part.delta", { sessionID: session, delta: "a loaf" })
    expect(await next()).toEqual(["half a loaf"])
    expect(children).toHaveBeenCalledTimes(1)
  })

  it("are up to date with each that is stored, new or deleted, without being read again", async () => {
    const { children, jobs, say, next } = await sidebar()
    const ids = async () => (await jobs.of(owner)).map(({ id, state }) => `${id} ${state}`)
    const sessionOf = (id: string, metadata: object) => ({ info: { id, parentID: owner, metadata } })
    say("session.created", sessionOf("ses_new", metadataOf("new")))
    expect(await ids()).toEqual(["auth prompting", "new prompting"])
    const { troupe } = metadataOf("auth")
    const ended = { ...troupe, record: { ...troupe.record, state: "done", endedAt: 5_000 } }
    say("session.updated", sessionOf(session, { troupe: ended }))
    expect(await ids()).toEqual(["auth done", "new prompting"])
    say("session.deleted", sessionOf("ses_new", {}))
    await next()
    expect(await ids()).toEqual(["auth done"])
    expect(children).toHaveBeenCalledTimes(1)
  })

  it("have what is told while they are being read", async () => {
    const { jobs, say, children } = opencode()
    const reading = jobs.of(owner)
    say("session.updated", { info: { id: session, parentID: owner, metadata: { troupe: "damaged" } } })
    await reading
    expect(await jobs.of(owner)).toEqual([])
    expect(children).toHaveBeenCalledTimes(1)
  })

  it("are read again after a read that failed, and by who begins to listen", async () => {
    const { children, jobs, say, next } = await sidebar()
    jobs.subscribe(() => {})
    children.mockRejectedValueOnce(new Error("no answer"))
    await expect(jobs.of(owner)).rejects.toThrow("no answer")
    say("message.part.delta", { sessionID: session, delta: "on" })
    expect(await next()).toEqual(["on"])
    expect(children).toHaveBeenCalledTimes(3)
  })
})

describe("What the server part of 1.18 says, as it is not stored", () => {
  it("is until when a job is on hold, and what is spent of budgets, once it is told", async () => {
    vi.useFakeTimers({ now: 1_000 })
    onTestFinished(() => void vi.useRealTimers())
    const { jobs, say } = opencode({ type: "idle" })
    const heard = vi.fn()
    jobs.subscribe(heard, owner)
    expect((await jobs.glance(owner, 8)).counts).toMatchObject({ queued: 1, held: 0 })
    const budget = {
      ...{ of: "batch", name: "b", limit: { tokens: 9 }, spent: { tokens: 3, cost: 0 }, isSpent: false },
    }
    const news = { tell: "standing", owner, budgets: [budget], holds: { [session]: 60_000 } }
    say("tui.command.execute", { command: `opencode-troupe ${JSON.stringify(news)}` })
    await vi.advanceTimersByTimeAsync(250)
    expect(heard).toHaveBeenCalledOnce()
    const { counts, jobs: shown, budgets } = await jobs.glance(owner, 8)
    expect(counts).toMatchObject({ queued: 0, held: 1 })
    expect(shown).toMatchObject([{ phase: "queued", holdUntil: 60_000 }])
    expect(budgets).toEqual([budget])
    await vi.advanceTimersByTimeAsync(60_000)
    expect((await jobs.glance(owner, 8)).counts).toMatchObject({ queued: 1, held: 0 })
  })
})

describe("A job that works in another directory", () => {
  const directory = "/data/worktrees/auth"
  const asked = { id: "p1", sessionID: session, permission: "bash", patterns: ["ls"] }

  async function told(live: object) {
    const all = opencode({ type: "idle" })
    const tell = (live: object) => {
      const news = { tell: "standing", owner, budgets: [], holds: {}, live }
      all.say("tui.command.execute", { command: `opencode-troupe ${JSON.stringify(news)}` })
    }
    tell(live)
    return { ...all, tell, shown: async () => (await all.jobs.of(owner))[0] }
  }

  it.each([
    ["blocked", "created"],
    ["working", "prompting"],
    ["retrying", "prompting"],
    ["stopping", "prompting"],
  ])("is %s once the server part says so", async (phase, state) => {
    const { shown } = await told({ [session]: { phase, directory } })
    expect(await shown()).toMatchObject({ state, phase })
  })

  it("is checked for the time that the server part says", async () => {
    const { children, shown } = await told({ [session]: { phase: "checking", directory, rounds: 1 } })
    const stored = storedJob("auth")
    const check = { command: "npm test", rounds: 0, output: "" }
    const troupe = { ...stored, record: { ...stored.record, check } }
    children.mockResolvedValueOnce({ data: [{ id: session, parentID: owner, metadata: { troupe } }] })
    expect(await shown()).toMatchObject({ phase: "checking", check: { command: "npm test", rounds: 1 } })
  })

  it("is heard to ask, and is answered where it asks", async () => {
    const { say, shown, reply, jobs } = await told({ [session]: { phase: "working", directory } })
    say("permission.asked", asked, { directory })
    const job = (await shown()) ?? expect.fail()
    const request = (await jobs.request(job, job.asks?.[0] ?? expect.fail())) ?? expect.fail()
    await jobs.answer(request, { kind: "decision", decision: "once" })
    expect(reply).toHaveBeenCalledWith({ requestID: "p1", directory, reply: "once" })
  })

  it("is among the jobs of its owner's directory, and of no other", async () => {
    const { list, jobs, permissions, say } = opencode()
    const away = { id: session, parentID: owner, directory, metadata: metadataOf("auth") }
    const child = {
      id: "ses_other",
      parentID: "ses_foreign",
      directory: "/project",
      metadata: metadataOf("no"),
    }
    list.mockImplementation(async ({ scope }) => ({
      data: [
        { id: owner, directory: "/project" },
        { id: "ses_foreign", directory: "/other" },
        child,
        ...(scope === "project" ? [away] : []),
      ],
    }))
    expect((await jobs.all()).jobs.map(({ id }) => id)).toEqual(["auth"])
    permissions.mockResolvedValue({ data: [] })
    say("permission.asked", asked, { directory })
    expect((await jobs.waiting()).map(({ id }) => id)).toEqual(["auth"])
  })

  it("asks what is asked there, and is answered there, until the server part says that it no longer asks", async () => {
    const { permissions, reply, shown, tell, jobs } = await told({})
    permissions.mockImplementation(async ({ directory: of } = {}) => ({
      data: of === directory ? [asked] : [],
    }))
    tell({ [session]: { phase: "permission", directory, asks: ["p1"] } })
    await vi.waitFor(async () => expect(await shown()).toMatchObject({ phase: "permission" }))
    const job = (await shown()) ?? expect.fail()
    const request = (await jobs.request(job, job.asks?.[0] ?? expect.fail())) ?? expect.fail()
    expect(await jobs.answer(request, { kind: "decision", decision: "once" })).toBe(true)
    expect(reply).toHaveBeenCalledWith({ requestID: "p1", directory, reply: "once" })
    permissions.mockResolvedValue({ data: [] })
    tell({ [session]: { phase: "working", directory } })
    await vi.waitFor(async () => expect(await shown()).toMatchObject({ phase: "working" }))
  })
})

describe("A job that opencode 1.18 calls idle", () => {
  it.each([
    ["created", "queued"],
    ["prompting", "working"],
  ] as const)("and its metadata %s is %s: another opencode may run it", async (state, phase) => {
    const { children, jobs } = opencode({ type: "idle" })
    const stored = storedJob("auth")
    const troupe = { ...stored, record: { ...stored.record, state } }
    children.mockResolvedValueOnce({ data: [{ id: session, parentID: owner, metadata: { troupe } }] })
    expect(await jobs.of(owner)).toMatchObject([{ phase }])
  })
})

describe("A terminal of 1.18 whose opencode has not loaded the server part", () => {
  const absent = "opencode-troupe is not loaded in opencode's server"
  const without = () => {
    const { ids, ...rest } = opencode()
    ids.mockResolvedValue({ data: ["bash"] })
    return rest
  }

  it("says so rather than that there are no jobs, and once in the log", async () => {
    const { jobs, log } = without()
    await expect(jobs.all()).rejects.toThrow(absent)
    await expect(jobs.waiting()).rejects.toThrow(absent)
    expect(log.mock.calls).toEqual([[expect.objectContaining({ message: expect.stringContaining(absent) })]])
  })

  it("shows the jobs of earlier sessions, and says why nothing can be done with them", async () => {
    const { jobs, list, publish } = without()
    list.mockResolvedValueOnce({ data: [{ id: session, parentID: owner, metadata: metadataOf("auth") }] })
    const [job = shownJob()] = (await jobs.all()).jobs
    expect(job.id).toBe("auth")
    await expect(jobs.cancel(job)).rejects.toThrow(absent)
    await expect(jobs.send(job, "go on")).rejects.toThrow(absent)
    await expect(jobs.inspect()).rejects.toThrow(absent)
    expect(publish).not.toHaveBeenCalled()
  })

  it("is not said where opencode does not tell what it has loaded", async () => {
    const { jobs, ids } = opencode()
    ids.mockResolvedValueOnce({})
    ids.mockRejectedValueOnce(new Error("no answer"))
    expect((await jobs.all()).jobs).toEqual([])
    expect(await jobs.waiting()).toEqual([])
  })
})

describe("Where 1.18 gives no answer", () => {
  const away = { error: { code: "ConnectionRefused", path: "http://127.0.0.1:1/session" } }
  const job = shownJob()

  it("jobs are not taken for gone, nor their texts for empty", async () => {
    const { children, list, messages, jobs } = opencode()
    children.mockResolvedValueOnce(away)
    list.mockResolvedValueOnce(away)
    messages.mockResolvedValueOnce(away)
    for (const read of [jobs.of(owner), jobs.all(), jobs.read(job)])
      await expect(read).rejects.toThrow("opencode cannot be reached.")
  })

  it.each([
    [away.error, "opencode cannot be reached."],
    [{ name: "NotFoundError", data: { message: "no such session" } }, "opencode refused: no such session"],
    [{ message: "too many" }, "opencode refused: too many"],
    [{ status: 500 }, 'opencode refused: {"status":500}'],
  ])("the person is told why what they want is not done: %j", async (error, words) => {
    const { publish, jobs } = opencode()
    publish.mockResolvedValueOnce({ error })
    await expect(jobs.cancel(job)).rejects.toThrow(words)
  })
})
