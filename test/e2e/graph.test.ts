import { stat } from "node:fs/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("A graph of jobs", ({ open, generation }) => {
  const file = generation === 1 ? "filePath" : "path"
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

  const states = (jobs: { id: string; state: string; phase?: string | undefined }[]) =>
    jobs.map(({ id, state, phase }) => `${id}: ${state}${phase ? `.${phase}` : ""}`)

  test("begins with those that need nothing; the others have sessions, and get the results that they need", async () => {
    const owner = await oc.session()
    const answer = held()
    model.on("find the facts", answer.reply)
    model.on("name the places", { type: "text", text: "Rome" })
    model.on("tell a story", { type: "text", text: "once upon a time" })
    const started = await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "story", prompt: "tell a story", needs: ["facts", { id: "places", on: "ended" }] },
        { id: "facts", prompt: "find the facts" },
        { id: "places", prompt: "name the places" },
      ],
    })
    expect(states(jobsOf(started))[0]).toBe("story: created.blocked")
    expect(await oc.children(owner)).toHaveLength(3)
    answer.release("it rained")
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(states(jobsOf(waited))).toEqual(["story: done", "facts: done", "places: done"])
    const { text } = await model.waitFor(({ text }) => text.includes("tell a story"))
    expect(text).toMatch(
      /<(result-\w+) job="facts" state="done">\nit rained\n<\/\1>\n\n<\1 job="places"[^<]*Rome/,
    )
    expect(text).toMatch(/\n\ntell a story$/)
  })

  test("hands over what is long in part, with a file that the child may read without being asked", async () => {
    const owner = await oc.session()
    const long = `${"x".repeat(200)}\n`.repeat(250)
    model.on("write at length", { type: "text", text: `${long}the last word` })
    let path = ""
    model.on("sum it up", ({ text }) => {
      path = /more characters: (\S+) has all of it/.exec(text)?.[1] ?? ""
      // The parts that are read are a matter of the tool; the last word stands at the end.
      return { type: "tool", calls: [{ name: "read", args: { [file]: path, offset: 245 } }] }
    })
    const outcome = await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "a", prompt: "write at length" },
        { id: "b", prompt: "sum it up", needs: ["a"] },
      ],
      wait: true,
    })
    expect(states(jobsOf(outcome))).toEqual(["a: done", "b: done"])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const request = model.requests.findLast(({ text }) => text.includes("sum it up"))
    // What is handed over, and the words around it.
    expect(request?.text.length).toBeLessThan(30_000 + 1_000)
    const read = JSON.stringify(request?.messages.at(-1))
    expect(read.includes("the last word"), read.slice(0, 300)).toBe(true)
  })

  test("is one job for each item of a list, whose results another gets", async () => {
    const owner = await oc.session()
    model.on(/^read \w$/, ({ text }) => ({ type: "text", text: `${text} was read` }))
    model.on("put together", { type: "text", text: "together" })
    const outcome = await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "files", prompt: "read {{item}}", each: ["a", "b", "c"] },
        { id: "all", prompt: "put together: {{files}}", needs: ["files"] },
      ],
      wait: true,
    })
    expect(states(jobsOf(outcome))).toEqual(["files.1: done", "files.2: done", "files.3: done", "all: done"])
    const { text } = await model.waitFor(({ text }) => text.includes("put together"))
    expect(text).toMatch(/put together: <result.*read a was read.*read b was read.*read c was read/s)
  })

  test("is one job for each item that another has found, long after the call that asked for them", async () => {
    const owner = await oc.session()
    const answer = held()
    model.on("find the files", answer.reply)
    model.on(/^look at \w+$/, ({ text }) => ({ type: "text", text: `${text}: seen` }))
    model.on("what was seen", { type: "text", text: "all of it" })
    const schema = { type: "array", items: { type: "string" } }
    await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "scan", prompt: "find the files", schema },
        { id: "each", prompt: "look at {{item}}", each: { from: "scan" } },
        { id: "sum", prompt: "what was seen", needs: ["each"] },
      ],
    })
    answer.release('["one", "two"]')
    const waited = await oc.callTool(owner, "agents_wait", { ids: ["sum"] })
    expect(states(jobsOf(waited))).toEqual(["sum: done"])
    const { text } = await model.waitFor(({ text }) => text.includes("what was seen"))
    expect(text).toMatch(
      /job="each.1" state="done">\nlook at one: seen.*job="each.2" state="done">\nlook at two: seen/s,
    )
    const children = await oc.children(owner)
    expect(children).toHaveLength(5)
  })

  test("has 64 jobs for a longer list and names the items that are left, and none for an empty one, which is done", async () => {
    const owner = await oc.session()
    const items = Array.from({ length: 66 }, (_, index) => `n${index + 1}`)
    model.on("count them", { type: "error", status: 400, body: "no" })
    model.on("go on after nothing", { type: "text", text: "gone on" })
    const outcome = await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "count", prompt: "count them" },
        // Sixty-four answers would be the test's time.
        { id: "all", prompt: "take {{item}}", each: items, needs: ["count"] },
        { id: "none", prompt: "take {{item}}", each: [] },
        { id: "after", prompt: "go on after nothing", needs: ["none"] },
      ],
      wait: true,
    })
    const of = (state: string) => jobsOf(outcome).flatMap((job) => (job.state === state ? [job.id] : []))
    expect(of("done")).toEqual(["after"])
    expect(of("failed")).toEqual(["count", ...items.slice(0, 64).map((_, index) => `all.${index + 1}`)])
    expect(outcome.output).toContain("all: 64 items; left of 66: n65, n66.")
    expect(outcome.output).toContain("none: nothing to do, as each is empty.")
  })

  test("goes on where it had broken off, once a follow-up to the one that failed is done", async () => {
    const owner = await oc.session()
    model.on("stumble", { type: "error", status: 400, body: "no such thing" })
    model.on("stand up", { type: "text", text: "stood up" })
    model.on("walk on", { type: "text", text: "walked" })
    await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "a", prompt: "stumble" },
        { id: "b", prompt: "walk on", needs: ["a"] },
      ],
      wait: true,
    })
    const sent = await oc.callTool(owner, "agents_send", { id: "a", message: "stand up" })
    expect(sent.output).toContain("Once it is done, these go on: b")
    const { output } = await oc.callTool(owner, "agents_wait", { ids: ["b"] })
    expect(output).toMatch(
      /<job id="b" state="done"[^>]* note="it ran again once what it needs was done">\nwalked\n/,
    )
    const { text } = await model.waitFor(({ text }) => text.includes("walk on"))
    expect(text).toMatch(/stood up\n.*walk on$/s)
  })

  test("fails along the needs of the one that failed, with the chain in words", async () => {
    const owner = await oc.session()
    model.on("break down", { type: "error", status: 400, body: "no such thing" })
    const outcome = await oc.callTool(owner, "agents_start", {
      tasks: [
        { id: "a", prompt: "break down" },
        { id: "b", prompt: "follow it", needs: ["a"] },
        { id: "c", prompt: "follow that", needs: ["b"] },
      ],
      wait: true,
    })
    expect(jobsOf(outcome).map(({ error }) => error?.kind)).toEqual(["provider", "dependency", "dependency"])
    expect(outcome.output).toMatch(
      /it needs b, which failed: it needs a, which failed: .*(no such thing|HTTP 400)/,
    )
    expect(model.requests.filter(({ text }) => text.includes("follow"))).toEqual([])
  })
})
