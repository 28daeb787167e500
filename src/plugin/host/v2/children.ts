import { isDeepStrictEqual } from "node:util"
import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import type { HostEvent, NewSession, StartPermission, ToolCallPlace } from "../port.ts"
import { verdict } from "../rules.ts"
import type { Context } from "./api.ts"
import { type BuiltInTool, type Call, decodeTool, type StartCheck } from "./calls.ts"
import { decodeAgents, decodeSession } from "./decode.ts"
import type { Reader } from "./reading.ts"
import { encodeRule } from "./rules.ts"
import { placeOf, type RunningCall, type RunningCalls } from "./running-calls.ts"
import { unlessSilent } from "./unless-silent.ts"

/**
 * How child sessions are made:
 * - `parent`: `session.create` takes a parent. 2.0 drops it without a word.
 * - `subagent`: opencode's own tool tells of the session after it has made it and before it prompts it, and is stopped
 *   there. It also asks for the permission to start its agent, with our tool call as the source.
 * - `root`: neither. Their requests are not shown at their owner.
 */
type Way = "parent" | "subagent" | "root"
type Decision = { way: Way; first?: string }

export type ChildrenOptions = {
  reader: Reader
  /** Told of what people have to know. */
  warn: (message: string) => void
}

/** Makes child sessions. */
export class Children {
  readonly #context: Context
  readonly #calls: RunningCalls
  readonly #reader: Reader
  readonly #warn: (message: string) => void
  readonly #loaded: Promise<void>
  /** Decided with the first child. */
  #way: Promise<Way> | undefined
  /** What opencode's own tool is running for. */
  readonly #asks = new Set<Ask>()

  /** @param loaded see `Loading.over` */
  constructor(
    context: Context,
    calls: RunningCalls,
    loaded: Promise<void>,
    { reader, warn }: ChildrenOptions,
  ) {
    this.#context = context
    this.#calls = calls
    this.#loaded = loaded
    this.#reader = reader
    this.#warn = warn
  }

  /** Takes every event of opencode. */
  hear({ type, session }: HostEvent): void {
    if (type !== "request.opened") return
    for (const ask of this.#asks) if (ask.place.session === session) ask.isPut = true
  }

  /** What a person has allowed for a call is not asked again for each of its jobs. */
  decide({ session, agents, source, allow }: StartCheck): void {
    const running = this.#calls.at({ session, ...source })
    const place = { session, ...source }
    const isOfMove = (agent: string) =>
      [...this.#asks].some(
        (ask) => ask.isPermitted && ask.agent === agent && isDeepStrictEqual(ask.place, place),
      )
    if (agents.every((agent) => running?.permitted.has(agent) || isOfMove(agent))) allow()
  }

  async askToStart(call: Call, agent: string, description: string, child?: string): Promise<StartPermission> {
    try {
      const session = await this.#throughSubagent(call, agent, description, { child })
      if (session === undefined) return await this.#withoutAsking(call, agent)
      const running = this.#calls.at(placeOf(call))
      running?.permitted.add(agent)
      if (session !== child) {
        if (running) running.ready.set(agent, session)
        else this.#remove(session)
      }
      return { type: "granted" }
    } catch (thrown) {
      return refusalIn(thrown)
    }
  }

  /** Its title and model are the ones asked for. */
  async make(input: NewSession): Promise<string> {
    const ready = this.#take(input)
    if (ready === undefined) return this.#made(input)
    // It was made before it was known for which job.
    const { title, model, variant } = input
    await this.#context.session.update({ sessionID: ready, title })
    if (model !== undefined)
      await this.#context.session.switchModel({ sessionID: ready, model: splitModel(model, variant) })
    return ready
  }

  /** The call is over: what no job of it has taken is not needed. It was interrupted, for instance. */
  removeUnused({ ready }: RunningCall): void {
    for (const session of ready.values()) this.#remove(session)
  }

  /** Where opencode lets a plugin do that. */
  #remove(sessionID: string): void {
    this.#context.session.remove?.({ sessionID }).catch(() => {})
  }

