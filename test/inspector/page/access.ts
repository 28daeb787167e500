import { createServer } from "node:http"
import { createServer as createTcpServer, type Socket } from "node:net"
import { describe, expect, it } from "vitest"
import {
  context,
  expectProblems,
  foreign,
  inspector,
  newBrowser,
  open,
  opened,
  page,
  row,
  scripted,
  start,
} from "../support/page-stage.ts"
import { expectReadable } from "../support/readable.ts"
import { OWNER, sessionOf } from "../support/scripted-troupe.ts"

describe("the way in", () => {
  it("trades the link for a cookie and leaves a clean address", async () => {
    await open()
    expect(page.url()).toBe(`${inspector.url}/`)
    await page.reload()
    await page.locator(".connection.is-live").waitFor()
    const [cookie] = await context.cookies()
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" })
  })

  it("shows nothing under a foreign name that resolves here", async () => {
    await open()
    foreign.length = 0
    const { port } = new URL(inspector.url)
    const response = await page.goto(`http://rebind.test:${port}/api/jobs`)
    expect(response?.status()).toBe(421)
    expect(foreign.splice(0)).toEqual([`http://rebind.test:${port}/api/jobs`])
    expectProblems(/421|Cross-Origin-Opener-Policy/)
  })

  it("tells another localhost port nothing, though the browser sends it the cookie", async () => {
    await opened("j1")
    await open()
    const other = createServer((_, response) =>
      response.setHeader("content-type", "text/html").end("<p>other</p>"),
    )
    const url = await new Promise<string>((resolve) =>
      other.listen(0, "127.0.0.1", () => {
        const address = other.address()
        resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`)
      }),
    )
    await page.goto(url)
    const outcome = await page.evaluate(
      async ([target, session]) => {
        const attempt = (path: string, init?: RequestInit) =>
          fetch(`${target}${path}`, { credentials: "include", ...init }).then(
            () => "answered",
            () => "refused",
          )
        const source = new EventSource(`${target}/api/stream`, { withCredentials: true })
        const stream = new Promise((resolve) => {
          source.onmessage = source.onopen = () => resolve("answered")
          source.onerror = () => resolve("refused")
        })
        const opaque = await fetch(`${target}/api/jobs/${session}/cancel`, {
          method: "POST",
          mode: "no-cors",
          credentials: "include",
          body: "{}",
        }).then(
          (response) => response.type,
          () => "refused",
        )
        return [
          await attempt("/api/jobs"),
          await attempt(`/api/jobs/${session}/cancel`, { method: "POST", headers: { "x-troupe": "1" } }),
          await stream,
          opaque,
        ]
      },
      [inspector.url, sessionOf("j1")],
    )
    expect(outcome.slice(0, 3)).toEqual(["refused", "refused", "refused"])
    expect(scripted.troupe.records.get(OWNER, "j1")?.state).toBe("prompting")
    other.closeAllConnections()
    other.close()
    foreign.length = 0
    expectProblems(/CORS|403|ERR_/)
  })
})

describe("a browser without a way in", () => {
  it("is shown what to do, in light as in dark", async () => {
    const used = inspector.link()
    await page.goto(used)
    await context.clearCookies()
    expect((await page.goto(used))?.status()).toBe(401)
    await page.getByRole("heading", { name: "This requires a fresh link" }).waitFor()
    await page.getByText(inspector.command).waitFor()
    // Its style is let through, and nothing else is asked for.
    expect(await page.locator("main").evaluate((main) => getComputedStyle(main).maxWidth)).not.toBe("none")
    await expectReadable("the refusal")
    expectProblems(/401/)
  })
})

describe("the line to the server", () => {
  const hide = (hidden: boolean) =>
    page.evaluate((isHidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden })
      document.dispatchEvent(new Event("visibilitychange"))
    }, hidden)

  it("is called stale after a long silence, with the time, until something is heard again", async () => {
    await newBrowser()
    await page.clock.install()
    await open()
    const port = Number(new URL(inspector.url).port)
    await inspector.stop()
    await page.locator(".connection.is-reconnecting").waitFor()
    // Takes every connection and never says a word.
    const sockets = new Set<Socket>()
    const silent = createTcpServer((socket) => void sockets.add(socket.on("error", () => {})))
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve))
    await page.clock.fastForward(20_000)
    await expect.poll(() => sockets.size).toBeGreaterThan(0)
    await page.clock.fastForward(26_000)
    await page
      .getByRole("status")
      .getByText(/^stale since \d\d:\d\d:\d\d$/)
      .waitFor()

    await new Promise<void>((resolve) => {
      silent.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
    await start({ port })
    await page.clock.fastForward(10_000)
    await page.locator(".connection.is-live").waitFor()
    expectProblems(/ERR_|Failed to load/)
  })

  it("is let go of by a hidden tab, which still counts who waits, and catches up when it is shown", async () => {
    await newBrowser()
    await opened("j1")
    await opened("j2")
    await open("view=jobs")
    const closed = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/api/stream"))
    await page.clock.install()
    await hide(true)
    await closed
    const ask = { id: "a", kind: "question", text: "Which one?" } as const
    scripted.troupe.tell({ owner: OWNER, id: "j2" }, { type: "child.asked", ask, at: Date.now() })
    await page.clock.fastForward(16_000)
    await page.waitForFunction(() => document.title.startsWith("(1) "))
    scripted.troupe.cancel([{ owner: OWNER, id: "j2" }], "no need")
    await scripted.until("j2", "cancelled")
    await page.clock.fastForward(16_000)
    await page.waitForFunction(() => document.title === "Jobs · opencode-troupe")
    await scripted.answer("j1")

    const resumed = page.waitForRequest((request) => request.url().endsWith("/api/stream"))
    await hide(false)
    expect((await resumed).headers()["last-event-id"]).toMatch(/^\d+$/)
    await row("j1").getByText("done").waitFor()
    await row("j2").getByText("cancelled").waitFor()
  })
})
