import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

describeBoth("Jobs that have to pass a check", ({ open }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: { notify: "never", inspector: { enabled: false } } } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  /** Whether a child is told that what it has done did not pass. */
  const told = (text: string) => text.includes("does not count as done yet")
  const runs = (name: string) => readFileSync(join(oc.project, name), "utf8").trim().split("\n")

  async function run(task: { prompt: string; check: object; id?: string }) {
    const owner = await oc.session()
    const result = await oc.callTool(owner, "agents_start", { tasks: [{ id: "a", ...task }], wait: true })
    return { owner, result }
  }

  test("are done once it passes", async () => {
    model.on("mend the fence", { type: "text", text: "mended" })
    const { result } = await run({
      prompt: "mend the fence",
      check: { command: "echo run >> fence.log; echo all well" },
    })
    expect(jobOf(result)).toMatchObject({
      state: "done",
      check: { exitCode: 0, rounds: 1, output: "all well" },
    })
    expect(result.output).toContain("mended")
    expect(runs("fence.log")).toEqual(["run"])
  })

  test("go back to their child with the end of the output until it does", async () => {
    model.on("mend the gate", { type: "text", text: "mended at first" })
    model.on(({ text, messages }) => told(text) && JSON.stringify(messages).includes("mend the gate"), {
      type: "text",
      text: "mended at last",
    })
    const { result } = await run({
      prompt: "mend the gate",
      check: { command: "echo run >> gate.log; echo it creaks; test $(wc -l < gate.log) = 2" },
    })
    expect(jobOf(result)).toMatchObject({ state: "done", check: { exitCode: 0, rounds: 2 } })
    expect(result.output).toContain("mended at last")
    expect(runs("gate.log")).toEqual(["run", "run"])
    const [again] = model.requests.filter(({ text }) => told(text) && text.includes("creaks"))
    expect(again?.text).toContain("exited with 1")
  })
})
