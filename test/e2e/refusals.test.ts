import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("Refusals", ({ open, titled }) => {
  let model: ScriptedModel
  let oc: AnyProject
  let owner: string
  /** A job that runs all the while: nothing that is refused may harm it. */
  const bystander = held("all the ")

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { notify: "never" } } })
    owner = await oc.session()
    model.on("stand by", bystander.reply)
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "bystander", prompt: "stand by" }] })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  describe("A batch with bad tasks", () => {
    test("starts the good ones, and says of each bad one what would be right", async () => {
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "first", prompt: "good one" },
          { id: "agent", prompt: "bad", agent: "wizard" },
          { id: "primary", prompt: "bad", agent: "build" },
          { id: "model", prompt: "bad", model: "fake/m3" },
          { id: "bystander", prompt: "bad" },
          { id: "first", prompt: "bad" },
          { id: "spaced out", prompt: "bad" },
          { id: "silent" },
          { description: "Blank", prompt: " \n" },
          { id: "hasty", prompt: "bad", timeout: "soon" },
          { id: "wordy", prompt: "bad", colour: "red" },
          "bad",
          { prompt: "good two", agent: "explore" },
        ],
      })
      expect(started).toMatchObject({ status: "completed", title: titled("2/13 jobs started") })
      expect(jobsOf(started).map(({ id, agent }) => [id, agent])).toEqual([
        ["first", "general"],
        ["j3", "explore"],
      ])
      expect(started.output.split("\n")).toEqual([
        expect.stringMatching(/^Started: first, j3\./),
        expect.stringMatching(
          /^Refused: agent: no subagent "wizard"; available: .*(explore, general|general, explore)/,
        ),
        expect.stringMatching(/^Refused: primary: no subagent "build"; available: .*general/),
        'Refused: model: no model "fake/m3"; available: fake/m1, fake/m2',
        'Refused: bystander: the id "bystander" is taken; choose another, or leave it out',
        expect.stringMatching(/^Refused: first: the id "first" is taken/),
        expect.stringMatching(
          /^Refused: spaced out: tasks\[6\]\.id is "spaced out": it must be 1 to 40 letters/,
        ),
        "Refused: silent: tasks[7].prompt is missing: it must be text that is not blank",
        'Refused: tasks[8].prompt is " \\n": it must be text that is not blank',
        'Refused: hasty: tasks[9].timeout is "soon": it must be a number, above 0 and at most 2000000',
        expect.stringMatching(/^Refused: wordy: tasks\[10\]\.colour is unknown; valid names: prompt, id, /),
        'Refused: tasks[11] is "bad": it must be an object',
      ])
      expect(started.metadata.refused).toContainEqual({
        id: "model",
        reason: 'no model "fake/m3"; available: fake/m1, fake/m2',
      })
      const waited = await oc.callTool(owner, "agents_wait", { ids: ["first", "j3"] })
      expect(waited.title).toBe(titled("2/2 done"))
      expect(model.requests.some(({ text }) => text === "bad")).toBe(false)
    })

    test("starts the good ones of a graph, and says of each that could never begin why", async () => {
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "self", prompt: "bad", needs: ["self"] },
          { id: "round", prompt: "bad", needs: ["about"] },
          { id: "about", prompt: "bad", needs: ["round"] },
          { id: "alone", prompt: "bad", needs: ["nobody"] },
          { id: "behind", prompt: "bad", needs: ["alone"] },
          { id: "same", prompt: "bad", each: ["a", "b"] },
          { id: "shape", prompt: "bad", schema: { type: "thing" } },
          { id: "other", prompt: "bad", model: ["fake/m1", "fake/m3"] },
          { id: "twin", prompt: "good three" },
          { id: "twin", prompt: "bad" },
        ],
        wait: true,
      })
      expect(jobsOf(started).map(({ id, state }) => [id, state])).toEqual([["twin", "done"]])
      expect(started.output.split("\n").slice(0, -3)).toEqual([
        "Refused: self: it needs itself",
        "Refused: round: they need each other in a circle: round → about → round",
        "Refused: about: they need each other in a circle: round → about → round",
        expect.stringMatching(
          /^Refused: alone: it needs nobody, which is no task of this call and no job of yours/,
        ),
        "Refused: behind: it needs alone, which was refused",
        "Refused: same: tasks[5].prompt has no {{item}}: all jobs of its list would be asked the same",
        expect.stringMatching(/^Refused: shape: tasks\[6\]\.schema\.type is "thing": /),
        'Refused: other: no model "fake/m3"; available: fake/m1, fake/m2',
        expect.stringMatching(/^Refused: twin: the id "twin" is taken/),
      ])
      expect(model.requests.some(({ text }) => text === "bad")).toBe(false)
    })

    test("starts nothing where all are bad, and says so", async () => {
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [{ prompt: "bad", agent: "wizard" }],
      })
      expect(started.title).toBe(titled("0/1 jobs started"))
      expect(started.output).toMatch(/^Refused: tasks\[0\]: no subagent "wizard"/)
      expect(jobsOf(started)).toEqual([])
    })
  })

  test("The taken id of an ended job is said to be that, with how to continue it", async () => {
    const started = await oc.callTool(owner, "agents_start", { tasks: [{ id: "first", prompt: "again" }] })
    expect(started.output).toBe(
      'Refused: first: the id "first" is taken by an ended job, which agents_send continues; ' +
        "choose another, or leave it out",
    )
  })

  describe("A malformed argument is named, with what would be right:", () => {
    test.each([
      [
        "agents_start",
        { tasks: "all of them" },
        /^tasks is "all of them": it must be a list of 1 to 64 tasks\. /,
      ],
      ["agents_status", { ids: 7 }, /^ids is 7: it must be a list/],
      ["agents_wait", { until: "most" }, /^until is "most": it must be "all" or "any"/],
      ["agents_cancel", {}, /^Name the jobs to cancel in ids, or pass all: true\./],
    ])("%s %o", async (tool, args, words) => {
      const outcome = await oc.callTool(owner, tool, args)
      expect(outcome).toMatchObject({ status: "error", error: expect.stringMatching(words) })
      expect(outcome.error).toMatch(/Nothing was (done|cancelled)/)
    })
  })

  describe("Unknown ids are answered beside the known ones", () => {
    test("in a status", async () => {
      const seen = await oc.callTool(owner, "agents_status", { ids: ["ghost", "bystander"] })
      expect(seen.status).toBe("completed")
      expect(jobOf(seen)).toMatchObject({ id: "bystander", state: "prompting" })
      expect(seen.output).toMatch(/Unknown: ghost \(your jobs: bystander, first, j3, twin\)/)
    })

    test("by a cancel", async () => {
      const cancelled = await oc.callTool(owner, "agents_cancel", { ids: ["ghost", "first"] })
      expect(jobOf(cancelled)).toMatchObject({ id: "first", state: "done" })
      expect(cancelled.title).toBe(titled("1 already ended"))
      expect(cancelled.output).toMatch(/^Already ended:\nfirst: done .*\nUnknown: ghost/)
    })

    test("in a wait, which waits for the known ones; what ran through all this is done", async () => {
      const waiting = oc.startTool(owner, "agents_wait", { ids: ["bystander", "ghost"] })
      await waiting.running()
      bystander.release("while")
      const waited = await waiting.done
      expect(jobOf(waited)).toMatchObject({ id: "bystander", state: "done" })
      expect(waited.output).toContain("all the while")
      expect(waited.output).toContain("Unknown: ghost")
    })
  })
})
