import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import type { NewSession, StartPermission } from "../port.ts"
import type { Call, Context } from "./api.ts"
import { SessionID } from "./decode.ts"
import { encodeRule } from "./rules.ts"

/** How a child session comes to be, which goes by the version of opencode. */
export type Way = "parent" | "subagent" | "root"

/**
 * Makes child sessions. `session.create` of 2.0 takes no parent, so opencode's own tool `subagent` makes them: it
 * tells of the session after it has made it and before it prompts it, and is stopped there. That tool also asks for
 * the permission to start its agent, with the tool call as the source.
 */
export class Children {
  readonly #context: Context
  readonly #calls: ReadonlyMap<string, Call>
  /** Sessions made while a call asked for its permission, which its first job of that agent takes. */
  readonly #ready = new Map<string, string>()
  /** The agents that each call was permitted to start. */
  readonly #permitted = new Set<string>()

  constructor(context: Context, calls: ReadonlyMap<string, Call>) {
    this.#context = context
    this.#calls = calls
  }

  /** To be called once, before anything is started. */
  async listen(): Promise<void> {
    await this.#context.permission.hook("evaluate", (check) => {
      const isOurs = check.action === "subagent" && check.effect === "ask" && check.source?.id !== undefined
      if (!isOurs) return
      // What a person has allowed for this call is not asked again for each of its jobs.
      const isPermitted = check.resources.every((agent) =>
        this.#permitted.has(`${check.source?.id}/${agent}`),
      )
      if (isPermitted) check.effect = "allow"
    })
  }

  async askToStart(call: Call, agent: string, description: string): Promise<StartPermission> {
    const key = `${call.id}/${agent}`
    try {
      const session = await this.#open(call, agent, description)
      if (session !== undefined) this.#ready.set(key, session)
      this.#permitted.add(key)
      return { type: "granted" }
    } catch (thrown) {
      return refusalIn(thrown)
    }
  }

  async make(input: NewSession): Promise<string> {
    const { agent, model, variant } = input
    const call = input.call.call === undefined ? undefined : this.#calls.get(input.call.call)
    const key = `${input.call.call}/${agent}`
    const session = this.#ready.get(key) ?? (call && (await this.#open(call, agent, input.title)))
    this.#ready.delete(key)
    if (session === undefined) return this.#root(input)
    if (model !== undefined) {
      await this.#context.session.switchModel({ sessionID: session, model: splitModel(model, variant) })
    }
    return session
  }

  /** The call is over. */
  forget({ id }: Call): void {
    for (const key of [...this.#permitted]) if (key.startsWith(`${id}/`)) this.#permitted.delete(key)
    for (const key of [...this.#ready.keys()]) if (key.startsWith(`${id}/`)) this.#ready.delete(key)
  }

  /** Nothing where this opencode has no such tool. */
  async #open(call: Call, agent: string, title: string): Promise<string | undefined> {
    const tools = await this.#context.tool.list()
    const subagent = tools.find(({ id }) => id === "subagent")
    if (!subagent) return undefined
    let session: string | undefined
    const made = new Error("only its session is needed")
    const progress = async (told: object) => {
      session = Started.safeParse(told).data?.sessionID
      if (session !== undefined) throw made
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

  async #root({ title, agent, model, variant, rules }: NewSession): Promise<string> {
    const created = await this.#context.session.create({
      title,
      agent,
      ...(model !== undefined && { model: splitModel(model, variant) }),
      permissions: rules.map(encodeRule),
    })
    return SessionID.parse(created).id
  }
}

/** Why it was not made. */
function refusalIn(thrown: unknown): StartPermission {
  const { _tag: tag = "", feedback } = Refusal.safeParse(thrown).data ?? {}
  if (/Denied|Blocked/.test(tag)) return { type: "denied" }
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
