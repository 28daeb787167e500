import { subscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import type { Browser, BrowserContext, Page, Route } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from "vitest"
import { buildPage } from "../../../scripts/build-page.ts"
import {
  type Inspector,
  type InspectorOptions,
  type PageFiles,
  startInspector,
} from "../../../src/inspector/index.ts"
import { launchChromium } from "./chromium.ts"
import { type ScriptedTroupe, scriptedTroupe } from "./scripted-troupe.ts"

/**
 * For the tests of the page: before each of them a troupe of four slots, its inspector and a tab; after each,
 * the tab must have said nothing on its console and asked nobody else for anything.
 */

export const token = "a-token-of-thirty-two-characters-or-more"

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 })

export let scripted: ScriptedTroupe
export let inspector: Inspector
export let context: BrowserContext
export let page: Page
/** Where requests went that were not for the inspector. */
export const foreign: string[] = []

/** Of the requests that the inspector has got since `cutConnections` was last called. */
const sockets = new Set<Socket>()
subscribe("http.server.request.start", (message) => {
  const { socket } = message as { socket: Socket }
  sockets.add(socket)
})

/** As when the network fails: all that is open breaks off, and each further request goes as `route` says. */
export async function cutConnections(onRequest: (route: Route) => void): Promise<void> {
  await page.route("**/api/**", onRequest)
  for (const socket of sockets) socket.destroy()
  sockets.clear()
}

export const mendConnections = (): Promise<void> => page.unrouteAll()

let browser: Browser
let shared: BrowserContext
let files: PageFiles
const problems: string[] = []
let expected: RegExp | undefined

beforeAll(async () => {
  ;[browser, files] = await Promise.all([launchChromium(), buildPage()])
  shared = await newContext()
  // For the first tab Chromium opens a window, whose own pages cost more than ours: with this one it stays.
  await shared.newPage()
})
afterAll(() => browser.close())

beforeEach(async () => {
  scripted = scriptedTroupe({ concurrency: 4 })
  await start()
  context = shared
  await newPage()
})
afterEach(async () => {
  await page.close()
  if (context !== shared) await context.close()
  await shared.clearPermissions()
  await inspector.stop()
  scripted.stop()
  expect(problems.filter((problem) => !expected?.test(problem))).toEqual([])
  expect(foreign).toEqual([])
})

/** After `inspector.stop()`: another one for the same troupe. */
export async function start(options: InspectorOptions = {}): Promise<void> {
  inspector = await startInspector({
    source: scripted.source,
    options: { token, ...options },
    page: files,
    registerFolder: false,
  })
}

/**
 * A tab in a browser of its own, which a simulated clock needs because it stays. All others share a browser, for a new
 * one costs as much as four tabs; its permissions are gone after each test, and each test's inspector is an origin of its own.
 */
export async function newBrowser(): Promise<void> {
  await page.close()
  context = await newContext()
  await newPage()
}

async function newContext(): Promise<BrowserContext> {
  const made = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    // What moves costs time, and nobody looks.
    reducedMotion: "reduce",
  })
  made.setDefaultTimeout(20_000)
  return made
}

async function newPage(): Promise<void> {
  for (const list of [problems, foreign]) list.length = 0
  expected = undefined
  page = await context.newPage()
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text())
  })
  page.on("pageerror", (error) => problems.push(error.message))
  page.on("request", (request) => {
    if (!request.url().startsWith(inspector.url)) foreign.push(request.url())
  })
}

/** Messages on the console that the test brings about on purpose. */
export function expectProblems(pattern: RegExp): void {
  expected = pattern
}

/** Opens the page by a link, at what the query selects. */
export async function open(query = ""): Promise<void> {
  const link = new URL(inspector.link())
  link.search = query
  await page.goto(link.href)
  await page.locator(".connection.is-live").waitFor()
}

export const row = (id: string) =>
  page.locator("[role=row]", { has: page.locator(`.job-link code:text-is("${id}")`) })

/** Starts a job and waits until it prompts. */
export async function opened(id: string): Promise<void> {
  scripted.start(id)
  await scripted.until(id, "prompting.working")
}
