import { existsSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import * as z from "zod"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { poll } from "../support/waiters.ts"

describeBoth("What a child may do", ({ start, generation }) => {
  const shell = generation === 1 ? "bash" : "shell"
  let model: ScriptedModel
  let oc: AnyOpencode

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await start({
      model,
      plugin: { options: { notify: "never" } },
      // Where a user allows everything, opencode itself lets an agent that plans write.
      config: { permission: { bash: "ask" } },
    })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** A call that creates this file, in the words of whichever tools there are. */
  const writeCall = (request: ModelRequest, file: string) => ({
    name: "write",
    args: { [nameOfPath(request)]: join(oc.project, file), content: "written" },
  })

  test("is to write a file, where its owner may", async () => {
    model.on("write the first", (request) => ({ type: "tool", calls: [writeCall(request, "first.txt")] }))
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "w", prompt: "write the first" }] })
    await oc.callTool(owner, "agents_wait", {})
    expect(existsSync(join(oc.project, "first.txt"))).toBe(true)
  })

  test("is not to write one, where its owner plans", async () => {
    model.on("write the second", (request) => ({ type: "tool", calls: [writeCall(request, "second.txt")] }))
    const owner = await oc.session({ agent: "plan" })
    const tasks = [
      { id: "g", prompt: "write the second", agent: "general" },
      { id: "e", prompt: "write the second", agent: "explore" },
    ]
    await oc.callTool(owner, "agents_start", { tasks })
    const { metadata } = await oc.callTool(owner, "agents_wait", {})
    expect(jobsOf({ metadata }).length).toBeGreaterThan(0)
    expect(existsSync(join(oc.project, "second.txt"))).toBe(false)
  })

  test("waits for the person where they are to be asked, and goes on once they allow it", async () => {
    const command = `echo asked > ${join(oc.project, "asked.txt")}`
    const call = { name: shell, args: { command, description: "Ask" } }
    model.script("ask first", [
      { type: "tool", calls: [call] },
      { type: "text", text: "allowed" },
    ])
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "a", prompt: "ask first" }] })
    const asking = await poll("the request", async () => {
      const job = jobOf(await oc.callTool(owner, "agents_status", {}))
      return job.phase === "permission" ? job : undefined
    })
    expect(asking.asks?.[0]?.text).toContain("echo asked")
    await oc.reply(asking.session, asking.asks?.[0]?.id ?? "", "once")
    const { output } = await oc.callTool(owner, "agents_wait", {})
    expect(output).toContain("allowed")
    expect(existsSync(join(oc.project, "asked.txt"))).toBe(true)
  })
})

const Body = z.object({
  tools: z.array(
    z.object({
      function: z.object({
        name: z.string(),
        parameters: z.object({ properties: z.record(z.string(), z.unknown()).default({}) }),
      }),
    }),
  ),
})

/** What the tool `write` calls the file, where it is offered. */
function nameOfPath({ rawBody }: ModelRequest): string {
  const { tools } = Body.parse(JSON.parse(rawBody))
  const write = tools.find(({ function: { name } }) => name === "write")
  const names = Object.keys(write?.function.parameters.properties ?? {})
  return names.find((name) => /path/i.test(name)) ?? "filePath"
}
