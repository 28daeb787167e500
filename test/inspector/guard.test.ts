import { connect } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { proofOf } from "../../src/inspector/access/proof.ts"
import { type Inspector, startInspector } from "../../src/inspector/index.ts"
import { type Asked, ask } from "./support/ask.ts"
import { pageStub } from "./support/page-stub.ts"
import { changes, everywhere, job, reads } from "./support/routes.ts"
import { type ScriptedTroupe, scriptedTroupe, sessionOf } from "./support/scripted-troupe.ts"

const token = "a token of thirty-two characters or more"
const bearer = { authorization: `Bearer ${token}` }
/** What anybody on this machine may read: it is the same in every installation. */
const files = ["/", "/page.js", "/page.css", "/icon.svg"]
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

const linkIn = (url: string) => new URLSearchParams(new URL(url).hash.slice(1)).get("link") ?? ""

const exchange = (link: string) => send("POST", "/api/access", {}, { body: JSON.stringify({ link }) })

async function usedLink(): Promise<string> {
  const link = linkIn(inspector.link())
  expect((await exchange(link)).status).toBe(200)
  return link
}

async function expiredLink(): Promise<string> {
  const link = linkIn(inspector.link())
  now += 10 * 60_000
  return link
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
    ["the token as a cookie", 401, "access", () => ({ cookie: `troupe-${port()}=${token}` })],
    ["a foreign Host", 421, "host", () => ({ ...bearer, host: `rebind.test:${port()}` })],
    ["another port in Host", 421, "host", () => ({ ...bearer, host: "127.0.0.1:1" })],
    ["a Host without its port", 421, "host", () => ({ ...bearer, host: "127.0.0.1" })],
    [
      "a name that leads to another loopback address as well",
      421,
      "host",
      () => ({ ...bearer, host: `localhost:${port()}` }),
    ],
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

  it("a link, which it does not use up", async () => {
    const link = linkIn(inspector.link())
    expect((await send(method, `${path}?link=${link}`, {})).status).toBe(401)
    expect((await send(method, path, { authorization: `Bearer ${link}` })).status).toBe(401)
    expect((await exchange(link)).status).toBe(200)
  })

  it("the secret of another start, though the token is the same", async () => {
    const other = await startInspector({
      source: scripted.source,
      options: { token },
      page: pageStub,
      registerFolder: false,
    })
    const { secret } = JSON.parse(
      (
        await ask(other.url, "/api/access", {
          method: "POST",
          headers: { "x-troupe": "1", "content-type": "application/json" },
          body: JSON.stringify({ link: linkIn(other.link()) }),
        })
      ).text,
    )
    await other.stop()
    expect((await send(method, path, { authorization: `Bearer ${secret}` })).status).toBe(401)
  })

  it("a request without Host", async () => {
    const raw = await sendRaw(`${method} ${path} HTTP/1.0\r\nauthorization: Bearer ${token}\r\n\r\n`)
    expect(raw).toMatch(/^HTTP\/1\.[01] 4\d\d /)
    expect(raw).not.toContain("secret")
  })
})

it.each([...files, ...reads])("answers no preflight of another origin: OPTIONS %s", async (path) => {
  const headers = { origin: "https://evil.test", "access-control-request-method": "POST" }
  const answered = await ask(inspector.url, path, { method: "OPTIONS", headers })
  expect(answered.status).toBe(405)
  expect(Object.keys(answered.headers).filter((name) => name.startsWith("access-control"))).toEqual([])
})

describe.each(files)("%s, which holds nothing,", (path) => {
  it("is there for everybody on this machine", async () => {
    const answered = await send("GET", path, {})
    expect([answered.status, answered.headers["content-security-policy"]]).toEqual([
      200,
      expect.stringContaining("frame-ancestors 'none'"),
    ])
  })

  it("is compressed, and not sent again to a browser that has it", async () => {
    const { headers } = await send("GET", path, { "accept-encoding": "gzip, br" })
    expect(headers["content-encoding"]).toBe("gzip")
    const again = await send("GET", path, { "if-none-match": String(headers.etag) })
    expect([again.status, again.text]).toEqual([304, ""])
  })

  it("is not for other sites, which may only lead a person to the page", async () => {
    const fetched = { "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty" }
    expect((await send("GET", path, fetched)).status).toBe(403)
    expect((await send("GET", path, { ...fetched, "sec-fetch-dest": "iframe" })).status).toBe(403)
    const visit = await send("GET", path, { ...fetched, "sec-fetch-dest": "document" })
    expect(visit.status).toBe(path === "/" ? 200 : 403)
  })
})

