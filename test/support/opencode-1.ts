import type { OpencodeClient } from "@opencode-ai/sdk/v2/client"
import type { HostMessage, PermissionRule } from "../../src/plugin/host/port.ts"
import { decodeMessage } from "../../src/plugin/host/v1/decode.ts"
import { decodeEvent } from "../../src/plugin/host/v1/events.ts"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import { answered } from "./answered.ts"
import type {
  AnyOpencode,
  AnyProject,
  Child,
  KeptJob,
  OpencodeOptions,
  ProjectOptions,
  StartedCall,
  ToolOutcome,
} from "./any-opencode.ts"
import { lastAsked, userTexts } from "./conversation.ts"
import type { Events } from "./events.ts"
import { type Happening, Happenings } from "./happenings.ts"
import { jobsOf } from "./jobs.ts"
import { type Opencode, type OpenProject, startOpencode } from "./opencode.ts"
import { type FurtherProject, openProject, openProjectIn } from "./shared-opencode.ts"
import { outcomeOf } from "./tool-call.ts"

/** A project in an opencode 1.18 that this worker's tests share. */
export async function openProject1(options: ProjectOptions): Promise<AnyProject> {
  return new ProjectOfOne(await openProject(options))
}

/** An opencode 1.18 of one's own. */
export async function startOpencode1(options: OpencodeOptions): Promise<AnyOpencode> {
  return new OpencodeOfOne(await startOpencode(options), options)
}

/** opencode 1.18 in the words that tests of both generations share. */
class ProjectOfOne<Raw extends OpenProject = OpenProject> implements AnyProject {
  readonly generation = 1
  readonly events = new Happenings()
  protected readonly raw: Raw
  /** In 1.18 each prompt says its agent. */
  readonly #agents = new Map<string, string>()

  constructor(raw: Raw) {
    this.raw = raw
    for (const event of raw.events.seen) this.#hear(event)
    raw.events.listen((event) => this.#hear(event))
  }

  #hear({ payload }: Events["seen"][number]): void {
    const happening = happeningOf(payload)
    if (happening) this.events.add(happening)
  }

  get home(): string {
    return this.raw.home
  }

  get project(): string {
    return this.raw.project
  }

