import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { JobRecord } from "../../src/machines/record.ts"
import type { AnyOpencode } from "../support/any-opencode.ts"
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
