import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject, ToolOutcome } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

const concurrency = 2

/** A person is asked for each agent that it starts. */
const careful = { mode: "primary", permission: { task: "ask" } }
const scribe = { mode: "subagent", description: "Writes things down" }

describeBoth("Several owners", ({ open, titled }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    const config = { agent: { careful, scribe } }
    oc = await open({ model, plugin: { options: { concurrency, notify: "never" } }, config })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  describe("Two owners", () => {
    const secret = held("a secret")
    let alice: string
    let bob: string
    /** The child session of Alice's job. */
    let session: string

    beforeAll(async () => {
      model.on("keep a secret", secret.reply)
      alice = await oc.session()
      bob = await oc.session()
      const task = { id: "vault", prompt: "keep a secret" }
      session = jobOf(await oc.callTool(alice, "agents_start", { tasks: [task] })).session
      await model.waitFor(({ text }) => text === "keep a secret")
    })

    test.each(["agents_status", "agents_wait", "agents_cancel"])(
      "do not know each other's jobs by any id: %s",
      async (tool) => {
        const outcome = await oc.callTool(bob, tool, { ids: ["vault", session, "j1", alice] })
        expect(outcome.output).toBe(`Unknown: vault, ${session}, j1, ${alice} (you have no jobs)`)
        expect(jobsOf(outcome)).toEqual([])
      },
    )

    test.each([
      ["agents_status", {}, /: no jobs\./],
      ["agents_wait", {}, /^No jobs are running, and all results have been delivered\.$/],
      ["agents_cancel", { all: true }, /^No jobs are running\.$/],
    ])("see nothing of each other where they name no id: %s", async (tool, args, words) => {
      const outcome = await oc.callTool(bob, tool, args)
      expect(outcome.output).toMatch(words)
      expect(jobsOf(outcome)).toEqual([])
    })

    test("may use the same id, each for a job of its own", async () => {
      await oc.callTool(bob, "agents_start", { tasks: [{ id: "vault", prompt: "an open book" }] })
      const ofBob = jobOf(await oc.callTool(bob, "agents_wait", { ids: ["vault"] }))
      expect(ofBob).toMatchObject({ owner: bob, state: "done" })
      secret.release(" indeed")
      const ofAlice = await oc.callTool(alice, "agents_wait", { ids: ["vault"] })
      expect(jobOf(ofAlice)).toMatchObject({ owner: alice, state: "done", session })
      expect(ofAlice.output).toContain("a secret indeed")
    })
  })

  describe(`Twelve jobs of two owners at concurrency ${concurrency}`, () => {
    const names = { alice: ["a1", "a2", "a3", "a4", "a5", "a6", "a7"], bob: ["b1", "b2", "b3", "b4", "b5"] }
    const answers = new Map([...names.alice, ...names.bob].map((name) => [name, held()]))
    const order: string[] = []
    let owners: Record<keyof typeof names, string>

    const ofPart = ({ text }: ModelRequest) => /^part (\w+)$/.exec(text)?.[1]
    const inFlight = () => model.requests.filter((request) => ofPart(request) && request.state === "open")

    beforeAll(async () => {
      for (const [name, { reply }] of answers) model.on(`part ${name}`, reply)
      owners = { alice: await oc.session(), bob: await oc.session() }
      for (const owner of ["alice", "bob"] as const) {
        const tasks = names[owner].map((id) => ({ id, prompt: `part ${id}` }))
        await oc.callTool(owners[owner], "agents_start", { tasks })
      }
    })

    test("are all there from the start, those without a slot as queued", async () => {
      const seen = await oc.callTool(owners.alice, "agents_status", {})
      expect(seen.title).toBe(titled("0/7 done, 2 working, 5 queued"))
      const queued = jobsOf(seen).filter(({ phase }) => phase === "queued")
      expect(queued.map(({ id }) => id)).toEqual(names.alice.slice(concurrency))
      expect(queued.every(({ session }) => session.startsWith("ses_"))).toBe(true)
      expect(queued.every(({ startedAt }) => startedAt === undefined)).toBe(true)
    })

    test("take turns between the owners, each owner's in order, and never more than the slots", async () => {
      for (let ended = 0; ended < answers.size; ended++) {
        const expected = Math.min(concurrency, answers.size - ended)
        await model.waitFor(() => model.requests.filter(ofPart).length === ended + expected)
        expect(inFlight()).toHaveLength(expected)
        const [oldest] = inFlight().toSorted((a, b) => a.at - b.at)
        const name = oldest && ofPart(oldest)
        if (oldest && name) {
          order.push(name)
          answers.get(name)?.release("done")
          await model.waitFor((request) => request === oldest && request.state !== "open")
        }
      }
      // Alice's first two took the free slots; from then on each owner gets every other one.
      expect([order.slice(0, 2).sort(), order.slice(2)]).toEqual([
        ["a1", "a2"],
        ["a3", "b1", "a4", "b2", "a5", "b3", "a6", "b4", "a7", "b5"],
      ])
    })

    test("are all done", async () => {
      const waits = [owners.alice, owners.bob].map((owner) => oc.callTool(owner, "agents_wait", {}))
      const waited = (await Promise.all(waits)).map((each) => jobsOf(each).map(({ state }) => state))
      expect(waited).toEqual([Array(7).fill("done"), Array(5).fill("done")])
      expect(mostAtOnce(model.requests.filter(ofPart))).toBe(concurrency)
    })
  })

  test("whose providers give their calls the same ids do not get each other's permissions, jobs or progress", async () => {
    const [start, wait] = ["functions.agents_start:0", "functions.agents_wait:1"]
    const work = { alice: held("the work of Alice"), bob: held("the work of Bob") }
    for (const [name, { reply }] of Object.entries(work)) model.on(`work for ${name}`, reply)
    const [alice, bob] = [await oc.session({ agent: "careful" }), await oc.session({ agent: "careful" })]
    const task = (id: string, agent: string, name: string) => ({ id, agent, prompt: `work for ${name}` })
    const asked = async (owner: string, agent: string) => {
      const { request } = await oc.events.waitFor(
        "request.opened",
        ({ session, request }) => session === owner && request.text.endsWith(agent),
      )
      return () => oc.reply(owner, request.id, "once")
    }

    const tasksOfAlice = [task("a1", "scribe", "alice"), task("a2", "general", "alice")]
    const startOfAlice = oc.startTool(alice, "agents_start", { tasks: tasksOfAlice }, start)
    await (await asked(alice, "scribe"))()
    const allowAlice = await asked(alice, "general")
    // While the call of Alice is permitted a scribe, and has the session for it.
    const startOfBob = oc.startTool(bob, "agents_start", { tasks: [task("b", "scribe", "bob")] }, start)
    await (await asked(bob, "scribe"))()
    await startOfBob.done
    await allowAlice()
    await startOfAlice.done

    const [waitOfAlice, waitOfBob] = [
      oc.startTool(alice, "agents_wait", {}, wait),
      oc.startTool(bob, "agents_wait", {}, wait),
    ]
    const shown = await Promise.all([waitOfAlice, waitOfBob].map((each) => each.shown(() => true)))
    expect(shown.map(({ jobs }) => jobs.map(({ id }) => id))).toEqual([["a1", "a2"], ["b"]])
    for (const { release } of Object.values(work)) release(", done")
    const [ofAlice, ofBob] = [await waitOfAlice.done, await waitOfBob.done]
    expect(ofAlice.output).toContain("the work of Alice, done")
    expect(ofBob.output).toContain("the work of Bob, done")
    const sessionsOf = (outcome: ToolOutcome) => jobsOf(outcome).map(({ session }) => session)
    const childrenOf = async (owner: string) => (await oc.children(owner)).map(({ id }) => id)
    expect((await childrenOf(alice)).toSorted()).toEqual(sessionsOf(ofAlice).toSorted())
    expect(await childrenOf(bob)).toEqual(sessionsOf(ofBob))
  })

  /** How many of these requests were in flight at once, at most. */
  function mostAtOnce(requests: readonly ModelRequest[]): number {
    const during = ({ at }: ModelRequest) =>
      requests.filter((other) => other.at <= at && (other.endedAt ?? Number.POSITIVE_INFINITY) > at)
    return Math.max(...requests.map((request) => during(request).length))
  }
})
