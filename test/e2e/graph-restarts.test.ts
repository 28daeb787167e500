import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyOpencode, AnyProject, KeptJob } from "../support/any-opencode.ts"
import { isDeep, kills } from "../support/depth.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { newCallId } from "../support/replies.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

const modes = ["fail", "resume"] as const
type Mode = (typeof modes)[number]
/** All its jobs are there, and the first is at work until `go`: what was not made is not missed. */
type Run = { recover: Mode; name: string; owner: string; go: () => void }
/** Each job and what it needs; the last two come of the list that `scan` finds. */
const needs: Record<string, string[]> = {
  a: [],
  b: ["a"],
  c: ["a"],
  d: ["b", "c"],
  scan: ["a"],
  each: ["scan"],
  "each.1": [],
  "each.2": [],
  end: ["each"],
}
const schema = { type: "array", items: { type: "string" } }

describeBoth("A graph whose opencode is killed", ({ start }) => {
  let model: ScriptedModel
  let opencode: AnyOpencode
  /** Each mode has a project of its own in the same opencode: a start takes longer than all that is done in it. */
  let projects: Record<Mode, AnyProject>
  /** What holds the first job of each run, by what it is asked. */
  const gates = new Map<string, { passed: Promise<string> }>()

  beforeAll(async () => {
    model = await startScriptedModel()
    model.on(
      ({ text }) => askedIn(text) !== "",
      async ({ text }) => {
        await gates.get(askedIn(text))?.passed
        return {
          type: "text",
          text: askedIn(text).startsWith("job scan") ? '["x", "y"]' : `answer to ${askedIn(text)}`,
          delayMs: 20,
        }
      },
    )
    const pluginThat = (recover: Mode) => ({ options: { recover, concurrency: 2, notify: "never" } })
    opencode = await start({ model, plugin: pluginThat("resume") })
    projects = { fail: await opencode.open({ model, plugin: pluginThat("fail") }), resume: opencode }
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
  })

  /** A prompt, without the results before it and the schema after it. */
  const askedIn = (text: string) =>
    /job \S+ of [\w-]+\./.exec(text.slice(Math.max(0, text.lastIndexOf("</result-"))))?.[0] ?? ""
  const promptOf = (id: string, name: string) =>
    `job ${id.replace(/^each\.1$/, "x").replace(/^each\.2$/, "y")} of ${name}.`

  async function startRun(recover: Mode, suffix: string): Promise<Run> {
    const name = `${recover}-${suffix}`
    const owner = await projects[recover].session()
    const task = (id: string, more: object = {}) => ({
      id,
      prompt: promptOf(id, name),
      needs: needs[id],
      ...more,
    })
    const tasks = [
      ...["d", "b", "c", "a", "end"].map((id) => task(id)),
      task("scan", { schema }),
      { id: "each", prompt: promptOf("{{item}}", name), each: { from: "scan" } },
    ]
    const words = `Begin ${name}!`
    const id = newCallId()
    model.script(words, [{ type: "tool", calls: [{ name: "agents_start", args: { tasks }, id }] }])
    const first = gate()
    gates.set(promptOf("a", name), first)
    const made = model.waitFor(({ messages }) => messages.at(-1)?.tool_call_id === id, 30_000)
    // It need not come to its end.
    projects[recover].say(owner, words).catch(() => {})
    await made
    return { recover, name, owner, go: () => first.open("") }
  }

  function settled({ recover, owner }: Run): Promise<KeptJob[]> {
    let jobs: KeptJob[] = []
    const words = () =>
      jobs.map(({ record: { id, state, error } }) => `${id} ${state} ${error?.message ?? ""}`)
    return poll(
      "the end of all jobs",
      async () => {
        jobs = await projects[recover].stored(owner)
        return jobs.length >= 7 && jobs.every(({ record }) => record.endedAt !== undefined) ? jobs : undefined
      },
      { timeoutMs: 45_000, everyMs: 200 },
    ).catch((error) => {
      throw new Error(`${error.message}: ${words().join("; ")}`)
    })
  }

  /** How often the model was asked for this job. */
  const askedFor = (id: string, name: string): ModelRequest[] =>
    model.requests.filter(({ text }) => askedIn(text) === promptOf(id, name))

  async function judge(run: Run): Promise<void> {
    const { recover, name, owner } = run
    await projects[recover].callTool(owner, "agents_wait", {})
    const jobs = await settled(run)
    const records = new Map(jobs.map(({ record }) => [record.id, record]))
    for (const [id, record] of records) {
      const asked = askedFor(id, name)
      const others = [...records.values()].map(
        (each) => `${each.id} ${each.state} ${each.error?.message ?? ""}`,
      )
      const words = `${id}, asked ${asked.length} times, of ${others.join("; ")}`
      const ofNeeds = (needs[id] ?? []).map((need) => records.get(need)?.state)
      // Whatever was asked had the results of what it needs: nothing began too early.
      for (const { text } of asked)
        for (const need of needs[id] ?? [])
          expect(text, words).toContain(
            need === "scan" ? '["x","y"]' : need === "each" ? promptOf("x", name) : promptOf(need, name),
          )
      if (id === "each") expect(asked).toEqual([])
      if (recover === "resume") {
        expect(record.state, words).toBe("done")
        // Only a request whose answer opencode had not kept is made again.
        if (id !== "each") expect([1, 2], words).toContain(asked.length)
        continue
      }
      expect(asked.length, words).toBeLessThanOrEqual(1)
      if (record.state === "done")
        expect(
          ofNeeds.every((state) => state === "done"),
          words,
        ).toBe(true)
      else expect(["interrupted", "dependency"], words).toContain(record.error?.kind)
      const isBroken = ofNeeds.some((state) => state !== "done")
      if (isBroken) expect([record.error?.kind, asked.length], words).toEqual(["dependency", 0])
    }
    expect([...records.keys()].filter((id) => !id.startsWith("each.")).sort()).toEqual(
      Object.keys(needs)
        .filter((id) => !id.startsWith("each."))
        .sort(),
    )
    if (recover === "resume") expect(records.size).toBe(9)
  }

  /** Kills opencode once runs in both modes have come as far as `reach` takes them, and starts it again. */
  function describeKill(
    moment: string,
    reach: (killed: Promise<string>) => Promise<Record<Mode, Run>>,
  ): void {
    describe(moment, () => {
      let runs: Record<Mode, Run>
      beforeAll(async () => {
        const killed = gate()
        runs = await reach(killed.passed)
        await opencode.kill()
        killed.open("")
        await opencode.restart()
      })

      test.each(modes)("with recover: %s: none begins twice, or too early, or never", (mode) =>
        judge(runs[mode]),
      )
    })
  }

  const inBoth = async (begin: (mode: Mode) => Promise<Run>) => ({
    fail: await begin("fail"),
    resume: await begin("resume"),
  })

  describeKill("just as a job has answered that others need", async () => {
    const runs = await inBoth((mode) => startRun(mode, "answered"))
    for (const mode of modes) runs[mode].go()
    for (const { name } of Object.values(runs))
      await model.waitFor(({ text, state }) => askedIn(text) === promptOf("a", name) && state === "answered")
    return runs
  })

  /** Takes one run after the other to where this job is at work, which it then is until opencode is killed. */
  const toWorkOn = (id: string, suffix: string) => (killed: Promise<string>) =>
    inBoth(async (mode) => {
      const run = await startRun(mode, suffix)
      const isAsked = ({ text }: ModelRequest) => askedIn(text) === promptOf(id, run.name)
      model.on(isAsked, ({ text }) => ({
        type: "hold",
        until: killed.then(() => `answer to ${askedIn(text)}`),
      }))
      run.go()
      await model.waitFor(isAsked)
      return run
    })

  describeKill("while the jobs for the items that another has found are at work", toWorkOn("each.1", "items"))

  // The other moments in a deep run alone: each costs a start of opencode.
  if (!isDeep) return

  describeKill(
    "while a job waits for two that are at work, and one for the items that a third is to find",
    toWorkOn("b", "blocked"),
  )

  for (let moment = 0; moment < kills; moment++)
    describeKill(`at moment ${moment}`, async () => {
      const runs = await inBoth((mode) => startRun(mode, `${moment}`))
      let left = Math.ceil(400 * ((moment + 0.5) / kills))
      const reached = new Promise<void>((resolve) => {
        const stop = opencode.events.listen(() => {
          left--
          if (left > 0) return
          stop()
          resolve()
        })
      })
      for (const mode of modes) runs[mode].go()
      await Promise.race([reached, Promise.all(modes.map((mode) => settled(runs[mode])))])
      return runs
    })
})
