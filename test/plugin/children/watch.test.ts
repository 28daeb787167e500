import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { JobEvent } from "../../../src/machines/events.ts"
import { type Ask, type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { createTroupe } from "../../../src/machines/troupe.ts"
import { watchChildren } from "../../../src/plugin/children/watch.ts"
import type { Host } from "../../../src/plugin/host/port.ts"
import { decodeEvent } from "../../../src/plugin/host/v1/events.ts"
import { eventDecoder } from "../../../src/plugin/host/v2/events.ts"
import { jobInput } from "../../machines/support/jobs.ts"
import { gate } from "../../support/gate.ts"
import { hear } from "../support/hear.ts"
import { ok } from "../support/host-double.ts"

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

/** A watch over one job, `j1` of `owner`, in the session `child`: what its actor would be told. */
function watching() {
  const told: JobEvent[] = []
  const cancelled: string[] = []
  const holds: string[] = []
  const withdrawn: string[] = []
  const troupe = createTroupe({ effects: nothingDone, concurrency: 1 })
  const host = {
    log: async () => ok(true),
    withdraw: async (_: string, { kind, id }: Ask) => {
      withdrawn.push(`${kind} ${id}`)
      return ok(true)
    },
  }
  const watch = watchChildren(
    {
      ...troupe,
      tell: (_, event) => void told.push(event),
      hold: ({ id }, until) => void holds.push(`${id} until ${until}`),
      answered: ({ id }, askedAt) => void holds.push(`${id} answers what it was asked at ${askedAt}`),
      cancel: (jobs, reason) => void cancelled.push(...jobs.map(({ id }) => `${id}: ${reason}`)),
    },
    { host },
  )
  troupe.adopt(running)
  const end = () => troupe.adopt({ ...running, state: "done", endedAt: 1 })
  const change = (fields: Partial<JobRecord>) => troupe.adopt({ ...running, ...fields })
  return {
    told,
    cancelled,
    holds,
    withdrawn,
    end,
    change,
    handle: hear(watch.handle),
    handleDecoded: watch.handle,
    types: () => told.map(({ type }) => type),
  }
}

const never = () => new Promise<never>(() => {})
const nothingDone = {
  openSession: never,
  promptChild: never,
  lookForAnswer: never,
  recordEnd: never,
  runCheck: never,
  leaveChild: never,
  stopChild: never,
}

const running: JobRecord = {
  id: "j1",
  session: "child",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "prompting",
  phase: "working",
  run: 1,
  createdAt: 0,
  usage: NO_USAGE,
}

const event = (type: string, properties: object) => ({ type, properties })
const delta = (sessionID: string, text: string) => event("message.part.delta", { sessionID, delta: text })
const status = (sessionID: string, status: object) => event("session.status", { sessionID, status })
const spent = (id: string, input: number) =>
  event("session.updated", {
    info: { id, tokens: { input, output: 0, reasoning: 0, cache: { read: 0, write: 0 } }, cost: 0 },
  })
const retry = { type: "retry", attempt: 2, message: "overloaded", next: 5 }
const created = (id: string, parentID: string) =>
  event("session.created", { sessionID: id, info: { id, parentID } })
const tool = (sessionID: string, name: string, status: string, state: object = {}) =>
  event("message.part.updated", {
    part: { type: "tool", sessionID, callID: `call-${name}`, tool: name, state: { ...state, status } },
  })
/** A call of opencode 2's own tool for subagents. */
const subagentOfTwo = ["session.tool.input.started", "session.tool.called"].map((type) => ({
  type,
  data: { sessionID: "child", id: "call-subagent", name: "subagent" },
}))
const permission = (sessionID: string) =>
  event("permission.asked", { id: "p1", sessionID, permission: "bash", patterns: ["rm a", "rm b"] })

describe("What a child does", () => {
  it("reaches its job at most once a second, with the end of what it wrote", () => {
    const { told, handle } = watching()
    for (let at = 0; at < 1_000; at++) handle(delta("child", `${at} `))
    vi.advanceTimersByTime(1_000)
    expect(told).toHaveLength(2)
    expect(told[1]).toMatchObject({
      type: "child.active",
      activity: { text: expect.stringMatching(/998 999 $/) },
    })
  })

  it("is the tool it runs", () => {
    const { told, handle } = watching()
    handle(tool("child", "bash", "running", { title: "npm test" }))
    expect(told).toMatchObject([
      { type: "child.active", activity: { tool: "bash: npm test", at: 1_000_000 } },
      { type: "tool.started", call: "child/call-bash", at: 1_000_000 },
    ])
  })

  it("is each of its tools, from when it runs until it is over, and once each", () => {
    const { told, handle } = watching()
    handle(tool("child", "bash", "pending"))
    handle(tool("child", "bash", "running"))
    handle(tool("child", "bash", "running", { title: "npm test" }))
    handle(tool("child", "read", "running"))
    handle(tool("child", "read", "error"))
    handle(tool("child", "bash", "completed"))
    handle(tool("child", "bash", "completed"))
    expect(told.filter(({ type }) => type.startsWith("tool."))).toMatchObject([
      { type: "tool.started", call: "child/call-bash" },
      { type: "tool.started", call: "child/call-read" },
      { type: "tool.ended", call: "child/call-read" },
      { type: "tool.ended", call: "child/call-bash" },
    ])
  })

  it.each([
    ["1.18", [decodeEvent(tool("child", "task", "running"))]],
    ["2", subagentOfTwo.flatMap(eventDecoder())],
  ])(
    "is what its subagents run on opencode %s, not that it waits for them: they have activity of their own",
    (_, waiting) => {
      const { told, handle, handleDecoded } = watching()
      for (const each of waiting) if (each) handleDecoded(each)
      handle(created("grandchild", "child"))
      handle(tool("grandchild", "bash", "running"))
      handle(status("grandchild", { type: "idle" }))
      expect(told.filter(({ type }) => type.startsWith("tool."))).toMatchObject([
        { type: "tool.started", call: "grandchild/call-bash" },
        { type: "tool.ended", call: "grandchild/call-bash" },
      ])
    },
  )

  it("is a tool that still runs, though a call of a subagent's with the same id has ended", () => {
    const { told, handle } = watching()
    handle(tool("child", "bash", "running"))
    handle(created("grandchild", "child"))
    handle(tool("grandchild", "bash", "running"))
    handle(tool("grandchild", "bash", "completed"))
    const calls = (type: string) => told.flatMap((each) => (each.type === type ? [each] : []))
    expect(calls("tool.started")).toHaveLength(2)
    expect(calls("tool.ended")).toMatchObject([{ call: "grandchild/call-bash" }])
  })

  it("is a tool that still runs, though a subagent's provider fails meanwhile", () => {
    const { types, handle } = watching()
    handle(tool("child", "bash", "running"))
    handle(created("grandchild", "child"))
    handle(status("grandchild", retry))
    expect(types().slice(-2)).toEqual(["child.retrying", "tool.started"])
    handle(status("child", retry))
    expect(types().slice(-2)).toEqual(["tool.ended", "child.retrying"])
  })

  it("is that it is idle, after which nothing is said of what it did before", () => {
    const { types, handle } = watching()
    handle(delta("child", "a"))
    handle(delta("child", "b"))
    handle(tool("child", "bash", "running"))
    handle(status("child", { type: "idle" }))
    vi.advanceTimersByTime(5_000)
    expect(types()).toEqual(["child.active", "tool.started", "child.idle"])
  })

  it("is not its own prompt", () => {
    const { told, handle } = watching()
    handle(
      event("message.part.updated", { part: { type: "text", sessionID: "child", text: "Look around." } }),
    )
    expect(told).toEqual([])
  })

  it("is what it has spent", () => {
    const { told, handle } = watching()
    const tokens = { input: 3, output: 2, reasoning: 1, cache: { read: 4, write: 5 } }
    handle(event("session.updated", { sessionID: "child", info: { id: "child", tokens, cost: 0.5 } }))
    const usage = { input: 3, output: 2, reasoning: 1, cacheRead: 4, cacheWrite: 5, cost: 0.5 }
    expect(told).toEqual([{ type: "child.spent", usage }])
  })

  it("is a retry, with its reason, until the provider takes the request", () => {
    const { told, types, handle } = watching()
    handle(status("child", retry))
    expect(told).toMatchObject([
      { type: "child.retrying", retry: { attempt: 2, reason: "overloaded", next: 5 } },
    ])
    handle(status("child", { type: "busy" }))
    expect(types()).toEqual(["child.retrying", "child.active"])
  })

  it("is what it waits for, which no late word of its activity hides", () => {
    const { told, types, handle } = watching()
    handle(delta("child", "I"))
    handle(delta("child", " will"))
    handle(permission("child"))
    vi.advanceTimersByTime(5_000)
    expect(types()).toEqual(["child.active", "child.asked"])
    expect(told[1]).toMatchObject({ ask: { id: "p1", kind: "permission", text: "bash: rm a, rm b" } })
    handle(event("permission.replied", { sessionID: "child", requestID: "p1", reply: "once" }))
    expect(told[2]).toMatchObject({ type: "child.answered", ask: "p1" })
  })

  it("is a question to the user, until it is answered or turned down", () => {
    const { told, handle } = watching()
    const questions = [{ question: "Which one?" }, { question: "Why?" }]
    handle(event("question.asked", { id: "q1", sessionID: "child", questions }))
    handle(event("question.rejected", { sessionID: "child", requestID: "q1" }))
    expect(told).toMatchObject([
      { type: "child.asked", ask: { id: "q1", kind: "question", text: "Which one? Why?" } },
      { type: "child.answered", ask: "q1" },
    ])
  })

  it("is what it waits for still, though it is busy and its record changes meanwhile", () => {
    const { types, change, handle } = watching()
    handle(permission("child"))
    change({ phase: "permission" })
    handle(status("child", { type: "busy" }))
    expect(types()).toEqual(["child.asked", "child.active"])
    handle(event("permission.replied", { sessionID: "child", requestID: "p1", reply: "once" }))
    expect(types()).toEqual(["child.asked", "child.active", "child.answered"])
  })

  it("is a question that was answered", () => {
    const { types, handle } = watching()
    handle(event("question.asked", { id: "q1", sessionID: "child", questions: [{ question: "Which?" }] }))
    handle(event("question.replied", { sessionID: "child", requestID: "q1" }))
    expect(types()).toEqual(["child.asked", "child.answered"])
  })

  it("is taken back from the person where its turn ends without an answer, and only then", () => {
    const { withdrawn, handle } = watching()
    handle(permission("child"))
    handle(event("permission.replied", { sessionID: "child", requestID: "p1", reply: "once" }))
    handle(event("question.asked", { id: "q1", sessionID: "child", questions: [{ question: "Which?" }] }))
    handle(created("grandchild", "child"))
    handle(permission("grandchild"))
    expect(withdrawn).toEqual([])
    handle(status("grandchild", { type: "idle" }))
    expect(withdrawn).toEqual(["permission p1"])
    handle(status("child", { type: "idle" }))
    expect(withdrawn).toEqual(["permission p1", "question q1"])
  })

  it("is taken back where the job ends first", () => {
    const { withdrawn, handle, end } = watching()
    handle(permission("child"))
    end()
    expect(withdrawn).toEqual(["permission p1"])
  })

  it("ends with its session", () => {
    const { cancelled, handle } = watching()
    handle(event("session.deleted", { sessionID: "child", info: { id: "child" } }))
    expect(cancelled).toEqual(["j1: its child session was deleted"])
  })
})

describe("A provider that says later to a child", () => {
  it("is on hold until then, and with each attempt anew", () => {
    const { holds, told, handle } = watching()
    handle(status("child", retry))
    expect(told).toMatchObject([{ type: "child.retrying" }])
    handle(status("child", { ...retry, attempt: 3, next: 9 }))
    expect(holds).toEqual(["j1 until 5", "j1 until 9"])
  })

  it.each([
    ["a word", delta("child", "I")],
    ["a tool that it calls", tool("child", "bash", "pending")],
    ["a tool that it runs", tool("child", "bash", "running")],
  ])("is so no longer with the child's next sign of an answer, once: %s", (_, sign) => {
    const { holds, handle } = watching()
    handle(sign)
    expect(holds.splice(0)).toEqual([`j1 answers what it was asked at ${Date.now()}`])
    handle(status("child", retry))
    for (const each of [sign, sign]) handle(each)
    expect(holds).toEqual(["j1 until 5", "j1 answers what it was asked at 5"])
  })

  it("answers its next step, which it is asked when what the one before has used is told", () => {
    const { holds, change, handle } = watching()
    const first = Date.now()
    vi.advanceTimersByTime(1_000)
    handle(spent("child", 7))
    change({ usage: { ...NO_USAGE, input: 7 } })
    vi.advanceTimersByTime(1_000)
    // The same again, and what its subagent has used.
    handle(spent("child", 7))
    handle(spent("grandchild", 9))
    expect(holds.splice(0)).toEqual([`j1 answers what it was asked at ${first}`])
    handle(delta("child", "I"))
    expect(holds).toEqual([`j1 answers what it was asked at ${first + 1_000}`])
  })

  it("is asked when it gets its slot, and again when it goes on after having been moved", () => {
    const { holds, change, handle } = watching()
    handle(delta("child", "I"))
    change({ phase: "opening" })
    vi.advanceTimersByTime(1_000)
    handle(delta("child", "am"))
    change({ phase: "retrying" })
    change({ phase: "working" })
    vi.advanceTimersByTime(1_000)
    handle(delta("child", "here"))
    const asked = Date.now() - 1_000
    expect(holds).toEqual([asked - 1_000, asked].map((at) => `j1 answers what it was asked at ${at}`))
  })

  it("is still so when the child is busy again, idle, or what broke off is told of late", () => {
    const { holds, handle } = watching()
    handle(status("child", retry))
    handle(status("child", { type: "busy" }))
    handle(event("message.part.updated", { part: { sessionID: "child", type: "text", text: "half" } }))
    handle(tool("child", "bash", "error"))
    handle(status("child", { type: "idle" }))
    expect(holds).toEqual(["j1 until 5"])
  })

  it("may be another one where a subagent of the child's is told so: nothing is held, or held no longer", () => {
    const { holds, handle } = watching()
    handle(created("grandchild", "child"))
    handle(status("grandchild", retry))
    expect(holds).toEqual([])
    handle(status("child", retry))
    handle(delta("grandchild", "I"))
    expect(holds).toEqual(["j1 until 5"])
  })
})

describe("What is told of a child", () => {
  const updated = (part: object) => event("message.part.updated", { part: { sessionID: "child", ...part } })
  const activities = (told: JobEvent[]) =>
    told.flatMap((each) => (each.type === "child.active" ? [{ ...each.activity, at: undefined }] : []))

  it("is the end of its text: the last two hundred characters, whole once the part is whole", () => {
    const { told, handle } = watching()
    handle(updated({ type: "text", text: `a${"b".repeat(200)}`, time: { start: 1 } }))
    vi.advanceTimersByTime(1_000)
    handle(delta("child", "cc"))
    expect(activities(told)).toEqual([
      { text: "b".repeat(200), at: undefined },
      { text: `${"b".repeat(198)}cc`, at: undefined },
    ])
  })

  it("is its tool alone where that has no title, and a tool without a name all the same", () => {
    const { told, handle } = watching()
    handle(updated({ type: "tool", tool: "read" }))
    vi.advanceTimersByTime(1_000)
    handle(updated({ type: "tool", state: {} }))
    expect(activities(told).map(({ tool }) => tool)).toEqual(["read", "a tool"])
  })

  it("is that it lives, where it thinks or begins a step; with its last words, where there are some", () => {
    const { told, handle } = watching()
    handle(updated({ type: "step-start" }))
    vi.advanceTimersByTime(1_000)
    handle(updated({ type: "text", time: { start: 1 } }))
    vi.advanceTimersByTime(1_000)
    handle(delta("child", "words"))
    vi.advanceTimersByTime(1_000)
    handle(updated({ type: "reasoning", text: "hm", time: { start: 1 } }))
    vi.advanceTimersByTime(1_000)
    handle(status("child", { type: "busy" }))
    expect(activities(told).map(({ text }) => text)).toEqual([
      undefined,
      undefined,
      "words",
      "words",
      "words",
    ])
    expect(activities(told).some((activity) => "tool" in activity)).toBe(false)
  })

  it("is that it lives, where it is busy and has not said anything", () => {
    const { told, handle } = watching()
    handle(status("child", { type: "busy" }))
    expect(told).toEqual([{ type: "child.active", activity: { at: 1_000_000 } }])
  })

  it("is not that it lives when it has come to rest, nor late activity once its provider failed", () => {
    const { types, told, handle } = watching()
    handle(status("child", { type: "idle" }))
    expect(types()).toEqual(["child.idle"])
    handle(delta("child", "a"))
    handle(delta("child", "b"))
    handle(status("child", retry))
    vi.advanceTimersByTime(5_000)
    expect(types()).toEqual(["child.idle", "child.active", "child.retrying"])
    expect(told[2]).toMatchObject({ at: 1_000_000 })
  })

  it("is that nobody answers any more, where a session that asks was aborted; and no other's ask", () => {
    const { told, handle } = watching()
    handle(created("grandchild", "child"))
    handle(permission("child"))
    handle(
      event("question.asked", { id: "q1", sessionID: "grandchild", questions: [{ question: "Which?" }] }),
    )
    handle(status("grandchild", { type: "idle" }))
    expect(told.slice(2)).toEqual([{ type: "child.answered", ask: "q1", at: 1_000_000 }])
    handle(event("question.replied", { sessionID: "grandchild", requestID: "q1" }))
    expect(told).toHaveLength(3)
    handle(status("child", { type: "idle" }))
    expect(told.slice(3)).toMatchObject([{ type: "child.answered", ask: "p1" }, { type: "child.idle" }])
  })

  // opencode says so with each change of the session, of which most change something else.
  it.each([
    [
      "as much as before",
      { tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } }, cost: 0 },
    ],
    ["nothing of it", {}],
  ])("is nothing where a changed session has spent %s", (_, spent) => {
    const { told, handle } = watching()
    handle(event("session.updated", { info: { id: "child", ...spent } }))
    expect(told).toEqual([])
  })
})

