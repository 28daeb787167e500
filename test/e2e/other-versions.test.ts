import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeBoth } from "../support/generations.ts"
import { jobOf } from "../support/jobs.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"
import { poll } from "../support/waiters.ts"

/**
 * The built plugin in a real opencode that says it is an older 1.18, or that offers no models and no hooks of a
 * session: there is no such opencode to be had.
 */
const source = `
import troupe from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../dist/server.js")).href)}

const older = (client) => {
  const config = client._client.getConfig()
  const fetch = async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === "/global/health") return Response.json({ healthy: true, version: "1.17.9" })
    return config.fetch(request)
  }
  return { _client: { getConfig: () => ({ ...config, fetch }) } }
}
const without = ({ model, session, ...context }) => {
  const { hook, ...rest } = session
  return { ...context, session: rest }
}

export default {
  id: "opencode-troupe",
  server: (input, options) => troupe.server({ ...input, client: older(input.client) }, options),
  setup: (context) => troupe.setup(without(context)),
}
`

describeBoth("An opencode of another version than this one", ({ start, generation }) => {
  let model: ScriptedModel
  let oc: AnyOpencode
  const folder = tempFolder("versions")
  const problem =
    generation === 1
      ? "opencode 1.17.9 is too old: opencode-troupe needs 1.18 or newer"
      : "opencode 2.0.15 offers its plugins no model.list, no session.hook: what needs that fails, and the rest works; " +
        "it may be too old or too new for opencode-troupe"

  beforeAll(async () => {
    const file = join(folder.path, "server.js")
    writeFileSync(file, source)
    model = await startScriptedModel()
    // opencode 2 takes a folder.
    oc = await start({ model, plugin: { path: generation === 1 ? file : folder.path } })
  })
  afterAll(async () => {
    await oc?.stop()
    await model.stop()
    folder.remove()
  })

  test("runs jobs as far as it can", async () => {
    model.on("work all the same", { type: "text", text: "it works" })
    const owner = await oc.session()
    await oc.callTool(owner, "agents_start", { tasks: [{ prompt: "work all the same" }] })
    const waited = await oc.callTool(owner, "agents_wait", {})
    expect(jobOf(waited).state).toBe("done")
    expect(waited.output).toContain("it works")
  })

  test("is named with what is wrong, once in the log, and in agents_status", async () => {
    const lines = () =>
      oc
        .log()
        .split("\n")
        .filter((line) => line.includes(problem))
    await poll("the problem in the log", () => lines().length > 0 || undefined)
    expect((await oc.callTool(await oc.session(), "agents_status", {})).output).toContain(problem)
    expect(lines()).toHaveLength(1)
  })
})
