import { once } from "node:events"
import { createServer } from "node:net"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { launchChromium } from "../inspector/support/chromium.ts"
import type { AnyOpencode, AnyProject } from "../support/any-opencode.ts"
import { freePort } from "../support/free-port.ts"
import { describeBoth } from "../support/generations.ts"
import { inspect } from "../support/inspect.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

describeBoth("Several projects in one opencode", ({ start, generation }) => {
  let model: ScriptedModel
  let opencode: AnyOpencode
  const further: AnyProject[] = []

  beforeAll(async () => {
    model = await startScriptedModel()
    opencode = await start({ model, plugin: { options: { notify: "never" } } })
  })
  afterAll(async () => {
    for (const project of further) await project.stop()
    await opencode?.stop()
    await model.stop()
  })

  async function add(inspector: object): Promise<AnyProject> {
    const project = await opencode.open({ model, plugin: { options: { notify: "never", inspector } } })
    further.push(project)
    return project
  }

  /** Waits until it is in the log and in a toast; opencode 2 has no toasts. */
  async function named(words: RegExp): Promise<void> {
    if (generation === 1) await opencode.events.waitFor("toast.shown", ({ message }) => words.test(message))
    await poll(`${words} in the log`, () => words.test(opencode.log().replaceAll('\\"', '"')) || undefined)
  }

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
      /the inspector did not start: inspector\.port: \d+ is in use by another program\. Choose another port/,
    ],
    [
      "as its token is too short and its address is no loopback address",
      async () => ({ options: { token: tooShort, host: "0.0.0.0" }, end: () => {} }),
      /option "inspector\.token" has 22 characters[\s\S]*option "inspector\.host" is "0\.0\.0\.0": it must be/,
    ],
  ]
  test.each(cases)(
    "a project whose inspector cannot start %s, runs its jobs all the same and names it",
    async (what, setUp, words) => {
      const { options, end } = await setUp()
      const project = await add(options)
      const owner = await project.session()
      const prompt = `work ${what}`
      model.on(prompt, { type: "text", text: "worked" })
      await project.callTool(owner, "agents_start", { tasks: [{ prompt }] })
      const waited = await project.callTool(owner, "agents_wait", {})
      expect([jobOf(waited).state, waited.output]).toEqual(["done", expect.stringContaining("worked")])

      await named(words)
      // The only place on opencode 2, whose background service discards its log.
      expect((await project.callTool(owner, "agents_status", {})).output).toMatch(words)
      expect(await inspect(opencode)).toEqual([])
      end()
    },
  )

  test("does not tell the token", () => {
    expect(JSON.stringify(opencode.events.seen)).not.toContain(tooShort)
    expect(opencode.log()).not.toContain(tooShort)
  })

  test("share one inspector, which shows the jobs of both, live, until a project is closed", async () => {
    const other = await add({ readOnly: true, port: await freePort() })
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
    await named(/inspector\.port has no effect here: another project/)
    const page = await browser.newPage()
    await page.goto(running[0]?.link ?? "")
    for (const id of ["here", "there"]) await page.getByRole("link", { name: `${id} work ${id}` }).waitFor()
    await page.getByText(opencode.project).first().waitFor()
    await page.getByText(other.project).first().waitFor()

    // What one project does not allow is not possible through the inspector of another.
    await page.getByRole("link", { name: "there work there" }).click()
    await page.getByText("Cancel: the inspector is read-only").waitFor()
    await page.goBack()
    there.release(" and done")
    await page.getByRole("region", { name: "Recently ended" }).getByText("there").first().waitFor()

    await other.stop()
    further.splice(further.indexOf(other), 1)
    await page.getByRole("link", { name: "there work there" }).waitFor({ state: "detached" })
    await page.getByRole("link", { name: "here work here" }).waitFor()
    expect(await inspect(opencode)).toHaveLength(1)
    here.release(" and done")
    await page.getByRole("region", { name: "Recently ended" }).getByText("here").first().waitFor()
    await page.close()
  })
})
