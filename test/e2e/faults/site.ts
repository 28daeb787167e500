import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { createOpencodeClient, type OpencodeClient } from "@opencode-ai/sdk/v2/client"
import { answered } from "../../support/answered.ts"
import type { Opencode } from "../../support/opencode.ts"
import type { ScriptedModel } from "../../support/scripted-model.ts"
import { setStage } from "../../support/stage.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { startToolCall, type ToolOutcome } from "../../support/tool-call.ts"
import { poll } from "../../support/waiters.ts"
import type { Call, Fault } from "./fault.ts"

/** One project in a running opencode, whose plugin's calls can be spoiled. */
export type Site = {
  readonly client: OpencodeClient
  readonly model: ScriptedModel
  readonly events: Opencode["events"]
  session(): Promise<string>
  call(session: string, tool: string, args: object): Promise<ToolOutcome>
  start(session: string, tool: string, args: object): ReturnType<typeof startToolCall>
  /** From now on these calls are spoiled. */
  spoil(...faults: Fault[]): void
  mend(): void
  /** Resolves once such a call was spoiled so many times since `spoil`. */
  spoiled(call: Call, times?: number): Promise<unknown>
  /** Has opencode end this project's instance; the next request makes a new one, with a new plugin. */
  restart(): Promise<void>
  remove(): void
}

export type SiteOptions = {
  opencode: Opencode
  model: ScriptedModel
  notify: "idle" | "never"
}

const builtPlugin = pathToFileURL(join(import.meta.dirname, "..", "..", "..", "dist", "server.js")).href

export async function openSite({ opencode, model, notify }: SiteOptions): Promise<Site> {
  const folder = tempFolder("faults")
  const file = join(folder.path, "faults.json")
  const log = join(folder.path, "spoiled.log")
  const stage = await setStage({
    model,
    home: opencode.home,
    plugin: {
      path: join(import.meta.dirname, "faulty-plugin.ts"),
      options: { plugin: builtPlugin, troupe: { notify }, faults: file, log },
    },
  })
  const client = createOpencodeClient({ baseUrl: opencode.url, directory: stage.project })
  const { events } = opencode
  const start: Site["start"] = (session, tool, args) =>
    startToolCall({ client, model, events }, session, tool, args)
  const count = (line: string) =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((each) => each === line).length
  return {
    client,
    model,
    events,
    session: async () => (await answered("a session", client.session.create({}))).id,
    call: (session, tool, args) => start(session, tool, args).done,
    start,
    spoil(...faults) {
      writeFileSync(log, "")
      // Renamed, so that nobody ever reads half of it.
      writeFileSync(`${file}.new`, JSON.stringify(faults))
      renameSync(`${file}.new`, file)
    },
    mend: () => rmSync(file, { force: true }),
    spoiled: (call, times = 1) =>
      poll(`${times} spoiled ${call}`, () => count(call) >= times || undefined, { timeoutMs: 40_000 }),
    async restart() {
      const before = count("loaded")
      await answered("the end of the instance", client.instance.dispose())
      // A request that comes at once may still be answered by the old one.
      await poll("a new instance", async () => {
        await answered("the agents", client.app.agents())
        return count("loaded") > before || undefined
      })
    },
    remove() {
      stage.remove()
      folder.remove()
    },
  }
}
