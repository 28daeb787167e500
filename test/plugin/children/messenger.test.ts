import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { PermissionRule, Prompt } from "../../../src/plugin/host/port.ts"
import { verdict } from "../../../src/plugin/host/rules.ts"
import { StoredJob } from "../../../src/plugin/records/stored-job.ts"
import { settled } from "../../machines/support/play.ts"
import { gate } from "../../support/gate.ts"
import { failed, ok, okAgents } from "../support/host-double.ts"
import { agentOf, answerTo, sessionOf } from "../support/opencode-data.ts"
import { testServices } from "../support/services.ts"
import { until } from "../support/until.ts"

/** A services at which a job `a` runs, and what is sent to its child. */
async function working(...[overrides, options]: Parameters<typeof testServices>) {
  const sent: Prompt[] = []
  const steer = async (prompt: Prompt) => {
    sent.push(prompt)
    return ok(undefined)
  }
  const services = testServices({ steer, ...overrides }, options)
  await services.call("agents_start", { tasks: [{ id: "a", prompt: "work", timeout: 60 }] })
  const say = (message: string, id = "a") => services.call("agents_send", { id, message })
  const finish = async (text: string) => {
    services.host.prompts.at(-1)?.answer(text)
    return services.call("agents_wait", { ids: ["a"] })
  }
  return { ...services, sent, say, finish }
}

describe("A message to a running job", () => {
  it("reaches its child under ids of its own, and the owner hears so", async () => {
    const { sent, say, host } = await working()
    const { title, output, jobs } = await say("and hurry")
    expect(sent).toMatchObject([{ session: host.prompts[0]?.prompt.session, text: "and hurry" }])
    expect(sent[0]?.messageID).not.toBe(host.prompts[0]?.prompt.messageID)
    expect(title).toBe("a: It gets the message at its next step.")
    expect(output).toMatch(/^It gets the message at its next step\.\na: prompting\.working/)
    expect(jobs).toMatchObject([{ id: "a", state: "prompting" }])
  })

  it("is never taken for another of the same millisecond", async () => {
    const { sent, say } = await working()
    await Promise.all(["one", "two", "three"].map((message) => say(message)))
    expect(new Set(sent.map(({ messageID }) => messageID)).size).toBe(3)
  })

  it("gets its answer, though the child's turn ended just then: asking once more joins it", async () => {
    const taken = gate<void>()
    const { say, host, call } = await working({ steer: () => taken.passed.then(() => ok(undefined)) })
    const saying = say("one thing more")
    await settled()
    host.prompts[0]?.answer("of the first turn")
    taken.open()
    await saying
    await until(() => host.prompts.length === 2)
    expect(host.prompts[1]?.prompt.text).toBe("one thing more")
    host.prompts[1]?.answer("of the second turn")
    expect((await call("agents_wait", {})).output).toContain("of the second turn")
  })

  it("reaches it in its new run too, though the run before is over only now", async () => {
    const { say, call, host, sent } = await working()
    const { session } = host
    const asked = gate<void>()
    // The first run had its answer, and asks what it cost.
    host.session = async (id) => {
      host.session = session
      await asked.passed
      return session(id)
    }
    host.prompts[0]?.answer("too late")
    await settled()
    await call("agents_cancel", { ids: ["a"] })
    await say("go on")
    asked.open()
    await settled()
    const saying = say("and hurry")
    await settled()
    expect(sent.map(({ text }) => text)).toEqual(["and hurry"])
    await saying
  })

  it("that opencode does not take is said to be not sent, and is not asked for later", async () => {
    const { say, finish, host } = await working({ steer: async () => failed("not now") })
    await expect(say("more")).rejects.toThrow(
      "opencode did not accept the message: not now. Nothing was sent.",
    )
    expect((await finish("done")).jobs[0]?.state).toBe("done")
    expect(host.prompts).toHaveLength(1)
  })

  it("that opencode refuses as the child's turn ends is not asked after all", async () => {
    const refused = gate<void>()
    const { say, call, host } = await working({ steer: () => refused.passed.then(() => failed("not now")) })
    const saying = say("more")
    await settled()
    host.prompts[0]?.answer("of the first turn")
    await settled()
    refused.open()
    await expect(saying).rejects.toThrow("Nothing was sent.")
    expect((await call("agents_wait", {})).output).toContain("of the first turn")
    expect(host.prompts).toHaveLength(1)
  })

  it("that comes when the child has given its last answer is a follow-up", async () => {
    const { say, host } = await working()
    const cost = gate<void>()
    const { session } = host
    host.session = async (id) => {
      host.session = session
      await cost.passed
      return session(id)
    }
    host.prompts[0]?.answer("of the first run")
    await settled()
    const saying = say("one thing more")
    await settled()
    cost.open()
    expect((await saying).title).toBe("a: Run 2 started; agents_wait returns its result.")
    expect(host.prompts[1]?.prompt.text).toBe("one thing more")
  })

  it("whose turn fails leaves the answer before it", async () => {
    const { say, call, host } = await working()
    await say("one thing more")
    host.prompts[0]?.answer("of the first turn")
    await until(() => host.prompts.length === 2)
    host.prompts[1]?.settle(failed("refused", 400))
    const { output, jobs } = await call("agents_wait", {})
    expect(jobs).toMatchObject([{ state: "failed", error: { message: expect.stringContaining("refused") } }])
    expect(output).toContain("of the first turn")
  })

  it("is refused while it waits for a slot, with what to do", async () => {
    const { call, say, sent } = await working({}, { concurrency: 1 })
    await call("agents_start", { tasks: [{ id: "b", prompt: "later" }] })
    await expect(say("more", "b")).rejects.toThrow(
      "b is queued and cannot take a message now; send it again once it is working or has ended. Nothing was sent.",
    )
    expect(sent).toEqual([])
  })

  it("is refused while it is being stopped", async () => {
    const { call, say, sent, troupe } = await working({ abort: () => new Promise(() => {}) })
    void call("agents_cancel", { ids: ["a"] })
    await until(() => troupe.records.get("owner", "a")?.phase === "stopping")
    await expect(say("more")).rejects.toThrow("a is stopping and cannot take a message now")
    expect(sent).toEqual([])
  })
})

