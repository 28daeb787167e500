import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import { type Asked, ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { type ScriptedTroupe, scriptedTroupe, sessionOf } from "./support/scripted-troupe.ts"

const token = "a token of thirty-two characters or more"
const bearer = { authorization: `Bearer ${token}` }
const job = `/api/jobs/${sessionOf("j1")}`
const reads = [
  "/",
  "/page.js",
  "/page.css",
  "/icon.svg",
  "/api/jobs",
  job,
  "/api/actors",
  "/api/machines/job",
  "/api/stream",
  "/metrics",
  "/openapi.json",
]
const changes = [`${job}/cancel`, `${job}/send`]
const everywhere: [string, string][] = [
  ...reads.map((path): [string, string] => ["GET", path]),
  ...changes.map((path): [string, string] => ["POST", path]),
]

let scripted: ScriptedTroupe
let inspector: Inspector
let now = 0

beforeAll(async () => {
  scripted = scriptedTroupe()
  scripted.start("j1", { description: "a secret description" })
  await scripted.until("j1", "prompting.working")
  inspector = await startInspector({
    source: scripted.source,
    options: { token },
    page: pageStub,
    registerFolder: false,
    now: () => now,
  })
})
afterAll(async () => {
  await inspector.stop()
  scripted.stop()
})

/** With everything right but for what the test changes. */
function send(method: string, path: string, headers: Record<string, string>, more: Asked = {}) {
  const post = method === "POST" ? { "x-troupe": "1", "content-type": "application/json" } : {}
  return ask(inspector.url, path, { method, headers: { ...post, ...headers }, ...more })
}

const errorOf = (text: string) => JSON.parse(text).error

describe.each(everywhere)("%s %s refuses", (method, path) => {
  const port = () => new URL(inspector.url).port
  const cases: [string, number, string, () => Record<string, string>][] = [
    ["no token", 401, "access", () => ({})],
    ["a wrong token", 401, "access", () => ({ authorization: `Bearer ${"x".repeat(40)}` })],
    ["a token as a basic password", 401, "access", () => ({ authorization: `Basic ${token}` })],
    ["a wrong cookie", 401, "access", () => ({ cookie: `troupe-${port()}=${"x".repeat(43)}` })],
    ["the token as a cookie", 401, "access", () => ({ cookie: `troupe-${port()}=${token}` })],
    ["a foreign Host", 421, "host", () => ({ ...bearer, host: `rebind.test:${port()}` })],
    ["another port in Host", 421, "host", () => ({ ...bearer, host: "127.0.0.1:1" })],
    ["a Host without its port", 421, "host", () => ({ ...bearer, host: "localhost" })],
    ["a foreign Origin", 403, "origin", () => ({ ...bearer, origin: "https://evil.test" })],
    ["the Origin null", 403, "origin", () => ({ ...bearer, origin: "null" })],
    ["an Origin on another port", 403, "origin", () => ({ ...bearer, origin: "http://127.0.0.1:1" })],
    [
      "an Origin over https",
      403,
      "origin",
      () => ({ ...bearer, origin: inspector.url.replace("http", "https") }),
    ],
    ["a fetch from another site", 403, "origin", () => ({ ...bearer, "sec-fetch-site": "cross-site" })],
    ["a fetch from another port", 403, "origin", () => ({ ...bearer, "sec-fetch-site": "same-site" })],
  ]
  it.each(cases)("%s", async (_what, status, kind, headers) => {
    const answered = await send(method, path, headers())
    expect(answered.status).toBe(status)
    expect(errorOf(answered.text)).toEqual({ kind, message: expect.any(String) })
    expect(answered.text).not.toContain("secret")
    expect(answered.headers).not.toHaveProperty("access-control-allow-origin")
    expect(answered.headers["content-security-policy"]).toContain("default-src 'none'")
    expect(answered.headers["cache-control"]).toBe("no-store")
  })
})

describe("a change", () => {
  it.each(changes)("%s needs the header x-troupe", async (path) => {
    const answered = await ask(inspector.url, path, {
      method: "POST",
      headers: { ...bearer, "content-type": "application/json" },
      body: "{}",
    })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([403, "header"])
  })

  it.each(changes)("%s takes JSON alone", async (path) => {
    const answered = await send("POST", path, { ...bearer, "content-type": "text/plain" }, { body: "{}" })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([415, "content-type"])
  })

  it("has a bounded body", async () => {
    const body = JSON.stringify({ message: "x".repeat(100_000) })
    const answered = await send("POST", `${job}/send`, bearer, { body })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([413, "too-large"])
  })

  it.each(["{", "[]", '{"message":""}', '{"message":1}', '{"message":"a","x":1}', "{}"])(
    "does not take the body %s",
    async (body) => {
      const answered = await send("POST", `${job}/send`, bearer, { body })
      expect([answered.status, errorOf(answered.text).kind]).toEqual([400, "body"])
    },
  )

  it("cannot be asked for by GET", async () => {
    const answered = await send("GET", `${job}/cancel`, bearer)
    expect([answered.status, answered.headers.allow]).toEqual([405, "POST"])
  })
})

describe("a link", () => {
  const follow = (link: string) => ask(inspector.url, link.slice(inspector.url.length))
  const cookieOf = (headers: Record<string, unknown>) => String(headers["set-cookie"])

  it("is traded once for a cookie, and leaves the address", async () => {
    const link = inspector.link()
    const first = await follow(link)
    expect([first.status, first.headers.location]).toEqual([303, "/"])
    expect(cookieOf(first.headers)).toMatch(/^troupe-\d+=[^;]+;.*HttpOnly.*SameSite=Strict/)
    expect((await follow(link)).status).toBe(401)
    const cookie = cookieOf(first.headers).split(";")[0] ?? ""
    expect((await ask(inspector.url, "/api/jobs", { headers: { cookie } })).status).toBe(200)
  })

  it("expires after ten minutes", async () => {
    const link = inspector.link()
    now += 10 * 60_000
    expect((await follow(link)).status).toBe(401)
  })

  it("keeps what else the address selects", async () => {
    const answered = await follow(`${inspector.link()}&view=timeline`)
    expect(answered.headers.location).toBe("/?view=timeline")
  })

  it("is not asked for without the secret", async () => {
    for (const headers of [{}, bearer]) {
      const answered = await send("POST", "/api/link", headers)
      expect([answered.status, errorOf(answered.text).kind]).toEqual([401, "access"])
    }
  })
})

it("says when Host is missing", async () => {
  const { port } = new URL(inspector.url)
  const { connect } = await import("node:net")
  const status = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write("GET /api/jobs HTTP/1.0\r\n\r\n"))
    socket.once("data", (data) => resolve(String(data).split("\r\n")[0] ?? ""))
  })
  expect(status).toMatch(/ 4\d\d /)
})

