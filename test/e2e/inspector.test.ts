import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import * as z from "zod"
import { launchChromium } from "../inspector/support/chromium.ts"
import { gate } from "../support/gate.ts"
import { jobOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

const run = promisify(execFile)

let browser: Browser
let model: ScriptedModel
let opencode: Opencode

beforeAll(async () => {
  browser = await launchChromium()
  model = await startScriptedModel()
  opencode = await startOpencode({ model, plugin: { options: { notify: "never" } } })
})
afterAll(async () => {
  await browser.close()
  await opencode.stop()
  await model.stop()
})

/** What `npx opencode-troupe inspect --json` prints for the person who runs this opencode. */
async function inspect(): Promise<{ url: string; link: string }[]> {
  const cli = join(import.meta.dirname, "../../dist/cli.js")
  const env = { ...process.env, HOME: opencode.home, XDG_STATE_HOME: "" }
  // It exits with 1 where none runs.
  const { stdout } = await run(process.execPath, [cli, "inspect", "--json"], { env }).catch(
    (failed) => failed,
  )
  return z.array(z.object({ url: z.string(), link: z.string() })).parse(JSON.parse(stdout))
}

async function openPage(link: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(link)
  return page
}

test("the first job brings a link in a toast, once; the command has fresh ones", async () => {
  const owner = await opencode.session()
  model.on("a first job", { type: "text", text: "done" })
  await opencode.callTool(owner, "agents_start", { tasks: [{ id: "one", prompt: "a first job" }] })
  const toast = await opencode.events.waitFor(
    ({ payload }) =>
      payload.type === "tui.toast.show" && payload.properties.message.includes("Watch the jobs"),
  )
  const words = toast.payload.type === "tui.toast.show" ? toast.payload.properties.message : ""
  const link = words.match(/http:\S+/)?.[0] ?? ""

  const page = await openPage(link)
  await page.getByText("a first job").first().waitFor()
  expect(page.url()).not.toContain("link=")
  await page.close()
  expect((await fetch(link)).status).toBe(401)
  expect((await inspect()).map(({ url }) => url)).toEqual([new URL(link).origin])
})

test("a job's states appear live, without a reload, while opencode runs it", async () => {
  const owner = await opencode.session()
  const held = gate()
  const beginning = `At the very beginning. ${"word ".repeat(200)}`
  model.on("watched work", { type: "hold", text: `${beginning} half`, until: held.passed })
  await opencode.callTool(owner, "agents_start", { tasks: [{ id: "watched", prompt: "watched work" }] })
  await model.waitFor(({ text }) => text === "watched work")
  const [running] = await inspect()
  const page = await openPage(running?.link ?? "")
  await page.getByText("watched work").first().click()
  await page.getByText("working").first().waitFor()
  // All that it has written, not only the end.
  await page.getByText("At the very beginning.").first().waitFor()

  held.open(" and whole")
  await page.getByText("half and whole").first().waitFor()
  await page.close()
})

test("a cancel on the page ends the child for real", async () => {
  const owner = await opencode.session()
  model.on("work to be stopped", { type: "hold", text: "begun", until: new Promise<string>(() => {}) })
  await opencode.callTool(owner, "agents_start", { tasks: [{ id: "stop-me", prompt: "work to be stopped" }] })
  await model.waitFor(({ text }) => text === "work to be stopped")
  const [running] = await inspect()
  const page = await openPage(running?.link ?? "")
  await page.getByText("work to be stopped").first().click()
  await page.getByRole("button", { name: /^Cancel/ }).click()
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /cancel/i })
    .last()
    .click()

  await model.waitFor(({ text, closed }) => text === "work to be stopped" && closed)
  const result = await opencode.callTool(owner, "agents_wait", {})
  expect(jobOf(result)).toMatchObject({ id: "stop-me", state: "cancelled" })
  expect(result.output).toContain("begun")
  await page.close()
})

test("it is gone with opencode's instance, and nothing of it is left", async () => {
  const [running] = await inspect()
  await opencode.client.global.dispose()
  expect(await inspect()).toEqual([])
  await expect(fetch(running?.url ?? "")).rejects.toThrow()
})