describe("The job that a child has started itself", () => {
  it("hears of its own child, and so does the job of the child that started it", () => {
    const told: string[] = []
    const troupe = createTroupe({ effects: nothingDone, concurrency: 1 })
    const tell: typeof troupe.tell = ({ id }, { type }) => void told.push(`${id} ${type}`)
    const handle = hear(watchChildren({ ...troupe, tell }).handle)
    troupe.adopt(running)
    troupe.adopt({ ...running, id: "own", owner: "child", session: "ses_own" })
    handle(created("ses_own", "child"))
    handle(delta("ses_own", "words"))
    expect(told.toSorted()).toEqual(["j1 child.active", "own child.active"])
    troupe.adopt({ ...running, id: "own", owner: "child", session: "ses_own", state: "done", endedAt: 1 })
    handle(delta("child", "more"))
    vi.advanceTimersByTime(1_000)
    expect(told.filter((each) => each.startsWith("own"))).toHaveLength(1)
    expect(told.filter((each) => each.startsWith("j1"))).toHaveLength(2)
  })
})

describe("A job that was cancelled as its session opened", () => {
  it("leaves the child that had started it watched", async () => {
    const opened = gate<{ session: string }>()
    const troupe = createTroupe({
      effects: { ...nothingDone, openSession: () => opened.passed, recordEnd: async () => {} },
      concurrency: 1,
    })
    const told: string[] = []
    const tell: typeof troupe.tell = ({ id }, { type }) => void told.push(`${id} ${type}`)
    const handle = hear(watchChildren({ ...troupe, tell }).handle)
    troupe.adopt(running)
    troupe.start(jobInput({ id: "own", owner: "child" }))
    troupe.cancel([{ owner: "child", id: "own" }], "no need")
    handle(created("ses_own", "child"))
    opened.open({ session: "ses_own" })
    await vi.waitUntil(() => troupe.records.bySession("ses_own")?.state === "cancelled")
    handle(delta("child", "words"))
    handle(permission("child"))
    expect(told).toEqual(["j1 child.active", "j1 child.asked"])
  })
})

