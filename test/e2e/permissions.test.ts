import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { answered } from "../support/answered.ts"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf } from "../support/jobs.ts"
import { type Reply, type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"

const config = {
  // Children may use opencode's own task, those whose agent has it.
  subagent_depth: 2,
  permission: {
    task: { "*": "allow", explore: "deny", scribe: "ask" },
    bash: "ask",
    external_directory: "deny",
  },
  agent: {
    scribe: { mode: "subagent", description: "Needs a person's consent" },
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

  const bash = (command: string) => ({ name: "bash", args: { command, description: "Runs a command" } })

  /** The n-th time (1) that a session asks for a permission. */
  async function asked(session: string, nth = 1) {
    const { payload } = await oc.events.waitFor((event) => {
      const all = oc.events.seen.filter(({ payload }) => asks(payload, session))
      return all[nth - 1] === event
    })
    if (payload.type !== "permission.asked") throw new Error(`Not an ask: ${payload.type}`)
    return payload.properties
  }

  const asks = (payload: AnyProject["events"]["seen"][number]["payload"], session: string) =>
    payload.type === "permission.asked" && payload.properties.sessionID === session

  const reply = async (requestID: string, reply: "once" | "always" | "reject") =>
    answered("the reply", oc.client.permission.reply({ requestID, reply }))

  const toast = (words: string | RegExp) =>
    oc.events.waitFor(
      ({ payload }) =>
        payload.type === "tui.toast.show" &&
        (typeof words === "string"
          ? payload.properties.message.includes(words)
          : words.test(payload.properties.message)),
    )

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
        expect(ask).toMatchObject({
          permission: "task",
          patterns: ["scribe"],
          metadata: { subagent_type: "scribe", description: `${answer} first, ${answer} third` },
        })
        await reply(ask.id, answer)

        const started = await starting.done
        expect(jobsOf(started).map(({ id }) => id)).toEqual(answer === "once" ? ["a", "b", "c"] : ["b"])
        if (answer === "reject")
          expect(started.output).toMatch(/^Refused: a: the user refused\nRefused: c: the user refused$/m)
        expect((await wait(owner)).title).toBe(answer === "once" ? "3/3 done" : "1/1 done")
      },
    )
  })

  describe.concurrent("What a child may touch", () => {
    test("a plan-mode owner's child cannot edit", async () => {
      const file = join(oc.project, "opencode.json")
      const before = readFileSync(file, "utf8")
      const made = join(oc.project, "made.txt")
      const owner = await oc.session()
      const write = { name: "write", args: { filePath: made, content: "made" } }
      const edit = { name: "edit", args: { filePath: file, oldString: "fake", newString: "real" } }
      calls("write under plan", [write, edit])
      await oc.callTool(
        owner,
        "agents_start",
        { tasks: [{ id: "p", prompt: "write under plan" }] },
        { agent: "plan" },
      )
      const unavailable = expect.stringContaining("unavailable tool")
      expect(await toolResults("write under plan")).toEqual([unavailable, unavailable])
      await oc.callTool(owner, "agents_wait", {}, { agent: "plan" })
      expect(existsSync(made)).toBe(false)
      expect(readFileSync(file, "utf8")).toBe(before)

      calls("write under build", [write])
      await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "write under build" }] })
      await wait(owner)
      expect(readFileSync(made, "utf8")).toBe("made")
    })

    test("what the owner's session is denied, and where it may go outside, holds for the child", async () => {
      const outside = tempFolder("outside")
      const other = tempFolder("other")
      writeFileSync(join(outside.path, "open.txt"), "seen from outside")
      writeFileSync(join(other.path, "closed.txt"), "not to be seen")
      const read = (path: string) => ({ name: "read", args: { filePath: path } })
      calls("look outside", [read(join(outside.path, "open.txt")), read(join(other.path, "closed.txt"))])
      const owner = await oc.session({
        permission: [
          { permission: "external_directory", pattern: join(outside.path, "*"), action: "allow" },
          { permission: "glob", pattern: "*", action: "deny" },
        ],
      })
      await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "look outside" }] })
      const [open, closed] = await toolResults("look outside")
      expect(open).toContain("seen from outside")
      expect(closed).toContain("rule")
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
      calls("make a folder", [bash("mkdir -p granted")])
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
      expect(seen.output).toMatch(/^mk: prompting\.permission .*asks for permission: bash: mkdir -p granted/)
      await toast(/mk \(Make it\) asks for permission: bash: mkdir -p granted/)

      const waiting = oc.startTool(owner, "agents_wait", {})
      await waiting.waitForPart(
        ({ state }) => state.status === "running" && state.title === "0/1 done, 1 waiting for permission",
      )
      expect(existsSync(join(oc.project, "granted"))).toBe(false)
      await reply(ask.id, "once")
      const waited = await waiting.done
      expect(waited.title).toBe(titled("1/1 done"))
      expect(waited.output).toContain("over")
      expect(existsSync(join(oc.project, "granted"))).toBe(true)
    })

    test("has clocks that stand still meanwhile", async () => {
      const owner = await oc.session()
      calls("be patient", [bash("true")])
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
      await reply(ask.id, "once")
      expect(jobOf(await wait(owner))).toMatchObject({ id: "patient", state: "done" })
    })

    test("for several things at once goes on when all are answered", async () => {
      const owner = await oc.session()
      calls("ask twice", [bash("echo first"), bash("echo second")])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "ask twice" }] }),
      )
      const [one, two] = [await asked(session, 1), await asked(session, 2)]
      expect(jobOf(await status(owner)).asks?.map(({ text }) => text)).toEqual([
        expect.stringContaining("echo first"),
        expect.stringContaining("echo second"),
      ])
      await reply(one.id, "once")
      const seen = jobOf(await status(owner))
      expect(seen).toMatchObject({ phase: "permission", asks: [{ id: two.id }] })
      await reply(two.id, "once")
      expect(jobOf(await wait(owner)).state).toBe("done")
    })

    test("and is refused has failed, and the reason says so", async () => {
      const owner = await oc.session()
      model.script("be refused", [
        {
          type: "tool",
          text: "I had better clean up first",
          calls: [bash("rm -rf ."), bash("echo second")],
        },
      ])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ id: "no", prompt: "be refused" }] }),
      )
      await asked(session, 2)
      await reply((await asked(session, 1)).id, "reject")
      const waited = await wait(owner)
      expect(jobOf(waited)).toMatchObject({
        state: "failed",
        error: {
          kind: "interrupted",
          message: expect.stringMatching(/^its turn ended at a call of bash: The user rejected permission/),
        },
      })
      expect(waited.output).toContain("I had better clean up first")
    })

    test("and is cancelled meanwhile ends at once", async () => {
      const owner = await oc.session()
      calls("ask and be cancelled", [bash("true")])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "ask and be cancelled" }] }),
      )
      await asked(session)
      expect(jobOf(await oc.callTool(owner, "agents_cancel", { all: true }))).toMatchObject({
        state: "cancelled",
      })
    })

    /** A job whose child has opencode's own `task` do something that asks; the session that does it. */
    async function delegated(owner: string, prompt: string, last?: Reply) {
      const below = `${prompt} below`
      const args = { description: "Below", prompt: below, subagent_type: "general" }
      calls(prompt, [{ name: "task", args }], last)
      calls(below, [bash(`echo ${below}`)])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", {
          tasks: [{ id: "boss", prompt, agent: "delegate" }],
        }),
      )
      const request = await model.waitFor(({ text }) => text === below)
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
      await reply(ask.id, "once")
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
      const question: Reply = {
        type: "tool",
        calls: [
          {
            name: "question",
            args: {
              questions: [
                {
                  question: "Which colour?",
                  header: "Colour",
                  options: [
                    { label: "Red", description: "Like roses" },
                    { label: "Blue", description: "Like violets" },
                  ],
                },
              ],
            },
          },
        ],
      }
      model.script("ask the user", [question, { type: "text", text: "over" }])
      const { session } = jobOf(
        await oc.callTool(owner, "agents_start", {
          tasks: [{ id: "ask", prompt: "ask the user", agent: "inquirer" }],
        }),
      )
      const first = await model.waitFor(({ text }) => text === "ask the user")
      expect(first.tools).toContain("question")
      const { payload } = await oc.events.waitFor(
        ({ payload }) => payload.type === "question.asked" && payload.properties.sessionID === session,
      )
      if (payload.type !== "question.asked") throw new Error(payload.type)
      const seen = await status(owner)
      expect(jobOf(seen)).toMatchObject({
        phase: "question",
        asks: [{ kind: "question", text: "Which colour?" }],
      })
      await toast(/ask .*asks: Which colour\?/)
      const waiting = oc.startTool(owner, "agents_wait", {})
      await waiting.waitForPart(
        ({ state }) => state.status === "running" && state.title === "0/1 done, 1 waiting for an answer",
      )
      await answered(
        "the answer",
        oc.client.question.reply({ requestID: payload.properties.id, answers: [["Red"]] }),
      )
      expect(jobOf(await waiting.done).state).toBe("done")
      expect((await toolResults("ask the user")).join()).toContain("Red")
    })
  })
})
