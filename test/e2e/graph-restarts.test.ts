import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode, KeptJob } from "../support/any-opencode.ts"
import { isDeep, kills } from "../support/depth.ts"
import { describeBoth, type OneGeneration } from "../support/generations.ts"
import { newCallId } from "../support/replies.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("A graph whose opencode is killed, with recover: fail", (opencode) =>
  describeKills(opencode, "fail"),
)
describeBoth("A graph whose opencode is killed, with recover: resume", (opencode) =>
  describeKills(opencode, "resume"),
)

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

function describeKills({ start }: OneGeneration, recover: "fail" | "resume"): void {
  let model: ScriptedModel
  let opencode: AnyOpencode
  let made: Promise<unknown> = Promise.resolve()

  beforeAll(async () => {
    model = await startScriptedModel()
    model.on(
      ({ text }) => askedIn(text) !== "",
      async ({ text }) => {
        // All jobs are there before the first is done: what was not made is not missed.
        if (askedIn(text).startsWith("job a of")) await made
        return {
          type: "text",
          text: askedIn(text).startsWith("job scan") ? '["x", "y"]' : `answer to ${askedIn(text)}`,
          delayMs: 20,
        }
      },
    )
    opencode = await start({ model, plugin: { options: { recover, concurrency: 2, notify: "never" } } })
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

  async function startRun(name: string): Promise<string> {
    const owner = await opencode.session()
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
    made = model.waitFor(({ messages }) => messages.at(-1)?.tool_call_id === id, 30_000)
    // It need not come to its end.
    opencode.say(owner, words).catch(() => {})
    return owner
  }

  function settled(owner: string): Promise<KeptJob[]> {
    let jobs: KeptJob[] = []
    const words = () =>
      jobs.map(({ record: { id, state, error } }) => `${id} ${state} ${error?.message ?? ""}`)
    return poll(
      "the end of all jobs",
      async () => {
        jobs = await opencode.stored(owner)
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

  async function judge(owner: string, name: string): Promise<void> {
    await opencode.callTool(owner, "agents_wait", {})
    const jobs = await settled(owner)
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

  test("just as a job has answered that others need: none of these begins twice or never", async () => {
    const name = `${recover}-answered`
    const owner = await startRun(name)
    await model.waitFor(({ text, state }) => askedIn(text) === promptOf("a", name) && state === "answered")
    await opencode.kill()
    await opencode.restart()
    await judge(owner, name)
  })

  // The other moments in a deep run alone: each costs a start of opencode.
  test.runIf(isDeep)(
    "while a job waits for two that are at work, and one for the items that a third is to find",
    async () => {
      const name = `${recover}-blocked`
      const owner = await startRun(name)
      await model.waitFor(({ text }) => askedIn(text) === promptOf("b", name))
      await opencode.kill()
      await opencode.restart()
      await judge(owner, name)
    },
  )

  test.runIf(isDeep || recover === "resume")(
    "while the jobs for the items that another has found are at work",
    async () => {
      const name = `${recover}-items`
      const owner = await startRun(name)
      await model.waitFor(({ text }) => askedIn(text) === promptOf("x", name))
      await opencode.kill()
      await opencode.restart()
      await judge(owner, name)
    },
  )

  test.runIf(isDeep).each(Array.from({ length: kills }, (_, index) => index))(
    "at moment %i",
    async (moment) => {
      const name = `${recover}-${moment}`
      const owner = await startRun(name)
      let left = Math.ceil(200 * ((moment + 0.5) / kills))
      await new Promise<void>((resolve) => {
        const stop = opencode.events.listen(() => {
          left--
          if (left > 0) return
          stop()
          resolve()
        })
        settled(owner).then(
          () => resolve(),
          () => {},
        )
      })
      await opencode.kill()
      await opencode.restart()
      await judge(owner, name)
    },
  )
}
