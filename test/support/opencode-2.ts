import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import type { HostMessage, PermissionRule } from "../../src/plugin/host/port.ts"
import { decodeMessages } from "../../src/plugin/host/v2/decode.ts"
import { eventDecoder } from "../../src/plugin/host/v2/events.ts"
import { encodeRule } from "../../src/plugin/host/v2/rules.ts"
import type {
  AnyOpencode,
  AnyProject,
  Child,
  KeptJob,
  OpencodeOptions,
  ProjectOptions,
  Shown,
  StartedCall,
  ToolOutcome,
} from "./any-opencode.ts"
import { serverOfWorker } from "./common.ts"
import { lastAsked } from "./conversation.ts"
import { Happenings } from "./happenings.ts"
import { jobsOf } from "./jobs.ts"
import { Api, serve2 } from "./opencode-2-server.ts"
import { storedIn } from "./opencode-2-storage.ts"
import type { ProcessGroup } from "./process-group.ts"
import { makeProject } from "./project.ts"
import { newCallId } from "./replies.ts"
import type { ModelRequest, ScriptedModel } from "./scripted-model.ts"
import { scriptedProvider } from "./stage.ts"
import { type TempFolder, tempFolder } from "./temp-folder.ts"
import { poll, Watched } from "./waiters.ts"

/** A project in an opencode 2 that this worker's tests share. */
export async function openProject2(options: ProjectOptions): Promise<AnyProject> {
  return openIn(await serverOfWorker(2), options)
}

async function openIn(
  { url, home }: { url: string; home: string },
  options: ProjectOptions,
): Promise<ProjectOfTwo> {
  const folder = tempFolder("project-2")
  makeProject(folder.path, projectConfig2(options))
  const project = new ProjectOfTwo(options.model, home, folder.path, folder)
  await project.connect(url, options.plugin !== false)
  return project
}

/** Has a session go on in another directory, as opencode's own tool for that does. */
export async function move(opencode: AnyProject, session: string, directory: string): Promise<void> {
  if (!(opencode instanceof ProjectOfTwo)) throw new Error("only opencode 2 moves sessions")
  const api = new Api(opencode.url)
  await api.ask("POST", `session/${session}/move`, { directory })
  await poll("the move", async () => {
    const { location } = Located.parse(await api.ask("GET", `session/${session}`))
    return location.directory === directory || undefined
  })
}

/** Has an opencode load a directory, as the first use of a session in it does. Its maker removes the directory. */
export async function load(
  opencode: AnyOpencode,
  folder: TempFolder,
  model: ScriptedModel,
): Promise<AnyProject> {
  const loaded = new ProjectOfTwo(model, opencode.home, folder.path, folder)
  await loaded.connect(opencode.url, true)
  return loaded
}

/** An opencode 2 of one's own. */
export async function startOpencode2(options: OpencodeOptions): Promise<AnyOpencode> {
  const folder = tempFolder("opencode-2")
  const home = options.home ?? join(folder.path, "home")
  const project = options.project ?? join(folder.path, "project")
  if (options.project === undefined) makeProject(project, projectConfig2(options))
  const opencode = new OpencodeOfTwo(options, home, project, folder)
  try {
    await opencode.start()
    return opencode
  } catch (error) {
    await opencode.stop()
    throw error
  }
}

/** opencode.json, as that of 1.18. */
export function projectConfig2({ model, plugin = {}, config }: ProjectOptions): object {
  return {
    provider: scriptedProvider(model),
    // Neither opencode's own models nor, for want of keys, anybody else's.
    enabled_providers: ["fake"],
    model: "fake/m1",
    // git is half of what a step costs.
    snapshots: false,
    permission: { "*": "allow" },
    ...(plugin && { plugins: [{ package: plugin.path ?? builtPlugin, options: plugin.options ?? {} }] }),
    ...config,
  }
}

