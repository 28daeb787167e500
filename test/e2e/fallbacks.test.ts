import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
} from "../support/scripted-model.ts"
import { scriptedProvider } from "../support/stage.ts"

describeBoth("A job whose model cannot be had", ({ open, tools, generation }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({
      model,
      plugin: { options: { notify: "never", fallback: { "fake/gone": ["fake/m2"] } } },
      config: {
        // One that is on hold would keep the others' jobs from starting.
        provider: {
          ...scriptedProvider(model),
          late: scriptedProvider(model).fake,
          busy: scriptedProvider(model).fake,
        },
        enabled_providers: ["fake", "late", "busy"],
        permission: { "*": "allow", task: "ask" },
        agent: { gone: { mode: "subagent", description: "Its model is gone", model: "fake/gone" } },
      },
    })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const requests = (prompt: string) => model.requests.filter(({ text }) => text.includes(prompt))

  /** What the first model says to this prompt, one after the other; the second one answers. */
  function script(prompt: string, ...replies: Reply[]): void {
    let step = 0
    const isAsked =
      (name: string) =>
      ({ text, model }: ModelRequest) =>
        text.includes(prompt) && model === name
    model.on(isAsked("m1"), () => replies[step++] ?? { type: "text", text: `${prompt}: by m1` })
    model.on(isAsked("m2"), { type: "text", text: `${prompt}: by m2` })
  }

  const error = (status: number, message: string, headers = {}): Reply => ({
    type: "error",
    status,
    headers,
    body: { error: { message } },
  })
  const noKey = error(401, "Invalid API key")

  /** Starts one job, which a person permits. */
  async function begin(prompt: string, task: object = {}): Promise<string> {
    const owner = await oc.session()
    const starting = oc.startTool(owner, "agents_start", {
      tasks: [{ id: "it", prompt, model: ["fake/m1", "fake/m2"], ...task }],
    })
    await permit(owner)
    await starting.done
    return owner
  }

  const permitted = new Set<string>()
  async function permit(owner: string): Promise<void> {
    const { request } = await oc.events.waitFor(
      "request.opened",
      (event) => event.session === owner && !permitted.has(event.request.id),
    )
    permitted.add(request.id)
    await oc.reply(owner, request.id, "once")
  }

  async function send(owner: string, message: string): Promise<void> {
    const sending = oc.startTool(owner, "agents_send", { id: "it", message })
    await permit(owner)
    await sending.done
  }

  const wait = (owner: string) => oc.callTool(owner, "agents_wait", {})

  describe.concurrent("goes on with the next one, where", () => {
    const later = error(429, "Slow down", { "retry-after": "600" })
    test.each<[string, string, Reply]>([
      ["it has no key", "fake", noKey],
      ["its provider does not know it", "fake", error(404, "The model `m1` does not exist")],
      ["it has no quota", "fake", error(402, "Insufficient credits")],
      ["its provider says to come back in ten minutes", "late", later],
    ])("%s: in a session of its own, without asking a person again", async (prompt, provider, reply) => {
      script(prompt, reply)
      const [m1, m2] = [`${provider}/m1`, `${provider}/m2`]
      const owner = await begin(prompt, { model: [m1, m2] })
      const waited = await wait(owner)
      const job = jobOf(waited)
      expect(job).toMatchObject({ state: "done", model: m2, attempts: [{ model: m1 }] })
      expect(waited.output).toContain(`${prompt}: by m2`)
      expect(waited.output).toContain(`note="model ${m2}, after ${m1} (provider: `)
      const [first, second, ...more] = requests(prompt)
      expect(more).toEqual([])
      expect([first?.session, second?.session]).toEqual([job.attempts?.[0]?.session, job.session])
      expect(second?.text).toContain(`${m1} was asked this before you and could not go on: `)
      expect(
        oc.events.seen.filter((event) => event.type === "request.opened" && event.session === owner),
      ).toHaveLength(1)
    })

    test("five retries in a row have failed, and not before", async () => {
      const busy = error(503, "Too busy", { "retry-after": "1" })
      script("knock at the door", ...Array<Reply>(6).fill(busy))
      const waited = await wait(await begin("knock at the door", { model: ["busy/m1", "fake/m2"] }))
      expect(waited.output).toContain("knock at the door: by m2")
      expect(jobOf(waited).attempts).toMatchObject([
        { model: "busy/m1", error: { message: expect.stringContaining("Too busy") } },
      ])
      expect(requests("knock at the door").map(({ model }) => model)).toEqual([...Array(6).fill("m1"), "m2"])
    })

    test("opencode does not have it, by the user's option", async () => {
      script("the model is gone")
      const waited = await wait(await begin("the model is gone", { agent: "gone", model: undefined }))
      expect(waited.output).toContain("the model is gone: by m2")
      expect(jobOf(waited).attempts).toMatchObject([
        { model: "fake/gone", error: { message: 'opencode has no model "fake/gone"' } },
      ])
    })

    test("it has only looked at things by then, with what it was told meanwhile", async () => {
      const answer = held()
      script("look first", { type: "tool", calls: [tools.read("opencode.json")] }, answer.reply)
      const owner = await begin("look first")
      await model.waitFor(({ text, messages }) => text === "look first" && messages.at(-1)?.role === "tool")
      await send(owner, "look first at the tests")
      script("look first at the tests", noKey)
      answer.release("so far")
      const waited = await wait(owner)
      expect(waited.output).toContain("by m2")
      expect(requests("look first").at(-1)?.text).toMatch(/look first\s+look first at the tests\s+\(/)
    })
  })

  describe.concurrent("fails, where", () => {
    test("it is the request that is refused", async () => {
      script("too odd", error(400, "too odd to answer"))
      const waited = await wait(await begin("too odd"))
      expect(jobOf(waited)).toMatchObject({ state: "failed", model: "fake/m1" })
      expect(requests("too odd")).toHaveLength(1)
    })

    test("its context is too long", async () => {
      const isAbout = ({ messages }: ModelRequest) => JSON.stringify(messages).includes("say it all")
      script("say it all")
      model.on(
        (request) => isAbout(request) && request.model === "m1",
        error(400, "This model's maximum context length is 200000 tokens"),
      )
      const job = jobOf(await wait(await begin("say it all")))
      expect(job).toMatchObject({ state: "failed", error: { kind: "provider" }, model: "fake/m1" })
      expect(job.error?.message).toContain(
        generation === 1 ? "context exceeds model limit" : "maximum context length",
      )
      expect(model.requests.some((request) => isAbout(request) && request.model === "m2")).toBe(false)
    })

    test("its answer does not fit its schema, nor does the second", async () => {
      const schema = { type: "object", required: ["n"] }
      const answer: Reply = { type: "text", text: "none" }
      script("count them", answer)
      model.on(
        ({ text, messages }) =>
          text.includes("Answer again") && JSON.stringify(messages).includes("count them"),
        answer,
      )
      const waited = await wait(await begin("count them", { schema }))
      expect(jobOf(waited)).toMatchObject({ state: "failed", error: { kind: "schema" }, model: "fake/m1" })
      expect(jobOf(waited).attempts).toBeUndefined()
    })

    test("somebody aborts it", async () => {
      script("be aborted", held("half").reply)
      const owner = await begin("be aborted")
      const { session = "" } = await model.waitFor(({ text }) => text === "be aborted")
      await oc.abort(session)
      const job = jobOf(await wait(owner))
      expect(job).toMatchObject({ state: "failed", model: "fake/m1", session })
      expect(job.attempts).toBeUndefined()
    })

    test("it has changed something by then, and says so; a message has the next one go on", async () => {
      script("do it", { type: "tool", calls: [tools.write("done.txt", "once")] }, noKey)
      const owner = await begin("do it")
      const waited = await wait(owner)
      expect(jobOf(waited)).toMatchObject({ state: "failed", error: { kind: "provider" } })
      expect(waited.output).toMatch(/fake\/m2 was not asked instead: write had run by then/)
      const { session } = jobOf(waited)
      await send(owner, "do it to its end")
      const again = await wait(owner)
      expect(jobOf(again)).toMatchObject({ state: "done", model: "fake/m2", run: 2, session })
      expect(again.output).toContain("by m2")
      expect(requests("do it to its end").map(({ model, session }) => ({ model, session }))).toEqual([
        { model: "m2", session },
      ])
    })
  })

  test("for more than a minute is not waited for by another job: its next one is asked, without asking a person again", async () => {
    const task = { model: ["late/m1", "fake/m2"] }
    script("come later", error(429, "Slow down", { "retry-after": "600" }))
    await wait(await begin("come later", task))
    script("do not wait")
    const owner = await begin("do not wait", task)
    const waited = await wait(owner)
    const job = jobOf(waited)
    expect(job).toMatchObject({ state: "done", model: "fake/m2", attempts: [{ model: "late/m1" }] })
    expect(waited.output).toContain(`note="model fake/m2, after late/m1 (provider: late on hold until `)
    expect(requests("do not wait").map(({ model, session, text }) => ({ model, session, text }))).toEqual([
      { model: "m2", session: job.session, text: "do not wait" },
    ])
    expect(job.attempts?.[0]?.session).not.toBe(job.session)
    expect(
      oc.events.seen.filter((event) => event.type === "request.opened" && event.session === owner),
    ).toHaveLength(1)
  })
})
