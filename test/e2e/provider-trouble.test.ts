import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
  textOf,
} from "../support/scripted-model.ts"

describeBoth("Providers in trouble", ({ open, titled, generation }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { notify: "never" } } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** Starts one job on this prompt; its owner. */
  async function start(prompt: string, task: object = {}) {
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "it", prompt, ...task }] })
    return owner
  }

  const wait = (owner: string) => oc.callTool(owner, "agents_wait", {})

  /** An answer that breaks off once opencode has read these words. */
  function brokenOff(text: string, { session }: ModelRequest): Reply {
    const read = new Promise<void>((resolve) => {
      const stop = oc.events.listen((event) => {
        if (event.type !== "text.streamed" || event.session !== session) return
        stop()
        resolve()
      })
    })
    return { type: "hold", text, until: read.then(() => Promise.reject(new Error("broken off"))) }
  }

  /** opencode 2 asks for the rest of a broken answer in words of its own. */
  const isAbout =
    (prompt: string) =>
    ({ messages }: ModelRequest) =>
      messages.some((message) => message.role === "user" && textOf(message) === prompt)
  const requests = (prompt: string) => model.requests.filter(isAbout(prompt))

  describe.concurrent("A provider that has trouble", () => {
    test("twice, and is fine then: each attempt is shown, with its reason and the next; the job is done", async () => {
      const answer = held()
      const busy = { type: "error", status: 503, headers: { "retry-after-ms": "4000" } } as const
      model.script("third time lucky", [busy, busy, answer.reply])
      const owner = await start("third time lucky")
      const waiting = oc.startTool(owner, "agents_wait", {})
      for (const attempt of [1, 2]) {
        const { jobs, title } = await waiting.shown(({ jobs: [job] }) => job?.retry?.attempt === attempt)
        expect(title).toBe(titled("0/1 done, 1 retrying"))
        const [job] = jobs
        expect(job?.retry).toEqual({
          attempt,
          reason: expect.stringMatching(/\w/),
          next: expect.any(Number),
        })
        expect(job?.retry?.next).toBeGreaterThan(job?.startedAt ?? Number.POSITIVE_INFINITY)
      }
      await model.waitFor((request) => request.text === "third time lucky" && request.state === "open")
      answer.release("at last")
      const waited = await waiting.done
      expect(jobOf(waited)).toMatchObject({ state: "done" })
      expect(jobOf(waited).retry).toBeUndefined()
      expect(waited.output).toContain("at last")
    })

    test("and says when to come again is asked again then", async () => {
      model.script("come again", [
        { type: "error", status: 429, headers: { "retry-after": "1" } },
        { type: "text", text: "welcome" },
      ])
      const waited = await wait(await start("come again"))
      expect(jobOf(waited).state).toBe("done")
      expect(waited.output).toContain("welcome")
      const [first, second, ...more] = requests("come again")
      expect(more).toEqual([])
      expect((second?.at ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThan(900)
    })

    // 1.18 asks for all of the answer again, opencode 2 for the rest of it alone.
    const rest = generation === 1 ? "the whole answer" : "le answer"
    test("and drops the stream in the middle of a text, once: the job has the whole answer", async () => {
      let times = 0
      model.on(isAbout("drop once"), (request) =>
        times++ === 0 ? brokenOff("the who", request) : { type: "text", text: rest },
      )
      const owner = await start("drop once")
      const first = await wait(owner)
      expect(jobOf(first).state).toBe("done")
      expect(first.output).toMatch(/^<job [^\n]*\nthe whole answer\n<\/job>$/)
      expect(requests("drop once").map(({ state }) => state)).toEqual(["dropped", "answered"])
      // By now it is the child's session that has it.
      expect((await oc.callTool(owner, "agents_wait", { ids: ["it"] })).output).toBe(first.output)
    })

    test("and ends an answer at the model's output limit: the result says that it is cut off", async () => {
      model.on("write it all", { type: "text", text: "This is cut off in the mid", finish: "length" })
      const owner = await start("write it all")
      const cutOff =
        /^<job id="it" state="done" [^\n]* note="[^"]*cut off at the model's output limit[^"]*">\nThis is cut off in the mid\n<\/job>$/
      expect((await wait(owner)).output).toMatch(cutOff)
      const status = await oc.callTool(owner, "agents_status", {})
      expect(status.output).toContain("cut off at the model's output limit")
    })

    test.each<[string, (request: ModelRequest) => Reply]>([
      ["drops it again and again", (request) => brokenOff("half of ", request)],
      ["drops it, and is down then", () => ({ type: "error", status: 503 })],
      ["drops it, and is silent then", () => ({ type: "silent" })],
    ])("and %s: the job runs out of time, with what there was", async (prompt, then) => {
      let times = 0
      model.on(isAbout(prompt), (request) => (times++ === 0 ? brokenOff("half of ", request) : then(request)))
      const waited = await wait(await start(prompt, { timeout: 8 }))
      expect(requests(prompt).length).toBeGreaterThan(1)
      expect(jobOf(waited)).toMatchObject({ state: "timedOut", error: { kind: "total" } })
      expect(waited.output).toContain("half of")
    })

    test("and talks nonsense: the job has failed, in words", async () => {
      model.on("talk nonsense", { type: "garbage" })
      const waited = await wait(await start("talk nonsense"))
      expect(jobOf(waited)).toMatchObject({
        state: "failed",
        error: { kind: "provider", message: expect.stringMatching(/\w+ \w+/) },
      })
    })

    test("after the child has said something: that is kept", async () => {
      model.script("fail later", [
        {
          type: "tool",
          text: "Here is what I know so far",
          calls: [{ name: "glob", args: { pattern: "*.json" } }],
        },
        { type: "error", status: 400, body: { error: { message: "no more" } } },
      ])
      const waited = await wait(await start("fail later"))
      expect(jobOf(waited)).toMatchObject({ state: "failed", error: { kind: "provider" } })
      expect(waited.output).toContain("Here is what I know so far")
    })
  })

  describe("An answer of 5 MB", () => {
    test("is done; the child has it all, and the owner as much as opencode gives it, with a way to the rest", async () => {
      const line = `${"All work and no play makes Jack a dull boy. ".repeat(2)}\n`
      const text = `${line.repeat(Math.ceil(5_000_000 / line.length))}The end`
      model.on("write a novel", { type: "text", text, chunks: 100 })
      const owner = await start("write a novel")
      const waited = await wait(owner)
      const job = jobOf(waited)
      expect(job.state).toBe("done")
      expect(waited.output.length).toBeLessThan(100_000)
      const [, file = ""] = /(\/\S*tool-output\S*?)(?:\s|$)/.exec(waited.output) ?? []
      expect(readFileSync(file, "utf8")).toContain(text)
      const messages = await oc.messages(job.session)
      expect(messages.at(-1)?.text).toBe(text)
    })
  })
})
