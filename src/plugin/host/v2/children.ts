import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import type { NewSession, StartPermission } from "../port.ts"
import { verdict } from "../rules.ts"
import type { BuiltInTool, Call, Context, PermissionCheck } from "./api.ts"
import { decodeAgents, decodeSession } from "./decode.ts"
import { encodeRule } from "./rules.ts"
import { placeOf, type RunningCall, type RunningCalls } from "./running-calls.ts"

/**
 * How child sessions are made:
 * - `parent`: `session.create` takes a parent. 2.0 drops it without a word.
 * - `subagent`: opencode's own tool tells of the session after it has made it and before it prompts it, and is stopped
 *   there. It also asks for the permission to start its agent, with our tool call as the source.
 * - `root`: neither. Their requests are not shown at their owner.
 */
type Way = "parent" | "subagent" | "root"
type Decision = { way: Way; first?: string }

/** Makes child sessions. */
export class Children {
  readonly #context: Context
  readonly #calls: RunningCalls
  readonly #warn: (message: string) => void
  readonly #loaded: Promise<void>
  /** Decided with the first child. */
  #way: Promise<Way> | undefined

  /** @param loaded see `Loading.over` */
  constructor(context: Context, calls: RunningCalls, loaded: Promise<void>, warn: (message: string) => void) {
    this.#context = context
    this.#calls = calls
    this.#loaded = loaded
    this.#warn = warn
  }

  /** What a person has allowed for a call is not asked again for each of its jobs. */
  decide(check: PermissionCheck): void {
    const { action, sessionID: session, resources, source, effect } = check
    if (action !== "subagent" || effect !== "ask" || source?.messageID === undefined) return
    const running = this.#calls.at({ session, message: source.messageID, call: source.id })
    if (resources.every((agent) => running?.permitted.has(agent))) check.effect = "allow"
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
      const session = await this.#throughSubagent(this.#callOf(input), agent, title, { model: named })
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
    return tools.find(({ id }) => id === "subagent")
  }

  /** Nothing where this opencode has no such tool, or one that does not tell of its session. */
  async #throughSubagent(
    call: Call,
    agent: string,
    title: string,
    { model, child }: { model?: string | undefined; child?: string | undefined },
  ): Promise<string | undefined> {
    const subagent = await this.#subagent(call)
    if (!subagent) return undefined
    let session: string | undefined
    const progress = async (told: object) => {
      session = Started.safeParse(told).data?.sessionID
      if (session !== undefined) throw new Error("only its session is needed")
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
      await subagent.execute(given, { ...own, progress })
    } catch (thrown) {
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
    const ofAgent = decodeAgents(agents).find(({ name }) => name === own)?.rules ?? []
    const rules = [...ofAgent, ...decodeSession(owner, undefined).rules]
    switch (verdict(rules, { permission: "task", pattern: agent })) {
      case "allow":
        return { type: "granted" }
      case "deny":
        return { type: "denied" }
      case "ask":
        return {
          type: "failed",
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
    return Made.parse(created)
  }
}

const Made = z.object({ id: z.string(), parentID: z.string().optional() })

/** Why it was not made. */
function refusalIn(thrown: unknown): StartPermission {
  const { _tag: tag = "", feedback } = Refusal.safeParse(thrown).data ?? {}
  if (/Denied|Blocked/.test(tag) || /^Subagent denied/.test(wordsOf(thrown))) return { type: "denied" }
  if (/Declined|Rejected|Corrected/.test(tag)) return { type: "rejected", feedback }
  return { type: "failed", reason: wordsOf(thrown) || tag || String(thrown) }
}

const Refusal = z.object({ _tag: z.string(), feedback: z.string().optional() })

const Started = z.object({ sessionID: z.string() })

/** Model names may have slashes of their own; providers have none. */
function splitModel(model: string, variant: string | undefined) {
  const slash = model.indexOf("/")
  return {
    providerID: model.slice(0, slash),
    id: model.slice(slash + 1),
    ...(variant !== undefined && { variant }),
  }
}