describe("A message to an ended job", () => {
  it("is a new run in the same session, within the limits of the first, with a result of its own", async () => {
    const { say, finish, host, store } = await working()
    await finish("first")
    const { title, jobs } = await say("go on")
    expect(title).toBe("a: Run 2 started; agents_wait returns its result.")
    expect(jobs).toMatchObject([{ id: "a", run: 2, state: "prompting" }])
    const [first, second] = host.prompts.map(({ prompt }) => prompt)
    expect(second).toMatchObject({ session: first?.session, text: "go on", agent: "general" })
    await store.drain(1_000)
    const stored = StoredJob.parse(host.sessions.get(first?.session ?? "")?.metadata?.troupe)
    expect(stored).toMatchObject({ prompt: "go on", record: { run: 2 }, timeoutMs: 60_000, deliveredRun: 1 })
    const { output } = await finish("second")
    expect(output).toContain("second")
    expect(output).not.toContain("first")
  })

  it("brings the first run's result along where its owner had not been given it", async () => {
    const { say, finish, host, messenger, troupe } = await working()
    host.prompts[0]?.answer("first")
    await until(() => troupe.records.get("owner", "a")?.state === "done")
    const record = troupe.records.get("owner", "a")
    if (!record) throw new Error("there is a job")
    // A person, whom the owner's model does not hear.
    await messenger.send(record, "go on")
    expect((await finish("second")).output).toContain("\nfirst\n\nsecond\n")
    await say("and now?")
    const { output } = await finish("third")
    expect(output).toContain("\nthird\n")
    expect(output).not.toContain("second")
  })

  it("keeps the first run's text and cost until there are new ones", async () => {
    const { say, finish, call, troupe } = await working()
    await finish("first")
    const before = troupe.records.get("owner", "a")
    await say("go on")
    expect(troupe.records.get("owner", "a")).toMatchObject({ usage: before?.usage })
    expect((await call("agents_cancel", { ids: ["a"] })).output).toContain("\nfirst\n")
  })

  it("is handed over before the next one, however long opencode takes", async () => {
    const { say, finish, host, store, sent } = await working()
    await finish("first")
    const late = gate<void>()
    const { read } = store
    const slow = vi.spyOn(store, "read").mockImplementationOnce(async (session) => {
      await late.passed
      return read.call(store, session)
    })
    const first = say("the late one")
    await settled()
    slow.mockRestore()
    const second = say("the quick one")
    await settled()
    expect(host.prompts).toHaveLength(1)
    late.open()
    expect((await first).title).toContain("Run 2")
    expect((await second).title).toContain("at its next step")
    expect([host.prompts.at(-1)?.prompt.text, sent.at(-1)?.text]).toEqual(["the late one", "the quick one"])
  })

  it("is on record before its owner hears of it", async () => {
    const { say, finish, host } = await working()
    await finish("first")
    await say("go on")
    const session = host.prompts[0]?.prompt.session ?? ""
    const stored = StoredJob.parse(host.sessions.get(session)?.metadata?.troupe)
    expect(stored).toMatchObject({ prompt: "go on", record: { run: 2 } })
  })

  it("is refused where another opencode has gone on with the job", async () => {
    const { say, finish, host, store } = await working()
    await finish("first")
    vi.spyOn(store, "saveRun").mockRejectedValue(new Error("another's"))
    vi.spyOn(store, "isOurs").mockReturnValue(false)
    vi.spyOn(store, "isHeld").mockResolvedValue(true)
    await expect(say("go on")).rejects.toThrow("another opencode has continued a")
    expect(host.prompts).toHaveLength(1)
  })

  it("is refused to an owner whose agent may not start the child's now, and holds the child to what it may", async () => {
    const { call, finish, host } = await working({
      agents: async () =>
        okAgents(
          agentOf("build", [], { mode: "primary" }),
          agentOf("plan", [{ permission: "edit", pattern: "*", action: "deny" }], { mode: "primary" }),
          agentOf("general", [{ permission: "*", pattern: "*", action: "allow" }]),
        ),
    })
    await finish("first")
    const message = { id: "a", message: "edit it" }
    const ask = async () => ({ type: "denied" as const })
    await expect(call("agents_send", message, { agent: "plan", ask })).rejects.toThrow(
      '"plan" may not direct "general". Nothing was sent.',
    )
    await call("agents_send", message, { agent: "plan" })
    const session = host.prompts[0]?.prompt.session ?? ""
    expect(host.sessions.get(session)?.permission).toContainEqual({
      permission: "edit",
      pattern: "*",
      action: "deny",
    })
    // A new start of this run is held to the same.
    const stored = StoredJob.parse(host.sessions.get(session)?.metadata?.troupe)
    expect(stored).toMatchObject({ record: { run: 2 }, ownerAgent: "plan" })
  })

  it("holds the child to what its owner has to be asked for now, and once is enough", async () => {
    const { call, finish, host } = await working({
      agents: async () =>
        okAgents(
          agentOf("build", [{ permission: "*", pattern: "*", action: "allow" }], { mode: "primary" }),
          agentOf("careful", [{ permission: "*", pattern: "*", action: "ask" }], { mode: "primary" }),
          agentOf("general", [
            { permission: "*", pattern: "*", action: "allow" },
            { permission: "edit", pattern: "*", action: "deny" },
          ]),
        ),
    })
    const rules = () => host.sessions.get(host.prompts[0]?.prompt.session ?? "")?.permission ?? []
    const may = (permission: string) => verdict(rules(), { permission, pattern: "*" })
    await finish("first")
    await call("agents_send", { id: "a", message: "more" }, { agent: "careful" })
    expect([may("bash"), may("edit"), may("agents_start")]).toEqual(["ask", "deny", "deny"])
    const before = rules()
    await finish("second")
    await call("agents_send", { id: "a", message: "and more" }, { agent: "careful" })
    expect(rules()).toEqual(before)
  })

  it.each(["an ended job", "a running job"])(
    "of a person holds %s to what its owner may do by now",
    async (which) => {
      let rules: PermissionRule[] = []
      const { finish, host, troupe, messenger } = await working({
        agents: async () => okAgents(agentOf("build", rules, { mode: "primary" }), agentOf("general")),
      })
      if (which === "an ended job") await finish("first")
      rules = [{ permission: "edit", pattern: "*", action: "deny" }]
      const record = troupe.records.get("owner", "a")
      if (!record) throw new Error("there is no job")
      await messenger.send(record, "edit it")
      const child = host.sessions.get(record.session)
      expect(verdict(child?.permission ?? [], { permission: "edit", pattern: "*" })).toBe("deny")
    },
  )

  it("has the usual limits where what was stored cannot be read", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
    onTestFinished(() => void vi.useRealTimers())
    const options = { timeoutSeconds: 7, idleSeconds: 3 }
    const { say, finish, host, troupe } = await working({}, options)
    await finish("first")
    const session = troupe.records.get("owner", "a")?.session ?? ""
    host.sessions.set(session, sessionOf(session, { parentID: "owner", metadata: { troupe: "damaged" } }))
    const began = Date.now()
    await say("go on")
    expect(troupe.records.get("owner", "a")?.deadlineAt).toBe(began + 7_000)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(troupe.records.get("owner", "a")?.error?.message).toBe("no activity for 3 s")
  })

  it("is refused where there never was a session", async () => {
    const { call, say } = await working({ createSession: async () => failed("no room") })
    await expect(say("go on")).rejects.toThrow(
      "a never had a session to continue in; start a new job. Nothing was sent.",
    )
    expect((await call("agents_status", {})).jobs[0]?.run).toBe(1)
  })

  it("is refused where its session was deleted, without asking anybody, and by a person's as well", async () => {
    const { finish, call, host, messenger, troupe } = await working()
    const { jobs } = await finish("the answer")
    const [job] = jobs
    if (!job) throw new Error("there is no job")
    host.sessions.delete(job.session)
    const refusal = "the session of a was deleted, so it cannot continue: start a new job. Nothing was sent."
    const ask = vi.fn(async () => ({ type: "granted" }) as const)
    await expect(call("agents_send", { id: "a", message: "more" }, { ask })).rejects.toThrow(refusal)
    expect(ask).not.toHaveBeenCalled()
    await expect(messenger.send(job, "more")).rejects.toThrow(refusal)
    expect(troupe.records.get("owner", "a")).toMatchObject({ state: "done", run: 1 })
  })

  it("is refused where its owner was deleted meanwhile: nobody is there to start a job for", async () => {
    const { say, finish, troupe, host, store } = await working()
    await finish("first")
    store.read = async () => {
      troupe.forgetOwner("owner")
      return undefined
    }
    await expect(say("go on")).rejects.toThrow("a is gone with its owner. Nothing was sent.")
    expect([troupe.records.countOf("owner"), host.prompts.length]).toEqual([0, 1])
  })
})

describe("A message to a job that is not known", () => {
  it("names the ids that are", async () => {
    const { say } = await working()
    const { title, output, jobs } = await say("hello", "x")
    expect([title, output, jobs]).toEqual(["unknown job: x", "Unknown: x (your jobs: a)", []])
  })

  it("says that there are none", async () => {
    const { output } = await testServices().call("agents_send", { id: "x", message: "hello" })
    expect(output).toBe("Unknown: x (you have no jobs)")
  })
})

describe("The result of a job that an earlier process has ended", () => {
  it("is read from its child's messages when it is asked for", async () => {
    const { call, finish, troupe, host } = await working()
    await finish("first")
    const record = troupe.records.get("owner", "a")
    if (!record) throw new Error("no record")
    const { text: _text, ...rest } = record
    troupe.adopt(rest)
    const asked = { session: record.session, messageID: "msg_2" }
    host.said.get(record.session)?.push(answerTo(asked, "and more"))
    expect((await call("agents_wait", { ids: ["a"] })).output).toContain("and more")
  })
})
