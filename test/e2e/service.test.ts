import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { builtInTools } from "../support/built-in-tools.ts"
import { isNotification } from "../support/conversation.ts"
import { describeOn } from "../support/generations.ts"
import { held } from "../support/jobs.ts"
import { projectConfig2 } from "../support/opencode-2.ts"
import { type Service, service } from "../support/opencode-2-service.ts"
import { storedIn } from "../support/opencode-2-storage.ts"
import { processesWith } from "../support/processes.ts"
import { makeProject } from "../support/project.ts"
import { type Reply, type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

/** With the background service, or with a server of its own. In 1.18 it has neither: its jobs end with its turn. */
describeOn(2, "opencode run", () => {
  const folder = tempFolder("service")
  const home = join(folder.path, "home")
  const project = join(folder.path, "project")
  let model: ScriptedModel
  let opencode: Service

  beforeAll(async () => {
    model = await startScriptedModel()
    mkdirSync(home)
    const config = { permission: { "*": "allow", shell: "ask" } }
    makeProject(project, projectConfig2({ model, plugin: { options: { recover: "resume" } }, config }))
    opencode = await service({ home, project })
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
    folder.remove()
  })

  const start = (id: string, prompt: string) => ({
    type: "tool" as const,
    calls: [{ name: "agents_start", args: { tasks: [{ id, prompt }] } }],
  })
  const wait = { type: "tool" as const, calls: [{ name: "agents_wait", args: {} }] }

  /** Everything that this session's model was told, in its last request. */
  const toldTo = (session: string | undefined) => {
    const request = model.requests.findLast((each) => each.session === session)
    return request?.messages.map(textOf).join("\n") ?? ""
  }

  /** Waits until the conversation holds this result, and says how often. */
  const timesTold = (session: string | undefined, id: string, store = home) =>
    poll(
      `the result of ${id}`,
      () => {
        const times = toldTo(session).split(`<job id="${id}" state="done"`).length - 1
        const [stored] = storedIn(store).filter(({ record }) => record.id === id)
        return times > 0 && stored?.deliveredRun === 1 ? times : undefined
      },
      { timeoutMs: 30_000, everyMs: 200 },
    )

  test("jobs go on when the command has ended, and their results are delivered", async () => {
    const work = held("half a")
    model.on("work for later", work.reply)
    model.script("hand out and go", [start("later", "work for later"), { type: "text", text: "I am off" }])
    expect(await opencode.run("hand out and go")).toContain("I am off")
    const child = await model.waitFor(({ text }) => text === "work for later")
    expect(child.state).toBe("open")
    work.release(" loaf")
    const told = await model.waitFor(({ text }) => isNotification(text))
    expect(told.text).toContain("half a loaf")
    expect(await timesTold(told.session, "later")).toBe(1)
  })

  test.each(["SIGKILL", "SIGTERM"] as const)(
    "a service that ends by %s in the middle of a turn comes back, and both its jobs and its owner go on",
    async (signal) => {
      model.script(`survive ${signal}`, [held("first").reply, { type: "text", text: "survived" }])
      model.script(`hand out for ${signal}`, [start(signal, `survive ${signal}`), wait])
      // What the service tells the owner when it is back.
      model.script(/server restarted/, [wait, { type: "text", text: "so it is" }])
      const command = opencode.run(`hand out for ${signal}`)
      const child = await model.waitFor(({ text }) => text === `survive ${signal}`)
      const owner = await model.waitFor(
        ({ text, messages }) => text.includes(`hand out for ${signal}`) && messages.at(-1)?.role === "tool",
      )
      await poll("the wait for it", () => owner.state === "answered" || undefined)
      await opencode.end(signal)
      await command
      expect(child.session).toBeDefined()

      // Whoever comes next brings the service back.
      await opencode.run("say hello")
      expect(await timesTold(owner.session, signal)).toBe(1)
      expect(toldTo(owner.session)).toContain("survived")
      expect(model.requests.filter(({ text }) => text === `survive ${signal}`)).toHaveLength(2)
    },
  )

  test("with a server of its own that is killed, its jobs go on with the next one in that session", async () => {
    const store = join(folder.path, "home-alone")
    mkdirSync(store)
    const alone = await service({ home: store, project })
    model.script("survive alone", [held("first").reply, { type: "text", text: "survived" }])
    model.script("hand out alone", [start("alone", "survive alone"), wait])
    model.script("what came of it", [wait, { type: "text", text: "so it is" }])
    const command = await alone.begin("run", "--standalone", "hand out alone")
    await model.waitFor(({ text }) => text === "survive alone")
    const { session: owner = "" } = await model.waitFor(
      ({ text, messages }) => text.includes("hand out alone") && messages.at(-1)?.role === "tool",
    )
    await command.end("SIGKILL", 0)
    await poll("the end of its server", () => processesWith(store).length === 0 || undefined)

    expect(await alone.run("--standalone", "--session", owner, "what came of it")).toContain("so it is")
    expect(await timesTold(owner, "alone", store)).toBe(1)
    expect(toldTo(owner)).toContain("survived")
    expect(model.requests.filter(({ text }) => text === "survive alone")).toHaveLength(2)
    await alone.stop()
  })

  test("a job's permission request stays open, with --auto too: the command answers those of the main session alone", async () => {
    const { name, args } = builtInTools(2).shell("true")
    model.script("run this", [{ type: "tool", calls: [{ name, args }] }])
    model.on("hand out a command", start("asks", "run this"))
    const status: Reply = { type: "tool", calls: [{ name: "agents_status", args: {} }] }
    model.on(
      ({ text, messages }) => text.includes("hand out a command") && messages.at(-1)?.role === "tool",
      ({ messages }) =>
        textOf(messages.at(-1)).includes("asks for permission") ? { type: "text", text: "it asks" } : status,
    )
    expect(await opencode.run("--auto", "hand out a command")).toContain("it asks")
    expect(model.requests.filter(({ text }) => text === "run this")).toHaveLength(1)
  })
})
