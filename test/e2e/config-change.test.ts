import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as z from "zod"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { builtInTools } from "../support/built-in-tools.ts"
import { isNotification } from "../support/conversation.ts"
import { gate } from "../support/gate.ts"
import { describeOn } from "../support/generations.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { startOpencode2 } from "../support/opencode-2.ts"
import { Api } from "../support/opencode-2-server.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

const root = join(import.meta.dirname, "..", "..")

const Config = z.looseObject({ plugins: z.array(z.object({ package: z.string() })) })

const Held = z.object({ permissions: z.array(z.object({ action: z.string(), effect: z.string() })) })

/** 1.18 reads its configuration at its start alone. */
describeOn(2, "When the configuration of a running opencode changes", () => {
  let model: ScriptedModel
  let opencode: AnyOpencode
  let concurrency = 2
  const folder = tempFolder("checkout")

  beforeAll(async () => {
    for (const each of ["dist", "server.js", "package.json"])
      cpSync(join(root, each), join(folder.path, each), { recursive: true })
    model = await startScriptedModel()
    opencode = await startOpencode2({
      model,
      plugin: { path: folder.path, options: { concurrency } },
      config: {
        permission: { "*": "allow", bash: "ask" },
        agent: {
          "another-configuration": { mode: "primary" },
          "another-file-of-the-agent": { mode: "primary" },
          inquirer: { mode: "subagent", description: "May ask", permission: { question: "allow" } },
        },
      },
      // It has to see that its configuration changes.
      env: { OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "" },
    })
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
    folder.remove()
  })

  /** A person changes an option of the plugin, and opencode loads it anew. */
  async function changeConfig(other: object = {}): Promise<void> {
    concurrency++
    const file = join(opencode.project, "opencode.json")
    const config = Config.parse(JSON.parse(readFileSync(file, "utf8")))
    const plugins = config.plugins.map((each) => ({ ...each, options: { concurrency } }))
    writeFileSync(file, JSON.stringify({ ...config, ...other, plugins }))
    await poll(
      "the reloaded plugin",
      () => opencode.log().includes(`loaded: concurrency ${concurrency},`) || undefined,
    )
  }

  const timesLoaded = () => opencode.log().split("loaded: concurrency").length - 1

  /** Everything that an owner's model has been told. */
  async function toldTo(owner: string): Promise<string> {
    await opencode.say(owner, "what do you know?")
    return JSON.stringify(model.requests.findLast(({ session }) => session === owner)?.messages)
  }

  const notified = (owner: string, what: string) =>
    poll(`the owner to be told of ${what}`, async () =>
      (await opencode.userTexts(owner)).find((text) => isNotification(text) && text.includes(what)),
    )

  test("jobs that run and jobs that wait for a slot go on, and a call that waits ends with what to do", async () => {
    const work = ["one", "two", "three"].map((id) => ({ id, prompt: `do ${id}`, answer: held("half, ") }))
    for (const { prompt, answer } of work) model.on(prompt, answer.reply)
    const owner = await opencode.session()
    const tasks = work.map(({ id, prompt }) => ({ id, prompt }))
    await opencode.callTool(owner, "agents_start", { tasks })
    for (const id of ["one", "two"]) await model.waitFor(({ text }) => text === `do ${id}`)
    const waiting = opencode.startTool(owner, "agents_wait", {})
    await waiting.running()

    await changeConfig()
    const { output, error } = await waiting.done
    expect(`${output}${error}`).toMatch(/Still running|Call again/)
    // There is a slot more now.
    await model.waitFor(({ text }) => text === "do three")
    for (const { answer } of work) answer.release("whole")
    await opencode.callTool(owner, "agents_wait", {})
    // Each was asked once, and each result delivered once, by the call or by a message.
    for (const { id, prompt } of work) {
      expect(model.requests.filter(({ text }) => text === prompt)).toHaveLength(1)
      await poll(`${id} on record`, async () => {
        const stored = (await opencode.stored(owner)).find(({ record }) => record.id === id)
        return (stored?.record.state === "done" && stored.deliveredRun === 1) || undefined
      })
    }
    const told = await toldTo(owner)
    for (const { id } of work) expect(told.split(`<job id=\\"${id}\\" state=\\"done\\"`)).toHaveLength(2)
  })

  test("what ends afterwards is delivered to an idle owner, by itself", async () => {
    const work = held("on and ")
    model.on("outlive it", work.reply)
    const owner = await opencode.session()
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "o", prompt: "outlive it" }] })
    await model.waitFor(({ text }) => text === "outlive it")
    await changeConfig()
    work.release("on")
    expect(await notified(owner, "on and on")).toContain('<job id="o" state="done"')
  })

  test("jobs that wait for a person go on waiting, and go on once they answer", async () => {
    const tools = builtInTools(2)
    const asking = [
      {
        id: "p",
        prompt: "run a command",
        agent: "general",
        call: tools.shell("echo hi"),
        phase: "permission",
      },
      {
        id: "q",
        prompt: "ask a question",
        agent: "inquirer",
        call: tools.question("Which?", "A", "B"),
        phase: "question",
      },
    ]
    for (const { id, prompt, call } of asking)
      model.script(prompt, [
        { type: "tool", calls: [call] },
        { type: "text", text: `${id} has its answer` },
      ])
    const owner = await opencode.session()
    const tasks = asking.map(({ id, prompt, agent }) => ({ id, prompt, agent }))
    const jobs = jobsOf(await opencode.callTool(owner, "agents_start", { tasks }))
    const requests = await Promise.all(
      jobs.map(({ session }) =>
        opencode.events.waitFor("request.opened", (event) => event.session === session),
      ),
    )
    await changeConfig()
    await poll("both to wait for a person again", async () => {
      const now = jobsOf(await opencode.callTool(owner, "agents_status", {}))
      return asking.every(({ id, phase }) => now.find((job) => job.id === id)?.phase === phase) || undefined
    })
    for (const { session, request } of requests) {
      if (request.kind === "permission") await opencode.reply(session, request.id, "once")
      else await opencode.answer(session, request.id, "A")
    }
    await opencode.callTool(owner, "agents_wait", {})
    // Of the one that ended first, a message may have told.
    const told = await toldTo(owner)
    for (const { id } of asking) expect(told).toContain(`${id} has its answer`)
  })

  test("a job whose model is gone has failed with that, and goes on once it is there again", async () => {
    const asked = gate<void>()
    model.on("outlive its model", async () => {
      await asked.passed
      return { type: "tool", calls: [builtInTools(2).write("outlived.txt", "half")] }
    })
    model.on("go on", { type: "text", text: "the whole" })
    const owner = await opencode.session()
    const task = { id: "m", prompt: "outlive its model", agent: "general", model: "fake/m2" }
    await opencode.callTool(owner, "agents_start", { tasks: [task] })
    await model.waitFor(({ text }) => text === "outlive its model")
    const { provider } = z
      .object({ provider: z.object({ fake: z.looseObject({ models: z.record(z.string(), z.unknown()) }) }) })
      .parse(JSON.parse(readFileSync(join(opencode.project, "opencode.json"), "utf8")))
    const { m2: _gone, ...models } = provider.fake.models
    await changeConfig({ provider: { fake: { ...provider.fake, models } } })
    asked.open()
    expect(await notified(owner, `<job id="m"`)).toMatch(/Model unavailable: fake\/m2/)
    await changeConfig({ provider })
    await opencode.callTool(owner, "agents_send", { id: "m", message: "go on" })
    expect(await notified(owner, "the whole")).toContain('<job id="m" state="done"')
  })

  test("two reloads at once leave the tools to the living instance: nothing is delivered twice", async () => {
    const owner = await opencode.session()
    const early = held("half, ")
    model.on("the early one", early.reply)
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "early", prompt: "the early one" }] })
    const waiting = opencode.startTool(owner, "agents_wait", {})
    await waiting.running()
    // opencode makes an instance for each, as a rule, and goes on calling the tools of the first one.
    const before = timesLoaded()
    await Promise.all([opencode.reload(), opencode.reload()])
    await poll("a new instance", async () => timesLoaded() > before || undefined)
    await waiting.done
    const status = await opencode.callTool(owner, "agents_status", {})
    expect(status.output).toMatch(/^early: prompting/)
    expect(status.output).not.toContain("another opencode")
    const tasks = [{ id: "late", prompt: "the late one" }]
    const started = await opencode.callTool(owner, "agents_start", { tasks })
    expect(started.output).toMatch(/^Started: late\./)
    early.release("whole")
    await opencode.callTool(owner, "agents_wait", {})
    await opencode.callTool(owner, "agents_status", {})
    const told = await toldTo(owner)
    expect(told.split(`<job id=\\"early\\" state=\\"done\\"`)).toHaveLength(2)
  })

  test("a new build of the plugin is loaded at once", async () => {
    appendFileSync(join(folder.path, "dist", "server.js"), 'console.log("the new build")\n')
    await poll("the new build", () => opencode.log().includes("the new build") || undefined)
  })

  test("other projects in this opencode see nothing of it, nor of each other's jobs", async () => {
    const other = await opencode.open({ model })
    const [here, there] = [held("work of "), held("work of ")]
    model.on("begin here", here.reply)
    model.on("begin there", there.reply)
    const owner = await opencode.session()
    const neighbour = await other.session()
    await opencode.callTool(owner, "agents_start", { tasks: [{ id: "here", prompt: "begin here" }] })
    await other.callTool(neighbour, "agents_start", { tasks: [{ id: "there", prompt: "begin there" }] })
    const waiting = other.startTool(neighbour, "agents_wait", {})
    await waiting.running()
    await changeConfig()
    expect((await opencode.callTool(owner, "agents_status", {})).output).not.toContain("there")
    const stranger = await other.callTool(await other.session(), "agents_status", {})
    expect(stranger.output).toContain("no jobs")
    there.release("the neighbour")
    expect((await waiting.done).output).toContain("work of the neighbour")
    here.release("the owner")
    await notified(owner, "work of the owner")
    expect((await other.userTexts(neighbour)).filter(isNotification)).toEqual([])
    expect((await opencode.userTexts(owner)).filter(isNotification)).toHaveLength(1)
    await other.stop()
  })

  describe("a job that runs may no longer do what its owner may no longer do, once opencode has read", () => {
    const changes: Record<string, (agent: string) => Promise<void>> = {
      // opencode reads the agents anew and loads nothing.
      "another file of the agent": async (agent) => agentFile(agent, "deny"),
      "another configuration": (agent) =>
        changeConfig({ agent: { [agent]: { permission: { edit: "deny" } } } }),
    }
    test.each(Object.entries(changes))("%s", async (what, change) => {
      const agent = what.replaceAll(" ", "-")
      const file = join(opencode.project, `${agent}.txt`)
      const changed = gate<void>()
      model.on(
        ({ text }) => text === `write ${agent}`,
        async ({ messages }) => {
          await changed.passed
          if (messages.at(-1)?.role === "tool") return { type: "text", text: `tried ${agent}` }
          return { type: "tool", calls: [builtInTools(2).write(file, "written")] }
        },
      )
      const owner = await opencode.session({ agent })
      const tasks = [{ id: "w", prompt: `write ${agent}`, agent: "general" }]
      const [job] = jobsOf(await opencode.callTool(owner, "agents_start", { tasks }))
      await model.waitFor(({ text }) => text === `write ${agent}`)
      await change(agent)
      await poll("the child to be held", async () => (await mayNotEdit(job?.session)) || undefined)
      changed.open()
      await notified(owner, `tried ${agent}`)
      expect(existsSync(file)).toBe(false)
    })

    async function mayNotEdit(session = ""): Promise<boolean> {
      const { permissions } = Held.parse(await new Api(opencode.url).ask("GET", `session/${session}`))
      return permissions.some(({ action, effect }) => action === "edit" && effect === "deny")
    }

    function agentFile(agent: string, edit: "allow" | "deny"): void {
      const folder = join(opencode.project, ".opencode", "agent")
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `${agent}.md`), `---\nmode: primary\npermission:\n  edit: ${edit}\n---\n`)
    }
  })
})
