import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("An owner whose plugin opencode loads again", ({ open, generation }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { concurrency: 1 } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  // opencode 1.18 ends the turns of an instance with it: what comes of them waits until the session is next used.
  test.runIf(generation === 2)(
    "is told by itself of the jobs that ran and of those that waited, as if nothing had happened",
    async () => {
      const work = held()
      model.on("run over it", work.reply)
      model.on("wait over it", { type: "text", text: "after all" })
      const owner = await oc.session()
      const tasks = [
        { id: "first", prompt: "run over it" },
        { id: "second", prompt: "wait over it" },
      ]
      await oc.callTool(owner, "agents_start", { tasks })
      await model.waitFor(({ text }) => text === "run over it")
      await oc.reload()
      work.release("before all")
      const told = async () => (await oc.userTexts(owner)).filter(isNotification).join()
      await poll("both results", async () => /before all.*after all/s.test(await told()) || undefined)
      const status = jobsOf(await oc.callTool(owner, "agents_status", {}))
      expect(status.map(({ state }) => state)).toEqual(["done", "done"])
      expect((await told()).match(/<job id="first"/g)).toHaveLength(1)
    },
  )
})
