import type { Part, Session } from "@opencode-ai/sdk/v2"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { Host } from "../../../src/plugin/host/port.ts"
import { decodeMessage, type MessageWithParts, OUR_KEY } from "../../../src/plugin/host/v1/decode.ts"
import type { Claims } from "../../../src/plugin/records/claims.ts"
import type { Holder } from "../../../src/plugin/records/lease.ts"
import { StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import type { AskedPrompt, HostDouble } from "../support/host-double.ts"
import { failed, okMessage } from "../support/host-double.ts"
import { answerTo } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

quietXState()

const models = ["fake/m1", "fake/m2"]
const task = { id: "a", prompt: "do a", model: models }

const noKey = {
  name: "APIError",
  data: { message: "Invalid key", statusCode: 401, isRetryable: false },
} as const

/** The child's model cannot be had. */
function refuse({ prompt, write, settle }: AskedPrompt): void {
  const message = answerTo(prompt, "", { finish: "", error: noKey })
  write(message)
  settle(okMessage(message))
}

function toolCall(
  { session, messageID }: { session: string; messageID: string },
  tool: string,
): MessageWithParts {
  const message = answerTo({ session, messageID }, "", { finish: "tool-calls" })
  const part: Part = {
    id: `part-${tool}`,
    sessionID: session,
    messageID: message.info.id,
    type: "tool",
    callID: "call",
    tool,
    state: {
      status: "completed",
      input: {},
      output: "",
      title: "",
      metadata: {},
      time: { start: 0, end: 1 },
    },
  }
  return { ...message, parts: [part] }
}

const promptAt = async (host: HostDouble, index: number): Promise<AskedPrompt> => {
  await until(() => host.prompts.length > index)
  const prompt = host.prompts[index]
  if (!prompt) throw new Error("nothing was asked")
  return prompt
}

const storedIn = (sessions: ReadonlyMap<string, Session>, session: string) =>
  StoredJob.parse(sessions.get(session)?.metadata?.[OUR_KEY])

async function moved(given: object = {}) {
  const services = testServices({}, given)
  const { call, host } = services
  await call("agents_start", { tasks: [task] })
  const first = await promptAt(host, 0)
  refuse(first)
  const second = await promptAt(host, 1)
  return { ...services, first: first.prompt, second }
}

describe("A job whose model cannot be had", () => {
  it("is the same job in its next session, with the rules of the one it leaves, which no longer has it", async () => {
    const { host, first, second, call } = await moved()
    const [left, next] = [first.session, second.prompt.session]
    expect(second.prompt).toMatchObject({ model: "fake/m2", agent: "general" })
    expect(host.sessions.get(next)).toMatchObject({
      parentID: "owner",
      permission: host.sessions.get(left)?.permission,
      title: host.sessions.get(left)?.title,
    })
    expect(host.sessions.get(next)?.permission).not.toEqual([])
    await until(() => storedIn(host.sessions, left).movedTo === next)
    expect(storedIn(host.sessions, next)).toMatchObject({
      key: storedIn(host.sessions, left).key,
      prompt: second.prompt.text,
      record: { model: "fake/m2", attempts: [{ model: "fake/m1", session: left }] },
    })
    expect(storedIn(host.sessions, next).movedTo).toBeUndefined()
    second.answer("by m2")
    const { output } = await call("agents_wait", {})
    expect(output).toContain(`note="model fake/m2, after fake/m1 (provider: Invalid key (HTTP 401))"`)
    expect(output).toContain("by m2")
  })

  it("asks the next one the same, and says why", async () => {
    const { second } = await moved()
    expect(second.prompt.text).toBe(
      "do a\n\n(opencode-troupe: fake/m1 was asked this before you and could not go on: " +
        "Invalid key (HTTP 401). Start afresh.)",
    )
  })

  it("is not waited for where another job was told to come back in an hour: the next one is asked the same", async () => {
    const { call, host, hear } = testServices({}, { concurrency: { total: 8, models: { "fake/m1": 1 } } })
    await call("agents_start", { tasks: [task] })
    const { prompt } = await promptAt(host, 0)
    await call("agents_start", { tasks: [{ ...task, id: "b", model: ["fake/m1", "other/big"] }] })
    const queued = () => call("agents_status", { ids: ["b"] })
    expect((await queued()).jobs).toMatchObject([{ phase: "queued" }])
    const [{ session: left = "" } = {}] = (await queued()).jobs
    const next = Date.now() + 3_600_000
    hear({ type: "session.retrying", session: prompt.session, attempt: 1, reason: "overloaded", next })
    await until(() => host.prompts.some(({ prompt }) => prompt.model === "other/big"))
    const asked = host.prompts.find(({ prompt }) => prompt.model === "other/big")
    expect(asked?.prompt.text).toBe("do a")
    const session = asked?.prompt.session ?? ""
    expect(session).not.toBe(left)
    await until(() => storedIn(host.sessions, left).movedTo === session)
    expect(storedIn(host.sessions, session).key).toBe(storedIn(host.sessions, left).key)
    expect(host.sessions.get(session)?.permission).toEqual(host.sessions.get(left)?.permission)
    asked?.answer("by the other")
    const { output } = await call("agents_wait", { ids: ["b"] })
    expect(output).toMatch(/note="model other\/big, after fake\/m1 \(provider: fake on hold until /)
  })

  it("is not waited for by a follow-up either, to a job that was cancelled before it was asked anything", async () => {
    const { call, host, hear } = testServices({}, { concurrency: { total: 8, models: { "fake/m1": 1 } } })
    await call("agents_start", { tasks: [task] })
    const { prompt } = await promptAt(host, 0)
    await call("agents_start", { tasks: [{ ...task, id: "b", model: ["fake/m1", "other/big"] }] })
    await call("agents_cancel", { ids: ["b"] })
    const next = Date.now() + 3_600_000
    hear({ type: "session.retrying", session: prompt.session, attempt: 1, reason: "overloaded", next })
    const { jobs } = await call("agents_send", { id: "b", message: "Hurry." })
    const [{ session: left = "" } = {}] = jobs
    await until(() => host.prompts.some(({ prompt }) => prompt.model === "other/big"))
    const asked = host.prompts.find(({ prompt }) => prompt.model === "other/big")
    expect(asked?.prompt.text).toBe("do a\n\nHurry.")
    const session = asked?.prompt.session ?? ""
    await until(() => storedIn(host.sessions, left).movedTo === session)
    expect(storedIn(host.sessions, session).record).toMatchObject({ id: "b", run: 2, model: "other/big" })
    asked?.answer("by the other")
    const { output } = await call("agents_wait", { ids: ["b"] })
    expect(output).toContain("by the other")
  })

  it("shows in its status which model it has and why", async () => {
    const { call } = await moved()
    const { output } = await call("agents_status", {})
    expect(output).toMatch(
      /^a: prompting\.working .*, model fake\/m2, after fake\/m1 \(provider: Invalid key/,
    )
  })

  it.each(["read", "grep", "glob", "webfetch", "todowrite", "agents_status"])(
    "goes on where its child has only called %s",
    async (tool) => {
      const { call, host } = testServices()
      await call("agents_start", { tasks: [task] })
      const first = await promptAt(host, 0)
      first.write(toolCall(first.prompt, tool))
      refuse(first)
      expect((await promptAt(host, 1)).prompt.model).toBe("fake/m2")
    },
  )

  it.each(["bash", "shell", "edit", "write", "task", "subagent", "agents_start", "server_tool"])(
    "fails where its child has called %s, and goes on with its next model once it is told to",
    async (tool) => {
      const { call, host } = testServices()
      await call("agents_start", { tasks: [task] })
      const first = await promptAt(host, 0)
      first.write(toolCall(first.prompt, tool))
      refuse(first)
      const { jobs, output } = await call("agents_wait", {})
      expect(jobs).toMatchObject([{ state: "failed", error: { kind: "provider" } }])
      expect(output).toContain(`fake/m2 was not asked instead: ${tool} had run by then`)
      expect(output).not.toContain("note=")
      expect(host.prompts).toHaveLength(1)

      await call("agents_send", { id: "a", message: "go on" })
      const again = await promptAt(host, 1)
      expect(again.prompt).toMatchObject({ session: first.prompt.session, model: "fake/m2", text: "go on" })
      again.answer("done by m2")
      expect((await call("agents_wait", {})).jobs).toMatchObject([
        { state: "done", run: 2, model: "fake/m2" },
      ])
    },
  )

  it("hands on what it was told meanwhile", async () => {
    const { call, host } = testServices()
    await call("agents_start", { tasks: [task] })
    const first = await promptAt(host, 0)
    await call("agents_send", { id: "a", message: "and the tests" })
    refuse(first)
    expect((await promptAt(host, 1)).prompt.text).toMatch(/^do a\n\nand the tests\n\n\(opencode-troupe: /)
  })

  it("hears nothing more of the child that it has left", async () => {
    const { hear, call, first } = await moved()
    const request = { id: "p", kind: "permission", text: "bash: ls" } as const
    hear({ type: "request.opened", session: first.session, request })
    hear({
      type: "session.retrying",
      session: first.session,
      attempt: 9,
      reason: "overloaded",
      next: Date.now(),
    })
    expect((await call("agents_status", {})).jobs).toMatchObject([{ phase: "working" }])
  })

  it("stays with its model where it is that of a subagent of its child that is tried again", async () => {
    const { hear, call, host } = testServices()
    await call("agents_start", { tasks: [task] })
    const { prompt } = await promptAt(host, 0)
    hear({ type: "session.created", session: "ses_below", parent: prompt.session })
    const next = Date.now() + 600_000
    hear({ type: "session.retrying", session: "ses_below", attempt: 9, reason: "overloaded", next })
    expect((await call("agents_status", {})).jobs).toMatchObject([{ phase: "retrying" }])
    hear({ type: "session.retrying", session: prompt.session, attempt: 1, reason: "overloaded", next })
    expect((await promptAt(host, 1)).prompt.model).toBe("fake/m2")
  })

  it("takes no message while it moves", async () => {
    const { call, host } = testServices({ conversation: () => new Promise(() => {}) })
    await call("agents_start", { tasks: [task] })
    refuse(await promptAt(host, 0))
    await until(() => host.aborted.length > 0)
    await expect(call("agents_send", { id: "a", message: "more" })).rejects.toThrow(
      /is opening .*Nothing was sent/,
    )
  })

  it("goes on in its last session and with its last model when it is continued, and moves no more", async () => {
    const { call, host, second } = await moved()
    second.answer("by m2")
    await call("agents_wait", {})
    await call("agents_send", { id: "a", message: "again" })
    const third = await promptAt(host, 2)
    expect(third.prompt).toMatchObject({ session: second.prompt.session, model: "fake/m2", text: "again" })
    refuse(third)
    expect((await call("agents_wait", {})).jobs).toMatchObject([{ state: "failed", run: 2 }])
    expect(host.prompts).toHaveLength(3)
  })

  it("does not move where its child cannot be stopped", async () => {
    const { call, host } = testServices({ abort: async () => failed("no") })
    await call("agents_start", { tasks: [task] })
    refuse(await promptAt(host, 0))
    const { output } = await call("agents_wait", {})
    expect(output).toContain("fake/m2 was not asked instead, since the child could not be stopped: no")
    expect(host.prompts).toHaveLength(1)
  })

  it("moves although opencode is so busy that it takes seconds to stop its child", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
    onTestFinished(() => void vi.useRealTimers())
    const { call, host, troupe } = testServices({
      abort: async () => {
        await new Promise((resolve) => setTimeout(resolve, 9_000))
        return { ok: true, value: undefined }
      },
    })
    await call("agents_start", { tasks: [task] })
    refuse(await promptAt(host, 0))
    await until(() => troupe.records.get("owner", "a")?.phase === "opening")
    await vi.advanceTimersByTimeAsync(9_000)
    const second = await promptAt(host, 1)
    expect(second.prompt).toMatchObject({ model: "fake/m2" })
    second.answer("by m2")
    await until(() => troupe.records.get("owner", "a")?.state === "done")
  })

  it("is one that opencode does not have: its prompt fails without a word of that", async () => {
    const { call, host } = testServices({}, { fallback: { "fake/gone": ["fake/m2"] } }, (double) => ({
      ...double,
      modelOf: async () => ({ ok: true, value: { model: "fake/gone" } }),
    }))
    await call("agents_start", { tasks: [{ id: "a", prompt: "do a" }] })
    const first = await promptAt(host, 0)
    first.settle(failed("Unexpected server error", 500))
    const second = await promptAt(host, 1)
    expect(second.prompt.text).toContain(
      "fake/gone was asked this before you and could not go on: opencode has no",
    )
  })
})

describe("Fallbacks", () => {
  it.each([
    [["fake/m1", "fake/m3"], /no model "fake\/m3"; available: fake\/m1, fake\/m2, other\/big/],
    [["fake/m1", "fake/m1#none"], /the model "fake\/m1" has no variant "none"/],
    [["fake/m1", "fake/m2", "fake/m1"], /the model "fake\/m1" is listed twice/],
    [["fake/m1", "m2"], /no model "m2"; did you mean: fake\/m2\?/],
    [[], /tasks\[0\]\.model is \[\]: it must be provider\/model, or a list/],
  ])("of a task that are wrong are refused by name: %j", async (model, words) => {
    const { call, host } = testServices()
    const { output } = await call("agents_start", { tasks: [{ ...task, model }] })
    expect(output).toMatch(words)
    expect(host.prompts).toEqual([])
  })

  const fallback = { "fake/m1": ["fake/m2"] }
  it.each([
    ["names no model", undefined, 2],
    ["names a model alone", "fake/m1", 2],
    ["lists a model alone: that is to have none", ["fake/m1"], 1],
    ["names another model", "other/big", 1],
  ])("of the user's option are those of a task that %s", async (_, model, prompts) => {
    const { call, host } = testServices({}, { fallback })
    await call("agents_start", { tasks: [{ ...task, model }] })
    refuse(await promptAt(host, 0))
    if (prompts === 2) (await promptAt(host, 1)).answer("by m2")
    await call("agents_wait", {})
    expect(host.prompts).toHaveLength(prompts)
  })

  it("of the user's option that opencode does not have are named, and left out", async () => {
    const { call, host } = testServices({}, { fallback: { "fake/m1": ["fake/m9", "fake/m2"] } })
    await call("agents_start", { tasks: [{ id: "a", prompt: "do a" }] })
    expect(host.problems.all).toEqual([
      expect.stringMatching(/^option "fallback": no model "fake\/m9"; available/),
    ])
    refuse(await promptAt(host, 0))
    expect((await promptAt(host, 1)).prompt.model).toBe("fake/m2")
  })
})

/** An opencode that has died at some moment: what its store has then. */
type Left = { sessions: Map<string, Session>; said: Map<string, MessageWithParts[]> }

describe("An opencode that ends while a job moves", () => {
  /** The moments are all calls that change something in opencode. */
  async function everyMoment(): Promise<Left[]> {
    const moments: Left[] = []
    const seen =
      <Args extends unknown[], T>(act: (...args: Args) => T) =>
      (...args: Args) => {
        moments.push(structuredClone({ sessions: host.sessions, said: host.said }))
        return act(...args)
      }
    const { call, host } = testServices({}, {}, (double) => ({
      ...double,
      createSession: seen(double.createSession),
      updateStored: seen(double.updateStored),
      prompt: seen(double.prompt),
      abort: seen(double.abort),
    }))
    await call("agents_start", { tasks: [task] })
    refuse(await promptAt(host, 0))
    const second = await promptAt(host, 1)
    await until(() => storedIn(host.sessions, host.prompts[0]?.prompt.session ?? "").movedTo !== undefined)
    seen(() => {})()
    second.answer("by m2")
    seen(() => {})()
    await call("agents_wait", {})
    return moments.filter(({ said }) =>
      [...said.values()].flat().some(({ info }) => info.role === "assistant"),
    )
  }

  const holder: Holder = {
    instance: "next",
    lease: Promise.resolve({ pid: 2, process: "start", instance: "next" }),
    isOurs: ({ instance }) => instance === "next",
    isHeld: async ({ instance }) => instance === "next",
    drop: () => {},
  }
  const claims: Claims = { claim: async (_, seen) => seen.map(() => "taken") }

  /** What opencode answers to a prompt that it has had before, or the model. */
  function answering(said: Left["said"], asked: string[], texts: string[] = []): Host["prompt"] {
    return async (prompt) => {
      const messages = said.get(prompt.session) ?? []
      said.set(prompt.session, messages)
      const known = messages.find(
        ({ info }) => info.role === "assistant" && info.parentID === prompt.messageID,
      )
      if (known) return okMessage(known)
      asked.push(`${prompt.model} in ${prompt.session}`)
      texts.push(prompt.text)
      const isRefused = prompt.model === "fake/m1"
      const refused = answerTo(prompt, "", { finish: "", error: noKey })
      const message = isRefused ? refused : answerTo(prompt, "by m2")
      messages.push(message)
      return okMessage(message)
    }
  }

  it("leaves one job, which the next opencode brings to its end: nothing is lost, no model is asked twice", async () => {
    const moments = await everyMoment()
    expect(moments.length).toBeGreaterThan(5)
    for (const [index, left] of moments.entries()) {
      const asked: string[] = []
      const { call, host, troupe } = testServices(
        {},
        { recover: "resume" },
        (double) => ({
          ...double,
          prompt: answering(left.said, asked),
          messages: async (id) => ({ ok: true, value: (left.said.get(id) ?? []).map(decodeMessage) }),
        }),
        { holder, claims },
      )
      for (const [id, session] of left.sessions) host.sessions.set(id, session)
      const { jobs } = await call("agents_wait", {})
      const what = `moment ${index}`
      expect(jobs, what).toMatchObject([{ id: "a", state: "done", model: "fake/m2" }])
      expect(troupe.records.of("owner"), what).toHaveLength(1)
      expect(new Set(asked).size, what).toBe(asked.length)
      // The one that is left said what its children may do.
      const ofOwner = [...host.sessions.values()].filter(({ parentID }) => parentID === "owner")
      for (const { permission } of ofOwner) expect(permission, what).toEqual(ofOwner[0]?.permission)
      const texts = await call("agents_wait", { ids: ["a"] })
      expect(texts.output, what).toContain("by m2")
    }
  })

  it("with recover: fail leaves one job, which was interrupted and is brought to its end by a message, or has its answer", async () => {
    const moments = await everyMoment()
    for (const [index, left] of moments.entries()) {
      const asked: string[] = []
      const texts: string[] = []
      const wasAsked = left.said.size > 1
      const { call, host } = testServices(
        {},
        { recover: "fail" },
        (double) => ({
          ...double,
          prompt: answering(left.said, asked, texts),
          messages: async (id) => ({ ok: true, value: (left.said.get(id) ?? []).map(decodeMessage) }),
        }),
        { holder, claims },
      )
      for (const [id, session] of left.sessions) host.sessions.set(id, session)
      const { jobs } = await call("agents_wait", {})
      const what = `moment ${index}`
      expect(asked, what).toEqual([])
      const [job] = jobs
      if (job?.state !== "done") {
        expect(jobs, what).toMatchObject([{ id: "a", state: "failed", error: { kind: "interrupted" } }])
        await call("agents_send", { id: "a", message: "Go on." })
        const after = await call("agents_wait", {})
        expect(after.jobs, what).toMatchObject([{ id: "a", state: "done", model: "fake/m2" }])
        expect(texts.at(-1), what).toContain("Go on.")
        if (!wasAsked) expect(texts.at(-1), what).toContain(task.prompt)
      }
    }
  })
})
