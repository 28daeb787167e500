import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf } from "../support/jobs.ts"
import { type Reply, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("A job that fails", ({ open, titled }) => {
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

  /** Starts one job on this prompt; its record, with its session, and its owner. */
  async function start(prompt: string) {
    const owner = await oc.session()
    const job = jobOf(await oc.callTool(owner, "agents_start", { tasks: [{ id: "it", prompt }] }))
    return { owner, session: job.session }
  }

  const wait = (owner: string) => oc.callTool(owner, "agents_wait", {})

  const retrying = (session: string) =>
    oc.events.waitFor("session.retrying", (event) => event.session === session)

  describe("A job whose provider refuses", () => {
    test.each<[string, Reply, RegExp]>([
      [
        "the key",
        { type: "error", status: 401, body: { error: { message: "Invalid API key: ask your admin" } } },
        /Invalid API key: ask your admin \(HTTP 401\)/,
      ],
      [
        "the request",
        { type: "error", status: 400, body: { error: { message: "messages: too odd" } } },
        /messages: too odd \(HTTP 400\)/,
      ],
      ["without a word", { type: "error", status: 403, body: "" }, /HTTP 403/],
      ["to talk sense", { type: "garbage" }, /JSON|Invalid/],
    ])("%s has failed, in the provider's words", async (prompt, reply, words) => {
      model.on(`refuse ${prompt}`, reply)
      const { owner } = await start(`refuse ${prompt}`)
      const waited = await wait(owner)
      expect(waited.title).toBe(titled("0/1 done, 1 failed"))
      expect(jobOf(waited)).toMatchObject({
        state: "failed",
        error: { kind: "provider", message: expect.stringMatching(words) },
      })
      expect(waited.output).toMatch(/^<job id="it" state="failed" [^\n]*reason="provider: /)
      expect(waited.output).toMatch(words)
    })

    test("and then relents is shown as retrying meanwhile, with the reason, and is done", async () => {
      const answer = held()
      model.script("try twice", [{ type: "error", status: 503 }, answer.reply])
      const { owner, session } = await start("try twice")
      await retrying(session)
      const seen = await oc.callTool(owner, "agents_status", {})
      expect(jobOf(seen)).toMatchObject({
        state: "prompting",
        phase: "retrying",
        retry: { attempt: 1, reason: expect.any(String), next: expect.any(Number) },
      })
      expect(seen.output).toMatch(/^it: prompting\.retrying .*attempt 1 failed: /)
      await model.waitFor((request) => request.text === "try twice" && request.state === "open")
      answer.release("at the second try")
      const waited = await wait(owner)
      expect(jobOf(waited).state).toBe("done")
      expect(waited.output).toContain("at the second try")
    })
  })

  describe("A job whose child somebody else aborts", () => {
    const interrupted = {
      state: "failed",
      error: { kind: "interrupted", message: expect.stringContaining("aborted from outside") },
    }

    test("while it works has failed at once, with what it had written", async () => {
      model.on("be stopped at work", held("half of").reply)
      const { owner, session } = await start("be stopped at work")
      await oc.events.waitFor("text.streamed", (event) => event.session === session)
      const waiting = oc.startTool(owner, "agents_wait", {})
      await waiting.running()
      await oc.abort(session)
      const waited = await waiting.done
      expect(jobOf(waited)).toMatchObject(interrupted)
      expect(waited.output).toContain("half of")
    })

    test("while opencode backs off has failed at once", async () => {
      model.on("be stopped in a pause", { type: "error", status: 503, headers: { "retry-after": "600" } })
      const { owner, session } = await start("be stopped in a pause")
      await retrying(session)
      const waiting = oc.startTool(owner, "agents_wait", {})
      await waiting.running()
      await oc.abort(session)
      expect(jobOf(await waiting.done)).toMatchObject(interrupted)
    })
  })
})
