import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
} from "../support/scripted-model.ts"
import { scriptedProvider } from "../support/stage.ts"

/** The first asks a person, whoever it is that would run one of the second. */
const careful = { mode: "primary", permission: { bash: "ask", task: { "*": "allow", scribe: "ask" } } }
const scribe = { mode: "subagent", description: "Writes things down" }

describeBoth("A child", ({ open, generation }) => {
  const shell = generation === 1 ? "bash" : "shell"
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({
      model,
      plugin: { options: { notify: "never" } },
      config: { agent: { careful, scribe }, provider: withVariant(scriptedProvider(model)) },
    })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const asked = (session: string) => oc.events.waitFor("request.opened", (event) => event.session === session)

  test("whose conversation opencode compacts in the middle of its work is done in the end", async () => {
    const owner = await oc.session()
    const look = { name: "glob", args: { pattern: "*" } }
    const answers: Reply[] = [
      // So much that what follows would not fit.
      { type: "tool", text: "I begin.", calls: [look], tokens: { input: 199_000, output: 5 } },
      { type: "text", text: summary },
      { type: "text", text: "the end of it" },
    ]
    const requests: ModelRequest[] = []
    model.on(
      ({ session, messages }) =>
        session !== owner && JSON.stringify(messages).match(/too much|kept words/) !== null,
      (request) => answers[requests.push(request) - 1] ?? { type: "text", text: "too many requests" },
    )
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "c", prompt: "work until it is too much" }] })
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(waited)).toMatchObject({ state: "done" })
    expect(waited.output).toContain("the end of it")
    expect(requests).toHaveLength(3)
  })

  test("of an owner that has to be asked has to be asked too, whatever its own agent may", async () => {
    const call = { name: shell, args: { command: "echo asked", description: "Ask" } }
    model.script("run what needs asking", [
      { type: "tool", calls: [call] },
      { type: "text", text: "it was allowed" },
    ])
    const owner = await oc.session({ agent: "careful" })
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "a", prompt: "run what needs asking" }] })
    const [child] = await oc.children(owner)
    const event = await asked(child?.id ?? "")
    expect(event.request.text).toContain("echo asked")
    await oc.reply(event.session, event.request.id, "once")
    expect((await oc.callTool(owner, "agents_wait", {})).output).toContain("it was allowed")
  })

  test("is started with its like after one question for all of them", async () => {
    model.on(/^write down/, { type: "text", text: "written down" })
    const owner = await oc.session({ agent: "careful" })
    const tasks = ["a", "b", "c"].map((id) => ({ id, prompt: `write down ${id}`, agent: "scribe" }))
    const starting = oc.startTool(owner, "agents_start", { tasks })
    const event = await asked(owner)
    await oc.reply(owner, event.request.id, "once")
    expect((await starting.done).output).toContain("Started: a, b, c")
    expect(jobsOf(await oc.callTool(owner, "agents_wait", {})).map(({ state }) => state)).toEqual([
      "done",
      "done",
      "done",
    ])
    const requests = oc.events.seen.filter((each) => each.type === "request.opened" && each.session === owner)
    expect(requests).toHaveLength(1)
  })

  test("is asked on the variant of the model that its task names", async () => {
    model.on("think hard", { type: "text", text: "thought" })
    const owner = await oc.session()
    const tasks = ["fake/m2#high", "fake/m2#huge"].map((model) => ({ prompt: "think hard", model }))
    const started = await oc.callTool(owner, "agents_start", { tasks })
    expect(started.output).toContain('the model "fake/m2" has no variant "huge"; it has: high')
    await oc.callTool(owner, "agents_wait", {})
    const asked = model.requests.filter(({ text }) => text === "think hard")
    expect(asked.map((each) => [each.model, JSON.parse(each.rawBody).reasoning_effort])).toEqual([
      ["m2", "high"],
    ])
  })

  test("is a child in opencode's own eyes, and nothing else is made for it", async () => {
    const owner = await oc.session()
    await oc.events.waitFor("session.created", ({ session }) => session === owner)
    const before = oc.events.seen.filter(({ type }) => type === "session.created").length
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "real", prompt: "be a child" }] })
    expect(await oc.children(owner)).toMatchObject([{ parent: owner }])
    const made = oc.events.seen.flatMap((each) => (each.type === "session.created" ? [each.parent] : []))
    expect(made.slice(before)).toEqual([owner])
  })
})

function withVariant({ fake }: ReturnType<typeof scriptedProvider>): object {
  const { m2, ...others } = fake.models
  return {
    fake: { ...fake, models: { ...others, m2: { ...m2, variants: { high: { reasoningEffort: "high" } } } } },
  }
}

/** In the form that opencode 2 insists on. */
const summary = ["Objective", "Work State", "Next Move"]
  .map((title) => `## ${title}\n- kept words`)
  .join("\n\n")
