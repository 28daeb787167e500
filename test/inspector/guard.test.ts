import { connect } from "node:net"
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

async function usedLink(): Promise<string> {
  const link = new URL(inspector.link())
  expect((await send("GET", `/${link.search}`, {})).status).toBe(303)
  return link.searchParams.get("link") ?? ""
}

async function expiredLink(): Promise<string> {
  const link = new URL(inspector.link())
  now += 10 * 60_000
  return link.searchParams.get("link") ?? ""
}

/** What is answered to these bytes. */
function sendRaw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(inspector.url).port), "127.0.0.1", () => socket.write(bytes))
    let answer = ""
    socket.on("data", (data) => (answer += data))
    socket.once("close", () => resolve(answer))
    socket.once("error", reject)
  })
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
    const wayIn = kind === "access" ? { command: inspector.command } : {}
    expect(errorOf(answered.text)).toEqual({ kind, message: expect.any(String), ...wayIn })
    expect(answered.text.includes("cli.js")).toBe(kind === "access")
    expect(answered.text).not.toContain("secret")
    expect(answered.headers).not.toHaveProperty("access-control-allow-origin")
    expect(answered.headers["content-security-policy"]).toContain("default-src 'none'")
    expect(answered.headers["cache-control"]).toBe("no-store")
  })

  const links: [string, () => Promise<string>][] = [
    ["a link that was used", usedLink],
    ["a link that has expired", expiredLink],
    ["a link that was never given out", async () => "x".repeat(43)],
  ]
  it.each(links)("%s", async (_what, link) => {
    const answered = await send(method, `${path}?link=${await link()}`, {})
    expect([answered.status, errorOf(answered.text).kind]).toEqual([401, "access"])
    expect(answered.headers).not.toHaveProperty("set-cookie")
  })

  it("a request without Host", async () => {
    const raw = await sendRaw(`${method} ${path} HTTP/1.0\r\nauthorization: Bearer ${token}\r\n\r\n`)
    expect(raw).toMatch(/^HTTP\/1\.[01] 4\d\d /)
    expect(raw).not.toContain("secret")
  })
})

it.each(everywhere.filter(([, path]) => path !== "/"))(
  "%s %s takes no link: only the page trades one, and the link stays good for it",
  async (method, path) => {
    const link = new URL(inspector.link()).search
    expect((await send(method, `${path}${link}`, {})).status).toBe(401)
    expect((await send("GET", `/${link}`, {})).status).toBe(303)
  },
)

it.each(reads)("answers no preflight of another origin: OPTIONS %s", async (path) => {
  const headers = { origin: "https://evil.test", "access-control-request-method": "POST" }
  const answered = await ask(inspector.url, path, { method: "OPTIONS", headers })
  expect(answered.status).toBe(403)
  expect(Object.keys(answered.headers).filter((name) => name.startsWith("access-control"))).toEqual([])
})

