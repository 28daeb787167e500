import { createOpencodeClient } from "@opencode-ai/sdk"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { LoadGuard, OwnerMessage, Prompt } from "../../../../src/plugin/host/port.ts"
import { createHost } from "../../../../src/plugin/host/v1/host.ts"
import type { Standing } from "../../../../src/terminal/contract.ts"
import { answerTo, sessionOf, textPart } from "../../support/opencode-data.ts"

/** A host on the client that opencode hands to plugins, whose requests are answered here. */
function hostAnswered(
  answer: (request: Request) => Response | Promise<Response>,
  headers = {},
  assureLoadable?: LoadGuard,
) {
  const requests: Request[] = []
  const given = createOpencodeClient({
    baseUrl: "http://opencode.test",
    headers,
    fetch: async (request: Request) => {
      requests.push(request)
      return answer(request)
    },
  })
  return { host: createHost(given, "/project", assureLoadable), requests }
}

const never = () => expect.fail("nobody asked for this")

/** What was begun has reached opencode. */
const settled = () => new Promise((resolve) => setTimeout(resolve))

const prompt: Prompt = {
  session: "ses_1",
  messageID: "msg_b796dd6000001X4PPRfh23x5jj",
  text: "go",
  agent: "general",
}

/** What a child session is made for. */
const call = { session: "ses_0", message: "msg_0", call: "call", agent: "build" }

describe("A directory that opencode must not load", () => {
  const refuse = async (directory: string) => {
    if (directory.startsWith("/refused")) throw new Error(`${directory} has a plugin`)
  }

  it("is named to opencode in no request, nor is a session there", async () => {
    const answer = () => Response.json([sessionOf("ses_1", { parentID: "ses_0", directory: "/refused" })])
    const { host, requests } = hostAnswered(answer, {}, refuse)
    expect(await host.children("ses_0")).toMatchObject({ ok: true })
    const before = requests.length
    const error = { ok: false, error: { message: expect.stringContaining("/refused has a plugin") } }
    const calls = [host.session, host.messages, host.isBusy, host.agents, host.abort]
    for (const call of calls) expect(await call("ses_1")).toMatchObject(error)
    expect(await host.prompt({ ...prompt, session: "ses_1" })).toMatchObject({ ok: false })
    expect(requests.slice(before).filter(({ url }) => !url.includes("/global/event"))).toEqual([])
  })

  it("is looked at anew until it may be loaded, and then no more", async () => {
    const asked: string[] = []
    let isRefused = true
    const { host } = hostAnswered(
      () => Response.json([sessionOf("ses_1", { parentID: "ses_0", directory: "/looked/at" })]),
      {},
      async (directory) => {
        asked.push(directory)
        if (isRefused) throw new Error("not yet")
      },
    )
    await host.children("ses_0")
    await host.messages("ses_1")
    expect(host.hasLoaded("/looked/at")).toBe(false)
    isRefused = false
    for (let call = 0; call < 2; call++) await host.messages("ses_1")
    expect(asked).toEqual(["/looked/at", "/looked/at"])
    expect(host.hasLoaded("/looked/at")).toBe(true)
  })
})

