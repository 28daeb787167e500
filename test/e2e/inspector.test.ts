import { execSync } from "node:child_process"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, expect, test } from "vitest"
import { launchChromium } from "../inspector/support/chromium.ts"
import { listen } from "../inspector/support/sse.ts"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { freePort } from "../support/free-port.ts"
import { describeBoth } from "../support/generations.ts"
import { exchange, inspect, personsEnv } from "../support/inspect.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

const token = "a-token-of-thirty-two-characters-or-more"

const headers = { authorization: `Bearer ${token}`, "x-troupe": "1", "content-type": "application/json" }

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const config = {
  permission: { "*": "allow", bash: { "*": "allow", "echo asked": "ask" } },
  agent: {
    inquirer: { mode: "subagent", description: "May ask the user", permission: { question: "allow" } },
  },
}

describeBoth("The inspector", ({ start, generation, tools }) => {
  let model: ScriptedModel
  let opencode: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    // A port and a token of its own, as a person sets them for scripts.
    const inspector = { port: await freePort(), token }
    opencode = await start({ model, config, plugin: { options: { notify: "never", inspector } } })
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
  })

  async function openPage(link: string): Promise<Page> {
    const page = await browser.newPage()
    await page.goto(link)
    return page
  }

  test("has a link with the first job, in a toast where opencode has any, good for once; the command has fresh ones", async () => {
    const owner = await opencode.session()
    model.on("a first job", { type: "text", text: "done" })
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "one", prompt: "a first job" }] })
    const link = generation === 1 ? await linkInToast() : ((await inspect(opencode))[0]?.link ?? "")

    const page = await openPage(link)
    await page.getByText("a first job").first().waitFor()
    expect(page.url()).not.toContain("link=")
    await page.close()
    expect((await exchange(link)).status).toBe(401)
    expect((await inspect(opencode)).map(({ url }) => url)).toEqual([new URL(link).origin])

    // The command in the log and in the refusal, as a person would paste it.
    const [, command = ""] = await poll(
      "the command in the log",
      () => opencode.log().match(/for a link run: (node .+ inspect)/) ?? undefined,
    )
    const refused = await (await exchange(link)).json()
    expect(command).toContain(refused.error.command.replaceAll('"', "'"))
    // Whoever may read the log must not get in by it.
    expect(opencode.log()).not.toContain("link=")
    const printed = execSync(refused.error.command, { env: personsEnv(opencode), encoding: "utf8" })
    expect(printed).toContain(new URL(link).origin)
  })

  test("a job's states appear live, without a reload, while opencode runs it", async () => {
    const owner = await opencode.session()
    const work = held(`At the very beginning. ${"word ".repeat(200)} half`)
    model.on("watched work", work.reply)
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "watched", prompt: "watched work" }] })
    await model.waitFor(({ text }) => text === "watched work")
    const [running] = await inspect(opencode)
    const page = await openPage(running?.link ?? "")
    await page.getByText("watched work").first().click()
    await page.getByText("working").first().waitFor()
    // All that it has written, not only the end.
    await page.getByText("At the very beginning.").first().waitFor()

    work.release(" and whole")
    await page.getByText("half and whole").first().waitFor()
    await page.close()
  })

  test("a child's conversation, its requests and its files are read when they are looked at, and answered", async () => {
    const owner = await opencode.session()
    const [running] = await inspect(opencode)
    const { frames, close } = await listen(running?.url ?? "", { authorization: `Bearer ${token}` })
    const work = held("It begins")
    model.script("full work", [
      {
        type: "tool",
        reasoning: "Let me think.",
        text: "First I write.",
        calls: [tools.write("made.txt", "one\ntwo\n")],
      },
      { type: "tool", calls: [tools.shell("echo asked")] },
      { type: "tool", calls: [tools.question("Which colour?", "Red", "Blue")] },
      work.reply,
    ])
    await opencode.callTool(owner, "agents_start", {
      tasks: [{ id: "full", prompt: "full work", agent: "inquirer" }],
    })
    const { session } = await opencode.events.waitFor("request.opened", ({ request }) =>
      request.text.includes("echo asked"),
    )
    const path = `${running?.url}/api/jobs/${session}`
    const get = async (what: string) => (await fetch(`${path}${what}`, { headers })).json()
    const request = () => poll("a request in full", async () => (await get("")).requests[0])
    const answer = async (body: object) =>
      (await fetch(`${path}/answer`, { method: "POST", headers, body: JSON.stringify(body) })).status

    const permission = await request()
    expect(permission).toMatchObject({ kind: "permission", session, action: tools.shell("").name })
    expect(permission.parts[0].text).toBe("echo asked")
    expect(await answer({ ask: permission.id, reply: "once" })).toBe(202)
    expect(await answer({ ask: permission.id, reply: "once" })).toBe(409)

    await opencode.events.waitFor("request.opened", (event) => event.request.text === "Which colour?")
    const question = await request()
    expect(question.questions[0]).toMatchObject({ title: "Choose", text: "Which colour?" })
    // On opencode 2 it takes a terminal: see test/e2e/tui/answers.ts.
    if (generation === 2) await opencode.answer(session, question.id, "Red")
    else expect(await answer({ ask: question.id, answers: [["Red"]] })).toBe(202)

    const said = await poll("what it is writing", async () => {
      const { messages } = await get("/messages")
      return messages.at(-1).parts.at(-1)?.text === "It begins" ? messages : undefined
    })
    const parts = said.flatMap((message: { parts: object[] }) => message.parts)
    expect(parts).toMatchObject([
      { type: "text", text: "full work" },
      { type: "reasoning", text: "Let me think." },
      { type: "text", text: "First I write." },
      { type: "tool", tool: "write", title: "made.txt", status: "completed" },
      { type: "tool", status: "completed", output: "asked\n" },
      { type: "tool", tool: "question", status: "completed", output: expect.stringContaining("Red") },
      { type: "text", text: "It begins" },
    ])
    work.release(" and ends")
    await opencode.callTool(owner, "agents_wait", {})
    const { messages } = await get(`/messages?after=${said.at(-1).id}`)
    expect(messages).toMatchObject([{ id: said.at(-1).id, parts: [{ text: "It begins and ends" }] }])
    expect((await get("/files")).files).toMatchObject([
      { path: "made.txt", additions: 2, deletions: 0, diff: expect.stringContaining("+two") },
    ])
    await frames.waitFor(({ data }) => (data.owners?.[owner] ?? "") !== "")
    close()
    await opencode.deleteSession(session)
    expect((await get("/messages")).error).toEqual({
      kind: "lost",
      message: "Its conversation is lost: its session was deleted.",
    })
  })

  test("the branch, the files and the check of a job in a worktree are there, from its own folder", async () => {
    const owner = await opencode.session()
    model.script("work apart", [
      { type: "tool", calls: [tools.shell("echo apart > apart.txt")] },
      { type: "text", text: "worked apart" },
    ])
    const check = { command: "cat apart.txt" }
    const tasks = [{ id: "apart", prompt: "work apart", isolation: "worktree", check }]
    const ended = await opencode.callTool(owner, "agents_start", { tasks, wait: true })
    const { session, worktree } = jobOf(ended)
    const [running] = await inspect(opencode)
    const get = async (what: string) =>
      (await fetch(`${running?.url}/api/jobs/${session}${what}`, { headers })).json()
    expect(await get("")).toMatchObject({
      state: "done",
      worktree,
      check: { ...check, exitCode: 0, rounds: 1, output: "apart" },
    })
    expect((await get("/files")).files).toMatchObject([
      { path: "apart.txt", additions: 1, deletions: 0, diff: expect.stringContaining("+apart") },
    ])
  })

  test("a cancel on the page ends the child for real", async () => {
    const owner = await opencode.session()
    model.on("work to be stopped", held("begun").reply)
    await opencode.callTool(owner, "agents_start", {
      tasks: [{ id: "stop-me", prompt: "work to be stopped" }],
    })
    await model.waitFor(({ text }) => text === "work to be stopped")
    const [running] = await inspect(opencode)
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

  test("a stream on which nothing happens stays open in opencode's Bun", async () => {
    const [running] = await inspect(opencode)
    const { frames, response, close } = await listen(running?.url ?? "", { authorization: `Bearer ${token}` })
    const first = await frames.waitFor(({ event }) => event === "snapshot")
    let isOpen = true
    response.once("close", () => {
      isOpen = false
    })
    // Bun cuts its own idle streams after ten seconds; our heartbeat comes then at the earliest.
    await new Promise((resolve) => setTimeout(resolve, 12_000))
    expect(isOpen).toBe(true)
    const heartbeats = frames.items.filter(({ event, id }) => event === "changes" && id === first.id)
    expect(heartbeats.length).toBeLessThanOrEqual(2)

    const owner = await opencode.session()
    await opencode.callTool(owner, "agents_start", {
      tasks: [{ id: "late", prompt: "work after a long quiet" }],
    })
    await frames.waitFor(({ data }) => data.jobs?.some(({ id }) => id === "late") ?? false)
    close()
  })

  test("after a restart an open tab says what to do, and comes back with a fresh link in any tab, without a reload", async () => {
    const [before] = await inspect(opencode)
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(before?.link ?? "")
    await page.locator(".connection.is-live").waitFor()
    await page.evaluate(() => document.body.setAttribute("data-before", "yes"))
    await opencode.restart()
    const owner = await opencode.session()
    await opencode.callTool(owner, "agents_start", {
      tasks: [{ id: "again", prompt: "work after the restart" }],
    })
    await page.getByRole("alert").getByText("For a fresh link, run:").waitFor()
    const [after] = await inspect(opencode)
    const other = await context.newPage()
    await other.goto(after?.link ?? "")
    await page.getByText("work after the restart").first().waitFor()
    await page.locator(".connection.is-live").waitFor()
    expect(await page.locator("body[data-before]").count()).toBe(1)
    await context.close()
  })

  test("after a crash it is there at once with the jobs of before, without a word about itself", async () => {
    const owner = await opencode.session()
    model.on("work that ends", { type: "text", text: "written before the crash" })
    model.on("work that is killed", held("half").reply)
    const tasks = ["ends", "is killed"].map((what) => ({
      id: what.replace(" ", "-"),
      prompt: `work that ${what}`,
    }))
    await opencode.callTool(owner, "agents_start", { tasks })
    await opencode.callTool(owner, "agents_wait", { ids: ["ends"] })
    await model.waitFor(({ text }) => text === "work that is killed")
    await opencode.kill()
    const announced = () => opencode.log().split("the inspector is running").length - 1
    const before = { log: announced(), events: opencode.events.seen.length }
    expect(before.log).toBeGreaterThan(0)
    await opencode.restart()
    await opencode.session()

    const running = await poll("the inspector", async () => (await inspect(opencode))[0])
    const page = await openPage(running.link)
    await page.getByText("work that is killed").first().click()
    await page.getByText("Its text is lost: opencode stopped while it was writing").waitFor()
    await page.goBack()
    await page.getByText("work that ends").first().click()
    await page.getByText("written before the crash").waitFor()
    await page.close()
    expect(announced()).toBe(before.log)
    expect(JSON.stringify(opencode.events.seen.slice(before.events))).not.toContain("Watch the jobs")
  })

  test("it is gone with opencode's instance, and nothing of it is left", async () => {
    const [running] = await inspect(opencode)
    // `opencode serve` of 1.18 ends its instances when it is asked to, but not when it is told to end.
    if (generation === 1) await fetch(`${opencode.url}/global/dispose`, { method: "POST" })
    else process.kill(opencode.pid, "SIGTERM")
    await poll("its end", async () => (await inspect(opencode)).length === 0 || undefined)
    await expect(fetch(running?.url ?? "")).rejects.toThrow()
  })

  async function linkInToast(): Promise<string> {
    const { message } = await opencode.events.waitFor("toast.shown", (toast) =>
      toast.message.includes("Watch the jobs"),
    )
    return message.match(/http:\S+/)?.[0] ?? ""
  }
})
