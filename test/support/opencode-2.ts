import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import type { HostMessage } from "../../src/plugin/host/port.ts"
import { decodeMessages } from "../../src/plugin/host/v2/decode.ts"
import type { AnyOpencode, Child, OpencodeOptions, StartedCall, ToolOutcome } from "./any-opencode.ts"
import { freePort } from "./free-port.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"
import { storedIn } from "./opencode-2-storage.ts"
import { opencodeEnv } from "./opencode-env.ts"
import { type ProcessGroup, startGroup } from "./process-group.ts"
import { makeProject } from "./project.ts"
import { newCallId } from "./replies.ts"
import type { ModelRequest } from "./scripted-model.ts"
import { tempFolder } from "./temp-folder.ts"
import { poll } from "./waiters.ts"

const password = "secret"
const authorization = `Basic ${btoa(`opencode:${password}`)}`

/** The real opencode 2, as `opencode serve`, in a home and a project of its own or another's. */
export async function startOpencode2(options: OpencodeOptions): Promise<AnyOpencode> {
  const folder = tempFolder("opencode-2")
  const home = options.home ?? join(folder.path, "home")
  const project = options.project ?? join(folder.path, "project")
  if (options.project === undefined) makeProject(project, configOf(options))
  const opencode = new OpencodeOfTwo(options, { home, project, remove: () => folder.remove() })
  try {
    await opencode.start()
    return opencode
  } catch (error) {
    await opencode.stop()
    throw error
  }
}

function configOf({ model, plugin = {}, config }: OpencodeOptions): object {
  const models = Object.fromEntries(["m1", "m2"].map((name) => [name, fakeModel]))
  return {
    provider: {
      fake: {
        npm: "@ai-sdk/openai-compatible",
        options: { baseURL: model.url, apiKey: "none" },
        models,
      },
    },
    model: "fake/m1",
    // git is half of what a step costs.
    snapshots: false,
    permission: { "*": "allow" },
    plugins: [
      {
        package: join(import.meta.dirname, "..", ".."),
        options: plugin === false ? {} : (plugin.options ?? {}),
      },
    ],
    ...config,
  }
}

const fakeModel = { tool_call: true, limit: { context: 200_000, output: 8_000 } }

const Data = z.object({ data: z.unknown() })
const Session = z.object({
  id: z.string(),
  parentID: z.string().optional(),
  title: z.string().default(""),
  agent: z.string().optional(),
  outcome: z.string().optional(),
})
const Part = z.object({
  type: z.string(),
  id: z.string().optional(),
  state: z
    .object({
      status: z.string(),
      content: z.array(z.object({ type: z.string(), text: z.string().default("") })).default([]),
      metadata: z.record(z.string(), z.unknown()).optional(),
      error: z.unknown().optional(),
    })
    .optional(),
})
const Messages = z.array(z.object({ type: z.string(), content: z.array(Part).default([]) }))

class OpencodeOfTwo implements AnyOpencode {
  readonly generation = 2
  readonly home: string
  readonly project: string
  readonly #options: OpencodeOptions
  readonly #remove: () => void
  #running: { group: ProcessGroup; url: string } | undefined
  #endedOutput = ""

  constructor(options: OpencodeOptions, stage: { home: string; project: string; remove(): void }) {
    this.#options = options
    this.home = stage.home
    this.project = stage.project
    this.#remove = stage.remove
  }