  #take({ call, agent }: NewSession): string | undefined {
    const ready = this.#calls.at(call)?.ready
    const session = ready?.get(agent)
    ready?.delete(agent)
    return session
  }

  async #made(input: NewSession): Promise<string> {
    const { way, first } = await this.#wayFor(input)
    if (first !== undefined) return first
    if (way === "subagent") {
      const { agent, title, model, variant } = input
      // Setting the model afterwards would cost as much again as a tenth of making the session.
      const named = model !== undefined && variant !== undefined ? `${model}#${variant}` : model
      const choice = { model: named, isPermitted: input.isPermitted }
      const session = await this.#throughSubagent(this.#callOf(input), agent, title, choice)
      if (session === undefined) throw new Error("opencode's own tool `subagent` did not create a session")
      return session
    }
    return (await this.#create(input)).id
  }

  /** `first`: to find out has made this child. */
  async #wayFor(input: NewSession): Promise<Decision> {
    if (this.#way) return { way: await this.#way }
    const deciding = this.#decide(input)
    this.#way = deciding.then(({ way }) => way)
    // Another job may be luckier.
    this.#way.catch(() => (this.#way = undefined))
    return deciding
  }

  /** Where it cannot be told without making a session, that one is the first child, or is removed again. */
  async #decide(input: NewSession): Promise<Decision> {
    const { session, app } = this.#context
    const hasSubagent = (await this.#subagent()) !== undefined
    // What could not be removed again would stay in the person's list.
    if (hasSubagent && !session.remove) return { way: "subagent" }
    const made = await this.#create(input)
    if (made.parentID === input.parent) return { way: "parent", first: made.id }
    if (hasSubagent) {
      await session.remove?.({ sessionID: made.id })
      return { way: "subagent" }
    }
    this.#warn(
      `opencode ${app.version} does not let plugins create child sessions, so jobs run in top-level sessions: these ` +
        "appear in the list of sessions, their permission requests and questions are not shown in the session that " +
        "started them, and they remain when it is deleted",
    )
    return { way: "root", first: made.id }
  }

  async #subagent(call?: Call): Promise<BuiltInTool | undefined> {
    const tools = await (call?.builtIn?.() ?? this.#context.tool.list())
    return this.#reader.read("answer tool.list", () => decodeTool(tools, "subagent"))
  }

  /**
   * Nothing where this opencode has no such tool, or one that does not tell of its session. opencode refuses whatever
   * the tools of an instance ask for that a reload has ended, without asking anybody: then ours are asked.
   */
  async #throughSubagent(call: Call, ...wanted: Wanted): Promise<string | undefined> {
    const [agent, , { isPermitted = false }] = wanted
    const ask: Ask = { place: placeOf(call), agent, isPermitted, isPut: false }
    this.#asks.add(ask)
    const { builtIn: _builtIn, ...own } = call
    try {
      for (const through of [call, own]) {
        try {
          return await this.#runSubagent(through, ...wanted)
        } catch (thrown) {
          if (ask.isPut || !isWordless(refusalIn(thrown))) throw thrown
        }
      }
      throw new Error(reloading)
    } finally {
      this.#asks.delete(ask)
    }
  }

  async #runSubagent(call: Call, ...[agent, title, { model, child }]: Wanted): Promise<string | undefined> {
    const subagent = await this.#subagent(call)
    if (!subagent) return undefined
    let session: string | undefined
    let isGivenUp = false
    const progress = async (told: object) => {
      session = Started.safeParse(told).data?.sessionID
      if (session === undefined) return
      if (isGivenUp && session !== child) this.#remove(session)
      throw new Error("only its session is needed")
    }
    // Without a prompt it would refuse; it never gets as far as sending this one.
    const given = {
      agent,
      description: title,
      prompt: "-",
      ...(model !== undefined && { model }),
      // One that is there already is asked about, not made.
      ...(child !== undefined && { sessionID: child }),
    }
    try {
      const { builtIn: _builtIn, ...own } = call
      await unlessSilent(this.#context, call, subagent.execute(given, { ...own, progress }))
    } catch (thrown) {
      isGivenUp = true
      if (session === undefined) throw thrown
    }
    return session
  }

  /** The call for which a session is made. It may be over: an interrupt ends the waiting, not the start. */
  #callOf({ parent, call }: NewSession): Call {
    const { message, call: id = "", agent } = call
    const builtIn = this.#calls.at(call)?.call.builtIn
    return {
      sessionID: parent,
      messageID: message,
      id,
      agent,
      signal: new AbortController().signal,
      progress: async () => {},
      ...(builtIn && { builtIn }),
    }
  }

  /** A plugin cannot ask a person by itself: where the rules say that one is to be asked, nothing is started. */
  async #withoutAsking({ sessionID, agent: own }: Call, agent: string): Promise<StartPermission> {
    await this.#loaded
    const [agents, owner] = await Promise.all([
      this.#context.agent.list(),
      this.#context.session.get({ sessionID }),
    ])
    const known = this.#reader.read("answer agent.list", () => decodeAgents(agents))
    const ofAgent = known.find(({ name }) => name === own)?.rules ?? []
    const rules = [
      ...ofAgent,
      ...this.#reader.read("answer session.get", () => decodeSession(owner, undefined)).rules,
    ]
    switch (verdict(rules, { permission: "task", pattern: agent })) {
      case "allow":
        return { type: "granted" }
      case "deny":
        return { type: "denied" }
      case "ask":
        return {
          type: "prevented",
          reason: `opencode ${this.#context.app.version} does not let plugins request permissions; allow \`subagent\` for "${agent}" in the configuration`,
        }
    }
  }

  async #create({ title, agent, model, variant, rules, parent }: NewSession) {
    const created = await this.#context.session.create({
      title,
      agent,
      parentID: parent,
      ...(model !== undefined && { model: splitModel(model, variant) }),
      permissions: rules.map(encodeRule),
    })
    return this.#reader.read("answer session.create", () => Made.parse(created))
  }
}

