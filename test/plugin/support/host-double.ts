import type { Agent, Session } from "@opencode-ai/sdk/v2"
import type { Host, HostMessage, Progress, Prompt, Result, Toast } from "../../../src/plugin/host/port.ts"
import {
  decodeAgent,
  decodeMessage,
  decodeSession,
  type MessageWithParts,
  OUR_KEY,
} from "../../../src/plugin/host/v1/decode.ts"
import { shownMessage } from "../../../src/plugin/host/v1/shown.ts"
import { Problems } from "../../../src/plugin/util/problems.ts"
import { agentOf, answerTo, askedBy, deliveredAs, sessionOf } from "./opencode-data.ts"

/** A prompt under way, which the test answers. */
export type AskedPrompt = {
  prompt: Prompt
  /** The child has written this, and is not at its end. */
  write(message: MessageWithParts): void
  /** The prompt's call returns. */
  settle(result: Result<HostMessage>): void
  /** The child's final answer, whose call returns. */
  answer(text: string): void
}

export type HostDouble = Host &
  Required<Pick<Host, "toast">> & {
    readonly sessions: Map<string, Session>
    readonly said: Map<string, MessageWithParts[]>
    readonly prompts: AskedPrompt[]
    /** The messages to owners for which a turn was started, by id. */
    readonly started: string[]
    readonly aborted: string[]
    readonly logged: string[]
    readonly toasts: Toast[]
    readonly shown: Progress[]
    /** What was written to a session's metadata, in order. */
    readonly writes: { session: string; metadata: Record<string, unknown> }[]
  }

export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
export const failed = (message: string, status?: number): Result<never> => ({
  ok: false,
  error: { message, status },
})

/** What calls give that answer with opencode's own data. */
export const okSession = (session: Session) => ok(decodeSession(session))
export const okMessage = (message: MessageWithParts) => ok(decodeMessage(message))
export const okAgents = (...agents: Agent[]) => ok(agents.map(decodeAgent))

/** opencode in memory: one owner session, the usual agents, two models. `overrides` takes the place of its calls. */
export function hostDouble(overrides: Partial<Omit<Host, "toast">> = {}): HostDouble {
  const sessions = new Map<string, Session>([["owner", sessionOf("owner")]])
  const said = new Map<string, MessageWithParts[]>()
  const prompts: AskedPrompt[] = []
  const started: string[] = []
  const aborted: string[] = []
  const logged: string[] = []
  const toasts: Toast[] = []
  const shown: Progress[] = []
  const writes: HostDouble["writes"] = []
  const found = (id: string) => {
    const session = sessions.get(id)
    return session ? okSession(session) : failed(`no session ${id}`, 404)
  }

  const host: Host & Required<Pick<Host, "toast">> = {
    problems: new Problems(),
    async createSession({ parent, rules, stored, title, agent }) {
      const fields = { title, agent, parentID: parent, permission: rules, metadata: { [OUR_KEY]: stored } }
      const session = sessionOf(`ses_${sessions.size}`, fields)
      sessions.set(session.id, session)
      return okSession(session)
    },
    deleteSession: async (id) => ok(sessions.delete(id)),
    async setRules(id, rules) {
      const session = sessions.get(id)
      if (session) sessions.set(id, { ...session, permission: rules })
      return found(id)
    },
    session: async (id) => found(id),
    sessionsSince: async () => ok({ sessions: [...sessions.values()].map(decodeSession) }),
    isBusy: async () => ok(false),
    hasLoaded: () => true,
    children: async (id) =>
      ok({ sessions: [...sessions.values()].filter(({ parentID }) => parentID === id).map(decodeSession) }),
    messages: async (id) => ok((said.get(id) ?? []).map(decodeMessage)),
    conversation: async (id) => ok((said.get(id) ?? []).map(shownMessage)),
    files: async () => ok({ files: [] }),
    modelOf: async () => ok({ model: "fake/m1" }),
    begunDeliveries: async () => ok([]),
    async updateStored(id, change) {
      const session = sessions.get(id)
      if (!session) return found(id)
      const stored = change(session.metadata?.[OUR_KEY])
      if (stored === undefined) return ok(undefined)
      const metadata = { ...session.metadata, [OUR_KEY]: stored }
      writes.push({ session: id, metadata })
      sessions.set(id, { ...session, metadata })
      return ok(undefined)
    },
    prompt: (prompt) =>
      new Promise((settle) => {
        const messages = said.get(prompt.session) ?? []
        said.set(prompt.session, messages)
        messages.push(askedBy(prompt))
        const write = (message: MessageWithParts) => void messages.push(message)
        const answer = (text: string) => {
          const message = answerTo(prompt, text)
          write(message)
          settle(okMessage(message))
        }
        prompts.push({ prompt, write, settle, answer })
      }),
    async deliver(message, turn) {
      const others = (said.get(message.session) ?? []).filter(({ info }) => info.id !== message.messageID)
      said.set(message.session, [...others, deliveredAs(message)])
      if (turn.isWanted()) started.push(message.messageID)
      return ok({ mark: message.mark })
    },
    steer: async () => ok(undefined),
    request: async () => ok(undefined),
    answer: async () => ok(false),
    async showProgress(_, progress) {
      shown.push(progress)
      return ok(undefined)
    },
    async abort(id) {
      aborted.push(id)
      return ok(true)
    },
    agents: async () =>
      okAgents(
        agentOf("build", [], { mode: "primary" }),
        agentOf("general"),
        agentOf("explore"),
        agentOf("title", [], { hidden: true }),
      ),
    offeredIn: async () => {
      const agents = await host.agents("owner")
      return agents.ok ? ok({ agents: agents.value }) : agents
    },
    models: async () =>
      ok([
        { name: "other/big", variants: [] },
        { name: "fake/m1", variants: ["low", "high"] },
        { name: "fake/m2", variants: [] },
      ]),
    async toast(toast) {
      toasts.push(toast)
      return ok(true)
    },
    async log(level, message) {
      logged.push(`${level}: ${message}`)
      return ok(true)
    },
    ...overrides,
  }
  return { ...host, sessions, said, prompts, started, aborted, logged, toasts, shown, writes }
}
