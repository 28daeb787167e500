import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode, AnyProject } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeBoth, describeOn } from "../support/generations.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { startOpencode2 } from "../support/opencode-2.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("An owner to whom much happens", ({ open, generation }) => {
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

  const told = async (owner: string) => (await oc.userTexts(owner)).filter(isNotification).join()

  test("gets its results though opencode has compacted all that was said before", async () => {
    const work = held()
    model.on("outlast it", work.reply)
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "s", prompt: "outlast it" }] })
    // What is said to the owner from now on does not matter, but for the summary.
    model.on(({ session }) => session === owner, {
      type: "text",
      text: "## Objective\n- kept words\n\n## Next Move\n- kept words",
    })
    await oc.compact(owner)
    work.release("worth waiting for")
    await poll("the result", async () => /worth waiting for/.test(await told(owner)) || undefined)
  })

  // opencode 1.18 ends the turns of an instance with it: what comes of them waits until the session is next used.
  test.runIf(generation === 2)(
    "is told by itself after a reload of the jobs that ran and of those that waited, as if nothing had happened",
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
      await poll("both results", async () => /before all.*after all/s.test(await told(owner)) || undefined)
      const status = jobsOf(await oc.callTool(owner, "agents_status", {}))
      expect(status.map(({ state }) => state)).toEqual(["done", "done"])
      expect((await told(owner)).match(/<job id="first"/g)).toHaveLength(1)
    },
  )
})

// On 1.18, test/plugin/records/claims.test.ts has processes claim jobs at the same moment.
describeOn(2, "A job that a kill cut off, with `recover: resume`,", () => {
  let model: ScriptedModel
  let first: AnyOpencode
  let second: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    first = await startOpencode2({ model, plugin: { options: { notify: "never", recover: "resume" } } })
  })
  afterAll(async () => {
    await second?.stop()
    await first?.stop()
    await model.stop()
  })

  test("is gone on with by one of two opencodes that start at the same moment", async () => {
    const ids = ["a", "b", "c", "d"]
    model.script(/^survive /, [held("half").reply, { type: "text", text: "survived" }])
    const owner = await first.session()
    await first.callTool(owner, "agents_start", {
      tasks: ids.map((id) => ({ id, prompt: `survive ${id}` })),
    })
    for (const id of ids) await model.waitFor(({ text }) => text === `survive ${id}`)
    await first.kill()
    second = await first.restartBesideAnother()
    await poll("the ends, on record", async () => {
      const states = (await first.stored(owner)).map(({ record }) => record.state)
      return states.every((state) => state === "done") || undefined
    })
    // Each once by the one that was killed, and once again.
    for (const id of ids)
      expect(model.requests.filter(({ text }) => text === `survive ${id}`)).toHaveLength(2)
    const leases = (await first.stored(owner)).map(({ lease }) => lease.pid)
    expect([first.pid, second.pid]).toEqual(expect.arrayContaining(leases))
  })
})
