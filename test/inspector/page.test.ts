import { createServer } from "node:http"
import { createServer as createTcpServer, type Socket } from "node:net"
import { AxeBuilder } from "@axe-core/playwright"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { buildPage } from "../../scripts/build-page.ts"
import {
  type Inspector,
  type InspectorOptions,
  type PageFiles,
  startInspector,
} from "../../src/inspector/index.ts"
import { NO_USAGE } from "../../src/machines/record.ts"
import { launchChromium } from "./support/chromium.ts"
import { jobInput, OWNER, type ScriptedTroupe, scriptedTroupe, sessionOf } from "./support/scripted-troupe.ts"

const token = "a-token-of-thirty-two-characters-or-more"

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

let browser: Browser
let files: PageFiles
let scripted: ScriptedTroupe
let inspector: Inspector
let context: BrowserContext
let page: Page
let problems: string[]
let foreign: string[]
/** Messages that a test brings about on purpose. */
let expected: RegExp

beforeAll(async () => {
  ;[browser, files] = await Promise.all([launchChromium(), buildPage()])
})
afterAll(() => browser.close())

beforeEach(async () => {
  scripted = scriptedTroupe({ concurrency: 4 })
  inspector = await start()
  await newPage()
})
afterEach(async () => {
  await context.close()
  await inspector.stop()
  scripted.stop()
  expect(problems.filter((problem) => !expected.test(problem))).toEqual([])
  expect(foreign).toEqual([])
})

function start(options: InspectorOptions = {}): Promise<Inspector> {
  return startInspector({
    source: scripted.source,
    options: { token, ...options },
    page: files,
    registerFolder: false,
  })
}

async function newPage(options: Parameters<Browser["newContext"]>[0] = {}): Promise<void> {
  await context?.close()
  problems = []
  foreign = []
  expected = /^never$/
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(20_000)
  page = await context.newPage()
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text())
  })
  page.on("pageerror", (error) => problems.push(error.message))
  page.on("request", (request) => {
    if (!request.url().startsWith(inspector.url)) foreign.push(request.url())
  })
}

/** Opens the page by a link, then what the address selects. */
async function open(query = ""): Promise<void> {
  await page.goto(inspector.link())
  if (query !== "") await page.goto(`${inspector.url}/?${query}`)
  await page.locator(".connection.is-live").waitFor()
}

const row = (id: string) => page.locator("[role=row]", { has: page.locator(`code:text-is("${id}")`) })
const opened = async (id: string) => {
  scripted.start(id)
  await scripted.until(id, "prompting.working")
}

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
    foreign = []
    const { port } = new URL(inspector.url)
    const response = await page.goto(`http://rebind.test:${port}/api/jobs`)
    expect(response?.status()).toBe(421)
    expect(foreign.splice(0)).toEqual([`http://rebind.test:${port}/api/jobs`])
    expected = /421|Cross-Origin-Opener-Policy/
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
    foreign = []
    expected = /CORS|403|ERR_/
  })
})

describe("a browser without a way in", () => {
  it.each(["light", "dark"] as const)("is shown what to do, in %s", async (colorScheme) => {
    await newPage({ colorScheme })
    const used = inspector.link()
    await page.goto(used)
    await context.clearCookies()
    expect((await page.goto(used))?.status()).toBe(401)
    await page.getByRole("heading", { name: "This needs a fresh link" }).waitFor()
    await page.getByText("npx opencode-troupe inspect").waitFor()
    // Its style is let through, and nothing else is asked for.
    expect(await page.locator("main").evaluate((main) => getComputedStyle(main).maxWidth)).not.toBe("none")
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([])
    expected = /401/
  })
})