describe("A call to opencode", () => {
  it("gives what opencode answered", async () => {
    const { host } = hostAnswered(() => Response.json(sessionOf("ses_1", { parentID: "ses_0" })))
    expect(await host.session("ses_1")).toMatchObject({ ok: true, value: { id: "ses_1", parent: "ses_0" } })
  })

  it.each<[string, () => Response | Promise<Response>, object]>([
    ["it rejects", () => Promise.reject(new TypeError("connection reset")), { message: "connection reset" }],
    [
      "it answers an error, with words",
      () => Response.json({ name: "UnknownError", data: { message: "no such agent" } }, { status: 500 }),
      { message: "no such agent", status: 500 },
    ],
    [
      "it answers an error that has but a name",
      () => Response.json({ name: "NotFoundError", data: {} }, { status: 404 }),
      { message: "NotFoundError", status: 404 },
    ],
    [
      "it answers an error in plain text",
      () => new Response("bad gateway", { status: 502 }),
      { message: "bad gateway", status: 502 },
    ],
    [
      "it answers an error and says nothing",
      () => new Response(null, { status: 401 }),
      { message: "opencode answered 401", status: 401 },
    ],
  ])("fails in one way when %s", async (_, answer, error) => {
    const { host } = hostAnswered(answer)
    expect(await host.session("ses_1")).toMatchObject({ ok: false, error })
  })

  it("fails in the same way when its answer is not as expected", async () => {
    const { host } = hostAnswered(() => Response.json({}))
    const ends = await Promise.all([
      host.session("ses_1"),
      host.prompt(prompt),
      host.agents("ses_owner"),
      host.models("ses_owner"),
    ])
    for (const end of ends)
      expect(end).toMatchObject({
        ok: false,
        error: { message: expect.stringMatching(/^opencode's answer is not as expected \(/) },
      })
  })

  it("is a problem where its answer is not as expected, said once, with what was asked", async () => {
    const { host } = hostAnswered(() => Response.json({}))
    await host.session("ses_1")
    await host.session("ses_2")
    expect(host.problems.all).toEqual([
      expect.stringMatching(
        /^opencode's answer is not as expected \(a session: .*\); it may be too old or too new/,
      ),
    ])
  })

  it.each([
    ["1.17.9", ["opencode 1.17.9 is too old: opencode-troupe needs 1.18 or newer"]],
    ["0.9.0", []],
    ["1.18.0", []],
    ["1.40.2", []],
    ["2.0.15", [expect.stringContaining("opencode 2.0.15 loads opencode-troupe the way opencode 1.18 does")]],
    [undefined, []],
  ])("tells an opencode that is too old or too new by its version: %s", async (version, problems) => {
    const { host } = hostAnswered(() => Response.json({ healthy: true, version }))
    await host.lookAtVersion()
    expect(host.problems.all).toEqual(problems)
  })

  it("is a problem where its events are of an unknown shape, said once for each type", () => {
    const { host } = hostAnswered(() => Response.json({}))
    const heard = [
      { type: "session.status" },
      { type: "session.status", properties: {} },
      { type: "a.new.one" },
    ]
    expect(heard.map(host.decoded)).toEqual([undefined, undefined, undefined])
    expect(host.problems.all).toEqual([
      expect.stringMatching(
        /^opencode tells of session\.status in an unknown way, which is left out; it may be/,
      ),
    ])
    expect(host.decoded({ type: "session.deleted", properties: { sessionID: "ses_1" } })).toEqual({
      type: "session.deleted",
      session: "ses_1",
    })
  })

  it("never throws, whatever is called", async () => {
    const { host } = hostAnswered(() => Promise.reject(new Error("gone")))
    const place = { session: "ses_1", message: "msg_1", call: "call" }
    const calls: Promise<{ ok: boolean }>[] = [
      host.createSession({ call, parent: "ses_0", title: "go", agent: "general", rules: [], stored: {} }),
      host.deleteSession("ses_1"),
      host.session("ses_1"),
      host.sessionsSince(0),
      host.isBusy("ses_1"),
      host.agents("ses_owner"),
      host.models("ses_owner"),
      host.children("ses_1"),
      host.messages("ses_1"),
      host.modelOf(place),
      host.abort("ses_1"),
      host.prompt(prompt),
      host.steer(prompt),
      host.deliver({ ...prompt, mark: {} }, { isWanted: () => true }),
      host.updateStored("ses_1", () => ({})),
      host.showProgress(place, { title: "1/2 done", metadata: {} }, new AbortController().signal),
      host.toast({ message: "hi", variant: "info" }),
      host.log("info", "hi"),
    ]
    const ends = await Promise.all(calls)
    expect(ends.every(({ ok }) => !ok)).toBe(true)
  })

  it("knows no failure in an answer of nothing, where nothing is to be answered", async () => {
    const { host } = hostAnswered(() => new Response(null, { status: 204 }))
    expect(await host.steer(prompt)).toEqual({ ok: true, value: undefined })
  })

  it("carries the authorization of the given client, and the project's folder", async () => {
    const { host, requests } = hostAnswered(() => Response.json(true), { authorization: "Basic abc" })
    await host.session("ses_1")
    await host.abort("ses_1")
    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual(["Basic abc", "Basic abc"])
    expect(requests[0]?.url).toContain(encodeURIComponent("/project"))
  })

  it("refuses a client that it does not know", () => {
    expect(() => createHost({}, "/project")).toThrow(/unknown kind of client; version 1\.18/)
  })
})

describe("A prompt", () => {
  const sentBy = async (model: string | undefined) => {
    const answer = answerTo({ session: "ses_1", messageID: "msg_1" }, "done")
    const { host, requests } = hostAnswered(() => Response.json(answer))
    await host.prompt({ ...prompt, model, variant: "high" })
    return requests.at(-1)?.json()
  }

  it("carries its id, the part's, the agent, the model and its variant", async () => {
    expect(await sentBy("fake/m1")).toEqual({
      messageID: prompt.messageID,
      agent: "general",
      model: { providerID: "fake", modelID: "m1" },
      variant: "high",
      parts: [{ id: "prt_b796dd600000n2Jf1Kxo8zp5K8", type: "text", text: "go" }],
    })
  })

  it("takes models whose names have slashes of their own", async () => {
    expect(await sentBy("router/meta/llama")).toMatchObject({
      model: { providerID: "router", modelID: "meta/llama" },
    })
  })

  it("leaves the session's permission rules alone: `tools` would replace them", async () => {
    expect(await sentBy("fake/m1")).not.toHaveProperty("tools")
  })

  it("returns the message that ends its turn", async () => {
    const answer = answerTo({ session: "ses_1", messageID: "msg_1" }, "done")
    const { host } = hostAnswered(() => Response.json(answer))
    expect(await host.prompt(prompt)).toMatchObject({ ok: true, value: { text: "done", answers: ["msg_1"] } })
  })
})

describe("A message to an owner", () => {
  const message: OwnerMessage = { ...prompt, mark: { delivered: [] } }
  const wanted = { isWanted: () => true }
  const part = {
    id: "prt_b796dd600000n2Jf1Kxo8zp5K8",
    type: "text",
    text: "go",
    synthetic: true,
    metadata: { troupe: { delivered: [] } },
  }
  const body = { messageID: prompt.messageID, agent: "general", parts: [part] }
  const answers = {
    message: () => Response.json({}),
    prompt_async: () => new Response(null, { status: 204 }),
  }

  /** Delivered to an opencode that answers each of the two requests so. */
  async function delivered(given: Partial<typeof answers> = {}, turn = wanted) {
    const { message: store, prompt_async: start } = { ...answers, ...given }
    const { host, requests } = hostAnswered(({ url }) => (url.includes("/prompt_async") ? start() : store()))
    const outcome = await host.deliver(message, turn)
    const asked = requests.map(async (request) => [
      new URL(request.url).pathname.split("/").at(-1),
      await request.json(),
    ])
    return { outcome, asked: await Promise.all(asked) }
  }

  it("is stored unseen and with its mark, and starts its turn once it is, by the same ids", async () => {
    const { outcome, asked } = await delivered()
    expect(outcome.ok).toBe(true)
    expect(asked).toEqual([
      ["message", { ...body, noReply: true }],
      ["prompt_async", body],
    ])
  })

  it("starts no turn where none is wanted any more, which is asked once it is stored", async () => {
    let isStored = false
    const store = () => {
      isStored = true
      return Response.json({})
    }
    const { outcome, asked } = await delivered({ message: store }, { isWanted: () => !isStored })
    expect(outcome.ok).toBe(true)
    expect(asked).toHaveLength(1)
  })

  it("starts no turn where it could not be stored: that fails", async () => {
    const { outcome, asked } = await delivered({ message: () => new Response("disk full", { status: 500 }) })
    expect(outcome).toEqual({ ok: false, error: { message: "disk full", status: 500 } })
    expect(asked).toHaveLength(1)
  })

  it("fails too where it was stored and its turn could not be started", async () => {
    const { outcome } = await delivered({ prompt_async: () => new Response("not now", { status: 503 }) })
    expect(outcome).toEqual({ ok: false, error: { message: "not now", status: 503 } })
  })
})

describe("A child session", () => {
  it("is made with its parent, its agent, its rules and what it keeps for this product", async () => {
    const { host, requests } = hostAnswered(() => Response.json(sessionOf("ses_1")))
    const rules = [{ permission: "edit", pattern: "*", action: "deny" as const }]
    await host.createSession({
      call,
      parent: "ses_0",
      title: "go",
      agent: "general",
      rules,
      stored: { version: 1 },
    })
    expect(await requests.at(-1)?.json()).toEqual({
      parentID: "ses_0",
      title: "go",
      agent: "general",
      permission: rules,
      metadata: { troupe: { version: 1 } },
    })
  })
})

describe("What a session keeps for this product", () => {
  const kept = sessionOf("ses_1", { metadata: { theirs: 1, troupe: { run: 1 } } })

  it("changes alone: the keys of others stay", async () => {
    const { host, requests } = hostAnswered(() => Response.json(kept))
    const seen: unknown[] = []
    await host.updateStored("ses_1", (stored) => {
      seen.push(stored)
      return { run: 2 }
    })
    expect(seen).toEqual([{ run: 1 }])
    expect(await requests[1]?.json()).toEqual({ metadata: { theirs: 1, troupe: { run: 2 } } })
  })

  it("stays where nothing is to change", async () => {
    const { host, requests } = hostAnswered(() => Response.json(kept))
    expect(await host.updateStored("ses_1", () => undefined)).toEqual({ ok: true, value: undefined })
    expect(requests.map(({ method }) => method)).toEqual(["GET"])
  })
})

describe("A session's turn", () => {
  it.each([
    ["is under way", { ses_1: { type: "busy" } }, true],
    ["is under way while opencode backs off", { ses_1: { type: "retry" } }, true],
    ["is not, where it is idle", { ses_1: { type: "idle" } }, false],
    ["is not, where opencode does not name it", { ses_2: { type: "busy" } }, false],
  ])("%s", async (_, statuses, isBusy) => {
    const { host } = hostAnswered(() => Response.json(statuses))
    expect(await host.isBusy("ses_1")).toEqual({ ok: true, value: isBusy })
  })
})

describe("Models", () => {
  it("are named by provider and model, with their variants", async () => {
    const providers = [
      { id: "fake", models: { m1: {}, m2: { variants: { low: {}, high: {} } } } },
      { id: "other", models: { "a/b": {} } },
    ]
    const { host } = hostAnswered(() => Response.json({ providers, default: {} }))
    expect(await host.models("ses_owner")).toEqual({
      ok: true,
      value: [
        { name: "fake/m1", variants: [] },
        { name: "fake/m2", variants: ["low", "high"] },
        { name: "other/a/b", variants: [] },
      ],
    })
  })

  it("are unpriced where whatever they are used for costs nothing", async () => {
    const priceOf = (input: number, output: number) => ({
      cost: { input, output, cache: { read: 0, write: 0 } },
    })
    const providers = [
      { id: "fake", models: { free: priceOf(0, 0), dear: priceOf(0, 1), in: priceOf(1, 0) } },
    ]
    const { host } = hostAnswered(() => Response.json({ providers, default: {} }))
    expect(await host.models("ses_owner")).toEqual({
      ok: true,
      value: [
        { name: "fake/free", variants: [], isUnpriced: true },
        { name: "fake/dear", variants: [] },
        { name: "fake/in", variants: [] },
      ],
    })
  })
})

describe("What a person is told", () => {
  it("names what the person can call in a toast, once a terminal has it", async () => {
    const { host, requests } = hostAnswered(() => Response.json(true))
    await host.serveTerminal?.({
      list: never,
      glance: never,
      standings: () => [],
      read: never,
      inspect: never,
      cancel: never,
      send: never,
    })
    const toast = {
      message: "lint failed",
      variant: "error",
      leadsTo: { session: "ses_1", command: "jobs" },
    } as const
    await host.toast(toast)
    const properties = { command: 'opencode-troupe {"act":"arrive"}' }
    host.hearTerminal({ type: "tui.command.execute", properties })
    await host.toast(toast)
    const shown = await Promise.all(requests.map((request) => request.json()))
    expect(shown.map(({ message }) => message)).toEqual(["lint failed", "lint failed\n/troupe"])
    expect(shown[1]).not.toHaveProperty("leadsTo")
  })

  it("is what is spent and on hold, told to terminals as it changes, and to each that comes", async () => {
    const { host, requests } = hostAnswered(() => Response.json(true))
    let standings: Standing[] = [{ owner: "ses_1", budgets: [], holds: {}, live: {} }]
    const served = await host.serveTerminal?.({
      ...{ list: never, glance: never, read: never, inspect: never, cancel: never, send: never },
      standings: () => standings,
    })
    const changed = () => served?.ok && served.value.changed("ses_1")
    const told = async () => {
      const bodies = await Promise.all(requests.splice(0).map((request) => request.json()))
      return bodies.map(({ properties }) => JSON.parse(properties.command.replace("opencode-troupe ", "")))
    }
    changed()
    const properties = { command: 'opencode-troupe {"act":"arrive"}' }
    host.hearTerminal({ type: "tui.command.execute", properties })
    await settled()
    expect(await told()).toEqual([])
    const held = { owner: "ses_1", budgets: [], holds: { ses_2: 5 }, live: {} }
    standings = [held]
    changed()
    changed()
    host.hearTerminal({ type: "tui.command.execute", properties })
    await settled()
    expect(await told()).toEqual(Array(2).fill({ tell: "standing", ...held }))
    standings = [{ ...held, holds: {}, live: {} }]
    changed()
    await settled()
    expect(await told()).toEqual([{ tell: "standing", ...held, holds: {} }])
  })

  it.each([
    ["permission", "/permission/r1/reply", { reply: "reject" }],
    ["question", "/question/r1/reject", undefined],
  ] as const)("takes back a request: %s", async (kind, path, body) => {
    const { host, requests } = hostAnswered(() => Response.json(true))
    await host.withdraw?.("ses_1", { id: "r1", kind, text: "" })
    const request = requests.at(-1)
    expect(new URL(request?.url ?? "").pathname).toBe(path)
    if (body) expect(await request?.json()).toEqual(body)
  })

  it("names the plugin: in the title of a toast, and in the line of the log itself", async () => {
    const { host, requests } = hostAnswered(() => Response.json(true))
    await host.toast({ message: "lint done", variant: "success", duration: 5_000 })
    await host.log("warn", "not now")
    expect(await requests[0]?.json()).toEqual({
      title: "opencode-troupe",
      message: "lint done",
      variant: "success",
      duration: 5_000,
    })
    expect(await requests[1]?.json()).toEqual({
      service: "opencode-troupe",
      level: "warn",
      message: "opencode-troupe: not now",
    })
  })
})

describe("The progress of a tool's call", () => {
  const place = { session: "owner", message: "msg_call", call: "call" }
  const running = {
    id: "prt_call",
    sessionID: "owner",
    messageID: "msg_call",
    type: "tool",
    callID: "call",
    tool: "agents_wait",
    state: { status: "running", input: {}, metadata: { other: "kept" }, time: { start: 1 } },
  }
  const text = textPart("owner", "msg_call", "I wait for them.")
  const withState = (status: string) => ({ ...running, state: { ...running.state, status } })

  const never = new AbortController().signal
  const progress = { title: "1/2 done", metadata: { jobs: [] } }
  const state = { ...running.state, title: "1/2 done", metadata: { other: "kept", jobs: [] } }

  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
  afterEach(() => void vi.useRealTimers())

  /** An opencode whose message has these parts, by now. */
  function opencodeWith(parts: object[]) {
    const message = () => ({ ...answerTo({ session: "owner", messageID: "msg_call" }, ""), parts })
    const { host, requests } = hostAnswered(({ method }) =>
      Response.json(method === "GET" ? message() : true),
    )
    const sent = (isRead: boolean) => requests.filter(({ method }) => (method === "GET") === isRead)
    return {
      host,
      looks: () => sent(true).length,
      written: () => Promise.all(sent(false).map((request) => request.clone().json())),
    }
  }

  it("is shown on the part where it runs, beside what that holds", async () => {
    const { host, written } = opencodeWith([text, running])
    expect(await host.showProgress(place, progress, never)).toMatchObject({ ok: true })
    expect(await written()).toEqual([{ ...running, state }])
  })

  it.each([
    ["is another call's", { ...running, callID: "other" }, place],
    ["is not running yet", withState("pending"), place],
    ["is at its end", withState("completed"), place],
    ["is no call's", text, place],
    [
      "may be another call's, where opencode does not say which it is",
      running,
      { ...place, call: undefined },
    ],
  ])(
    "is not shown on a part that %s, which is looked at each second until that is given up",
    async (_, part, at) => {
      const { host, looks, written } = opencodeWith([part])
      const givenUp = new AbortController()
      const shown = host.showProgress(at, progress, givenUp.signal)
      await vi.waitFor(() => expect(looks()).toBe(1))
      await vi.advanceTimersByTimeAsync(1_000)
      await vi.waitFor(() => expect(looks()).toBe(2))
      givenUp.abort()
      expect(await shown).toMatchObject({ ok: true })
      await vi.advanceTimersByTimeAsync(5_000)
      expect(looks()).toBe(2)
      expect(await written()).toEqual([])
    },
  )

  it("is shown as soon as opencode has stored that the call runs", async () => {
    const parts: object[] = [withState("pending")]
    const { host, looks, written } = opencodeWith(parts)
    const shown = host.showProgress(place, progress, never)
    await vi.waitFor(() => expect(looks()).toBe(1))
    parts.splice(0, 1, running)
    await vi.advanceTimersByTimeAsync(1_000)
    await shown
    expect(await written()).toEqual([{ ...running, state }])
  })

  it("fails where the message cannot be read, or the part not be written", async () => {
    const progress = { title: "1/2 done", metadata: {} }
    const none = hostAnswered(() => Response.json({ name: "NotFoundError" }, { status: 404 }))
    expect(await none.host.showProgress(place, progress, never)).toMatchObject({
      ok: false,
      error: { status: 404 },
    })
    const message = { ...answerTo({ session: "owner", messageID: "msg_call" }, ""), parts: [running] }
    const full = hostAnswered(({ method }) =>
      method === "GET" ? Response.json(message) : new Response("disk full", { status: 500 }),
    )
    expect(await full.host.showProgress(place, progress, never)).toMatchObject({
      ok: false,
      error: { message: "disk full", status: 500 },
    })
  })
})

describe("What a session asks", () => {
  const permission = {
    id: "per_1",
    sessionID: "ses_1",
    permission: "bash",
    patterns: ["echo a"],
    metadata: {},
    always: ["echo *"],
    tool: { messageID: "msg_2", callID: "call" },
  }
  const ask = { id: "per_1", kind: "permission", text: "bash: echo a" } as const
  const question = {
    id: "que_1",
    sessionID: "ses_1",
    questions: [
      {
        question: "Which colours?",
        header: "Colour",
        options: [{ label: "Red", description: "" }],
        multiple: true,
      },
      { question: "Why?", header: "Reason", options: [] },
    ],
  }
  const input = { command: "echo a | cat" }
  const message = {
    ...answerTo({ session: "ses_1", messageID: "msg_1" }, ""),
    parts: [
      {
        id: "prt_1",
        sessionID: "ses_1",
        messageID: "msg_2",
        type: "tool",
        callID: "call",
        tool: "bash",
        state: { status: "running", input, time: { start: 1 } },
      },
    ],
  }

  it("is read in full, with what its call was given", async () => {
    const { host } = hostAnswered(({ url }) =>
      Response.json(
        url.includes("/session/") ? message : url.includes("/question") ? [question] : [permission],
      ),
    )
    expect(await host.request("ses_1", ask)).toEqual({
      ok: true,
      value: {
        id: "per_1",
        session: "ses_1",
        kind: "permission",
        action: "bash",
        parts: [{ title: "", text: "echo a | cat" }],
        always: ["echo *"],
      },
    })
    expect(await host.request("ses_1", { id: "que_1", kind: "question", text: "" })).toMatchObject({
      value: {
        questions: [
          { key: "0", title: "Colour", text: "Which colours?", isMultiple: true },
          { key: "1", choices: [], takesText: true },
        ],
      },
    })
    expect(await host.request("ses_1", { ...ask, id: "per_0" })).toEqual({ ok: true, value: undefined })
  })

  it.each([
    ["a decision", "/permission/per_1/reply", { kind: "decision", decision: "reject", message: "No." }],
    ["answers", "/question/que_1/reply", { kind: "answers", answers: { 1: ["So."] } }],
    ["a dismissal", "/question/que_1/reject", { kind: "dismissal" }],
  ] as const)("is answered by %s, if it is still asked", async (_what, path, answer) => {
    const request = {
      session: "ses_1",
      ...(answer.kind === "decision"
        ? { id: "per_1", kind: "permission" as const, action: "bash", parts: [], always: [] }
        : { id: "que_1", kind: "question" as const, questions: [0, 1].map((key) => aQuestion(`${key}`)) }),
    }
    const { host, requests } = hostAnswered(() => Response.json(true))
    expect(await host.answer(request, answer)).toEqual({ ok: true, value: true })
    expect(new URL(requests.at(-1)?.url ?? "").pathname).toBe(path)
    if (answer.kind === "answers") expect(await requests.at(-1)?.json()).toEqual({ answers: [[], ["So."]] })
    const late = hostAnswered(() => Response.json({ name: "NotFoundError", data: {} }, { status: 404 }))
    expect(await late.host.answer(request, answer)).toEqual({ ok: true, value: false })
  })

  const aQuestion = (key: string) => ({
    key,
    title: "",
    text: "",
    choices: [],
    isMultiple: false,
    takesText: true,
  })
})

describe("The end of a conversation", () => {
  const messages = ["msg_1", "msg_2"].map((id) => {
    const message = answerTo({ session: "ses_1", messageID: id }, "said")
    return { ...message, info: { ...message.info, id } }
  })

  it("is all that is read where that has the message to go on from", async () => {
    const { host, requests } = hostAnswered(() => Response.json(messages))
    expect(await host.conversation("ses_1", "msg_2")).toMatchObject({
      value: [{ id: "msg_1" }, { id: "msg_2" }],
    })
    expect(requests.map(({ url }) => new URL(url).searchParams.has("limit"))).toEqual([true])
    await host.conversation("ses_1", "msg_0")
    await host.conversation("ses_1")
    expect(requests.map(({ url }) => new URL(url).searchParams.has("limit"))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