  get url(): string {
    if (!this.#running) throw new Error("opencode does not run: it was stopped or killed")
    return this.#running.url
  }

  async start(): Promise<void> {
    const binary = opencode2Binary()
    if (binary === undefined) throw new Error("There is no opencode 2 for this machine: set OPENCODE2")
    const group = await startGroup(binary, ["serve", "--port", `${await freePort()}`], {
      cwd: this.project,
      env: opencodeEnv(this.home, { OPENCODE_PASSWORD: password, ...this.#options.env }),
    })
    const [, url = ""] = await group.waitForOutput(/listening on (\S+)/)
    this.#running = { group, url }
    // A location is loaded by its first request; its plugins may be ready only later.
    await this.#ask("GET", `/api/agent?${this.#location}`)
    if (this.#options.plugin !== false) await group.waitForOutput(/opencode-troupe: version \S+ loaded/)
  }

  get #location(): string {
    return `location[directory]=${encodeURIComponent(this.project)}`
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === "" ? undefined : Data.parse(JSON.parse(text)).data
  }

  async session(init: { parent?: string; agent?: string } = {}): Promise<string> {
    const made = await this.#ask("POST", "/api/session", {
      location: { directory: this.project },
      ...(init.agent !== undefined && { agent: init.agent }),
    })
    return Session.parse(made).id
  }

  async say(session: string, text: string): Promise<void> {
    await this.#ask("POST", `/api/session/${session}/prompt`, { text })
    await this.#atRest(session)
  }

  startTool(session: string, tool: string, args: object): StartedCall {
    const callID = newCallId()
    const words = `Please call ${tool} (${callID}.)`
    // opencode 2 may put words of its own behind a person's, as in plan mode.
    const isAsked = ({ rawBody }: ModelRequest) => rawBody.includes(callID)
    const forget = this.#options.model.script(isAsked, [
      { type: "tool", calls: [{ name: tool, args, id: callID }] },
    ])
    const run = async (): Promise<ToolOutcome> => {
      await this.say(session, words)
      const outcome = await this.outcomeOf(session, callID)
      if (!outcome)
        throw new Error(`the call of ${tool} did not end: ${JSON.stringify(await this.#context(session))}`)
      return outcome
    }
    return { callID, done: run().finally(forget) }
  }

  callTool(session: string, tool: string, args: object): Promise<ToolOutcome> {
    return this.startTool(session, tool, args).done
  }

  async outcomeOf(session: string, callID: string): Promise<ToolOutcome | undefined> {
    return outcomeIn(Messages.parse(await this.#context(session)), callID)
  }

  #context(session: string): Promise<unknown> {
    return this.#ask("GET", `/api/session/${session}/context`)
  }

  async messages(session: string): Promise<HostMessage[]> {
    return decodeMessages(await this.#context(session))
  }

  async userTexts(session: string): Promise<string[]> {
    const raw = z.array(z.object({ type: z.string(), text: z.string().default("") }))
    return raw
      .parse(await this.#context(session))
      .filter(({ type }) => type === "user" || type === "synthetic")
      .map(({ text }) => text)
  }

  async children(owner: string): Promise<Child[]> {
    const all = storedIn(this.home).filter(({ parent }) => parent === owner)
    return Promise.all(all.map(async ({ session, stored }) => ({ ...(await this.#child(session)), stored })))
  }

  async #child(session: string): Promise<Omit<Child, "stored">> {
    const { id, parentID, title, agent } = Session.parse(await this.#ask("GET", `/api/session/${session}`))
    return { id, parent: parentID, title, agent }
  }

  async isBusy(session: string): Promise<boolean> {
    const raw = z.array(z.object({ type: z.string() })).parse(await this.#context(session))
    const last = raw.at(-1)?.type
    return last !== undefined && last !== "idle"
  }

  async #atRest(session: string): Promise<void> {
    await poll(`the rest of ${session}`, async () => !(await this.isBusy(session)) || undefined, {
      timeoutMs: 30_000,
    })
  }

  async abort(session: string): Promise<void> {
    await this.#ask("POST", `/api/session/${session}/interrupt`)
  }

  async reply(session: string, request: string, decision: "once" | "always" | "reject"): Promise<void> {
    await this.#ask("POST", `/api/session/${session}/permission/${request}/reply`, { decision })
  }

  /** Runs the plugin's cleanup and its setup again, in the same process. */
  async reload(): Promise<void> {
    const loads = () => this.log().match(/opencode-troupe: version \S+ loaded/g)?.length ?? 0
    const before = loads()
    await this.#ask("POST", `/api/location/reload?${this.#location}`)
    await poll("the reloaded plugin", async () => loads() > before || undefined)
  }

  async onEvent(hear: () => void): Promise<() => void> {
    const connection = new AbortController()
    const { signal } = connection
    const { body } = await fetch(`${this.url}/api/event`, { headers: { authorization }, signal })
    if (!body) throw new Error("opencode closed its event stream at once")
    const events = body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
    await events.next()
    void read().catch(() => {
      // A killed opencode breaks its stream.
    })
    async function read(): Promise<void> {
      for await (const text of events) for (const _ of text.match(/^data:/gm) ?? []) hear()
    }
    return () => connection.abort()
  }

  log(): string {
    return [readLogs(this.home), this.#endedOutput, this.#running?.group.output()].join("\n")
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL")
  }

  async restart(): Promise<void> {
    await this.#end("SIGTERM")
    await this.start()
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM")
    this.#remove()
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const running = this.#running
    if (!running) return
    this.#running = undefined
    await running.group.end(signal, 8_000)
    this.#endedOutput += running.group.output()
  }
}

function outcomeIn(messages: z.infer<typeof Messages>, callID: string): ToolOutcome | undefined {
  const part = messages.flatMap(({ content }) => content).find(({ id }) => id === callID)
  const { status, content = [], metadata = {}, error } = part?.state ?? {}
  if (status !== "completed" && status !== "error") return undefined
  const output = content.map(({ text }) => text).join("\n")
  return { status, output, title: "", metadata, ...(error !== undefined && { error: JSON.stringify(error) }) }
}

function readLogs(home: string): string {
  const folder = join(home, ".local", "share", "opencode", "log")
  const files = existsSync(folder) ? readdirSync(folder).sort() : []
  return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n")
}