describe("the line to the server", () => {
  const hide = (hidden: boolean) =>
    page.evaluate((isHidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden })
      document.dispatchEvent(new Event("visibilitychange"))
    }, hidden)

  it("is called stale after a long silence, with the time, until something is heard again", async () => {
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
    inspector = await start({ port })
    await page.clock.fastForward(10_000)
    await page.locator(".connection.is-live").waitFor()
    expected = /ERR_|Failed to load/
  })

  it("is let go of by a hidden tab, which still counts who waits, and catches up when it is shown", async () => {
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

describe("live", () => {
  it("shows a job's states without a reload", async () => {
    await open("view=jobs")
    await opened("j1")
    await row("j1").getByText("working").waitFor()
    scripted.troupe.tell(
      { owner: OWNER, id: "j1" },
      { type: "child.asked", ask: { id: "a", kind: "permission", text: "bash: ls" }, at: Date.now() },
    )
    await row("j1").getByText("permission", { exact: true }).waitFor()
    await page.waitForFunction(() => document.title === "(1) Jobs · opencode-troupe")
    scripted.troupe.tell({ owner: OWNER, id: "j1" }, { type: "child.answered", ask: "a", at: Date.now() })
    await row("j1").getByText("working").waitFor()
    await scripted.answer("j1")
    await row("j1").getByText("done").waitFor()
    expect(await page.title()).toBe("Jobs · opencode-troupe")
  })

  it("shows first who needs somebody", async () => {
    await opened("j1")
    const ask = { id: "a", kind: "question", text: "Which format?" } as const
    scripted.troupe.tell({ owner: OWNER, id: "j1" }, { type: "child.asked", ask, at: Date.now() })
    await open()
    await page.getByRole("region", { name: "Needs you" }).getByText("asks you: Which format?").waitFor()
  })

  it("lights the state and marks the step that led to it", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.locator(".chart .here", { hasText: "working" }).waitFor()
    await page.locator(".edge text.taken", { hasText: "openSession done" }).waitFor()
    await scripted.answer("j1")
    await page.locator(".chart .here", { hasText: "done" }).waitFor()
    await page.locator(".edge text.taken", { hasText: "promptChild done" }).waitFor()
    await page.locator(".history").getByText("the child gave its final answer").waitFor()
    await page.locator(".foreign", { hasText: "the answer" }).waitFor()
  })

  it("marks the way to a retry, and each further attempt", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    const retrying = (attempt: number) =>
      scripted.troupe.tell(
        { owner: OWNER, id: "j1" },
        {
          type: "child.retrying",
          retry: { attempt, reason: "busy", next: Date.now() + 9_000 },
          at: Date.now(),
        },
      )
    retrying(1)
    await page.locator(".edge.taken text.taken", { hasText: "child.retrying" }).waitFor()
    retrying(2)
    await page.locator(".chart .here .inside.taken", { hasText: "child.retrying" }).waitFor()
    await page.getByText("opencode tries again by itself.").waitFor({ state: "detached" })
    retrying(3)
    await page.getByText("opencode tries again by itself.").waitFor()
  })

  it("comes back after the server was away", async () => {
    await opened("j1")
    await open("view=jobs")
    const port = Number(new URL(inspector.url).port)
    await inspector.stop()
    await page.locator(".connection.is-reconnecting").waitFor()
    await opened("j2")
    inspector = await start({ port })
    await page.locator(".connection.is-live").waitFor()
    await row("j2").getByText("working").waitFor()
    expected = /ERR_|Failed to load/
  })

  it("says what to do when the server no longer knows the tab", async () => {
    await open()
    const port = Number(new URL(inspector.url).port)
    await inspector.stop()
    inspector = await start({ port, token: `another-${token}` })
    await page.getByRole("alert").getByText("npx opencode-troupe inspect").waitFor()
    expected = /ERR_|401|Failed to load/
  })

  it("shows all projects of the process, and their timeline", async () => {
    const other = scriptedTroupe({ name: "/projects/other" })
    await opened("j1")
    other.start("o1", { owner: "ses_other" })
    await other.until("o1", "prompting.working")
    const remove = inspector.add(other.source)
    await open("view=timeline")
    await page.getByRole("link", { name: /^o1: prompting/ }).waitFor()
    await page.getByText("At most 2 ran at once, of 12 allowed").first().waitFor()
    remove()
    await page.getByRole("link", { name: /^o1: prompting/ }).waitFor({ state: "detached" })
    other.stop()
  })
})

