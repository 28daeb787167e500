import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createOpencodeClient, type OpencodeClient } from "@opencode-ai/sdk/v2/client"
import { answered } from "./answered.ts"
import type { ToolOutcome } from "./any-opencode.ts"
import { EventStream, type Events } from "./events.ts"
import { freePort } from "./free-port.ts"
import { opencodeBinary } from "./opencode-binary.ts"
import { type ProcessGroup, startGroup } from "./process-group.ts"
import type { ScriptedModel } from "./scripted-model.ts"
import { type Stage, type StageOptions, setStage } from "./stage.ts"
import { type CallOptions, type StartedToolCall, startToolCall } from "./tool-call.ts"

export interface OpencodeOptions extends StageOptions {
  model: ScriptedModel
  /** Sets OPENCODE_SERVER_PASSWORD, and makes `client` send it. */
  password?: string
}

type SessionInit = NonNullable<Parameters<OpencodeClient["session"]["create"]>[0]>

/** A project in a real opencode that runs, with an instance of the plugin of its own. */
export interface OpenProject {
  readonly client: OpencodeClient
  readonly home: string
  readonly project: string
  readonly events: Events
  /** Creates a session and returns its id. */
  session(init?: SessionInit): Promise<string>
  /** Makes the session's main agent call one tool, and waits until its turn is over. */
  callTool(session: string, tool: string, args: object, options?: CallOptions): Promise<ToolOutcome>
  /** The same without waiting. */
  startTool(session: string, tool: string, args: object, options?: CallOptions): StartedToolCall
  /** Lets opencode dispose the instance, and removes the project and what else was made for it. */
  stop(): Promise<void>
}

/** The real `opencode serve` in a home and a project of its own; it ends with `stop`. */
export interface Opencode extends OpenProject {
  /** `url`, `client` and `pid` are those of the running process: others after `restart`. */
  readonly url: string
  readonly pid: number
  /** What opencode logged and what it wrote to stdout and stderr, over all its starts. */
  log(): string
  /** SIGKILL for the whole process group, as a crash would; home and project stay for `restart`. */
  kill(): Promise<void>
  /** Starts it again in the same home and project, after ending it as `stop` does if it still runs. */
  restart(): Promise<void>
}

export async function startOpencode(options: OpencodeOptions): Promise<Opencode> {
  const stage = await setStage(options)
  const opencode = new OpencodeProcess(stage, options)
  try {
    await opencode.start()
    return opencode
  } catch (error) {
    await opencode.stop()
    throw error
  }
}

class OpencodeProcess implements Opencode {
  readonly events = new EventStream()
  readonly #stage: Stage
  readonly #options: OpencodeOptions
  #running: { group: ProcessGroup; url: string; client: OpencodeClient } | undefined
  #endedOutput = ""
  /** What the log files held when the home was removed. */
  #logFiles: string | undefined

  constructor(stage: Stage, options: OpencodeOptions) {
    this.#stage = stage
    this.#options = options
  }

  get project(): string {
    return this.#stage.project
  }

  get home(): string {
    return this.#stage.home
  }

  get url(): string {
    return this.#current.url
  }

  get client(): OpencodeClient {
    return this.#current.client
  }

  get pid(): number {
    return this.#current.group.pid
  }

  get #current() {
    if (!this.#running) throw new Error("opencode does not run: it was stopped or killed")
    return this.#running
  }

  async start(): Promise<void> {
    const { password } = this.#options
    const env = { ...this.#stage.env, ...(password && { OPENCODE_SERVER_PASSWORD: password }) }
    const { group, url } = await serve(this.project, env)
    try {
      const client = createOpencodeClient({
        baseUrl: url,
        directory: this.project,
        headers: password ? { authorization: `Basic ${btoa(`opencode:${password}`)}` } : {},
      })
      this.#running = { group, url, client }
      await this.events.connect(client)
    } catch (error) {
      await group.end("SIGKILL", 0)
      throw error
    }
  }

  log(): string {
    return [this.#logFiles ?? readLogs(this.home), this.#endedOutput, this.#running?.group.output()].join(
      "\n",
    )
  }

  async session(init: SessionInit = {}): Promise<string> {
    return (await answered("a session", this.client.session.create(init))).id
  }

  callTool(session: string, tool: string, args: object, options?: CallOptions): Promise<ToolOutcome> {
    return this.startTool(session, tool, args, options).done
  }

  startTool(session: string, tool: string, args: object, options?: CallOptions): StartedToolCall {
    const { model } = this.#options
    return startToolCall({ client: this.client, model, events: this.events }, session, tool, args, options)
  }

  async stop(): Promise<void> {
    await this.#dispose()
    await this.#end("SIGTERM")
    this.#logFiles ??= readLogs(this.home)
    this.#stage.remove()
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL")
  }

  async restart(): Promise<void> {
    await this.#dispose()
    await this.#end("SIGTERM")
    await this.start()
  }

  /** `opencode serve` dies of its signals without disposing its plugins: only this request makes it do so. */
  async #dispose(): Promise<void> {
    const signal = AbortSignal.timeout(5_000)
    // One that hangs or has died by itself is ended all the same.
    await this.#running?.client.global.dispose({ signal }).catch(() => {})
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const running = this.#running
    if (!running) return
    this.#running = undefined
    this.events.disconnect()
    await running.group.end(signal, 5_000)
    this.#endedOutput += running.group.output()
  }
}

/** Starts `opencode serve` on a free port. */
export async function serve(
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ group: ProcessGroup; url: string }> {
  // Not port 0: opencode then takes 4096 when it is free, so that what still speaks to a killed opencode of
  // one test could reach the next one's.
  const group = await startGroup(opencodeBinary(), ["serve", "--port", `${await freePort()}`], { cwd, env })
  try {
    const [, url = ""] = await group.waitForOutput(/listening on (\S+)/)
    return { group, url }
  } catch (error) {
    await group.end("SIGKILL", 0)
    throw error
  }
}

function readLogs(home: string): string {
  const folder = join(home, ".local", "share", "opencode", "log")
  const files = existsSync(folder) ? readdirSync(folder).sort() : []
  return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n")
}
