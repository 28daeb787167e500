import { launchChromium } from "../test/inspector/support/chromium.ts"
import { inspect } from "../test/support/inspect.ts"
import { play } from "./docs/scene.ts"

/** Makes docs/inspector.png, the screenshot in the README: looks at the scene in the inspector. */

const { tui, end } = await play(2, { columns: 200, lines: 50 }, { enabled: true })
const browser = await launchChromium()
try {
  const [running] = await inspect(tui)
  if (!running) throw new Error("The inspector of the scene does not run")
  const page = await browser.newPage({ viewport: { width: 1280, height: 700 }, deviceScaleFactor: 1.5 })
  await page.goto(running.link)
  await page.getByText("retrying").first().waitFor()
  await page.screenshot({ path: "docs/inspector.png" })
} finally {
  await browser.close()
  await end()
}