describe("steering", () => {
  it("cancels a job after a confirmation, and then says why it cannot again", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("button", { name: "Cancel…" }).click()
    await page.getByLabel("Reason").fill("seen enough")
    await page.getByRole("button", { name: "Cancel the job" }).click()
    await scripted.until("j1", "cancelled")
    await page.locator(".reason", { hasText: "seen enough" }).waitFor()
    const button = page.getByRole("button", { name: "Cancel…" })
    expect(await button.getAttribute("aria-disabled")).toBe("true")
    await page.getByText("j1 has already ended: cancelled").waitFor()
    await button.dispatchEvent("click")
    expect(await page.locator("dialog").count()).toBe(0)
  })

  it("sends a follow-up", async () => {
    await opened("j1")
    await scripted.answer("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("button", { name: "Follow-up…" }).click()
    await page.getByLabel("Message").fill("and the tests?")
    await page.getByRole("button", { name: "Send" }).click()
    await page.locator("dialog").waitFor({ state: "detached" })
    expect(scripted.sent).toEqual([{ id: "j1", message: "and the tests?" }])
  })

  it("is not possible when it only shows, and says so", async () => {
    await opened("j1")
    await inspector.stop()
    inspector = await start({ readOnly: true })
    await newPage()
    await open(`job=${sessionOf("j1")}`)
    expect(await page.getByText("this inspector only shows").count()).toBe(2)
  })

  it("copies the job as JSON", async () => {
    await newPage({ permissions: ["clipboard-read", "clipboard-write"] })
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("button", { name: "Copy JSON" }).click()
    await page.getByRole("button", { name: "Copied" }).waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    expect(JSON.parse(copied)).toMatchObject({ id: "j1", history: expect.any(Array) })
  })
})

describe("finding the way", () => {
  beforeEach(async () => {
    scripted.start("plain", { createdAt: 1_000 })
    await scripted.answer("plain")
    scripted.start("broken", { createdAt: 2_000, agent: "explore" })
    await scripted.answer("broken", { error: { kind: "provider", message: "quota used up" } })
  })

  it("keeps what is selected in the address, back and forward", async () => {
    await open("view=jobs&list=flat&q=state:failed")
    await row("broken").waitFor()
    expect(await row("plain").count()).toBe(0)
    await page.getByRole("link", { name: /work of broken/ }).click()
    await page.getByRole("heading", { name: /work of broken/ }).waitFor()
    expect(new URL(page.url()).searchParams.get("job")).toBe(sessionOf("broken"))
    await page.goBack()
    await row("broken").waitFor()
    await page.goForward()
    await page.getByRole("heading", { name: /work of broken/ }).waitFor()
  })

  it("searches by field and word", async () => {
    await open("view=jobs")
    await page.keyboard.press("/")
    await page.keyboard.type("state:failed agent:explore quota")
    await row("plain").waitFor({ state: "detached" })
    await row("broken").waitFor()
    await page.getByRole("searchbox").fill("state:done quota")
    await page.getByText("No job matches this search.").waitFor()
  })

  it("filters by the state whose count is followed", async () => {
    await open()
    await page.getByRole("link", { name: /^1 failed$/ }).click()
    await row("broken").waitFor()
    expect(await row("plain").count()).toBe(0)
    expect(new URL(page.url()).searchParams.get("q")).toBe("state:failed")
    await page.getByRole("list", { name: "States" }).getByRole("link", { name: "failed 1" }).click()
    await row("plain").waitFor()
  })

  it("says what can be done about an error, what was used, and where the time went", async () => {
    await open(`job=${sessionOf("broken")}`)
    await page.getByText("quota used up", { exact: true }).waitFor()
    await page.getByText("Check its key, quota and status, then give it a follow-up.").waitFor()
    await page.locator(".waterfall li", { hasText: "at work" }).waitFor()
    await page.getByRole("region", { name: "Facts" }).getByText("tokens in / out").waitFor()
  })

  it("keeps the span of the timeline in the address", async () => {
    const long = { createdAt: 1_000, startedAt: 2_000, endedAt: 3_000, session: "ses_old", usage: NO_USAGE }
    scripted.troupe.adopt({ ...jobInput("old"), ...long, state: "done" })
    await opened("now")
    await open("view=timeline")
    await page.getByRole("link", { name: /^old: done/ }).waitFor()
    await page.getByRole("link", { name: "5 min" }).click()
    await page.getByRole("link", { name: /^old: done/ }).waitFor({ state: "detached" })
    await page.getByRole("link", { name: /^now: prompting/ }).waitFor()
    expect(new URL(page.url()).searchParams.get("span")).toBe("5m")
    await page.goBack()
    await page.getByRole("link", { name: /^old: done/ }).waitFor()
  })

  it("goes from job to job by keys in every view, and reads on where it leads", async () => {
    await open()
    await page.keyboard.press("j")
    await page.keyboard.press("ArrowDown")
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("work of plain")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: /work of plain/ }).waitFor()
    await page.waitForFunction(() => document.activeElement?.tagName === "H1")
    await page.keyboard.press("ArrowDown")
    expect(new URL(page.url()).searchParams.get("job")).toBe(sessionOf("plain"))
  })

  it("gives the focus back when a dialog closes", async () => {
    await open(`job=${sessionOf("plain")}`)
    const button = page.getByRole("button", { name: "Follow-up…" })
    for (const close of [
      () => page.getByRole("button", { name: "Back" }).click(),
      () => page.keyboard.press("Escape"),
    ]) {
      await button.click()
      await page.getByRole("dialog").waitFor()
      await close()
      await page.getByRole("dialog").waitFor({ state: "detached" })
      expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)
    }
  })

  it("goes by keys", async () => {
    await open()
    await page.keyboard.press("2")
    await row("plain").waitFor()
    for (const key of ["j", "ArrowDown", "k", "ArrowUp", "j"]) await page.keyboard.press(key)
    await page.locator(".row.current", { hasText: "plain" }).waitFor()
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: /work of plain/ }).waitFor()
    await page.keyboard.press("k")
    await page.getByRole("heading", { name: /work of broken/ }).waitFor()
    await page.keyboard.press("Escape")
    await row("broken").waitFor()
    await page.keyboard.press("?")
    await page.getByRole("heading", { name: "Keys and search" }).waitFor()
  })
})

