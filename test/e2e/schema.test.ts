import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { gate } from "../support/gate.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf, jobsOf } from "../support/jobs.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

const schema = {
  type: "object",
  properties: { colour: { enum: ["red", "blue"] }, size: { type: "integer" } },
  required: ["colour"],
  additionalProperties: false,
}
const asksFor = (prompt: string) => (request: ModelRequest) => request.text.startsWith(prompt)
/** Whether a child that was asked this is now asked to correct its answer. */
const corrects = (prompt: string) => (request: ModelRequest) =>
  request.text.includes("Answer again") && JSON.stringify(request.messages).includes(prompt)

describeBoth("Jobs whose answer is to fit a schema", ({ open, generation }) => {
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

  test("return it as data, corrected once where it does not fit, and fail with what is wrong where that is in vain", async () => {
    model.on("paint the door", { type: "text", text: 'Gladly:\n```json\n{ "colour": "red" }\n```\nDone.' })
    model.on("paint the wall", { type: "text", text: "I painted it green." })
    model.on(corrects("paint the wall"), { type: "text", text: '{"colour": "blue", "size": 3}' })
    model.on("paint the roof", { type: "text", text: '{"colour": "green"}' })
    model.on(corrects("paint the roof"), { type: "text", text: '{"colour": "yellow"}' })
    const owner = await oc.session()
    const tasks = ["door", "wall", "roof"].map((id) => ({ id, prompt: `paint the ${id}`, schema }))
    const remote = { id: "moon", prompt: "paint the moon", schema: { $ref: "https://example.com/moon.json" } }
    const started = await oc.callTool(owner, "agents_start", { tasks: [...tasks, remote] })
    expect(started.output).toContain("Started: door, wall, roof.")
    expect(started.output).toContain(
      'Refused: moon: tasks[3].schema.$ref is "https://example.com/moon.json": it must be a place in this schema',
    )
    const ended = await oc.callTool(owner, "agents_wait", {})

    const unfit = 'its answer does not fit: colour is "yellow": it must be one of "red", "blue"'
    expect(jobsOf(ended)).toMatchObject([
      { id: "door", state: "done", structured: { colour: "red" } },
      { id: "wall", state: "done", structured: { colour: "blue", size: 3 } },
      { id: "roof", state: "failed", error: { kind: "schema", message: expect.stringContaining(unfit) } },
    ])
    expect(ended.output).toContain('"colour":"red"')
    expect(ended.output).not.toMatch(/Gladly|green/)
    expect(ended.output.match(/"colour":"blue"/g)).toHaveLength(1)
    expect(ended.output).toContain('{"colour": "yellow"}')
    const [repair] = model.requests.filter(corrects("paint the wall"))
    expect(repair?.text).toContain("it has no JSON value")
    expect(model.requests.filter(corrects("paint the roof"))).toHaveLength(1)
  })

  test("are not started where nothing could check a field's name", async () => {
    const uncheckable = JSON.parse('{"properties": {"__proto__": {"type": "number"}}}')
    const owner = await oc.session()
    const tasks = [{ id: "sun", prompt: "paint the sun", schema: uncheckable }]
    const { output } = await oc.callTool(owner, "agents_start", { tasks })
    expect(output).toContain(
      generation === 1
        ? // opencode itself reads no call that has it.
          "Object contains forbidden prototype property"
        : "Refused: sun: tasks[0].schema.properties.__proto__ is a name that cannot be checked",
    )
  })

  test("keep it in follow-ups, and where a message comes in between", async () => {
    const held = gate()
    model.on("choose a colour", { type: "hold", until: held.passed })
    model.on("not a warm one", { type: "text", text: "Fine, then blue." })
    model.on(corrects("not a warm one"), { type: "text", text: '{"colour":"blue"}' })
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ id: "c", prompt: "choose a colour", schema }] })
    await model.waitFor(asksFor("choose a colour"))
    await oc.callTool(owner, "agents_send", { id: "c", message: "not a warm one" })
    held.open('{"colour":"red"}')
    expect(jobOf(await oc.callTool(owner, "agents_wait", {})).structured).toEqual({ colour: "blue" })

    model.on("and its size", { type: "text", text: '{"colour":"blue","size":7}' })
    await oc.callTool(owner, "agents_send", { id: "c", message: "and its size" })
    const again = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(again)).toMatchObject({ run: 2, state: "done", structured: { colour: "blue", size: 7 } })
    expect(model.requests.findLast(asksFor("and its size"))?.text).toContain('"additionalProperties":false')
  })
})