/** opencode 2 takes a folder with a `server.js`. */
const builtPlugin = join(import.meta.dirname, "..", "..")

/** opencode 2 in the words that tests of both generations share. */
class ProjectOfTwo implements AnyProject {
  readonly generation = 2
  readonly home: string
  readonly project: string
  readonly events = new Happenings()
  readonly #model: ScriptedModel
  readonly #folder: TempFolder
  readonly #shown = new Watched<Shown & { session: string; call: string }>("progress of a call")
  #connection: { api: Api; close: AbortController } | undefined
  #isStopped = false

  constructor(model: ScriptedModel, home: string, project: string, folder: TempFolder) {
    this.#model = model
    this.home = home
    this.project = project
    this.#folder = folder
  }

  /** @param waitForPlugin a location is loaded by its first request, its plugins only later */
  async connect(url: string, waitForPlugin: boolean): Promise<void> {
    const close = new AbortController()
    const api = new Api(url)
    this.#connection = { api, close }
    const decode = eventDecoder()
    await api.listen((event) => {
      for (const happening of decode(event)) this.events.add(happening)
      const progress = Progress.safeParse(event).data?.data
      if (!progress?.metadata.jobs) return
      const { sessionID: session, id: call } = progress
      this.#shown.add({ session, call, jobs: jobsOf(progress), title: "" })
    }, close.signal)
    await this.#load(waitForPlugin)
  }

  async #load(waitForPlugin = true): Promise<void> {
    await this.#ask("GET", `agent?${this.#location}`)
    if (waitForPlugin) await poll("the plugin", async () => (await this.#isLoaded()) || undefined)
  }

  async #isLoaded(): Promise<boolean> {
    const plugins = Plugins.parse(await this.#ask("GET", `plugin?${this.#location}`))
    return plugins.some(({ id, state }) => id === "opencode-troupe" && state.status === "active")
  }

  disconnect(): void {
    this.#connection?.close.abort()
    this.#connection = undefined
  }

  get #location(): string {
    return `location[directory]=${encodeURIComponent(this.project)}`
  }

  get url(): string {
    return this.#api.url
  }

  get #running() {
    if (!this.#connection) throw new Error("opencode does not run: it was stopped or killed")
    return this.#connection
  }