describe("the list by owner", () => {
  const fold = (owner: string) => page.getByRole("button", { name: `Jobs of ${owner}` })
  const foldInAddress = () => new URL(page.url()).searchParams.get("fold")

  beforeEach(async () => {
    for (const [index, id] of ["a1", "a2", "b1"].entries()) {
      const owner = id.startsWith("a") ? "ses_a" : "ses_b"
      scripted.start(id, { owner, createdAt: 1_000 * (index + 1) })
      await scripted.until(id, "prompting.working")
    }
  })

  it("folds an owner's jobs away, and the address says so", async () => {
    await open("view=jobs")
    expect(await fold("ses_a").getAttribute("aria-expanded")).toBe("true")
    await fold("ses_a").click()
    await row("a1").waitFor({ state: "detached" })
    expect(await fold("ses_a").getAttribute("aria-expanded")).toBe("false")
    await row("b1").waitFor()
    expect(foldInAddress()).toBe("ses_a")
    await page.reload()
    await row("b1").waitFor()
    expect(await row("a1").count()).toBe(0)
    await fold("ses_a").focus()
    await page.keyboard.press("Enter")
    await row("a1").waitFor()
    expect(foldInAddress()).toBeNull()
  })

  it("folds all, and all but some", async () => {
    await open("view=jobs")
    await page.getByRole("button", { name: "Fold all" }).click()
    await row("b1").waitFor({ state: "detached" })
    await fold("ses_b").click()
    await row("b1").waitFor()
    expect([await row("a1").count(), foldInAddress()]).toEqual([0, "*,ses_b"])
    await fold("ses_b").click()
    await page.getByRole("button", { name: "Unfold all" }).click()
    await row("a2").waitFor()
    expect(foldInAddress()).toBeNull()
  })

  it("folds by keys, and the focus goes along", async () => {
    await open("view=jobs")
    const focus = (text: string) =>
      page.waitForFunction((part) => document.activeElement?.textContent?.includes(part), text)
    // The newest owner comes first.
    await page.keyboard.press("j")
    await focus("work of b1")
    await page.keyboard.press("ArrowLeft")
    await row("b1").waitFor({ state: "detached" })
    await focus("ses_b")
    await page.keyboard.press("j")
    await focus("work of a2")
    await page.keyboard.press("k")
    await focus("ses_b")
    await page.keyboard.press("ArrowRight")
    await row("b1").waitFor()
    await page.keyboard.press("ArrowDown")
    await focus("work of b1")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: /work of b1/ }).waitFor()
    await page.keyboard.press("Escape")
    await focus("work of b1")
  })

  it("puts what a job started under it", async () => {
    scripted.start("c1", { owner: sessionOf("b1"), createdAt: 9_000 })
    await open("view=jobs")
    await row("c1").locator(".depth-1").waitFor()
    expect(await fold(sessionOf("b1")).count()).toBe(0)
    await fold("ses_b").click()
    await row("c1").waitFor({ state: "detached" })
  })
})

