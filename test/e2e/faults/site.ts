import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { answered } from "../../support/answered.ts"
import type { OpenProject } from "../../support/opencode.ts"
import type { ScriptedModel } from "../../support/scripted-model.ts"
import { openProject } from "../../support/shared-opencode.ts"
import { tempFolder } from "../../support/temp-folder.ts"
import { poll } from "../../support/waiters.ts"
import type { Call, Fault } from "./fault.ts"

/** A project whose plugin's calls to opencode can be spoiled. */
export type Site = OpenProject & {
  readonly model: ScriptedModel
  /** From now on these calls are spoiled. */
  spoil(...faults: Fault[]): void
  mend(): void
  /** Resolves once such a call was spoiled so many times since `spoil`. */
  spoiled(call: Call, times?: number): Promise<unknown>
  /** Has opencode end this project's instance; the next request makes a new one, with a new plugin. */
  restart(): Promise<void>
}

export type SiteOptions = {
  model: ScriptedModel
  notify: "idle" | "never"
}

const builtPlugin = pathToFileURL(join(import.meta.dirname, "..", "..", "..", "dist", "server.js")).href

export async function openSite({ model, notify }: SiteOptions): Promise<Site> {
  const folder = tempFolder("faults")
  const file = join(folder.path, "faults.json")
  const log = join(folder.path, "spoiled.log")
  const project = await openProject({
    model,
    plugin: {
      path: join(import.meta.dirname, "faulty-plugin.ts"),
      options: { plugin: builtPlugin, troupe: { notify }, faults: file, log },
    },
  })
  const { client } = project
  const count = (line: string) =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((each) => each === line).length
  return {
    ...project,
    model,
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
    async stop() {
      await project.stop()
      folder.remove()
    },
  }
}