describe("A job without a session, or one that had ended before", () => {
  it("is not watched", () => {
    const told: JobEvent[] = []
    const defects: unknown[] = []
    const reportError = (error: unknown) => void defects.push(error)
    const troupe = createTroupe({ effects: nothingDone, concurrency: 1, reportError })
    const watch = watchChildren({ ...troupe, tell: (_, event) => void told.push(event) })
    troupe.adopt({ ...running, session: "" })
    troupe.adopt({ ...running, id: "j2", state: "done", endedAt: 1 })
    hear(watch.handle)(delta("", "words"))
    hear(watch.handle)(delta("child", "words"))
    expect([told, defects]).toEqual([[], []])
  })
})

describe("A child that was taken over from another instance of the plugin", () => {
  const request = { id: "p1", kind: "permission", text: "bash: rm" } as const

  function takenOver(tellAgain: NonNullable<Host["tellAgain"]>) {
    const told: JobEvent[] = []
    const logged: string[] = []
    const troupe = createTroupe({ effects: nothingDone, concurrency: 1 })
    const host = {
      tellAgain,
      log: async (_: string, message: string) => ({ ok: true, value: logged.push(message) }) as const,
    }
    const watch = watchChildren({ ...troupe, tell: (_, event) => void told.push(event) }, { host })
    watch.takeOver("child")
    return { told, logged, troupe }
  }

  it("has its job told what is under way, once its clocks run, and once", async () => {
    const asked: string[] = []
    const { told, troupe } = takenOver(async (session, hear) => {
      asked.push(session)
      hear({ type: "request.opened", session, request })
      return { ok: true, value: undefined }
    })
    troupe.adopt({ ...running, state: "created", phase: "queued" })
    expect(asked).toEqual([])
    for (const phase of ["working", "permission"] as const) troupe.adopt({ ...running, phase })
    expect(asked).toEqual(["child"])
    expect(told).toMatchObject([{ type: "child.asked", ask: request }])
  })

  it("goes on where that cannot be read, which the log says", async () => {
    const { told, logged, troupe } = takenOver(async () => ({ ok: false, error: { message: "no answer" } }))
    troupe.adopt(running)
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toEqual([])
    expect(logged).toEqual(["what is under way in child could not be read: no answer"])
  })
})

