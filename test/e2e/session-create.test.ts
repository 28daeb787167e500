import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyProject } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"

/**
 * The built plugin with something between it and the real opencode that fails to make some sessions: opencode cannot
 * be brought to do so for one of several. opencode 2 makes them with its tool `subagent`.
 */
const doubleSource = `
import troupe from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../dist/server.js")).href)}

const between = (client) => {
  const config = client._client.getConfig()
  const fetch = async (request) => {
    const { pathname } = new URL(request.url)
    const { title = "" } = pathname === "/session" && request.method === "POST" ? await request.clone().json() : {}
    if (title.startsWith("unplugged")) throw new TypeError("the cable was pulled")
    if (title.startsWith("refused")) {
      return Response.json({ name: "UnknownError", data: { message: "the store is full" } }, { status: 500 })
    }
    if (title.startsWith("mute")) return new Response(null, { status: 503 })
    return config.fetch(request)
  }
  return { _client: { getConfig: () => ({ ...config, fetch }) } }
}

const failing = (tool) => {
  const execute = async (given, call) => {
    const { description } = given
    if (description.startsWith("unplugged")) throw new TypeError("the cable was pulled")
    if (description.startsWith("refused")) throw { _tag: "UnknownError", message: "the store is full" }
    if (description.startsWith("mute")) throw { _tag: "UnknownError", message: "" }
    return tool.execute(given, call)
  }
  return { ...tool, execute }
}
const listed = async (context) =>
  (await context.tool.list()).map((tool) => (tool.id === "subagent" ? failing(tool) : tool))

export default {
  id: "opencode-troupe",
  server: (input, options) => troupe.server({ ...input, client: between(input.client) }, options),
  setup: (context) => troupe.setup({ ...context, tool: { ...context.tool, list: () => listed(context) } }),
}
`

describeBoth("A store that takes no new session", ({ open, generation, titled }) => {
  let model: ScriptedModel
  let oc: AnyProject
  const folder = tempFolder("double")

  beforeAll(async () => {
    const file = join(folder.path, "server.js")
    writeFileSync(file, doubleSource)
    // opencode 2 takes a folder.
    const path = generation === 1 ? file : folder.path
    model = await startScriptedModel()
    oc = await open({ model, plugin: { path, options: { notify: "never" } } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
    folder.remove()
  })

  describe("A batch for some of whose tasks opencode makes no session", () => {
    let owner: string

    test("says which did not start, and why; the others run", async () => {
      owner = await oc.session()
      const task = (id: string) => ({ id, prompt: `do ${id}`, description: id })
      const tasks = ["well", "unplugged", "refused", "mute", "fine"].map(task)
      const started = await oc.callTool(owner, "agents_start", { tasks })
      expect(started.title).toBe(titled("2/5 jobs started"))
      expect(started.output.split("\n")).toEqual([
        expect.stringMatching(/^Started: well, fine\./),
        "Not started: unplugged: the cable was pulled",
        ...(generation === 1
          ? [
              "Not started: refused: the store is full (HTTP 500)",
              "Not started: mute: opencode answered 503 (HTTP 503)",
            ]
          : ["Not started: refused: the store is full", "Not started: mute: UnknownError"]),
      ])
      expect(jobsOf(started).map(({ id, state, error }) => [id, state, error?.kind])).toEqual([
        ["well", expect.any(String), undefined],
        ["unplugged", "failed", "create"],
        ["refused", "failed", "create"],
        ["mute", "failed", "create"],
        ["fine", expect.any(String), undefined],
      ])
    })

    test("has the results of those that ran, and the failures beside them", async () => {
      const waited = await oc.callTool(owner, "agents_wait", {
        ids: ["well", "unplugged", "refused", "mute", "fine"],
      })
      expect(waited.title).toBe(titled("2/5 done, 3 failed"))
      expect(waited.output).toMatch(
        /<job id="unplugged" state="failed" [^\n]*reason="create: the cable was pulled"/,
      )
      expect(await oc.children(owner)).toHaveLength(2)
      expect(model.requests.some(({ text }) => /unplugged|refused|mute/.test(text))).toBe(false)
    })
  })
})
