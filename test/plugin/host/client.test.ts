import { createOpencodeClient } from "@opencode-ai/sdk"
import { describe, expect, it } from "vitest"
import { createHost, wordsOf } from "../../../src/plugin/host/client.ts"

/** A host on the client that opencode hands to plugins, whose requests are answered here. */
function hostAnswered(answer: (request: Request) => Response | Promise<Response>, headers = {}) {
  const requests: Request[] = []
  const given = createOpencodeClient({
    baseUrl: "http://opencode.test",
    headers,
    fetch: async (request: Request) => {
      requests.push(request)
      return answer(request)
    },
  })
  return { host: createHost(given, "/project"), requests }
}

describe("A call to opencode", () => {
  it("gives what opencode answered", async () => {
    const { host } = hostAnswered(() => Response.json({ id: "ses_1" }))
    expect(await host.session("ses_1")).toEqual({ ok: true, value: { id: "ses_1" } })
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

  it("never throws, whatever is called", async () => {
    const { host } = hostAnswered(() => Promise.reject(new Error("gone")))
    const prompt = { session: "ses_1", messageID: "msg_1", partID: "prt_1", text: "go", agent: "general" }
    const calls = [
      host.agents(),
      host.models(),
      host.children("ses_1"),
      host.messages("ses_1"),
      host.message("ses_1", "msg_1"),
      host.abort("ses_1"),
      host.prompt(prompt),
      host.send(prompt),
      host.writeMetadata("ses_1", {}),
      host.toast({ message: "hi", variant: "info" }),
      host.log("info", "hi"),
    ]
    const ends = await Promise.all(calls)
    expect(ends.every(({ ok }) => !ok)).toBe(true)
  })

  it("knows no failure in an answer of nothing, where nothing is to be answered", async () => {
    const { host } = hostAnswered(() => new Response(null, { status: 204 }))
    expect(await host.send({ session: "ses_1", text: "more", agent: "general" })).toEqual({
      ok: true,
      value: undefined,
    })
  })

  it("carries the authorization of the given client, and the project's folder", async () => {
    const { host, requests } = hostAnswered(() => Response.json(true), { authorization: "Basic abc" })
    await host.session("ses_1")
    await host.abort("ses_1")
    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual(["Basic abc", "Basic abc"])
    expect(requests[0]?.url).toContain(encodeURIComponent("/project"))
  })

  it("refuses a client that it does not know", () => {
    expect(() => createHost({}, "/project")).toThrow(/client of an unknown kind; it needs 1\.18/)
  })
})

describe("A prompt", () => {
  const asked = async (model: string | undefined) => {
    const { host, requests } = hostAnswered(() => Response.json({ info: {}, parts: [] }))
    const prompt = { session: "ses_1", messageID: "msg_1", partID: "prt_1", text: "go", agent: "general" }
    await host.prompt({ ...prompt, model, variant: "high" })
    return requests[0]?.json()
  }

  it("carries both ids, the agent, the model and its variant", async () => {
    expect(await asked("fake/m1")).toEqual({
      messageID: "msg_1",
      agent: "general",
      model: { providerID: "fake", modelID: "m1" },
      variant: "high",
      parts: [{ id: "prt_1", type: "text", text: "go" }],
    })
  })

  it("takes models whose names have slashes of their own", async () => {
    expect(await asked("router/meta/llama")).toMatchObject({
      model: { providerID: "router", modelID: "meta/llama" },
    })
  })

  it("leaves the session's permission rules alone: `tools` would replace them", async () => {
    expect(await asked("fake/m1")).not.toHaveProperty("tools")
  })
})

describe("The words of an error", () => {
  it.each<[unknown, string]>([
    ["plain", "plain"],
    [new Error("thrown"), "thrown"],
    [{ data: { message: "inner" }, message: "outer" }, "inner"],
    [{ name: "APIError", data: { message: "" } }, "APIError"],
    [{ name: "APIError", data: {} }, "APIError"],
    [undefined, ""],
    [7, ""],
  ])("of %o", (error, words) => {
    expect(wordsOf(error)).toBe(words)
  })
})
