import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { launchChromium } from "../test/inspector/support/chromium.ts"

/** Makes docs/inspector.png, the screenshot in the README, of the demo while it runs. */

const demo = spawn(process.execPath, ["--import", "tsx", "demo/main.ts", "--keep"], {
  stdio: ["ignore", "pipe", "inherit"],
})
const browser = await launchChromium()
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 700 }, deviceScaleFactor: 1.5 })
  for await (const line of createInterface(demo.stdout)) {
    const link = line.match(/http:\S+link=\S+/)?.[0]
    if (link) await page.goto(link)
    // By now some jobs have ended, one is in backoff, and some are queued.
    if (/links +prompting\.retrying/.test(line)) {
      await page.getByText("retrying").first().waitFor()
      await page.screenshot({ path: "docs/inspector.png" })
      break
    }
  }
} finally {
  await browser.close()
  demo.kill("SIGINT")
  await once(demo, "exit")
}