it("draws of thousands of jobs those that can be seen", async () => {
  for (let index = 0; index < 3_000; index++)
    scripted.troupe.adopt({
      ...jobInput(`n${index}`),
      session: `ses_n${index}`,
      state: "done",
      createdAt: index,
      usage: NO_USAGE,
    })
  await open("view=jobs&list=flat")
  await row("n2999").waitFor()
  expect(await page.getByRole("row").count()).toBeLessThan(50)
  await page.locator(".rows").evaluate((box) => box.scrollTo(0, box.scrollHeight))
  await row("n0").waitFor()
  expect(await page.getByRole("row").count()).toBeLessThan(50)
  expect(await row("n0").getAttribute("aria-rowindex")).toBe("3001")
})

describe("everybody", () => {
  it.each(["", "view=jobs", "view=timeline", "view=actors", `job=${sessionOf("j1")}`])(
    "has all of it on a narrow screen: /?%s",
    async (query) => {
      await newPage({ viewport: { width: 420, height: 800 } })
      await opened("j1")
      await open(query)
      if (query.startsWith("job")) await page.locator(".chart .here").waitFor()
      const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth
      expect(await page.evaluate(overflow)).toBe(0)
      expect(await page.locator("main").evaluate((main) => main.scrollWidth - main.clientWidth)).toBe(0)
      if (query.startsWith("job"))
        expect(await page.locator(".chart .here rect").boundingBox()).toMatchObject({
          x: expect.toSatisfy((x: number) => x > 0 && x < 420),
        })
    },
  )

  it("is spared what moves, where that is wished", async () => {
    await newPage({ reducedMotion: "reduce" })
    await open()
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
  })

  it.each(["light", "dark"] as const)("can read it with a screen reader, in %s", async (colorScheme) => {
    await newPage({ colorScheme, reducedMotion: "reduce" })
    for (const id of ["j1", "j2", "j3", "j4", "j5"]) scripted.start(id)
    await scripted.answer("j1")
    await scripted.answer("j2", { error: { kind: "provider", message: "quota" } })
    const ask = { id: "a", kind: "permission", text: "bash: ls" } as const
    await scripted.until("j3", "prompting.working")
    scripted.troupe.tell({ owner: OWNER, id: "j3" }, { type: "child.asked", ask, at: Date.now() })
    await open()
    for (const query of [
      "",
      "view=jobs",
      "view=timeline",
      "view=actors",
      `job=${sessionOf("j2")}`,
      `job=${sessionOf("j3")}`,
    ]) {
      await page.goto(`${inspector.url}/?${query}`)
      await page.locator(".connection.is-live").waitFor()
      await page.locator("main h1").first().waitFor({ state: "attached" })
      if (query.startsWith("job")) await page.locator(".chart svg").waitFor()
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(
        violations.map(({ id, nodes }) => [query, id, nodes[0]?.html, nodes[0]?.failureSummary]),
      ).toEqual([])
    }
    await page.getByRole("button", { name: "Cancel…" }).click()
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([])
  })

  it("sees foreign text as text", async () => {
    const html = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`
    const text = `${html}\u0007\u001b[31mred\u202Eevil\nשלום עולם ${"x".repeat(1_000_000)}`
    scripted.start("j1", { description: `${html}\u0007\u202Ede`, agent: html })
    await scripted.answer("j1", { text })
    await open("view=jobs")
    await row("j1").getByText(`${html}␇�de`).first().waitFor()
    await page.goto(`${inspector.url}/?job=${sessionOf("j1")}`)
    const shown = page.locator(".foreign")
    await shown.waitFor()
    const content = (await shown.textContent()) ?? ""
    expect(content.startsWith(`${html}␇␛[31mred�evil\nשלום`)).toBe(true)
    await page.getByRole("button", { name: /Show all 1,000,1\d\d characters/ }).click()
    expect((await shown.textContent())?.length).toBe(text.length)
    expect(await page.locator("main img, main script").count()).toBe(0)
    expect(await page.title()).toBe(`j1: ${html.slice(0, 80)} · opencode-troupe`)
  })
})
