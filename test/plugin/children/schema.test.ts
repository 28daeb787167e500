import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { Prompt } from "../../../src/plugin/host/port.ts"
import { StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { settled } from "../../machines/support/play.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed, ok } from "../support/host-double.ts"
import { sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

quietXState()

const schema = {
  type: "object",
  properties: { n: { type: "integer" }, note: { type: "string" } },
  required: ["n"],
  additionalProperties: false,
}

/** A job with a schema, at work. */
async function working(overrides: Parameters<typeof testServices>[0] = {}) {
  const sent: Prompt[] = []
  const steer = async (prompt: Prompt) => {
    sent.push(prompt)
    return ok(undefined)
  }
  const services = testServices({ steer, ...overrides })
  const { host, call, troupe } = services
  await call("agents_start", { tasks: [{ id: "a", prompt: "count them", schema }] })
  /** The child answers its latest prompt. */
  const answer = async (text: string) => {
    const before = host.prompts.length
    host.prompts.at(-1)?.answer(text)
    await until(() => host.prompts.length > before || troupe.records.get("owner", "a")?.endedAt !== undefined)
  }
  const stored = () => StoredJob.parse(host.sessions.get("ses_1")?.metadata?.troupe)
  const wait = () => call("agents_wait", { ids: ["a"] })
  return { ...services, sent, answer, stored, wait }
}

const texts = (prompts: readonly { prompt: Prompt }[]) => prompts.map(({ prompt }) => prompt.text)

describe("A job with a schema", () => {
  it("is asked for it with its prompt, and done with the data, once, whatever words came with it", async () => {
    const { host, answer, wait } = await working()
    expect(texts(host.prompts)[0]).toMatch(
      /^count them\n\nYour final answer must be one JSON value that fits/,
    )
    expect(texts(host.prompts)[0]).toContain(JSON.stringify(schema))
    await answer('Here you are:\n```json\n{ "n": 3 }\n```')
    const { output, jobs } = await wait()
    expect(jobs).toMatchObject([{ state: "done", structured: { n: 3 } }])
    expect(output).toMatch(/>\n\{"n":3\}\n<\/job>$/)
    expect(host.prompts).toHaveLength(1)
  })

  it("is asked once more with what is wrong, in the same session and run", async () => {
    const { host, answer, wait } = await working()
    await answer("there are three")
    const [first, second] = host.prompts.map(({ prompt }) => prompt)
    expect(second).toMatchObject({ session: first?.session, agent: first?.agent })
    expect(second?.text).toContain("it has no JSON value")
    await answer('{"n":3}')
    const { output, jobs } = await wait()
    expect(jobs).toMatchObject([{ state: "done", run: 1, structured: { n: 3 } }])
    expect(output).not.toContain("there are three")
  })

  it("fails with what is wrong where that is in vain, and its answer is kept", async () => {
    const { host, answer, wait } = await working()
    await answer("three")
    await answer('{"n":"three"}')
    const { output, jobs } = await wait()
    const message = 'its answer does not fit: n is "three": it must be a whole number'
    expect(jobs).toMatchObject([{ state: "failed", error: { kind: "schema", message } }])
    expect(jobs[0]?.structured).toBeUndefined()
    expect(output).toContain(`reason=${JSON.stringify(`schema: ${message}`)}`)
    expect(output).toContain('{"n":"three"}')
    expect(host.prompts).toHaveLength(2)
  })

  it("may be told more meanwhile: the last answer has to fit, and each thing asked may be corrected", async () => {
    const { host, sent, answer, wait, call } = await working()
    await call("agents_send", { id: "a", message: "the red ones alone" })
    expect(sent[0]?.text).toMatch(
      /^the red ones alone\n\n\(Your final answer must still be that one JSON value/,
    )
    await answer("five")
    expect(texts(host.prompts)[1]).toBe(sent[0]?.text)
    await answer("two then")
    expect(texts(host.prompts)[2]).toContain("Answer again")
    await call("agents_send", { id: "a", message: "and the blue ones" })
    await answer('{"n":2}')
    expect(texts(host.prompts)[3]).toMatch(/^and the blue ones/)
    await answer("four")
    expect(texts(host.prompts)[4]).toContain("Answer again")
    await answer('{"n":4}')
    expect((await wait()).jobs).toMatchObject([{ state: "done", run: 1, structured: { n: 4 } }])
    expect(new Set(host.prompts.map(({ prompt }) => prompt.messageID)).size).toBe(5)
  })

  it("keeps it in a follow-up, whose answer takes the place of the earlier data", async () => {
    const { host, answer, wait, call } = await working()
    await answer('{"n":3}')
    await wait()
    await call("agents_send", { id: "a", message: "count again" })
    expect(texts(host.prompts)[1]).toContain(JSON.stringify(schema))
    await answer("still three")
    await answer('{"n":4}')
    const { output, jobs } = await wait()
    expect(jobs).toMatchObject([{ state: "done", run: 2, structured: { n: 4 } }])
    expect(output).not.toContain('{"n":3}')
  })

  it("that fails for its follow-up alone shows what that answered", async () => {
    const { answer, wait, call } = await working()
    await answer('{"n":3}')
    await wait()
    await call("agents_send", { id: "a", message: "count again" })
    await answer("no")
    await answer("never")
    const { output, jobs } = await wait()
    expect(jobs).toMatchObject([{ state: "failed", run: 2, error: { kind: "schema" } }])
    expect(output).toContain("never")
  })

  it("takes no follow-up once its schema cannot be read: nothing would hold the answer to it", async () => {
    const { host, answer, wait, call } = await working()
    await answer('{"n":3}')
    await wait()
    host.sessions.set("ses_1", sessionOf("ses_1", { parentID: "owner", metadata: { troupe: "damaged" } }))
    await expect(call("agents_send", { id: "a", message: "count again" })).rejects.toThrow(
      "the schema of a cannot be read: start a new job. Nothing was sent.",
    )
  })

  it("fails as any other where its model does, without being asked to correct anything", async () => {
    const { host, wait } = await working()
    host.prompts[0]?.settle(failed("no route"))
    expect((await wait()).jobs).toMatchObject([{ state: "failed", error: { kind: "prompt" } }])
    expect(host.prompts).toHaveLength(1)
  })

  it("can be cancelled while it corrects its answer", async () => {
    const { host, answer, call } = await working()
    await answer("three")
    const { jobs } = await call("agents_cancel", { ids: ["a"] })
    expect(jobs).toMatchObject([{ state: "cancelled" }])
    expect(host.aborted).toEqual(["ses_1"])
  })

  it.each<[string, object, boolean]>([
    ["is stored with its data", { n: 3 }, true],
    [
      "is stored without data that is long, which its child's messages have",
      { n: 3, note: "long".repeat(4_000) },
      false,
    ],
  ])("%s", async (_, data, isStored) => {
    const { answer, stored, store, troupe } = await working()
    await answer(JSON.stringify(data))
    await store.drain(1_000)
    expect(troupe.records.get("owner", "a")?.structured).toEqual(data)
    expect(stored()).toMatchObject({ schema, record: { state: "done" } })
    expect(stored().record.structured).toEqual(isStored ? data : undefined)
  })

  it("shows no data while others are still waited for: it is in the answer", async () => {
    const { host, call, answer } = await working()
    await call("agents_start", { tasks: [{ id: "b", prompt: "work" }] })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    onTestFinished(() => void vi.useRealTimers())
    const waiting = call("agents_wait", { ids: ["a", "b"] })
    await settled()
    const [a, b] = host.prompts
    a?.answer('{"n":3}')
    await vi.advanceTimersByTimeAsync(1_000)
    b?.answer("worked")
    const { jobs } = await waiting
    await answer("")
    expect(jobs[0]?.structured).toEqual({ n: 3 })
    expect(host.shown).toMatchObject([{ title: "1/2 done, 1 working" }])
    expect(JSON.stringify(host.shown)).not.toContain("structured")
  })
})

describe("agents_start refuses a schema", () => {
  it("that cannot be had, by its place, and starts the others", async () => {
    const { call } = testServices()
    const { output } = await call("agents_start", {
      tasks: [
        { id: "good", prompt: "work", schema: {} },
        { id: "text", prompt: "work", schema: "{}" },
        { id: "list", prompt: "work", schema: [] },
        { prompt: "work", schema: { type: "objct" } },
        { id: "far", prompt: "work", schema: { $ref: "http://127.0.0.1/secrets" } },
        { id: "two", prompt: "work", schema: { minimum: "1", items: 7 } },
      ],
    })
    expect(output.split("\n")).toEqual([
      "Started: good. Carry on; agents_wait returns their results.",
      expect.stringMatching(
        /^Refused: text: tasks\[1\]\.schema is "\{\}": it must be a JSON Schema, an object$/,
      ),
      expect.stringMatching(
        /^Refused: list: tasks\[2\]\.schema is \[\]: it must be a JSON Schema, an object$/,
      ),
      expect.stringMatching(/^Refused: tasks\[3\]\.schema\.type is "objct": it must be "object", /),
      expect.stringMatching(
        /^Refused: far: tasks\[4\]\.schema\.\$ref is "http:\/\/127\.0\.0\.1\/secrets": it must be a place in/,
      ),
      'Refused: two: tasks[5].schema.minimum is "1": it must be a number; tasks[5].schema.items is 7: it must be a schema',
    ])
  })
})
