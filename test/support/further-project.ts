import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { createOpencodeClient, type OpencodeClient } from "@opencode-ai/sdk/v2/client"
import * as z from "zod"
import { answered } from "./answered.ts"
import type { ToolOutcome } from "./any-opencode.ts"
import type { Opencode } from "./opencode.ts"
import { makeProject } from "./project.ts"
import type { ScriptedModel } from "./scripted-model.ts"
import { tempFolder } from "./temp-folder.ts"
import { startToolCall } from "./tool-call.ts"

/** Another directory that an opencode that runs already serves, with an instance of the plugin of its own. */
export interface FurtherProject {
  directory: string
  client: OpencodeClient
  callTool(session: string, tool: string, args: object): Promise<ToolOutcome>
  session(): Promise<string>
  remove(): void
}

const Config = z.record(z.string(), z.unknown())

/** @param options the plugin's, in place of those of the first project. */
export function addProject(opencode: Opencode, model: ScriptedModel, options: object): FurtherProject {
  const folder = tempFolder("further-project")
  const config = Config.parse(JSON.parse(readFileSync(join(opencode.project, "opencode.json"), "utf8")))
  const plugin = pathToFileURL(join(import.meta.dirname, "../../dist/server.js")).href
  makeProject(folder.path, { ...config, plugin: [[plugin, options]] })
  const client = createOpencodeClient({ baseUrl: opencode.url, directory: folder.path })
  return {
    directory: folder.path,
    client,
    callTool: (session, tool, args) =>
      startToolCall({ client, model, events: opencode.events }, session, tool, args).done,
    session: async () => (await answered("a session", client.session.create({}))).id,
    remove: () => folder.remove(),
  }
}