  get #client(): OpencodeClient {
    return this.raw.client
  }

  async session({ agent, rules }: { agent?: string; rules?: PermissionRule[] } = {}): Promise<string> {
    const session = await this.raw.session({ ...(rules && { permission: rules }) })
    if (agent !== undefined) this.#agents.set(session, agent)
    return session
  }

  async say(session: string, text: string): Promise<void> {
    const parts = [{ type: "text" as const, text }]
    await answered(
      "the turn",
      this.#client.session.prompt({ sessionID: session, parts, ...this.#as(session) }),
    )
  }

  callTool(session: string, tool: string, args: object): Promise<ToolOutcome> {
    return this.startTool(session, tool, args).done
  }

  startTool(session: string, tool: string, args: object, callID?: string): StartedCall {
    const call = this.raw.startTool(session, tool, args, { ...this.#as(session), callID })
    return {
      callID: call.callID,
      done: call.done,
      running: async () => void (await call.waitForPart(({ state }) => state.status === "running")),
      shown: async (matches, timeoutMs) => {
        const part = await call.waitForPart((each) => {
          const shown = shownBy(each)
          return shown !== undefined && matches(shown)
        }, timeoutMs)
        const shown = shownBy(part)
        if (!shown) throw new Error("The part that matched shows no jobs")
        return shown
      },
    }
  }

  #as(session: string): { agent?: string } {
    const agent = this.#agents.get(session)
    return agent === undefined ? {} : { agent }
  }

  outcomeOf(session: string, callID: string): Promise<ToolOutcome | undefined> {
    return outcomeOf(this.#client, session, callID)
  }

  async messages(session: string): Promise<HostMessage[]> {
    const messages = await answered("the messages", this.#client.session.messages({ sessionID: session }))
    return messages.map(decodeMessage)
  }

  userTexts(session: string): Promise<string[]> {
    return userTexts(this.raw, session)
  }

  async children(owner: string): Promise<Child[]> {
    const children = await this.#children(owner)
    return children.map(({ id, parentID: parent, title, agent }) => ({ id, parent, title, agent }))
  }

  async stored(owner: string): Promise<KeptJob[]> {
    const children = await this.#children(owner)
    return children.map(({ id, metadata }) => ({ session: id, ...StoredJob.parse(metadata?.troupe) }))
  }

  #children(owner: string) {
    return answered("the children", this.#client.session.children({ sessionID: owner }))
  }

  async isBusy(session: string): Promise<boolean> {
    const statuses = await answered("the statuses", this.#client.session.status(await this.#place(session)))
    return (statuses[session]?.type ?? "idle") !== "idle"
  }

  async abort(session: string): Promise<void> {
    await answered("the abort", this.#client.session.abort({ sessionID: session }))
  }

  async undo(session: string): Promise<void> {
    const messageID = lastAsked(await this.messages(session))
    await answered("the undo", this.#client.session.revert({ sessionID: session, messageID }))
  }

  async compact(session: string): Promise<void> {
    await answered(
      "the compaction",
      this.#client.session.summarize({ sessionID: session, providerID: "fake", modelID: "m1" }),
    )
  }

  async deleteSession(session: string): Promise<void> {
    await answered("the deletion", this.#client.session.delete({ sessionID: session }))
  }

  async reply(session: string, request: string, reply: "once" | "always" | "reject"): Promise<void> {
    const place = await this.#place(session)
    await answered("the reply", this.#client.permission.reply({ ...place, requestID: request, reply }))
  }

  async answer(session: string, request: string, answer?: string): Promise<void> {
    const { question } = this.#client
    const asked = { ...(await this.#place(session)), requestID: request }
    if (answer === undefined) await answered("the dismissal", question.reject(asked))
    else await answered("the answer", question.reply({ ...asked, answers: [[answer]] }))
  }

  /** opencode 1.18 has requests and statuses by directory. */
  async #place(session: string): Promise<{ directory: string }> {
    const { directory } = await answered("the session", this.#client.session.get({ sessionID: session }))
    return { directory }
  }

  async reload(): Promise<void> {
    await answered("the end of the instance", this.#client.instance.dispose())
    // Any request makes opencode load the plugin again.
    await answered("the agents", this.#client.app.agents())
  }

  stop(): Promise<void> {
    return this.raw.stop()
  }
}

class OpencodeOfOne extends ProjectOfOne<Opencode> implements AnyOpencode {
  readonly #options: OpencodeOptions
  readonly #further: FurtherProject[] = []

  constructor(raw: Opencode, options: OpencodeOptions) {
    super(raw)
    this.#options = options
  }

  get url(): string {
    return this.raw.url
  }

  get pid(): number {
    return this.raw.pid
  }

  log(): string {
    return this.raw.log()
  }

  async open(options: ProjectOptions): Promise<AnyProject> {
    const further = await openProjectIn(this.raw, options)
    this.#further.push(further)
    return new ProjectOfOne(further)
  }

  async kill(): Promise<void> {
    for (const each of this.#further) each.disconnect()
    await this.raw.kill()
  }

  async restart(): Promise<void> {
    for (const each of this.#further) each.disconnect()
    await this.raw.restart()
    await Promise.all(this.#further.map((each) => each.connect(this.url)))
  }

  override async stop(): Promise<void> {
    for (const each of this.#further) each.disconnect()
    await this.raw.stop()
    await Promise.all(this.#further.map((each) => each.stop()))
  }

  async restartBesideAnother(): Promise<AnyOpencode> {
    await this.restart()
    const { home, project } = this
    const other = await startOpencode1({ ...this.#options, home, project })
    // The plugin is loaded by the first request.
    await Promise.all([this.session(), other.session()])
    return other
  }
}

function happeningOf(payload: Events["seen"][number]["payload"]): Happening | undefined {
  return payload.type === "tui.toast.show"
    ? { type: "toast.shown", message: payload.properties.message }
    : decodeEvent(payload)
}

type Part = Awaited<ReturnType<ReturnType<OpenProject["startTool"]>["waitForPart"]>>

function shownBy({ state }: Part) {
  if (state.status !== "running" || !state.metadata?.jobs) return undefined
  return { jobs: jobsOf({ metadata: state.metadata }), title: state.title ?? "" }
}