describe("What a child's own subagents do", () => {
  it("is a sign of its life, and what they ask, it asks; what they spend is told apart, what they delete is their own", () => {
    const { told, types, cancelled, handle } = watching()
    handle(created("grandchild", "child"))
    handle(created("great-grandchild", "grandchild"))
    handle(delta("great-grandchild", "working"))
    handle(permission("great-grandchild"))
    handle(event("session.updated", { sessionID: "grandchild", info: { id: "grandchild", cost: 1 } }))
    handle(event("session.deleted", { sessionID: "grandchild", info: { id: "grandchild" } }))
    expect(types()).toEqual(["child.active", "child.asked", "subagent.spent"])
    // Whoever answers has to say whom.
    expect(told[1]).toMatchObject({ ask: { id: "p1", session: "great-grandchild" } })
    expect(cancelled).toEqual([])
  })

  it("is that they have spent, once for each change of it, and all that each has", () => {
    const { told, change, handle } = watching()
    handle(created("grandchild", "child"))
    handle(spent("grandchild", 0))
    expect(told).toEqual([])
    handle(spent("grandchild", 7))
    const usage = { ...NO_USAGE, input: 7 }
    expect(told.splice(0)).toEqual([{ type: "subagent.spent", session: "grandchild", usage }])
    change({ subagents: [{ session: "grandchild", usage }] })
    handle(spent("grandchild", 7))
    expect(told).toEqual([])
    handle(spent("grandchild", 9))
    expect(told).toMatchObject([{ session: "grandchild", usage: { input: 9 } }])
  })

  it("is heard also of those that an earlier run or process has left", () => {
    const { told, change, end, handle } = watching()
    const subagents = [{ usage: NO_USAGE }, { session: "earlier", usage: NO_USAGE }]
    end()
    change({ run: 2, phase: "queued", subagents })
    handle(spent("earlier", 7))
    handle(created("below it", "earlier"))
    handle(spent("below it", 8))
    expect(told).toMatchObject([
      { type: "subagent.spent", session: "earlier" },
      { type: "subagent.spent", session: "below it" },
    ])
  })

  it("is heard no more once the job has ended", () => {
    const { types, end, handle } = watching()
    handle(created("grandchild", "child"))
    handle(delta("grandchild", "a"))
    handle(delta("grandchild", "b"))
    end()
    vi.advanceTimersByTime(5_000)
    handle(delta("grandchild", "late"))
    handle(delta("child", "late"))
    handle(created("another", "child"))
    handle(delta("another", "late"))
    expect(types()).toEqual(["child.active"])
  })
})

describe("Events of sessions without a job", () => {
  it.each([
    ["an event whose properties are null", { type: "session.updated", properties: null }],
    ["an event without properties", { type: "server.connected" }],
    ["a delta of no text", event("message.part.delta", { sessionID: "child" })],
    ["an event of a kind that is not known", event("child.exploded", { sessionID: "child" })],
    ["a session made by nobody", event("session.created", { info: { id: "new" } })],
  ])("do no harm when malformed: %s", (_, malformed) => {
    const { told, handle } = watching()
    expect(() => handle(malformed)).not.toThrow()
    handle(delta("new", "words"))
    expect(told).toEqual([])
  })

  it("do no harm when a session is announced in an unknown shape", () => {
    const { handle } = watching()
    expect(() => handle(event("session.created", { sessionID: "new" }))).not.toThrow()
  })
})