/** `isPermitted`: it is for a job that was permitted before. `isPut`: a person was asked something in this session. */
type Ask = { place: ToolCallPlace; agent: string; isPermitted: boolean; isPut: boolean }

/** The agent, what the session is called, and what is asked for. */
type Wanted = [
  agent: string,
  title: string,
  choice: {
    model?: string | undefined
    child?: string | undefined
    isPermitted?: boolean | undefined
  },
]

const reloading = "opencode was reloading its plugins and asked nobody; call again"

const Made = z.object({ id: z.string(), parentID: z.string().optional() })

/** Why it was not made. */
export function refusalIn(thrown: unknown): StartPermission {
  const { _tag: tag = "", feedback } = Refusal.safeParse(thrown).data ?? {}
  if (/Denied|Blocked/.test(tag) || /^Subagent denied/.test(wordsOf(thrown))) return { type: "denied" }
  if (/Declined|Rejected|Corrected/.test(tag)) return { type: "rejected", feedback }
  const reason = wordsOf(thrown) || tag || String(thrown)
  const limit = /^Subagent depth limit reached \((\d+)\)/.exec(reason)?.[1]
  return limit === undefined
    ? { type: "failed", reason }
    : { type: "prevented", reason: depthWords(Number(limit)) }
}

/** Only people say more than that they refuse. */
export const isWordless = (refusal: StartPermission) =>
  refusal.type === "rejected" && refusal.feedback === undefined

/** The plugin's own option `depth` permits it: nobody would look for another limit. */
const depthWords = (limit: number) =>
  `opencode lets no subagent at depth ${limit} start others, whatever the plugin's option "depth" permits: the user has ` +
  `to set "experimental.subagent_depth" to at least ${limit + 1} in opencode's configuration. Do the work yourself, or ` +
  "report back what should be split up"

const Refusal = z.object({ _tag: z.string(), feedback: z.string().optional() })

const Started = z.object({ sessionID: z.string() })

/** Model names may have slashes of their own; providers have none. */
export function splitModel(model: string, variant: string | undefined) {
  const slash = model.indexOf("/")
  return {
    providerID: model.slice(0, slash),
    id: model.slice(slash + 1),
    ...(variant !== undefined && { variant }),
  }
}