it("tells a person who came under another name what to do, and not where the plugin lies", async () => {
  const answered = await send("GET", "/", { accept: "text/html,*/*;q=0.8", host: "rebind.test" })
  expect([answered.status, answered.headers["content-type"]]).toEqual([421, "text/html; charset=UTF-8"])
  expect(answered.text).toContain("does not answer to this name")
  expect(answered.text).not.toMatch(/cli\.js|<script|secret|src=|href=| on\w+=/)
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
  it("is exchanged once for a secret, which a browser sends from then on", async () => {
    const link = linkIn(inspector.link())
    const { secret, command } = JSON.parse((await exchange(link)).text)
    expect(command).toBe(inspector.command)
    expect((await send("GET", "/api/jobs", { authorization: `Bearer ${secret}` })).status).toBe(200)
    expect((await send("GET", "/api/jobs", { cookie: `troupe=${secret}` })).status).toBe(401)
    expect((await exchange(link)).status).toBe(401)
  })

  it.each([
    ["was used", usedLink],
    ["has expired", expiredLink],
    ["was never given out", async () => "x".repeat(22)],
  ])("that %s gets nothing but words", async (_what, link) => {
    const answered = await exchange(await link())
    expect([answered.status, errorOf(answered.text)]).toEqual([
      401,
      { kind: "access", command: inspector.command, message: expect.stringContaining("fresh link") },
    ])
  })

  it("gives each browser a secret of its own", async () => {
    const secrets = await Promise.all(
      [1, 2].map(async () => JSON.parse((await exchange(linkIn(inspector.link()))).text).secret),
    )
    expect(new Set(secrets).size).toBe(2)
  })

  it("is exchanged for our own page alone", async () => {
    const body = JSON.stringify({ link: linkIn(inspector.link()) })
    const foreign = { origin: "http://127.0.0.1:1" }
    expect((await send("POST", "/api/access", foreign, { body })).status).toBe(403)
    const form = { "content-type": "text/plain" }
    expect((await send("POST", "/api/access", form, { body })).status).toBe(415)
    expect((await ask(inspector.url, "/api/access", { method: "POST", body })).status).toBe(403)
    expect((await send("POST", "/api/access", {}, { body })).status).toBe(200)
  })

  it("lets somebody in where nothing may be changed, too", async () => {
    const readOnly = await startInspector({
      source: scripted.source,
      options: { readOnly: true },
      page: pageStub,
      registerFolder: false,
    })
    const answered = await ask(readOnly.url, "/api/access", {
      method: "POST",
      headers: { "x-troupe": "1", "content-type": "application/json" },
      body: JSON.stringify({ link: linkIn(readOnly.link()) }),
    })
    expect(answered.status).toBe(200)
    await readOnly.stop()
  })

  it("is not asked for without the secret", async () => {
    for (const headers of [{}, bearer]) {
      const answered = await send("POST", "/api/link", headers)
      expect([answered.status, errorOf(answered.text).kind]).toEqual([401, "access"])
    }
  })
})

describe("a proof", () => {
  const nonce = "a-nonce-of-the-test-alone"
  const proofHere = async (headers = {}) =>
    JSON.parse((await send("GET", `/api/proof?nonce=${nonce}`, headers)).text).proof

  it("is what only the inspector that gave the key can make, at its own address", async () => {
    const { proofKey } = JSON.parse((await exchange(linkIn(inspector.link()))).text)
    expect(await proofHere()).toBe(proofOf(proofKey, inspector.url, nonce))
  })

  it.each(["", "short", "x".repeat(65), "with%20a-space-in-between"])("is not made of %j", async (bad) => {
    const answered = await send("GET", `/api/proof?nonce=${bad}`, {})
    expect([answered.status, errorOf(answered.text).kind]).toEqual([400, "query"])
  })
})

it.each(["TRACE", "PROPFIND", "PUT", "DELETE", "PATCH", "OPTIONS"])(
  "answers %s in words, with and without a token",
  async (method) => {
    for (const headers of [{}, bearer]) {
      const answered = await ask(inspector.url, "/api/jobs", { method, headers })
      expect([answered.status, errorOf(answered.text).kind]).toEqual([405, "method"])
    }
  },
)

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
  other.start("j10", { owner: "ses_other" })
  await other.ask("j9", { id: "a1", session: sessionOf("j9"), kind: "question", questions: [] })
  const its = `/api/jobs/${sessionOf("j9")}`
  const attempts: [string, object][] = [
    [`${its}/cancel`, {}],
    [`${its}/send`, { message: "x" }],
    [`${its}/answer`, { ask: "a1", dismiss: true }],
    ["/api/jobs/ses_other%2fj10/cancel", {}],
    ["/api/cancel", { owner: "ses_other" }],
  ]
  for (const [path, body] of attempts) {
    const answered = await send("POST", path, bearer, { body: JSON.stringify(body) })
    expect([path, answered.status, errorOf(answered.text).kind]).toEqual([path, 405, "read-only"])
  }
  expect(other.sent).toEqual([])
  expect(other.answers).toEqual([])
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