  get #api(): Api {
    return this.#running.api
  }

  #ask(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<unknown> {
    return this.#api.ask(method, path, body)
  }

  async session({ agent, rules }: { agent?: string; rules?: PermissionRule[] } = {}): Promise<string> {
    const made = await this.#ask("POST", "session", {
      location: { directory: this.project },
      ...(agent !== undefined && { agent }),
      ...(rules && { permissions: rules.map(encodeRule) }),
    })
    return Session.parse(made).id
  }

  async say(session: string, text: string): Promise<void> {
    await this.#ask("POST", `session/${session}/prompt`, { text })
    await this.#atRest(session)
  }

  async #atRest(session: string): Promise<void> {
    await this.#ask("POST", `experimental/session/${session}/wait`)
  }

  callTool(session: string, tool: string, args: object): Promise<ToolOutcome> {
    return this.startTool(session, tool, args).done
  }

  startTool(session: string, tool: string, args: object, given?: string): StartedCall {
    const name = newCallId()
    const callID = given ?? name
    // Of two names one may begin with the other: what stands around them tells them apart.
    const place = `(${name}.)`
    const words = `Please call ${tool} ${place}`
    // opencode 2 may put words of its own behind a person's, as in plan mode. A later turn asks with them as well.
    const isAsked = ({ rawBody, messages }: ModelRequest) =>
      rawBody.includes(place) && !messages.some(({ tool_call_id: answered }) => answered === callID)
    const forget = this.#model.script(isAsked, [{ type: "tool", calls: [{ name: tool, args, id: callID }] }])
    const isMeant = (each: { session: string; call: string }) =>
      each.session === session && each.call === callID
    const run = async (): Promise<ToolOutcome> => {
      await this.say(session, words)
      const outcome = await this.outcomeOf(session, callID)
      if (outcome) return outcome
      throw new Error(`The call of ${tool} did not end: ${JSON.stringify(await this.#context(session))}`)
    }
    const done = run().finally(forget)
    // Who does not ask for the outcome need not hear that opencode was killed meanwhile.
    done.catch(() => {})
    return {
      callID,
      done,
      running: async () => void (await this.events.waitFor("tool.running", isMeant)),
      shown: (matches, timeoutMs) =>
        this.#shown.waitFor((shown) => isMeant(shown) && matches(shown), timeoutMs),
    }
  }

  async outcomeOf(session: string, callID: string): Promise<ToolOutcome | undefined> {
    const messages = Messages.parse(await this.#context(session))
    const part = messages.flatMap(({ content }) => content).find(({ id }) => id === callID)
    const { status, content = [], metadata = {}, error } = part?.state ?? {}
    if (status === "completed")
      return { status, output: content.map(({ text }) => text).join("\n"), title: "", metadata }
    if (status === "error") return { status, output: "", title: "", metadata, error: error?.message ?? "" }
    return undefined
  }

  #context(session: string): Promise<unknown> {
    return this.#ask("GET", `session/${session}/context`)
  }

  async messages(session: string): Promise<HostMessage[]> {
    return decodeMessages(await this.#context(session))
  }

  async userTexts(session: string): Promise<string[]> {
    return Messages.parse(await this.#context(session))
      .filter(({ type }) => type === "user" || type === "synthetic")
      .map(({ text }) => text)
  }

  async children(owner: string): Promise<Child[]> {
    const found = z.array(Session).parse(await this.#ask("GET", `session?parentID=${owner}&limit=200`))
    return found.map(({ id, parentID: parent, title, agent }) => ({ id, parent, title, agent }))
  }

  async stored(owner: string): Promise<KeptJob[]> {
    // Who looks into the database after a crash can have opencode 2 end at its next start with "database is locked".
    if (!this.#connection) throw new Error("opencode does not run: it was stopped or killed")
    return storedIn(this.home).filter(({ record }) => record.owner === owner)
  }

  async isBusy(session: string): Promise<boolean> {
    const active = z.record(z.string(), z.unknown()).parse(await this.#ask("GET", "session/active"))
    return session in active
  }

  async abort(session: string): Promise<void> {
    await this.#ask("POST", `session/${session}/interrupt`)
  }

  async undo(session: string): Promise<void> {
    const messageID = lastAsked(await this.messages(session))
    await this.#ask("POST", `session/${session}/revert/stage`, { messageID, files: false })
  }

  async compact(session: string): Promise<void> {
    await this.#ask("POST", `session/${session}/compact`, {})
    await this.#atRest(session)
  }

  async deleteSession(session: string): Promise<void> {
    await this.#ask("DELETE", `session/${session}`)
  }

  async reply(session: string, request: string, decision: "once" | "always" | "reject"): Promise<void> {
    await this.#ask("POST", `session/${session}/permission/${request}/reply`, { decision })
  }

  async answer(session: string, request: string, answer?: string): Promise<void> {
    const form = `session/${session}/form/${request}`
    if (answer === undefined) await this.#ask("DELETE", form)
    else await this.#ask("POST", `${form}/reply`, { answer: { q0: answer } })
  }

  /**
   * Runs the plugin's cleanup and its setup again, in the same process, as in all other locations. opencode says once
   * for each of them whose folder is gone that it could not be reloaded, though all others have been.
   */
  async reload(): Promise<void> {
    await this.#ask("POST", `location/reload?${this.#location}`).catch((error) => {
      if (!/503 .*NotFound: FileSystem\.realPath/.test(String(error))) throw error
    })
    await this.#load()
  }

  async stop(): Promise<void> {
    if (this.#connection) await this.#ask("DELETE", `debug/location?${this.#location}`)
    this.disconnect()
    this.#isStopped = true
    this.#folder.remove()
  }

  get isStopped(): boolean {
    return this.#isStopped
  }
}

class OpencodeOfTwo extends ProjectOfTwo implements AnyOpencode {
  readonly #options: OpencodeOptions
  readonly #further: { project: ProjectOfTwo; hasPlugin: boolean }[] = []
  #group: ProcessGroup | undefined
  #endedOutput = ""

  constructor(options: OpencodeOptions, home: string, project: string, folder: TempFolder) {
    super(options.model, home, project, folder)
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#connectTo(await this.#serve())
  }

  get pid(): number {
    if (!this.#group) throw new Error("opencode does not run: it was stopped or killed")
    return this.#group.pid
  }

  async open(options: ProjectOptions): Promise<AnyProject> {
    const project = await openIn({ url: this.url, home: this.home }, options)
    this.#further.push({ project, hasPlugin: options.plugin !== false })
    return project
  }

  log(): string {
    return [readLogs(this.home), this.#endedOutput, this.#group?.output()].join("\n")
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL")
  }

  async restart(): Promise<void> {
    await this.#end("SIGTERM")
    await this.start()
  }

  async restartBesideAnother(): Promise<AnyOpencode> {
    await this.#end("SIGTERM")
    const { home, project } = this
    const other = new OpencodeOfTwo(this.#options, home, project, tempFolder("opencode-2"))
    // One after the other: of two that open the database at the same moment after a crash, opencode 2 has one end with
    // "database is locked". The plugin is loaded by the first request.
    const servers = [await this.#serve(), await other.#serve()] as const
    await Promise.all([this.#connectTo(servers[0]), other.#connectTo(servers[1])])
    return other
  }

  override async stop(): Promise<void> {
    await this.#end("SIGTERM")
    await super.stop()
    await Promise.all(this.#further.map(({ project }) => project.stop()))
  }

  /** Its URL. */
  async #serve(): Promise<string> {
    const { group, url } = await serve2(this.project, this.home, this.#options.env)
    this.#group = group
    return url
  }

  async #connectTo(url: string): Promise<void> {
    await this.connect(url, this.#options.plugin !== false)
    // One after the other, as a person opens them.
    for (const { project, hasPlugin } of this.#further)
      if (!project.isStopped) await project.connect(url, hasPlugin)
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    for (const { project } of this.#further) project.disconnect()
    this.disconnect()
    const group = this.#group
    if (!group) return
    this.#group = undefined
    await group.end(signal, 8_000)
    this.#endedOutput += group.output()
  }
}

const Metadata = z.record(z.string(), z.unknown())

const Progress = z.object({
  type: z.literal("session.tool.progress"),
  data: z.object({ sessionID: z.string(), id: z.string(), metadata: Metadata }),
})

const Plugins = z.array(z.object({ id: z.string(), state: z.object({ status: z.string() }) }))

const Session = z.object({
  id: z.string(),
  parentID: z.string().optional(),
  title: z.string().default(""),
  agent: z.string().optional(),
})

const Located = z.object({ location: z.object({ directory: z.string() }) })

const Part = z.object({
  type: z.string(),
  id: z.string().optional(),
  state: z
    .object({
      status: z.string(),
      content: z.array(z.object({ type: z.string(), text: z.string().default("") })).default([]),
      metadata: Metadata.optional(),
      error: z.object({ message: z.string().default("") }).optional(),
    })
    .optional(),
})

const Messages = z.array(
  z.object({ type: z.string(), text: z.string().default(""), content: z.array(Part).default([]) }),
)

function readLogs(home: string): string {
  const folder = join(home, ".local", "share", "opencode", "log")
  const files = existsSync(folder) ? readdirSync(folder).sort() : []
  return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n")
}
