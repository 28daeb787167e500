import { once } from "node:events"
import { createServer } from "node:net"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { launchChromium } from "../inspector/support/chromium.ts"
import { freePort } from "../support/free-port.ts"
import { addProject, type FurtherProject } from "../support/further-project.ts"
import { inspect } from "../support/inspect.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

let model: ScriptedModel
let opencode: Opencode
const further: FurtherProject[] = []

beforeAll(async () => {
  model = await startScriptedModel()
  opencode = await startOpencode({ model, plugin: { options: { notify: "never" } } })
})
afterAll(async () => {
  await opencode.stop()
  for (const project of further) project.remove()
  await model.stop()
})

function add(inspector: object): FurtherProject {
  const project = addProject(opencode, model, { notify: "never", inspector })
  further.push(project)
  return project
}

describe("a project whose inspector cannot start", () => {
  const tooShort = "only-twenty-characters"
  const cases: [string, () => Promise<{ options: object; end(): void }>, RegExp][] = [
    [
      "as its port is taken",
      async () => {
        const other = createServer().listen(0, "127.0.0.1")
        await once(other, "listening")
        const address = other.address()
        const port = typeof address === "object" ? address?.port : undefined
        return { options: { port }, end: () => void other.close() }
      },
      /^the inspector did not start: inspector\.port: \d+ is in use by another program\. Choose another port/,
    ],
    [
      "as its token is too short",
      async () => ({ options: { token: tooShort }, end: () => {} }),
      /^the inspector did not start: inspector\.token: has 22 characters, but requires at least 32/,
    ],
    [
      "as its address is no loopback address",
      async () => ({ options: { host: "0.0.0.0" }, end: () => {} }),
      /^the inspector did not start: inspector\.host: "0\.0\.0\.0" is not a loopback address/,
    ],
  ]
  test.each(cases)(
    "%s, runs its jobs all the same and names it in a toast and the log",
    async (what, setUp, words) => {
      const { options, end } = await setUp()
      const project = add(options)
      const owner = await project.session()
      const prompt = `work ${what}`
      model.on(prompt, { type: "text", text: "worked" })
      await project.callTool(owner, "agents_start", { tasks: [{ prompt }] })
      const waited = await project.callTool(owner, "agents_wait", {})
      expect([jobOf(waited).state, waited.output]).toEqual(["done", expect.stringContaining("worked")])

      const { payload } = await opencode.events.waitFor(
        (event) => event.payload.type === "tui.toast.show" && words.test(event.payload.properties.message),
      )
      expect(payload).toMatchObject({ properties: { variant: "warning", title: "opencode-troupe" } })
      await poll("it in the log", () => opencode.log().includes("the inspector did not start") || undefined)
      expect(await inspect(opencode)).toEqual([])
      end()
    },
  )

  test("does not tell the token", () => {
    expect(JSON.stringify(opencode.events.seen)).not.toContain(tooShort)
    expect(opencode.log()).not.toContain(tooShort)
  })
})

describe("two projects of one opencode", () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  test("share one inspector, which shows the jobs of both, live, until a project is closed", async () => {
    const other = add({ readOnly: true, port: await freePort() })
    const here = held("begun here")
    const there = held("begun there")
    model.on("work here", here.reply)
    model.on("work there", there.reply)
    const owner = await opencode.session()
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "here", prompt: "work here" }] })
    await poll("the inspector", async () => (await inspect(opencode))[0])
    const session = await other.session()
    await other.callTool(session, "agents_start", { tasks: [{ id: "there", prompt: "work there" }] })

    const running = await inspect(opencode)
    expect(running).toHaveLength(1)
    await opencode.events.waitFor(
      ({ payload }) =>
        payload.type === "tui.toast.show" &&
        payload.properties.message.startsWith("inspector.port has no effect here: another project"),
    )
    const page = await browser.newPage()
    await page.goto(running[0]?.link ?? "")
    for (const id of ["here", "there"]) await page.getByRole("link", { name: `${id} work ${id}` }).waitFor()
    await page.getByText(opencode.project).first().waitFor()
    await page.getByText(other.directory).first().waitFor()

    // What one project does not allow is not possible through the inspector of another.
    await page.getByRole("link", { name: "there work there" }).click()
    await page.getByText("Cancel: the inspector is read-only").waitFor()
    await page.goBack()
    there.release(" and done")
    await page.getByRole("region", { name: "Recently ended" }).getByText("there").first().waitFor()

    await other.client.instance.dispose({ directory: other.directory })
    await page.getByRole("link", { name: "there work there" }).waitFor({ state: "detached" })
    await page.getByRole("link", { name: "here work here" }).waitFor()
    expect(await inspect(opencode)).toHaveLength(1)
    here.release(" and done")
    await page.getByRole("region", { name: "Recently ended" }).getByText("here").first().waitFor()
    await page.close()
  })
})
