import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject, StartedCall } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { newCallId } from "../support/replies.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"

describeBoth("A main agent that waits", ({ open, generation, titled, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({
      model,
      plugin: { options: { notify: "never" } },
      config: { permission: { bash: "ask" } },
    })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** An owner with jobs of these ids, each answered when the test says so. */
  async function ownerOf(...ids: string[]) {
    const owner = await oc.session()
    const answers = Object.fromEntries(ids.map((id) => [id, held()]))
    for (const id of ids) model.on(`wait for ${id} of ${owner}`, answers[id]?.reply ?? { type: "silent" })
    const tasks = ids.map((id) => ({ id, prompt: `wait for ${id} of ${owner}` }))
    await oc.callTool(owner, "agents_start", { tasks })
    return { owner, answer: (id: string, text: string) => answers[id]?.release(text) }
  }

  /** The running call shows this many of its jobs as done. */
  const shows = (call: StartedCall, done: number, title: string) =>
    call.shown(
      (shown) =>
        shown.title === titled(title) && shown.jobs.filter(({ state }) => state === "done").length === done,
    )

  describe("While agents_wait runs", () => {
    test("the shown call tells how far the jobs are", async () => {
      const { owner, answer } = await ownerOf("one", "two", "three")
      const waiting = oc.startTool(owner, "agents_wait", {})
      await shows(waiting, 0, "0/3 done, 3 working")
      answer("two", "second")
      await shows(waiting, 1, "1/3 done, 2 working")
      answer("one", "first")
      const { jobs } = await shows(waiting, 2, "2/3 done, 1 working")
      expect(jobs.map(({ id, state }) => [id, state])).toEqual([
        ["one", "done"],
        ["two", "done"],
        ["three", "prompting"],
      ])
      answer("three", "third")
      expect(await waiting.done).toMatchObject({ status: "completed", title: titled("3/3 done") })
    })

    test("it tells of jobs that wait for a person, whose time is paused, and goes on once one answers", async () => {
      const prompt = "list the files"
      model.script(prompt, [
        { type: "tool", calls: [tools.shell("ls")] },
        { type: "text", text: "there they are" },
      ])
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "lister", prompt }] })
      const waiting = oc.startTool(owner, "agents_wait", {})
      const { jobs, title } = await waiting.shown(({ jobs: [job] }) => job?.phase === "permission")
      expect(title).toBe(titled("0/1 done, 1 waiting for permission"))
      const [asking] = jobs
      expect(asking).toMatchObject({
        state: "prompting",
        phase: "permission",
        asks: [{ kind: "permission", text: `${tools.shell("").name}: ls` }],
      })
      expect(asking).not.toHaveProperty("deadlineAt")
      await oc.reply(asking?.session ?? "", asking?.asks?.[0]?.id ?? "", "once")
      const waited = await waiting.done
      expect(jobOf(waited).state).toBe("done")
      expect(waited.output).toContain("there they are")
    })
  })

  describe("A start and a wait in one message", () => {
    test.each([
      ["the start is first", ["agents_start", "agents_wait"]],
      ["the wait is first", ["agents_wait", "agents_start"]],
    ])("end with the results of what was started, where %s", async (_, order) => {
      const owner = await oc.session()
      const ids = ["pine", "oak"]
      for (const id of ids) model.on(`plant ${id} of ${owner}`, { type: "text", text: `${id} stands` })
      const args: Record<string, object> = {
        agents_start: { tasks: ids.map((id) => ({ id, prompt: `plant ${id} of ${owner}` })) },
        agents_wait: {},
      }
      const words = `both at once of ${owner}`
      model.script(words, [
        { type: "tool", calls: order.map((name) => ({ name, args: args[name] ?? {} })) },
        { type: "text", text: "planted" },
      ])
      await oc.say(owner, words)
      const asked = await model.waitFor(
        ({ text, messages }) => text === words && messages.at(-1)?.role === "tool",
      )
      const results = asked.messages.filter(({ role }) => role === "tool").map(textOf)
      expect(results[order.indexOf("agents_start")]).toMatch(/^Started: pine, oak\./)
      expect(results[order.indexOf("agents_wait")]).toMatch(/>\npine stands\n<[\s\S]*>\noak stands\n</)
    })
  })

  describe("agents_wait comes back", () => {
    test("until any: with the first result; the rest runs on, for a later wait", async () => {
      const { owner, answer } = await ownerOf("hare", "tortoise")
      const waiting = oc.startTool(owner, "agents_wait", { until: "any" })
      await shows(waiting, 0, "0/2 done, 2 working")
      answer("hare", "first!")
      const waited = await waiting.done
      expect(waited.output).toMatch(
        /^Returned with the first result\. Still running:\ntortoise: prompting[^\n]*\n<job id="hare" [^>]*>\nfirst!\n<\/job>/,
      )
      answer("tortoise", "steady")
      const later = await oc.callTool(owner, "agents_wait", {})
      expect(jobOf(later)).toMatchObject({ id: "tortoise", state: "done" })
      expect(later.output).toContain("steady")
    })

    test("at its timeout: with what there is; the jobs run on", async () => {
      const { owner, answer } = await ownerOf("quick", "slow")
      answer("quick", "here")
      const waited = await oc.callTool(owner, "agents_wait", { timeout: 1 })
      expect(waited.title).toBe(titled("1/2 done, 1 working"))
      expect(waited.output).toMatch(
        /^The wait timed out\. Still running:\nslow: [^\n]*\n<job id="quick" [^>]*>\nhere\n<\/job>/,
      )
      expect(jobsOf(waited).map(({ id, state }) => [id, state])).toEqual([
        ["quick", "done"],
        ["slow", "prompting"],
      ])
      answer("slow", "at last")
      const later = await oc.callTool(owner, "agents_wait", {})
      expect(jobOf(later).id).toBe("slow")
      expect(later.output).toContain("at last")
    })

    test("when the person interrupts: with what there is; the jobs run on, and a later wait has the rest", async () => {
      const { owner, answer } = await ownerOf("before", "after")
      const waiting = oc.startTool(owner, "agents_wait", {})
      await shows(waiting, 0, "0/2 done, 2 working")
      answer("before", "told before")
      await shows(waiting, 1, "1/2 done, 1 working")
      await oc.abort(owner)
      const interrupted = await waiting.done
      // opencode 1.18 keeps it in the conversation, for the next turn; opencode 2 drops it.
      if (generation === 1)
        expect(interrupted.output).toMatch(
          /^The wait was interrupted\. Still running:\nafter: [\s\S]*told before/,
        )
      const seen = await oc.callTool(owner, "agents_status", {})
      expect(jobsOf(seen).map(({ state }) => state)).toEqual(["done", "prompting"])
      answer("after", "told after")
      const later = await oc.callTool(owner, "agents_wait", {})
      expect(jobsOf(later).map(({ id }) => id)).toEqual(generation === 1 ? ["after"] : ["before", "after"])
      expect(later.output).toContain("told after")
      const { messages } = await model.waitFor(
        ({ session, messages: all }) =>
          session === owner && all.some((each) => textOf(each).includes("told after")),
      )
      expect(messages.map(textOf).join("\n")).toContain("told before")
    })
  })

  test("A result whose delivery the user undoes is delivered again once the undo is final", async () => {
    const { owner, answer } = await ownerOf("undone")
    answer("undone", "the answer that was undone")
    const first = await oc.callTool(owner, "agents_wait", {})
    expect(first.output).toContain("the answer that was undone")
    await oc.undo(owner)

    // The next message makes it final.
    const again = await oc.callTool(owner, "agents_wait", {})
    expect(again.output).toContain("the answer that was undone")
    const nothing = await oc.callTool(owner, "agents_wait", {})
    expect(nothing.output).toBe("No jobs are running, and all results have been delivered.")
  })

  test("So is one that was delivered after a compaction", async () => {
    const { owner, answer } = await ownerOf("since")
    model.on(/summar/i, { type: "text", text: "## Objective\n- kept words\n\n## Next Move\n- kept words" })
    await oc.compact(owner)
    const waiting = oc.startTool(owner, "agents_wait", {})
    await waiting.running()
    answer("since", "the answer that was undone")
    expect((await waiting.done).output).toContain("the answer that was undone")
    await oc.undo(owner)
    const again = await oc.callTool(owner, "agents_wait", {})
    expect(again.output).toContain("the answer that was undone")
  })

  test("Two waits in one message hand over the result once", async () => {
    const { owner, answer } = await ownerOf("twice")
    const ids = [newCallId(), newCallId()]
    const words = `Wait twice in ${owner}`
    model.script(words, [{ type: "tool", calls: ids.map((id) => ({ id, name: "agents_wait", args: {} })) }])
    const turn = oc.say(owner, words)
    await oc.events.waitFor("tool.running", ({ call }) => call === ids[1])
    answer("twice", "the answer that both want")
    await turn
    const outcomes = await Promise.all(ids.map((id) => oc.outcomeOf(owner, id)))
    const outputs = outcomes.map((outcome) => outcome?.output)
    expect(outputs.filter((output) => output?.includes("the answer that both want"))).toHaveLength(1)
    expect(outputs).toContain("Already returned by another call: twice.")
  })
})
