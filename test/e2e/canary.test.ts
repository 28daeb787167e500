import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import * as z from "zod"
import type { AnyOpencode } from "../support/any-opencode.ts"
import { describeOn } from "../support/generations.ts"
import { startOpencode2 } from "../support/opencode-2.ts"
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"
import { tempFolder } from "../support/temp-folder.ts"

/** A plugin that says what opencode lets plugins do with sessions. It has our id, which the harness waits for. */
const pluginSource = `
export default {
  id: "opencode-troupe",
  setup: async ({ session, tool }) => {
    const look = async (_, { sessionID, agent }) => {
      const { parentID } = await session.create({ title: "canary", agent, parentID: sessionID })
      return { content: JSON.stringify({ parentID, canRemove: session.remove !== undefined }) }
    }
    await tool.transform((tools) =>
      tools.add({
        name: "look",
        options: { codemode: false },
        description: "Looks",
        input: { type: "object", properties: {} },
        execute: look,
      }),
    )
  },
}
`

const Seen = z.object({ parentID: z.string().optional(), canRemove: z.boolean() })

// A failure here is no defect: the plugin takes what it finds. But its detours are for nothing from that version on.
describeOn(2, "What a plugin cannot do with sessions", () => {
  const folder = tempFolder("canary")
  let model: ScriptedModel
  let opencode: AnyOpencode
  let seen: z.infer<typeof Seen>

  beforeAll(async () => {
    writeFileSync(join(folder.path, "server.js"), pluginSource)
    model = await startScriptedModel()
    // Of its own: where its plugin is removed, opencode loads every location of the process anew.
    opencode = await startOpencode2({ model, plugin: { path: folder.path } })
    const looked = await opencode.callTool(await opencode.session(), "look", {})
    seen = Seen.parse(JSON.parse(looked.output))
  })
  afterAll(async () => {
    await opencode?.stop()
    await model.stop()
    folder.remove()
  })

  test("session.create drops the parent", () => {
    expect(
      seen.parentID,
      "This opencode makes children with `session.create`, so jobs are started without its tool `subagent` (the way " +
        "`parent` in src/plugin/host/v2/children.ts). See whether the end-to-end tests hold, and correct README.md " +
        "(`depth` above 1, the permission to start an agent). Once the oldest opencode 2 in README.md does the same, " +
        "remove the ways `subagent` and `root`. Then have this test expect that.",
    ).toBeUndefined()
  })

  test("session.remove is missing", () => {
    expect(
      seen.canRemove,
      "This opencode lets plugins remove sessions, so the first child is tried with `session.create` and sessions " +
        "without a job are removed (`remove` in src/plugin/host/v2/children.ts). See whether the end-to-end tests " +
        "hold, and remove the empty session of an interrupted start from README.md. Then have this test expect that.",
    ).toBe(false)
  })
})
