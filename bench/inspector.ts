import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import type { Page } from "playwright-core"
import { z } from "zod"
import { buildPage } from "../scripts/build-page.ts"
import { type PageFiles, startInspector } from "../src/inspector/index.ts"
import { launchChromium } from "../test/inspector/support/chromium.ts"
import { opencodeBinary } from "../test/support/opencode-binary.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import { changingTroupe } from "./inspector-troupe.ts"
import type { Part, Row } from "./part.ts"
import { medianRow } from "./statistics.ts"
import { benchUnwatched } from "./unwatched.ts"

/** What the inspector costs: its page, its way from a transition to the screen, and clients that never read. */
export const benchInspector: Part = async ({ rounds, say }) => {
  const page = await buildPage()
  say("the page's size")
  const size = sizeRow(page)
  say("the page under 10,000 jobs")
  const shown = await inBrowser(page)
  say("the first paint with 5,000 jobs")
  const first = await firstPaint(page, rounds)
  say("typing and scrolling in 5,000 jobs")
  const longest = await longestTask(page)
  say("clients that never read")
  const stalled = await stalledClients()
  return [size, ...shown, first, longest, ...stalled, ...(await benchUnwatched({ rounds, say }))]
}

function sizeRow({ html, js, css, machines }: PageFiles): Row {
  const parts = [html, js, css, JSON.stringify([...machines.values()])]
  const value = parts.reduce((sum, part) => sum + gzipSync(part).length, 0)
  return { name: "the page, gzipped, in all", value, unit: "bytes", bound: 60 * 1024 }
}

async function inBrowser(files: PageFiles): Promise<Row[]> {
  const { troupe, source, churn } = changingTroupe(10_000)
  const inspector = await startInspector({ source, page: files, registerFolder: false })
  const browser = await launchChromium()
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto(inspector.link())
    await page.goto(`${inspector.url}/?view=jobs&list=flat`)
    await page.getByText("10000").first().waitFor()
    await page.bringToFront()
    // The first seconds belong to the compiler.
    await Promise.all([churn(2_000), frames(page, 2_000)])
    const [deltas] = await Promise.all([frames(page, 6_000), churn(6_200)])
    const latencies = await latenciesOf(page, (text) => {
      const at = Date.now()
      const job = { owner: "ses_owner_live", id: "live" }
      if (troupe.records.get(job.owner, job.id))
        troupe.tell(job, { type: "child.active", activity: { tool: text, at } })
      else
        troupe.start({
          ...job,
          description: text,
          prompt: "",
          agent: "general",
          createdAt: at,
          askedAt: at,
          run: 1,
          timeoutMs: 600_000,
          idleMs: 600_000,
        })
      return at
    })
    const sorted = deltas.toSorted((a, b) => a - b)
    return [
      {
        name: "a frame while 10,000 jobs scroll at 200 changes/s, 95th percentile",
        value: sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN,
        unit: "ms",
        bound: 20,
        range: [sorted[0] ?? 0, sorted.at(-1) ?? 0],
      },
      medianRow("from a transition to the page", latencies, { unit: "ms", bound: 200 }),
    ]
  } finally {
    await browser.close()
    await inspector.stop()
    troupe.stop()
  }
}

/** From the navigation to the first job that can be read, by a browser that has nothing of the page yet. */
async function firstPaint(files: PageFiles, rounds: number): Promise<Row> {
  const { troupe, source } = changingTroupe(5_000)
  const inspector = await startInspector({ source, page: files, registerFolder: false })
  const browser = await launchChromium()
  try {
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
      const page = await context.newPage()
      await page.addInitScript(() => {
        new MutationObserver((_, watch) => {
          if (!document.querySelector(".job-link")) return
          watch.disconnect()
          // Drawn with the frame that follows.
          requestAnimationFrame(() => performance.mark("first job"))
        }).observe(document, { childList: true, subtree: true })
      })
      await page.goto(inspector.link())
      const time = await page.waitForFunction(() => performance.getEntriesByName("first job")[0]?.startTime)
      times.push((await time.jsonValue()) ?? Number.NaN)
      await context.close()
    }
    return medianRow("first job on the page, of 5,000", times, { unit: "ms", bound: 1_000 })
  } finally {
    await browser.close()
    await inspector.stop()
    troupe.stop()
  }
}

