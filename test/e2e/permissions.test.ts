import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type Reply, type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"

const config = {
  // Children may use opencode's own task, those whose agent has it.
  subagent_depth: 2,
  experimental: { subagent_depth: 2 },
  permission: {
    task: { "*": "allow", explore: "deny", scribe: "ask", clerk: "ask" },
    bash: "ask",
    external_directory: "deny",
  },
  agent: {
    scribe: { mode: "subagent", description: "Needs a person's consent" },
    clerk: { mode: "subagent", description: "Needs it as well" },
    inquirer: { mode: "subagent", description: "May ask the user", permission: { question: "allow" } },
    delegate: { mode: "subagent", description: "May use opencode's own task", permission: { task: "allow" } },
    // A person who lets plan mode use every subagent.
    plan: { permission: { task: "allow" } },
  },
}

describeBoth("Permissions", ({ open, generation, titled, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({
      model,
      config,
      plugin: { options: { idleSeconds: 12, notify: "never", inspector: { enabled: false } } },
    })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const over: Reply = { type: "text", text: "over" }

  /** A model that calls these tools, and says `last` when it has the results. */
  function calls(prompt: string, tools: { name: string; args: object }[], last = over) {
    model.script(prompt, [{ type: "tool", calls: tools }, last])
  }

  const { shell } = tools
  /** The n-th time (1) that a session asks for a permission. */
  async function asked(session: string, nth = 1) {
    const { request } = await oc.events.waitFor("request.opened", (event) => {
      const all = oc.events.seen.filter((each) => each.type === "request.opened" && each.session === session)
      return all[nth - 1] === event
    })
    return { id: request.id, text: request.text, session }
  }

  const reply = ({ session, id }: { session: string; id: string }, decision: "once" | "always" | "reject") =>
    oc.reply(session, id, decision)

  /** opencode 2 has no toasts. */
  const toast = async (words: RegExp) => {
    if (generation === 1) await oc.events.waitFor("toast.shown", ({ message }) => words.test(message))
  }

  const status = async (owner: string) => oc.callTool(owner, "agents_status", {})
  const wait = (owner: string, args: object = {}) => oc.callTool(owner, "agents_wait", args)

  /** What a model was told of its tools' outcomes. */
  const toolResults = async (prompt: string) => {
    const { messages } = await model.waitFor(
      (request) => request.text === prompt && request.messages.at(-1)?.role === "tool",
    )
    return messages.filter(({ role }) => role === "tool").map(textOf)
  }

  describe.concurrent("The user's rules for tasks", () => {
    test("a refused agent fails its tasks alone, by name; the others run", async () => {
      const owner = await oc.session()
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [
          { id: "a", prompt: "permitted one" },
          { id: "b", prompt: "refused one", agent: "explore" },
          { id: "c", prompt: "permitted two" },
        ],
      })
      expect(started.title).toBe(titled("2/3 jobs started"))
      expect(started.output).toMatch(/^Refused: b: "build" may not start "explore"; it may start: .*general/m)
      expect((await wait(owner)).title).toBe(titled("2/2 done"))
      expect(model.requests.some(({ text }) => text === "refused one")).toBe(false)
    })

    test.each(["reject", "once"] as const)(
      "an agent that needs consent asks in the owner's name: %s",
      async (answer) => {
        const owner = await oc.session()
        const starting = oc.startTool(owner, "agents_start", {
          tasks: [
            { id: "a", prompt: `${answer} first`, agent: "scribe" },
            { id: "b", prompt: `${answer} second` },
            { id: "c", prompt: `${answer} third`, agent: "scribe" },
          ],
        })
        const ask = await asked(owner)
        expect(ask.text).toBe(`${tools.subagent("", "").name}: scribe`)
        await reply(ask, answer)

        const started = await starting.done
        expect(jobsOf(started).map(({ id }) => id)).toEqual(answer === "once" ? ["a", "b", "c"] : ["b"])
        if (answer === "reject")
          expect(started.output).toMatch(/^Refused: a: the user refused\nRefused: c: the user refused$/m)
        expect(jobsOf(await wait(owner)).map(({ state }) => state)).toEqual(
          answer === "once" ? ["done", "done", "done"] : ["done"],
        )
      },
    )
  })

  test("a person who interrupts instead of an answer is asked for nothing more, and later calls do not wait for that start", async () => {
    const owner = await oc.session()
    const tasks = ["scribe", "clerk"].map((agent) => ({ id: agent, prompt: "never asked", agent }))
    oc.startTool(owner, "agents_start", { tasks })
    await asked(owner)
    await oc.abort(owner)
    expect((await wait(owner)).output).toBe("No jobs are running, and all results have been delivered.")
    expect((await oc.callTool(owner, "agents_cancel", { all: true })).output).toBe("No jobs are running.")
    const requests = oc.events.seen.filter((each) => each.type === "request.opened" && each.session === owner)
    expect(requests).toHaveLength(1)
  })

  describe.concurrent("What a child may touch", () => {
    test("a plan-mode owner's child cannot edit", async () => {
      const file = join(oc.project, "opencode.json")
      const before = readFileSync(file, "utf8")
      const made = join(oc.project, "made.txt")
      const planner = await oc.session({ agent: "plan" })
      const write = tools.write(made, "made")
      calls("write under plan", [write, tools.edit(file, "fake", "real")])
      await oc.callTool(planner, "agents_start", { tasks: [{ id: "p", prompt: "write under plan" }] })
      const unavailable = expect.stringMatching(/unavailable tool|No tool named/)
      expect(await toolResults("write under plan")).toEqual([unavailable, unavailable])
      await wait(planner)
      expect(existsSync(made)).toBe(false)
      expect(readFileSync(file, "utf8")).toBe(before)

      calls("write under build", [write])
      const owner = await oc.session()
      await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "write under build" }] })
      await wait(owner)
      expect(readFileSync(made, "utf8")).toBe("made")
    })

    test("what the owner's session is denied, and where it may go outside, holds for the child", async () => {
      const outside = tempFolder("outside")
      const other = tempFolder("other")
      writeFileSync(join(outside.path, "open.txt"), "seen from outside")
      writeFileSync(join(other.path, "closed.txt"), "not to be seen")
      calls(
        "look outside",
        [join(outside.path, "open.txt"), join(other.path, "closed.txt")].map((file) => tools.read(file)),
      )
      const owner = await oc.session({
        rules: [
          { permission: "external_directory", pattern: join(outside.path, "*"), action: "allow" },
          { permission: "glob", pattern: "*", action: "deny" },
        ],
      })
      await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "look outside" }] })
      const [open, closed] = await toolResults("look outside")
      expect(open).toContain("seen from outside")
      expect(closed).toMatch(/rule|denied/)
      expect(closed).not.toContain("not to be seen")
      const first = await model.waitFor(({ text }) => text === "look outside")
      expect(first.tools).toContain("read")
      expect(first.tools).not.toContain("glob")
      await wait(owner)
      outside.remove()
      other.remove()
    })
  })

  describe.concurrent("A child that asks", () => {
    test("waits for permission, with what it asks, and goes on once somebody answers", async () => {
      const owner = await oc.session()
      calls("make a folder", [shell("mkdir -p granted")])
      const started = await oc.callTool(owner, "agents_start", {
        tasks: [{ id: "mk", prompt: "make a folder", description: "Make it" }],
      })
      const { session } = jobOf(started)
      const ask = await asked(session)

      const seen = await status(owner)
      expect(jobOf(seen)).toMatchObject({
        state: "prompting",
        phase: "permission",
        asks: [{ id: ask.id, kind: "permission", text: expect.stringContaining("mkdir -p granted") }],
      })
      expect(jobOf(seen).deadlineAt).toBeUndefined()
      expect(seen.output).toMatch(/^mk: prompting\.permission .*asks for permission: \w+: mkdir -p granted/)
      await toast(/mk \(Make it\) asks for permission: bash: mkdir -p granted/)

      const waiting = oc.startTool(owner, "agents_wait", {})
      const { title } = await waiting.shown(({ jobs: [job] }) => job?.phase === "permission")
      expect(title).toBe(titled("0/1 done, 1 waiting for permission"))
      expect(existsSync(join(oc.project, "granted"))).toBe(false)
      await reply(ask, "once")
      const waited = await waiting.done
      expect(waited.title).toBe(titled("1/1 done"))
      expect(waited.output).toContain("over")
      expect(existsSync(join(oc.project, "granted"))).toBe(true)
    })

    test("has clocks that are paused meanwhile", async () => {
      const owner = await oc.session()
      calls("be patient", [shell("true")])
      const patient = await oc.callTool(owner, "agents_start", {
        tasks: [{ id: "patient", prompt: "be patient", timeout: 10 }],
      })
      const ask = await asked(jobOf(patient).session)
      // One that does nothing from now on runs out of idle time; the patient one would have run out of all its time.
      model.on("be lazy", { type: "silent" })
      await oc.callTool(owner, "agents_start", { tasks: [{ id: "lazy", prompt: "be lazy" }] })
      const lazy = jobOf(await wait(owner, { ids: ["lazy"] }))
      expect(lazy).toMatchObject({ state: "timedOut", error: { kind: "idle" } })

      expect(jobsOf(await status(owner))[0]).toMatchObject({ id: "patient", phase: "permission" })
      await reply(ask, "once")
      expect(jobOf(await wait(owner))).toMatchObject({ id: "patient", state: "done" })
    })

    test("for several things at once goes on when all are answered", async () => {
      const owner = await oc.session()
      calls("ask twice", [shell("echo first"), shell("echo second")])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "ask twice" }] }),
      )
      const [one, two] = [await asked(session, 1), await asked(session, 2)]
      expect(jobOf(await status(owner)).asks?.map(({ text }) => text)).toEqual([
        expect.stringContaining("echo first"),
        expect.stringContaining("echo second"),
      ])
      await reply(one, "once")
      const seen = jobOf(await status(owner))
      expect(seen).toMatchObject({ phase: "permission", asks: [{ id: two.id }] })
      await reply(two, "once")
      expect(jobOf(await wait(owner)).state).toBe("done")
    })

    test("and is refused has failed, and the reason says so", async () => {
      const owner = await oc.session()
      model.script("be refused", [
        {
          type: "tool",
          text: "I had better clean up first",
          calls: [shell("rm -rf ."), shell("echo second")],
        },
      ])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ id: "no", prompt: "be refused" }] }),
      )
      await asked(session, 2)
      await reply(await asked(session, 1), "reject")
      const waited = await wait(owner)
      expect(jobOf(waited)).toMatchObject({
        state: "failed",
        error: {
          kind: "interrupted",
          message: expect.stringMatching(
            /^its turn ended at a call to (bash: The user rejected permission|shell: The user declined)/,
          ),
        },
      })
      expect(waited.output).toContain("I had better clean up first")
    })

    test("and is cancelled meanwhile ends at once", async () => {
      const owner = await oc.session()
      calls("ask and be cancelled", [shell("true")])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "ask and be cancelled" }] }),
      )
      await asked(session)
      expect(jobOf(await oc.callTool(owner, "agents_cancel", { all: true }))).toMatchObject({
        state: "cancelled",
      })
    })

    /** A job whose child has a subagent of opencode's own do something that asks; the session that does it. */
    async function delegated(owner: string, prompt: string, last?: Reply) {
      const below = `${prompt} below`
      calls(prompt, [tools.subagent("general", below)], last)
      calls(below, [shell(`echo ${below}`)])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", {
          tasks: [{ id: "boss", prompt, agent: "delegate" }],
        }),
      )
      // opencode 2 puts words of its own before a subagent's.
      const request = await model.waitFor(({ text }) => text.endsWith(below))
      return { session, grandchild: request.session ?? "" }
    }

    test("through a subagent of its own shows it on the job", async () => {
      const owner = await oc.session()
      const { session, grandchild } = await delegated(owner, "delegate it")
      expect(grandchild).not.toBe(session)
      const ask = await asked(grandchild)
      expect(jobOf(await status(owner))).toMatchObject({
        session,
        phase: "permission",
        asks: [{ id: ask.id, text: expect.stringContaining("echo delegate it below") }],
      })
      await toast(/boss .*asks for permission: bash: echo delegate it below/)
      await reply(ask, "once")
      expect(jobOf(await wait(owner)).state).toBe("done")
    })

    test("through a subagent of its own that is aborted meanwhile does not wait for ever", async () => {
      const owner = await oc.session()
      const answer = held()
      const { session, grandchild } = await delegated(owner, "delegate in vain", answer.reply)
      await asked(grandchild)
      await oc.abort(grandchild)
      await model.waitFor(
        (request) => request.session === session && request.messages.at(-1)?.role === "tool",
      )
      expect(jobOf(await status(owner))).toMatchObject({ phase: "working", deadlineAt: expect.any(Number) })
      answer.release("over")
      expect(jobOf(await wait(owner)).state).toBe("done")
    })

    test("the user a question waits for the answer", async () => {
      const owner = await oc.session()
      const question: Reply = { type: "tool", calls: [tools.question("Which colour?", "Red", "Blue")] }
      model.script("ask the user", [question, { type: "text", text: "over" }])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", {
          tasks: [{ id: "ask", prompt: "ask the user", agent: "inquirer" }],
        }),
      )
      const first = await model.waitFor(({ text }) => text === "ask the user")
      expect(first.tools).toContain("question")
      const asking = await asked(session)
      const seen = await status(owner)
      expect(jobOf(seen)).toMatchObject({
        phase: "question",
        asks: [{ kind: "question", text: "Which colour?" }],
      })
      await toast(/ask .*asks: Which colour\?/)
      const waiting = oc.startTool(owner, "agents_wait", {})
      const { title } = await waiting.shown(({ jobs: [job] }) => job?.phase === "question")
      expect(title).toBe(titled("0/1 done, 1 waiting for an answer"))
      await oc.answer(session, asking.id, "Red")
      expect(jobOf(await waiting.done).state).toBe("done")
      expect((await toolResults("ask the user")).join()).toContain("Red")
    })

    test("the user a question which they dismiss has failed, and the reason says so", async () => {
      const owner = await oc.session()
      calls("ask in vain", [tools.question("Which size?", "Small", "Large")])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "ask in vain", agent: "inquirer" }] }),
      )
      await oc.answer(session, (await asked(session)).id)
      expect(jobOf(await wait(owner))).toMatchObject({
        state: "failed",
        error: { message: "its turn ended at a call to question: The user dismissed this question" },
      })
    })
  })
})
