import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf } from "../support/jobs.ts"
import {
  type ModelRequest,
  type Reply,
  type ScriptedModel,
  startScriptedModel,
} from "../support/scripted-model.ts"

describeBoth("A job with fallbacks", ({ open }) => {
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

  const asks =
    (prompt: string, name?: string) =>
    ({ text, model }: ModelRequest) =>
      text.includes(prompt) && (name === undefined || model === name)
  const requests = (prompt: string) => model.requests.filter(asks(prompt))

  /** What the first model says to this prompt; the second one answers. */
  function refuse(prompt: string, ...replies: Reply[]): void {
    let step = 0
    model.on(asks(prompt, "m1"), () => replies[Math.min(step++, replies.length - 1)] as Reply)
    model.on(asks(prompt, "m2"), { type: "text", text: `${prompt}: by m2` })
  }

  async function run(prompt: string, task: object = {}) {
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", {
      tasks: [{ id: "it", prompt, model: ["fake/m1", "fake/m2"], ...task }],
    })
    return { owner, waited: await oc.callTool(owner, "agents_wait", {}) }
  }

  const error = (status: number, message: string, headers = {}): Reply => ({
    type: "error",
    status,
    headers,
    body: { error: { message } },
  })

  describe("whose model cannot be had", () => {
    test.each<[string, Reply]>([
      ["for want of a key", error(401, "Invalid API key")],
      ["since it is unknown there", error(404, "The model `m1` does not exist")],
      ["before ten minutes are over", error(429, "Rate limit reached", { "retry-after": "600" })],
    ])("%s, is done by the next one, in a session of its own", async (prompt, reply) => {
      refuse(prompt, reply)
      const { waited } = await run(prompt)
      expect(waited.output).toContain(`${prompt}: by m2`)
      expect(waited.output).toMatch(/model fake\/m2, after fake\/m1 \(provider: /)
      const job = jobOf(waited)
      expect(job).toMatchObject({ state: "done", model: "fake/m2", attempts: [{ model: "fake/m1" }] })
      const [first, second, ...more] = requests(prompt)
      expect(more).toEqual([])
      expect(first?.session).toBe(job.attempts?.[0]?.session)
      expect(second?.session).toBe(job.session)
      expect(second?.text).toMatch(/fake\/m1 was asked this before you and could not go on: /)
    })
  })
})
