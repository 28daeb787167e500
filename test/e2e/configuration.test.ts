import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { held, jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("A job that puts a plugin into its worktree", ({ start, tools, generation }) => {
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({
      model,
      config: { permission: { bash: "deny", edit: "allow", "*": "allow" } },
      plugin: { options: { notify: "never", inspector: { enabled: false }, recover: "resume" } },
    })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** A plugin that leaves a mark where it is run: in the directory that opencode was started for. */
  const plugin = (mark: string) =>
    [
      'import { appendFileSync } from "node:fs"',
      `appendFileSync(${JSON.stringify(mark)}, import.meta.url + "\\n")`,
      "export const Evil = async () => ({})",
      'export default { id: "evil", setup: async () => {}, server: async () => ({}) }',
      "",
    ].join("\n")
  /** Which of the worktrees' plugins opencode has run. */
  const run = (mark: string) => (existsSync(mark) ? readFileSync(mark, "utf8") : "")
  const writes = (mark: string) => ({
    type: "tool" as const,
    calls: [tools.write(`.opencode/${generation === 1 ? "plugin" : "plugins"}/evil.ts`, plugin(mark))],
  })

  test("gives no other job one that starts from it, and has no opencode run it there", async () => {
    const mark = join(oc.home, "from")
    model.script("write a plugin", [writes(mark), { type: "text", text: "done" }])
    model.script(/go on from there/, [{ type: "text", text: "ok" }])
    const owner = await oc.session()
    const tasks = [
      { id: "a", prompt: "write a plugin", isolation: "worktree" },
      { id: "b", prompt: "go on from there", isolation: { from: "a" } },
    ]
    const [a, b] = jobsOf(await oc.callTool(owner, "agents_start", { tasks, wait: true }))
    expect(a).toMatchObject({ state: "done", worktree: { files: 1 } })
    expect(b).toMatchObject({
      state: "failed",
      error: {
        kind: "isolation",
        message: expect.stringMatching(/a has changed opencode's own configuration \(".*evil\.ts"\)/),
      },
    })
    expect(model.requests.some(({ text }) => text.includes("go on from there"))).toBe(false)
    expect(run(mark)).not.toContain(b?.worktree?.directory ?? "no worktree")
  })

  test("is not gone on with after a kill -9, nor asked again, and no opencode runs it", async () => {
    const mark = join(oc.home, "resumed")
    model.script("write one and be cut off", [writes(mark), held("half").reply])
    const owner = await oc.session()
    const tasks = [{ id: "c", prompt: "write one and be cut off", isolation: "worktree" }]
    const [c] = jobsOf(await oc.callTool(owner, "agents_start", { tasks }))
    await model.waitFor(
      ({ text, messages }) => text.includes("be cut off") && messages.at(-1)?.role === "tool",
    )
    const before = run(mark)
    await oc.kill()
    await oc.restart()
    const [found] = jobsOf(await oc.callTool(owner, "agents_wait", {}))
    expect(found).toMatchObject({ id: "c", state: "failed", error: { kind: "isolation" } })
    expect(found?.error?.message).toContain("evil.ts")
    const sent = await oc.callTool(owner, "agents_send", { id: "c", message: "go on" })
    expect(`${sent.error}`).toContain("evil.ts")
    await oc.callTool(owner, "agents_status", {})
    expect(existsSync(c?.worktree?.directory ?? "")).toBe(true)
    expect(run(mark)).toBe(before)
  })
})
