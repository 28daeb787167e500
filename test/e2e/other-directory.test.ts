import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobRecord } from "../../src/machines/record.ts"
import type { AnyOpencode, AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobOf, jobsOf, recordOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel, textOf } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

const config = {
  permission: { "*": "allow", bash: "ask", webfetch: "deny" },
  agent: { scribe: { mode: "subagent", description: "Writes" } },
}

describeBoth("A child that works in another directory than its owner", ({ start, tools }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({ model, config, plugin: { options: { notify: "never", recover: "resume" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  const started = async (owner: string, tasks: object[]): Promise<JobRecord[]> =>
    jobsOf(
      await oc.callTool(owner, "agents_start", {
        tasks: tasks.map((task) => ({ isolation: "worktree", ...task })),
      }),
    )
  const start1 = async (
    owner: string,
    task: object,
  ): Promise<JobRecord & { worktree: { directory: string } }> => {
    const [job] = await started(owner, [task])
    const { worktree } = job ?? {}
    if (!job || !worktree) throw new Error(`No worktree: ${JSON.stringify(job)}`)
    return { ...job, worktree }
  }
  const waited = (owner: string) => oc.callTool(owner, "agents_wait", {})

  test("writes there, is heard and answers", async () => {
    const owner = await oc.session()
    model.script("write it", [
      { type: "tool", calls: [tools.write("new.txt", "from the child")] },
      { type: "text", text: "written" },
    ])
    const { worktree } = await start1(owner, { id: "a", prompt: "write it" })
    const result = await waited(owner)
    expect(result.output).toContain("written")
    expect(jobOf(result)).toMatchObject({ state: "done", worktree })
    expect(jobOf(result).usage.input).toBeGreaterThan(0)
    expect(readFileSync(join(worktree.directory, "new.txt"), "utf8")).toBe("from the child")
    expect(existsSync(join(oc.project, "new.txt"))).toBe(false)
  })

  test("asks there for what its owner's rules ask for, and goes on once that is answered", async () => {
    const owner = await oc.session()
    model.script("run it", [
      { type: "tool", calls: [tools.shell("pwd")] },
      { type: "text", text: "ran" },
    ])
    const { session, worktree } = await start1(owner, { id: "a", prompt: "run it" })
    const { request } = await oc.events.waitFor("request.opened", (event) => event.session === session)
    await poll("the request in the job", async () => {
      const job = jobOf(await oc.callTool(owner, "agents_status", {}))
      return job.phase === "permission" || undefined
    })
    await oc.reply(session, request.id, "once")
    expect((await waited(owner)).output).toContain("ran")
    const { messages } = await model.waitFor(
      ({ text, messages }) => text === "run it" && messages.at(-1)?.role === "tool",
    )
    expect(messages.slice(-1).map(textOf).join()).toContain(worktree.directory)
  })

  test("is stopped for real", async () => {
    const owner = await oc.session()
    model.on("take long", held("half of it").reply)
    const { session } = await start1(owner, { id: "a", prompt: "take long" })
    const asked = await model.waitFor(({ text }) => text === "take long")
    await poll("what it writes", async () => {
      const [job] = jobsOf(await oc.callTool(owner, "agents_status", {}))
      return job?.activity?.text === "half of it" || undefined
    })
    const cancelled = await oc.callTool(owner, "agents_cancel", { ids: ["a"] })
    expect([jobOf(cancelled).state, cancelled.output]).toEqual([
      "cancelled",
      expect.stringContaining("half of it"),
    ])
    await poll("the end of the request", async () => asked.closed || undefined)
    expect(await oc.isBusy(session)).toBe(false)
  })

  test("is given a follow-up in the same directory", async () => {
    const owner = await oc.session()
    model.on("begin here", { type: "text", text: "begun" })
    model.script("write more", [
      { type: "tool", calls: [tools.write("more.txt", "more")] },
      { type: "text", text: "more is there" },
    ])
    const { worktree } = await start1(owner, { id: "a", prompt: "begin here" })
    await waited(owner)
    await oc.callTool(owner, "agents_send", { id: "a", message: "write more" })
    const result = await waited(owner)
    expect(result.output).toContain("more is there")
    expect(jobOf(result)).toMatchObject({ run: 2, state: "done", worktree })
    expect(existsSync(join(worktree.directory, "more.txt"))).toBe(true)
  })

  test("is cancelled with its session", async () => {
    const owner = await oc.session()
    model.on("be deleted", held("something").reply)
    const { session } = await start1(owner, { id: "a", prompt: "be deleted" })
    await model.waitFor(({ text }) => text === "be deleted")
    await oc.deleteSession(session)
    expect(jobOf(await waited(owner))).toMatchObject({ state: "cancelled", error: { kind: "cancelled" } })
  })

  test("goes on there after a kill -9, heard and answered as before", async () => {
    const owner = await oc.session()
    const asked = () => model.requests.filter(({ text }) => text === "be cut off")
    model.on("be cut off", () =>
      asked().length > 1 ? { type: "tool", calls: [tools.write("late.txt", "late")] } : held("half").reply,
    )
    const { session, worktree } = await start1(owner, { id: "a", prompt: "be cut off" })
    await model.waitFor(({ text }) => text === "be cut off")
    await oc.kill()
    await oc.restart()
    const result = await waited(owner)
    expect(jobOf(result)).toMatchObject({ session, state: "done", worktree })
    expect(jobOf(result).usage.input).toBeGreaterThan(0)
    expect(readFileSync(join(worktree.directory, "late.txt"), "utf8")).toBe("late")
    expect(existsSync(join(oc.project, "late.txt"))).toBe(false)
    await recordOf(oc, owner, "a", ({ state }) => state === "done")
  })
})

describeBoth(
  "A child that works in another directory, where git does not track all of the configuration,",
  (opencode) => {
    const { start, tools } = opencode
    let model: ScriptedModel
    let oc: AnyProject

    beforeAll(async () => {
      model = await startScriptedModel()
      // opencode 2 keeps each worktree loaded, and reloads all that it has loaded: others would wait for that.
      oc = await start({ model, plugin: { options: { notify: "never" } } })
      const ignored = {
        permission: { bash: "deny", edit: { "*": "allow", "secret/*": "deny" } },
        agent: { local: { mode: "subagent", description: "Is there alone" } },
      }
      writeFileSync(join(oc.project, ".git", "info", "exclude"), "/opencode.jsonc\n")
      writeFileSync(join(oc.project, "opencode.jsonc"), JSON.stringify(ignored))
      await oc.reload()
    })
    afterAll(async () => {
      await oc?.stop()
      await model.stop()
    })

    test("may not do what it may not at its owner", async () => {
      const owner = await oc.session()
      model.script("try it all", [
        {
          type: "tool",
          calls: [tools.write("secret/key", "x"), tools.write("open.txt", "x"), tools.shell("touch run.txt")],
        },
        { type: "text", text: "tried" },
      ])
      const tasks = [{ id: "a", prompt: "try it all", isolation: "worktree" }]
      await oc.callTool(owner, "agents_start", { tasks })
      const { worktree, state } = jobOf(await oc.callTool(owner, "agents_wait", {}))
      const asked = await model.waitFor(({ text }) => text.includes("try it all"))
      expect(asked.tools).toContain("write")
      expect(asked.tools).not.toContain(tools.shell("").name)
      expect(state).toBe("done")
      const isThere = (file: string) => existsSync(join(worktree?.directory ?? "", file))
      expect(["secret/key", "open.txt", "run.txt", "opencode.jsonc"].map(isThere)).toEqual([
        false,
        true,
        false,
        false,
      ])
    })

    test("is refused an agent that is not there, by name, and never works at its owner's instead", async () => {
      const branches = () =>
        execFileSync("git", ["branch", "--list", "troupe/*"], { cwd: oc.project, encoding: "utf8" })
      const before = branches()
      const owner = await oc.session()
      const tasks = [{ id: "a", prompt: "be local", agent: "local", isolation: "worktree" }]
      const { output, metadata } = await oc.callTool(owner, "agents_start", { tasks })
      expect(output).toContain('there is no agent "local" in its worktree')
      expect(jobOf({ metadata })).toMatchObject({ state: "failed", error: { kind: "isolation" } })
      expect(model.requests.some(({ text }) => text.includes("be local"))).toBe(false)
      expect(branches()).toBe(before)
    })
  },
)

describeBoth("A child that works in another directory and may start jobs", ({ open, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    const config = { permission: { "*": "allow" }, experimental: { subagent_depth: 2 } }
    oc = await open({ model, config, plugin: { options: { depth: 2, notify: "never" } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** An outer job in a worktree, whose child starts an inner one and waits for it. */
  async function nested(name: string, inner: Parameters<ScriptedModel["script"]>[1]) {
    model.script(`inner of ${name}`, inner)
    model.script(`outer of ${name}`, [
      {
        type: "tool",
        calls: [{ name: "agents_start", args: { tasks: [{ id: "inner", prompt: `inner of ${name}` }] } }],
      },
      { type: "tool", calls: [{ name: "agents_wait", args: {} }] },
      { type: "text", text: "outer is done" },
    ])
    const owner = await oc.session()
    const tasks = [{ id: "outer", prompt: `outer of ${name}`, isolation: "worktree" }]
    const { session, worktree } = jobOf(await oc.callTool(owner, "agents_start", { tasks }))
    return { owner, session, directory: worktree?.directory ?? "" }
  }

  test("has them work where it does, and gets their results", async () => {
    const { owner, session, directory } = await nested("one", [
      { type: "tool", calls: [tools.write("inner.txt", "x")] },
      { type: "text", text: "inner is done" },
    ])
    expect(jobOf(await oc.callTool(owner, "agents_wait", {})).state).toBe("done")
    await recordOf(oc, session, "inner", ({ state }) => state === "done")
    expect([existsSync(join(directory, "inner.txt")), existsSync(join(oc.project, "inner.txt"))]).toEqual([
      true,
      false,
    ])
    const told = await model.waitFor(
      ({ text, messages }) =>
        text.endsWith("outer of one") && messages.filter(({ role }) => role === "tool").length === 2,
    )
    expect(told.messages.slice(-1).map(textOf).join()).toContain("inner is done")
  })

  test("takes them along when it is cancelled", async () => {
    const { owner, session } = await nested("two", [held("half").reply])
    const asked = await model.waitFor(({ text }) => text.endsWith("inner of two"))
    await oc.callTool(owner, "agents_cancel", { ids: ["outer"] })
    await recordOf(oc, session, "inner", ({ state }) => state === "cancelled")
    await poll("the end of the request", async () => asked.closed || undefined)
  })
})
