import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject, StartedCall } from "../support/any-opencode.ts"
import { isNotification } from "../support/conversation.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { newCallId } from "../support/replies.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("As few steps of the main agent as there can be", ({ open, titled }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({
      model,
      plugin: { options: { inspector: { enabled: false } } },
      config: {
        agent: {
          plan: { permission: { task: { general: "deny" } } },
          closed: { mode: "primary", prompt: "Be closed.", permission: { task: { "*": "deny" } } },
        },
      },
    })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** Jobs of these ids, each answered when the test says so. */
  function jobsFor(owner: string, ...ids: string[]) {
    const answers = Object.fromEntries(ids.map((id) => [id, held()]))
    for (const id of ids) model.on(`work on ${id} of ${owner}.`, answers[id]?.reply ?? { type: "silent" })
    return {
      tasks: ids.map((id) => ({ id, prompt: `work on ${id} of ${owner}.` })),
      answer: (id: string, text = `the answer of ${id}`) => answers[id]?.release(text),
    }
  }

  const toldTo = async (owner: string) => (await oc.userTexts(owner)).filter(isNotification)
  const waitForNotification = (owner: string, words: string) =>
    model.waitFor(
      ({ session, text }) => session === owner && isNotification(text) && text.includes(words),
      30_000,
    )

  describe("agents_start with wait: true", () => {
    test("starts jobs and returns their results: the next request of the model has them, and nothing is left", async () => {
      const owner = await oc.session()
      const { tasks, answer } = jobsFor(owner, "one", "two")
      const bad = { id: "bad", prompt: "bad", agent: "wizard" }
      const before = model.requests.length
      const starting = oc.startTool(owner, "agents_start", { tasks: [...tasks, bad], wait: true })
      const shows = (call: StartedCall, done: number, title: string) =>
        call.shown(
          (shown) =>
            shown.title === titled(title) &&
            shown.jobs.filter(({ state }) => state === "done").length === done,
        )
      await shows(starting, 0, "0/2 done, 2 working")
      answer("two")
      await shows(starting, 1, "1/2 done, 1 working")
      answer("one")
      const started = await starting.done
      expect(started).toMatchObject({ status: "completed", title: titled("2/2 done") })
      expect(started.output).toMatch(/^Refused: bad: no subagent "wizard"/)
      expect(started.output).toMatch(
        /<job id="one" state="done"[^>]*>\nthe answer of one\n<\/job>\n<job id="two" state="done"/,
      )
      expect(started.metadata.refused).toMatchObject([{ id: "bad" }])
      expect(model.requests.slice(before).filter(({ session }) => session === owner)).toHaveLength(2)

      const waited = await oc.callTool(owner, "agents_wait", {})
      expect(waited.output).toBe("No jobs are running, and all results have been delivered.")
      expect(await toldTo(owner)).toEqual([])
    })

    test("is no reason for another call of its message to wait: a cancel takes effect while it waits", async () => {
      const owner = await oc.session()
      const { tasks } = jobsFor(owner, "endless", "stopped")
      const ids = [newCallId(), newCallId(), newCallId()] as const
      const words = `Start, wait and cancel in ${owner}`
      model.script(words, [
        {
          type: "tool",
          calls: [
            { id: ids[0], name: "agents_start", args: { tasks, wait: true } },
            { id: ids[1], name: "agents_wait", args: { ids: ["endless", "stopped"], until: "any" } },
            { id: ids[2], name: "agents_cancel", args: { all: true, reason: "enough" } },
          ],
        },
      ])
      await oc.say(owner, words)
      const outcomes = await Promise.all(ids.map((id) => oc.outcomeOf(owner, id)))
      expect(outcomes.map((outcome) => outcome?.status)).toEqual(["completed", "completed", "completed"])
      const states = jobsOf({ metadata: outcomes[0]?.metadata ?? {} }).map(({ state }) => state)
      expect(states).toEqual(["cancelled", "cancelled"])
    })

    test("keeps its jobs when its user stops the turn, and the result comes with the next", async () => {
      const owner = await oc.session()
      const { tasks, answer } = jobsFor(owner, "kept")
      const starting = oc.startTool(owner, "agents_start", { tasks, wait: true })
      const ended = starting.done.catch(() => {})
      await starting.shown(({ jobs: [job] }) => job?.phase === "working")
      await oc.abort(owner)
      await ended
      answer("kept")
      const waited = await oc.callTool(owner, "agents_wait", {})
      expect(waited.output).toContain("the answer of kept")
    })
  })

  describe("A batch that nobody waits for", () => {
    test("is told once, when its last job has ended", async () => {
      const [owner, witness] = [await oc.session(), await oc.session()]
      const { tasks, answer } = jobsFor(owner, "first", "second", "last")
      const other = jobsFor(witness, "other")
      await oc.callTool(owner, "agents_start", { tasks })
      await oc.callTool(witness, "agents_start", { tasks: other.tasks })
      for (const id of ["first", "second"]) {
        answer(id)
        await model.waitFor(
          ({ text, state }) => text.includes(`work on ${id} of ${owner}.`) && state === "answered",
        )
      }
      // What ended later has been delivered: these would have been by now.
      other.answer("other")
      await waitForNotification(witness, "the answer of other")
      expect(await toldTo(owner)).toEqual([])

      answer("last")
      const told = await waitForNotification(owner, "the answer of last")
      expect(told.text).toContain("3 background jobs have ended")
      expect(told.text).toContain("the answer of first")
      expect(await toldTo(owner)).toHaveLength(1)
    })

    test("is told of after notifySeconds, with what has ended by then, and once more of the rest", async () => {
      const hasty = await open({
        model,
        plugin: { options: { notifySeconds: 1, inspector: { enabled: false } } },
      })
      const owner = await hasty.session()
      const { tasks, answer } = jobsFor(owner, "early", "soon", "late", "later")
      await hasty.callTool(owner, "agents_start", { tasks })
      answer("early")
      answer("soon")
      const first = await waitForNotification(owner, "the answer of early")
      expect(first.text).toContain("the answer of soon")
      answer("late")
      answer("later")
      const second = await waitForNotification(owner, "the answer of late")
      expect(second.text).toContain("the answer of later")
      expect(second.text).not.toContain("the answer of early")
      const requests = model.requests.filter(({ session }) => session === owner)
      expect(
        requests
          .filter(({ messages }) => messages.at(-1)?.role === "user")
          .map(({ text }) => isNotification(text)),
      ).toEqual([false, true, true])
      await hasty.stop()
    })

    test("is told of job by job where the option says so", async () => {
      const each = await open({
        model,
        plugin: { options: { notify: "each", inspector: { enabled: false } } },
      })
      const owner = await each.session()
      const { tasks, answer } = jobsFor(owner, "one", "other")
      await each.callTool(owner, "agents_start", { tasks })
      answer("one")
      const first = await waitForNotification(owner, "the answer of one")
      expect(first.text).not.toContain('id="other"')
      answer("other")
      const second = await waitForNotification(owner, "the answer of other")
      expect(second.text).not.toContain("the answer of one")
      await each.stop()
    })
  })

  describe("An owner that may not start every agent", () => {
    test("gets the first that it may for a task that names none, in plan mode, and is told so", async () => {
      const owner = await oc.session({ agent: "plan" })
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "any", prompt: "look around" },
          { id: "named", prompt: "look around", agent: "general" },
        ],
        wait: true,
      })
      const [said, refused, result] = started.output.split("\n")
      expect(said).toBe('As "plan" may not start "general", these run as explore: any.')
      expect(refused).toMatch(/^Refused: named: "plan" may not start "general"; it may start: [^"]*explore/)
      expect(result).toMatch(/^<job id="any" state="done"/)
      expect(jobsOf(started)).toMatchObject([{ id: "any", agent: "explore" }])
    })

    test("hears in a sentence that it may start none, where that is so", async () => {
      const owner = await oc.session({ agent: "closed" })
      const started = await oc.callTool(owner, "agents_start", { tasks: [{ id: "x", prompt: "look" }] })
      expect(started.output).toBe('Refused: x: "closed" may start no subagent')
    })
  })
})
