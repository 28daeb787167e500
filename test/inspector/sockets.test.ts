import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { tempFolder } from "../support/temp-folder.ts"
import { ask } from "./support/ask.ts"
import { bundle, runtimes, startProcess } from "./support/processes.ts"
import { listen } from "./support/sse.ts"

/** Those who come to the inspector and do not come to the point, where it runs: opencode's Bun has few limits itself. */

const token = "a-token-of-thirty-two-characters-or-more"
const bearer = { authorization: `Bearer ${token}` }
const folder = tempFolder("inspector-sockets")
const script = join(folder.path, "inspector.mjs")

beforeAll(() => bundle("support/inspector-process.ts", script))
afterAll(() => folder.remove())

describe.each(runtimes)("in %s", (where, file, env) => {
  let child: ChildProcess
  let url: string
  let reported: string[]

  beforeAll(async () => {
    ;({ child, url, reported } = await startProcess(file, script, { ...env, TOKEN: token }))
  })
  afterAll(() => child.kill())

  /** Sends these bytes and nothing more. Resolves with all that is answered, once the other side has closed. */
  function send(head: string): Promise<string> {
    const { port, host } = new URL(url)
    return new Promise((resolve) => {
      const socket = connect(Number(port), "127.0.0.1", () =>
        socket.write(head.replace("\r\n", `\r\nHost: ${host}\r\n`)),
      )
      let answer = ""
      socket.on("data", (data) => (answer += data))
      socket.on("error", () => {})
      socket.once("close", () => resolve(answer))
    })
  }

  const works = async () => (await ask(url, "/api/jobs", { headers: bearer })).status

  /** A stream that is left at once. */
  async function comeAndGo() {
    const { response, close, closed } = await listen(url, bearer)
    close()
    await closed
    return response.statusCode
  }

  // The first of all: a stream of another test may be closed and not yet be known to be.
  it("answers words for the seventeenth stream, and another once one has left", async () => {
    const streams = await Promise.all(Array.from({ length: 16 }, () => listen(url, bearer)))
    for (let look = 0; look < 20; look++) await ask(url, "/api/stream", { method: "HEAD", headers: bearer })
    const refused = await ask(url, "/api/stream", { headers: bearer })
    expect([refused.status, JSON.parse(refused.text).error]).toEqual([
      503,
      { kind: "streams", message: expect.stringContaining("16 streams are open") },
    ])
    streams[0]?.close()
    await expect.poll(comeAndGo).toBe(200)
    for (const { close } of streams) close()
  })

  it("forgets those who have left, more than there can be at a time", async () => {
    for (let come = 0; come < 30; come++) await expect.poll(comeAndGo).toBe(200)
    expect(await works()).toBe(200)
  })

  it("closes what asks for another protocol", async () => {
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    expect(await send(`GET /api/stream HTTP/1.1\r\n${upgrade}Authorization: Bearer ${token}\r\n\r\n`)).toBe(
      "",
    )
    expect(await works()).toBe(200)
  })

  it.each([
    ["with a way in", "/api/jobs/x/send", `Authorization: Bearer ${token}\r\n`],
    ["without", "/api/jobs/x/send", ""],
    ["for a link, which is waited for", "/api/access", ""],
  ])("closes bodies that stop arriving, however many, and nothing else: %s", async (_what, path, access) => {
    const stream = await listen(url, bearer)
    let isOpen = true
    void stream.closed.then(() => (isOpen = false))
    const change = `POST ${path} HTTP/1.1\r\n${access}X-Troupe: 1\r\nContent-Type: application/json\r\n`
    const stalled = Array.from({ length: 60 }, () => send(`${change}Content-Length: 100\r\n\r\n{"mess`))
    await Promise.all(stalled)
    await expect.poll(works).toBe(200)
    expect(isOpen).toBe(true)
    stream.close()
  })

  it.each([
    ["is answered", ""],
    ["expects what there is not", "Expect: magic\r\n"],
  ])("closes a connection on which request after request arrives that %s", async (_what, header) => {
    const { port, host } = new URL(url)
    const socket = connect(Number(port), "127.0.0.1")
    const request = () => void socket.write(`GET /icon.svg HTTP/1.1\r\nHost: ${host}\r\n${header}\r\n`)
    socket.on("data", request).on("error", () => {})
    request()
    await once(socket, "close")
  })

  // opencode's Bun takes at most 16 kB of headers, whatever is set.
  it.runIf(where === "Node")("is reached with all the cookies that other ports have set", async () => {
    const cookie = Array.from({ length: 180 }, (_, index) => `c${index}=${"x".repeat(4_000)}`).join("; ")
    expect((await ask(url, "/", { headers: { cookie } })).status).toBe(200)
  })

  it("does not fall over a body that is nested as deep as it can be", async () => {
    const body = `{"link":${"[".repeat(32_000)}${"]".repeat(32_000)}}`
    const headers = { "x-troupe": "1", "content-type": "application/json" }
    expect((await ask(url, "/api/access", { method: "POST", headers, body })).status).toBe(400)
  })

  it.each(["TRACE", "PROPFIND", "CONNECT", "FOO"])("does not fall over %s", async (method) => {
    expect(await send(`${method} /api/jobs HTTP/1.1\r\nConnection: close\r\n\r\n`)).not.toMatch(
      / 500 | {4}at /,
    )
    expect(await works()).toBe(200)
  })
  it("has taken none of all this for a failure of its own, which would fill opencode's log", () => {
    expect(reported).toEqual([])
  })
})