/** Of the page's main thread, while somebody searches, scrolls and looks at the timeline. */
async function longestTask(files: PageFiles): Promise<Row> {
  const { troupe, source } = changingTroupe(5_000)
  const inspector = await startInspector({ source, page: files, registerFolder: false })
  const browser = await launchChromium()
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto(inspector.link())
    await page.goto(`${inspector.url}/?view=jobs`)
    await page.getByText("5000").first().waitFor()
    await page.bringToFront()
    const use = async () => {
      await page.keyboard.press("/")
      await page.keyboard.type("state:done parser 12", { delay: 60 })
      for (let key = 0; key < 20; key++) await page.keyboard.press("Backspace", { delay: 40 })
      await page.keyboard.press("Escape")
      await page.mouse.move(640, 500)
      for (let turn = 0; turn < 30; turn++) await page.mouse.wheel(0, 900)
      await page.keyboard.press("3")
      await page.getByRole("link", { name: "all", exact: true }).click()
      for (let turn = 0; turn < 20; turn++) await page.mouse.wheel(0, 300)
      await page.keyboard.press("2")
      await page.locator(".rows").waitFor()
    }
    // The first time belongs to the compiler.
    await use()
    await browser.startTracing(page, { categories: ["toplevel"] })
    await use()
    const { traceEvents } = Trace.parse(JSON.parse((await browser.stopTracing()).toString()))
    const tasks = traceEvents.flatMap(({ name, tdur }) =>
      /RunTask/.test(name) && tdur ? [tdur / 1_000] : [],
    )
    return {
      name: "the longest task while somebody types and scrolls in 5,000 jobs, CPU time",
      value: Math.max(...tasks),
      unit: "ms",
      bound: 50,
    }
  } finally {
    await browser.close()
    await inspector.stop()
    troupe.stop()
  }
}

/** Chromium's, in microseconds. */
const Trace = z.object({ traceEvents: z.array(z.object({ name: z.string(), tdur: z.number().optional() })) })

/** Times between frames while the list scrolls all along. */
function frames(page: Page, ms: number): Promise<number[]> {
  return page.evaluate(async (length) => {
    const box = document.querySelector(".rows")
    const deltas: number[] = []
    const start = performance.now()
    let last = start
    while (last - start < length) {
      const at = await new Promise<number>(requestAnimationFrame)
      if (box) box.scrollTop = ((at - start) * 2) % (box.scrollHeight - box.clientHeight)
      deltas.push(at - last)
      last = at
    }
    // The first one began before.
    return deltas.slice(1)
  }, ms)
}

const samples = 25

/** @param change makes one that shows `text`, and says when. */
async function latenciesOf(page: Page, change: (text: string) => number): Promise<number[]> {
  await page.evaluate(() => document.querySelector(".rows")?.scrollTo(0, 0))
  change("begins")
  await page.getByText("begins").first().waitFor()
  const latencies: number[] = []
  for (let sample = 0; sample < samples; sample++) {
    const text = `tool-${sample}.`
    const shown = page.evaluate(
      (expected) =>
        new Promise<number>((resolve, reject) => {
          setTimeout(() => reject(new Error(`the page has not shown ${expected} within 10 s`)), 10_000)
          new MutationObserver((_, watch) => {
            if (!document.querySelector(".window")?.textContent?.includes(`running ${expected}`)) return
            watch.disconnect()
            resolve(Date.now())
          }).observe(document.body, { childList: true, characterData: true, subtree: true })
        }),
      text,
    )
    // The observer is there once the page has answered something that came after it.
    await page.evaluate(() => true)
    const at = change(text)
    latencies.push((await shown) - at)
  }
  return latencies
}

const Grown = z.object({ bytesPerClient: z.number() })

async function stalledClients(): Promise<Row[]> {
  const folder = tempFolder("inspector-stalled")
  const script = join(folder.path, "worker.mjs")
  try {
    await build({
      entryPoints: [join(import.meta.dirname, "inspector-worker.ts")],
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "warning",
    })
    const run = async (file: string, args: string[], env: NodeJS.ProcessEnv) => {
      const { stdout } = await promisify(execFile)(file, [...args, script], { env })
      return Grown.parse(JSON.parse(stdout)).bytesPerClient
    }
    const row = (where: string, value: number): Row => ({
      name: `what a client that never reads costs (${where})`,
      value,
      unit: "bytes",
      bound: 1_000_000,
    })
    return [
      row("Node", await run(process.execPath, ["--expose-gc"], process.env)),
      row("opencode's Bun", await run(opencodeBinary(), [], { ...process.env, BUN_BE_BUN: "1" })),
    ]
  } finally {
    folder.remove()
  }
}
