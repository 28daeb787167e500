import { join } from "node:path"
import { createOpencodeClient } from "@opencode-ai/sdk/v2/client"
import { answered } from "./answered.ts"
import { type Common, common } from "./common.ts"
import { EventStream } from "./events.ts"
import { type OpenProject, serve } from "./opencode.ts"
import { opencodeEnv } from "./opencode-env.ts"
import { copyHomeOf } from "./prepared-home.ts"
import type { ScriptedModel } from "./scripted-model.ts"
import { type StageOptions, setStage } from "./stage.ts"
import { tempFolder } from "./temp-folder.ts"
import { startToolCall } from "./tool-call.ts"

/** Starts so many opencodes for `openProject`, in homes like the prepared one. */
export async function startShared(count: number, preparedHome: string) {
  const running = await Promise.all(Array.from({ length: count }, () => startOne(preparedHome)))
  const servers: Common["servers"] = running.map(({ url, home }) => ({ url, home }))
  const stop = async () => void (await Promise.all(running.map((each) => each.stop())))
  return { servers, stop }
}

async function startOne(preparedHome: string) {
  const folder = tempFolder("shared")
  const home = join(folder.path, "home")
  copyHomeOf(preparedHome, home)
  const { group, url } = await serve(folder.path, opencodeEnv(home))
  const stop = async () => {
    await group.end("SIGTERM", 5_000)
    folder.remove()
  }
  return { url, home, stop }
}

type ProjectOptions = Pick<StageOptions, "plugin" | "config"> & { model: ScriptedModel }

/**
 * A project of its own in an opencode that this worker's tests share, for tests that do nothing to the process itself:
 * an opencode that has just been started costs two seconds of both cores until its first turn is over.
 */
export async function openProject({ model, ...options }: ProjectOptions): Promise<OpenProject> {
  const { url, home } = await serverOfWorker()
  const { project, remove } = await setStage({ model, ...options, home })
  const client = createOpencodeClient({ baseUrl: url, directory: project })
  const events = new EventStream(project)
  await events.connect(client)

  const startTool: OpenProject["startTool"] = (...call) => startToolCall({ client, model, events }, ...call)
  return {
    client,
    project,
    events,
    session: async (init = {}) => (await answered("a session", client.session.create(init))).id,
    startTool,
    callTool: (...call) => startTool(...call).done,
    async stop() {
      events.disconnect()
      await answered("the end of the instance", client.instance.dispose())
      remove()
    },
  }
}

async function serverOfWorker(): Promise<Common["servers"][number]> {
  const { servers } = (await common()) ?? { servers: [] }
  const server = servers[Number(process.env.VITEST_POOL_ID ?? 0) % servers.length]
  if (!server) throw new Error("No opencode is shared: vitest's global setup starts them")
  return server
}
