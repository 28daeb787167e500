import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { answered } from "../support/answered.ts"
import { describeOn } from "../support/generations.ts"
import { type Opencode, startOpencode } from "../support/opencode.ts"
import { processesWith } from "../support/processes.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

/** A plugin with one tool, which says when opencode let it go. */
const pluginSource = `
export default {
  id: "throw-away",
  server: async (input, options) => ({
    dispose: async () => console.error("throw-away disposed"),
    tool: {
      echo: {
        description: "Echoes",
        args: {},
        execute: async (args, context) => {
          if (args.fail) throw new Error("cannot echo")
          if (args.wait) await new Promise((_, reject) => context.abort.addEventListener("abort", reject))
          return { title: "echoed", output: options.prefix + args.word, metadata: { step: 2 } }
        },
      },
    },
  }),
}
`

const folder = tempFolder("harness")
const plugin = { path: join(folder.path, "plugin.mjs"), options: { prefix: "> " } }
let model: ScriptedModel

beforeAll(async () => {
  writeFileSync(plugin.path, pluginSource)
  model = await startScriptedModel()
})

afterAll(async () => {
  await model.stop()
  folder.remove()
})

describeOn(1, "opencode serve", () => {
  let oc: Opencode

  beforeAll(async () => {
    oc = await startOpencode({ model, plugin })
  })

  afterAll(() => oc.stop())

  const prompt = async (words: string, sessionID?: string) =>
    answered(
      "the prompt",
      oc.client.session.prompt({
        sessionID: sessionID ?? (await oc.session()),
        parts: [{ type: "text", text: words }],
      }),
    )

  test("a prompt is answered by the script", async () => {
    model.on("what is it", { type: "text", text: "a scripted answer", chunks: 3 })
    const reply = await prompt("what is it?")
    expect(reply.parts).toContainEqual(expect.objectContaining({ type: "text", text: "a scripted answer" }))
    const asked = await model.waitFor((request) => request.text === "what is it?")
    expect(asked).toMatchObject({ state: "answered", closed: false, model: "m1" })
    expect(asked.tools).toContain("echo")
    expect(asked.session).toMatch(/^ses_/)
  })

  test("a tool call goes round, in several sessions at once", async () => {
    const words = ["one", "two", "three"]
    const outcomes = await Promise.all(
      words.map(async (word) => oc.callTool(await oc.session(), "echo", { word })),
    )
    expect(outcomes.map((outcome) => outcome.output)).toEqual(["> one", "> two", "> three"])
    expect(outcomes[0]).toMatchObject({ status: "completed", title: "echoed", metadata: { step: 2 } })
  })

  test("a tool that fails says why", async () => {
    const outcome = await oc.callTool(await oc.session(), "echo", { fail: true })
    expect(outcome).toMatchObject({ status: "error", error: expect.stringContaining("cannot echo") })
  })

  test("a started tool call shows its progress", async () => {
    const sessionID = await oc.session()
    const call = oc.startTool(sessionID, "echo", { wait: true })
    const running = await call.waitForPart((part) => part.state.status === "running")
    // By the API and not by the tool's own context: the `metadata()` opencode 1.18.33 gives plugins does nothing.
    const part = { ...running, state: { ...running.state, title: "echoing", metadata: { step: 1 } } }
    const { messageID, id: partID } = running
    await answered("the update", oc.client.part.update({ sessionID, messageID, partID, part }))
    await call.waitForPart((shown) => shown.state.status === "running" && shown.state.title === "echoing")
    expect((await call.part())?.state).toMatchObject({ status: "running", metadata: { step: 1 } })
    await answered("the abort", oc.client.session.abort({ sessionID }))
    expect(await call.done).toMatchObject({ status: "error" })
  })

  test("an abort closes the connection to the model", async () => {
    model.on("hold on", { type: "hold", text: "so far", until: new Promise(() => {}) })
    const sessionID = await oc.session()
    const reply = prompt("hold on", sessionID)
    const asked = await model.waitFor((request) => request.text === "hold on")
    expect(asked.closed).toBe(false)
    await oc.events.waitFor(
      ({ payload }) => payload.type === "message.part.delta" && payload.properties.delta === "so far",
    )
    await answered("the abort", oc.client.session.abort({ sessionID }))
    expect((await reply).info.error?.name).toBe("MessageAbortedError")
    await model.waitFor((request) => request.text === "hold on" && request.closed)
  })

  test("a held answer goes on when released", async () => {
    let release = (_rest: string) => {}
    const until = new Promise<string>((resolve) => {
      release = resolve
    })
    model.on("go on later", { type: "hold", text: "first, ", until })
    const reply = prompt("go on later")
    await model.waitFor((request) => request.text === "go on later")
    release("then the rest")
    expect((await reply).parts).toContainEqual(expect.objectContaining({ text: "first, then the rest" }))
  })

  test("a refused request is the reply's error", async () => {
    model.on("no key", { type: "error", status: 401 })
    expect((await prompt("no key")).info.error).toMatchObject({ name: "APIError", data: { statusCode: 401 } })
  })

  test("a stream dropped by the script is no cancellation, and opencode tries again", async () => {
    model.script("breaks once", [
      { type: "drop", text: "half" },
      { type: "text", text: "whole" },
    ])
    expect((await prompt("breaks once")).parts).toContainEqual(expect.objectContaining({ text: "whole" }))
    const asked = model.requests.filter((request) => request.text === "breaks once")
    expect(asked.map((request) => request.state)).toEqual(["dropped", "answered"])
  })

  test("a killed opencode comes back with its sessions", async () => {
    const id = await oc.session({ metadata: { kept: true } })
    const before = oc.pid
    await oc.kill()
    await nothingLeft(oc.home)
    await oc.restart()
    expect(oc.pid).not.toBe(before)
    const session = await answered("the session", oc.client.session.get({ sessionID: id }))
    expect(session.metadata).toEqual({ kept: true })
  })
})

describeOn(1, "what opencode leaves", () => {
  test("nothing, once stopped", async () => {
    const oc = await startOpencode({ model, plugin, password: "secret" })
    expect((await fetch(`${oc.url}/session`)).status).toBe(401)
    await oc.callTool(await oc.session(), "echo", { word: "hi" })
    const { home, project } = oc
    await oc.stop()
    expect(oc.log()).toContain("throw-away disposed")
    await nothingLeft(home)
    expect([home, project].filter((path) => existsSync(path))).toEqual([])
  })
})

/** What was killed takes a moment to be gone. */
const nothingLeft = (home: string) =>
  poll(`the end of ${processesWith(home)}`, () => processesWith(home).length === 0 || undefined)
