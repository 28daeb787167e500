import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import type { NewSession, StartPermission } from "../port.ts"
import type { Call, Context } from "./api.ts"
import { encodeRule } from "./rules.ts"

/**
 * How child sessions are made, which goes by the version of opencode:
 * - `parent`: `session.create` takes a parent. 2.0.15 drops it without a word.
 * - `subagent`: opencode's own tool tells of the session after it has made it and before it prompts it, and is stopped
 *   there. It also asks for the permission to start its agent, with our tool call as the source.
 * - `root`: neither. Their requests are not shown at their owner.
 */
export type Way = "parent" | "subagent" | "root"

/** Versions whose `session.create` is known to take no parent: trying it would leave a session behind. */
const withoutParent = /^2\.0\./

/** Makes child sessions. */
export class Children {
  readonly #context: Context
  readonly #warn: (message: string) => void
  #way: Way | undefined
  /** Sessions made while a call asked for its permission, which its first job of that agent takes. */
  readonly #ready = new Map<string, string>()
  /** The agents that each call was permitted to start. */
  readonly #permitted = new Set<string>()

  constructor(context: Context, warn: (message: string) => void) {
    this.#context = context
    this.#warn = warn
  }

  /** To be called once, before anything is started. */
  async listen(): Promise<void> {
    await this.#context.permission.hook("evaluate", (check) => {
      if (check.action !== "subagent" || check.effect !== "ask") return
      const isPermitted = check.resources.every((agent) =>
        this.#permitted.has(keyOf(check.source?.id, agent)),
      )
      // What a person has allowed for this call is not asked again for each of its jobs.
      if (isPermitted) check.effect = "allow"
    })
  }

  async askToStart(call: Call, agent: string, description: string): Promise<StartPermission> {
    try {
      const session = await this.#throughSubagent(call, agent, description)
      if (session !== undefined) this.#ready.set(keyOf(call.id, agent), session)
      this.#permitted.add(keyOf(call.id, agent))
      return { type: "granted" }
    } catch (thrown) {
      return refusalIn(thrown)
    }
  }

  async make(input: NewSession): Promise<string> {
    const { agent, model, variant, title } = input
    const key = keyOf(input.call.call, agent)
    const ready = this.#ready.get(key)
    this.#ready.delete(key)
    const session =
      ready ?? (await this.#withParent(input)) ?? (await this.#throughSubagent(callOf(input), agent, title))
    if (session === undefined) return this.#root(input)
    if (model !== undefined) {
      await this.#context.session.switchModel({ sessionID: session, model: splitModel(model, variant) })
    }
    return session
  }

  /** The call is over. */
  forget({ id }: Call): void {
    for (const key of [...this.#permitted]) if (key.startsWith(keyOf(id, ""))) this.#permitted.delete(key)
    for (const key of [...this.#ready.keys()]) if (key.startsWith(keyOf(id, ""))) this.#ready.delete(key)
  }

  /** Nothing where this opencode takes no parent. */
  async #withParent(input: NewSession): Promise<string | undefined> {
    if (this.#way === undefined && withoutParent.test(this.#context.app.version)) this.#way = "subagent"
    if (this.#way !== undefined && this.#way !== "parent") return undefined
    const made = Made.parse(await this.#create({ ...input, parent: input.parent }))
    if (made.parentID === input.parent) {
      this.#way = "parent"
      return made.id
    }
    this.#way = "subagent"
    this.#warn(
      `opencode ${this.#context.app.version} takes no parent for a new session; ${made.id} is left unused`,
    )
    return undefined
  }

  /** Nothing where this opencode has no such tool. */
  async #throughSubagent(call: Call, agent: string, title: string): Promise<string | undefined> {
    if (this.#way === "root") return undefined
    const subagent = (await this.#context.tool.list()).find(({ id }) => id === "subagent")
    if (!subagent) return undefined
    let session: string | undefined
    const progress = async (told: object) => {
      session = Started.safeParse(told).data?.sessionID
      if (session !== undefined) throw new Error("only its session is needed")
    }
    // Without a prompt it would refuse; it never gets as far as sending this one.
    const given = { agent, description: title, prompt: "-" }
    try {
      await subagent.execute(given, { ...call, progress })
    } catch (thrown) {
      if (session === undefined) throw thrown
    }
    return session
  }

  async #root(input: NewSession): Promise<string> {
    if (this.#way !== "root") {
      this.#warn(
        `opencode ${this.#context.app.version} lets a plugin make no child sessions: jobs run in sessions of their ` +
          "own, and their permission requests are not shown in the session that started them",
      )
    }
    this.#way = "root"
    return Made.parse(await this.#create(input)).id
  }

  #create({ title, agent, model, variant, rules, parent }: NewSession): Promise<unknown> {
    return this.#context.session.create({
      title,
      agent,
      parentID: parent,
      ...(model !== undefined && { model: splitModel(model, variant) }),
      permissions: rules.map(encodeRule),
    })
  }
}

const keyOf = (call: string | undefined, agent: string) => `${call}/${agent}`

/** The call for which a session is made. It may be over: an interrupt ends the waiting, not the start. */
function callOf({ parent, call: { message, call = "", agent } }: NewSession): Call {
  return {
    sessionID: parent,
    messageID: message,
    id: call,
    agent,
    signal: new AbortController().signal,
    progress: async () => {},
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