describe("a person in a browser", () => {
  const browser = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" }
  const cases: [string, number, string, () => Promise<[string, Record<string, string>]>][] = [
    ["without a link", 401, "This requires a fresh link", async () => ["/", {}]],
    ["with a used link", 401, "This requires a fresh link", async () => [`/?link=${await usedLink()}`, {}]],
    [
      "with an old link",
      401,
      "This requires a fresh link",
      async () => [`/?link=${await expiredLink()}`, {}],
    ],
    [
      "sent by another site",
      403,
      "Another site sent you here",
      async () => ["/", { "sec-fetch-site": "cross-site" }],
    ],
    ["under another name", 421, "does not answer to this name", async () => ["/", { host: "rebind.test" }]],
  ]
  it.each(cases)(
    "%s reads what to do, on a page that runs nothing",
    async (_what, status, words, request) => {
      const [path, headers] = await request()
      const answered = await send("GET", path, { ...browser, ...headers })
      expect([answered.status, answered.headers["content-type"]]).toEqual([
        status,
        "text/html; charset=UTF-8",
      ])
      expect(answered.text).toContain(words)
      // A page under another name may read what it is answered, and must not learn where the plugin lies.
      if (status === 421) expect(answered.text).not.toContain("cli.js")
      else expect(answered.text).toContain(inspector.command)
      expect(answered.text).not.toMatch(/<script|secret|src=|href=| on\w+=/)
      expect(answered.headers["content-security-policy"]).toContain("script-src 'self'")
      expect(answered.headers["cache-control"]).toBe("no-store")
    },
  )

  it.each(["/api/jobs", job, "/page.js", "/metrics"])("gets JSON of %s all the same", async (path) => {
    const answered = await send("GET", path, browser)
    expect([answered.status, errorOf(answered.text).kind]).toEqual([401, "access"])
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

  it.each(changes)("%s needs both where its body comes in chunks, too", async (path) => {
    const chunked = { body: "{}", isChunked: true }
    const type = { "content-type": "application/json" }
    const bare = await ask(inspector.url, path, {
      method: "POST",
      headers: { ...bearer, ...type },
      ...chunked,
    })
    expect([bare.status, errorOf(bare.text).kind]).toEqual([403, "header"])
    const text = await send("POST", path, { ...bearer, "content-type": "text/plain" }, chunked)
    expect([text.status, errorOf(text.text).kind]).toEqual([415, "content-type"])
  })

  it.each([false, true])("has a bounded body (in chunks: %s)", async (isChunked) => {
    const body = JSON.stringify({ message: "x".repeat(100_000) })
    const answered = await send("POST", `${job}/send`, bearer, { body, isChunked })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([413, "too-large"])
  })

  it.each([
    "{",
    "[]",
    '{"message":""}',
    '{"message":" \\n"}',
    '{"message":1}',
    '{"message":"a","x":1}',
    "{}",
  ])("does not take the body %s", async (body) => {
    const answered = await send("POST", `${job}/send`, bearer, { body })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([400, "body"])
  })

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

  it("is used up by a browser that already has the cookie, too", async () => {
    const cookie = cookieOf((await follow(inspector.link())).headers).split(";")[0] ?? ""
    const link = new URL(inspector.link())
    expect((await send("GET", `/${link.search}`, { cookie })).status).toBe(303)
    expect((await send("GET", `/${link.search}`, {})).status).toBe(401)
  })

  it("is not used up by a look at its head", async () => {
    const link = new URL(inspector.link())
    expect((await send("HEAD", `/${link.search}`, {})).status).toBe(401)
    expect((await send("GET", `/${link.search}`, {})).status).toBe(303)
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

it("changes nothing of a project that is read-only, where others are not", async () => {
  const other = scriptedTroupe()
  other.start("j9")
  await other.until("j9", "prompting.working")
  const remove = inspector.add({ ...other.source, readOnly: true })
  for (const what of ["cancel", "send"]) {
    const body = JSON.stringify(what === "send" ? { message: "x" } : {})
    const answered = await send("POST", `/api/jobs/${sessionOf("j9")}/${what}`, bearer, { body })
    expect([answered.status, errorOf(answered.text).kind]).toEqual([405, "read-only"])
  }
  expect(other.sent).toEqual([])
  expect(other.troupe.records.get("ses_owner", "j9")?.state).toBe("prompting")
  remove()
  other.stop()
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
        name: "AccessRefusedError",
        message: expect.stringContaining(`inspector.host is "${host}": it must be`),
      })
    },
  )

  it("refuses a short token by name, beside a wrong address", async () => {
    const short = "inspector.token has 5 characters: it must have at least 32"
    const refusal = (message: string) => ({ name: "AccessRefusedError", message })
    await expect(start({ token: "short" })).rejects.toMatchObject(refusal(short))
    await expect(start({ token: "short", host: "::" })).rejects.toMatchObject(
      refusal(`inspector.host is "::": it must be 127.0.0.1 or ::1; ${short}`),
    )
  })
})