it.each([
  "/nothing",
  "/api",
  "/api/jobs/",
  "/api/jobs/none",
  "/api/jobs/%",
  "/api/jobs/%00",
  "/api/jobs/..%2f..%2fetc",
  "/../../etc/passwd",
  "//evil.test/",
  "/api/jobs/__proto__",
  "/api/machines/constructor",
  "/api/machines/x",
  "/api/jobs?limit=0",
  "/api/jobs?limit=x",
  "/api/jobs?limit=1e9",
  "/api/jobs?state=nope",
  "/api/jobs?cursor=x",
  "/api/jobs?unknown=1",
  `/api/jobs?q=${"x".repeat(501)}`,
  "/api/jobs/owner%2f",
  "/page.js.map",
  "/.env",
])("answers a path made to break with a 4xx: %s", async (path) => {
  const answered = await ask(inspector.url, path, { headers: bearer })
  expect(answered.status).toBeGreaterThanOrEqual(400)
  expect(answered.status).toBeLessThan(500)
  expect(errorOf(answered.text).message.length).toBeGreaterThan(10)
})

it("refuses a Last-Event-ID that is not one", async () => {
  const answered = await ask(inspector.url, "/api/stream", {
    headers: { ...bearer, "last-event-id": "x'; drop" },
  })
  expect([answered.status, errorOf(answered.text).kind]).toEqual([400, "last-event-id"])
})

it("changes nothing when it is read-only", async () => {
  const readOnly = await startInspector({
    source: scripted.source,
    options: { token, readOnly: true },
    page: pageStub,
    registerFolder: false,
  })
  for (const path of changes) {
    const answered = await ask(readOnly.url, path, {
      method: "POST",
      headers: { ...bearer, "x-troupe": "1", "content-type": "application/json" },
      body: JSON.stringify({ message: "x" }),
    })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([405, "read-only"])
  }
  expect(scripted.troupe.records.get("ses_owner", "j1")?.state).toBe("prompting")
  await readOnly.stop()
})

describe("starting", () => {
  const start = (options: object) =>
    startInspector({ source: scripted.source, options, page: pageStub, registerFolder: false })

  it("refuses a taken port by name", async () => {
    const port = Number(new URL(inspector.url).port)
    await expect(start({ port })).rejects.toMatchObject({
      name: "PortTakenError",
      message: expect.stringContaining(`${port}`),
    })
  })

  it.each(["0.0.0.0", "::", "192.168.1.2", "example.org", "::ffff:10.0.0.1"])(
    "refuses the address %s by name",
    async (host) => {
      await expect(start({ host })).rejects.toMatchObject({
        name: "AddressRefusedError",
        message: expect.stringContaining(host),
      })
    },
  )

  it("refuses a short token by name", async () => {
    await expect(start({ token: "short" })).rejects.toMatchObject({
      name: "TokenTooShortError",
      message: expect.stringContaining("32"),
    })
  })
})
