import { join } from "node:path"
import { createOpencodeClient, type OpencodeClient } from "@opencode-ai/sdk/v2/client"
import { answered } from "./answered.ts"
import { type Server, serverOfWorker } from "./common.ts"
import { EventStream } from "./events.ts"
import { type OpenProject, serve } from "./opencode.ts"
import { serve2 } from "./opencode-2-server.ts"
import { longRunning, opencodeEnv } from "./opencode-env.ts"
import { copyHomeOf } from "./prepared-home.ts"
import type { ScriptedModel } from "./scripted-model.ts"
import { type StageOptions, setStage } from "./stage.ts"
import { tempFolder } from "./temp-folder.ts"
import { startToolCall } from "./tool-call.ts"

/** Starts so many opencodes 1.18 for `openProject`, in homes like the prepared one. */
export const startShared1 = (count: number, preparedHome: string) =>
  startShared(count, (folder) => {
    const home = join(folder, "home")
    copyHomeOf(preparedHome, home)
    return serve(folder, opencodeEnv(home, longRunning))
  })

/** The same of opencode 2, which needs no preparation. */
export const startShared2 = (count: number) =>
  startShared(count, (folder) => serve2(folder, join(folder, "home"), longRunning))

async function startShared(count: number, start: (folder: string) => ReturnType<typeof serve>) {
  const running = await Promise.all(
    Array.from({ length: count }, async () => {
      const folder = tempFolder("shared")
      return { folder, ...(await start(folder.path)) }
    }),
  )
  const servers: Server[] = running.map(({ url, folder }) => ({ url, home: join(folder.path, "home") }))
  const stop = async () => {
    await Promise.all(running.map(({ group }) => group.end("SIGTERM", 5_000)))
    for (const { folder } of running) folder.remove()
  }
  return { servers, stop }
}

type ProjectOptions = Pick<StageOptions, "plugin" | "config"> & { model: ScriptedModel }

/**
 * A project of its own in an opencode 1.18 that this worker's tests share, for tests that do nothing to the process
 * itself: an opencode that has just been started costs two seconds of both cores until its first turn is over.
 */
export async function openProject(options: ProjectOptions): Promise<OpenProject> {
  return openProjectIn(await serverOfWorker(1), options)
}

/** A project beside others in one opencode. */
export interface FurtherProject extends OpenProject {
  /** Its opencode is about to end. */
  disconnect(): void
  /** Its opencode has been started again, at this URL. */
  connect(url: string): Promise<void>
}

/** A further project in an opencode 1.18 that runs. */
export async function openProjectIn(
  { url, home }: Server,
  { model, ...options }: ProjectOptions,
): Promise<FurtherProject> {
  const { project, remove } = await setStage({ model, ...options, home })
  const events = new EventStream(project)
  let client: OpencodeClient
  let state: "running" | "ended" | "stopped"
  const connect = async (baseUrl: string) => {
    client = createOpencodeClient({ baseUrl, directory: project })
    state = "running"
    await events.connect(client)
  }
  const disconnect = () => {
    events.disconnect()
    if (state === "running") state = "ended"
  }
  await connect(url)

  const startTool: OpenProject["startTool"] = (...call) => startToolCall({ client, model, events }, ...call)
  return {
    get client() {
      return client
    },
    home,
    project,
    events,
    session: async (init = {}) => (await answered("a session", client.session.create(init))).id,
    startTool,
    callTool: (...call) => startTool(...call).done,
    disconnect,
    connect: async (url) => {
      if (state !== "stopped") await connect(url)
    },
    async stop() {
      const isRunning = state === "running"
      state = "stopped"
      events.disconnect()
      if (isRunning) await answered("the end of the instance", client.instance.dispose())
      remove()
    },
  }
}
