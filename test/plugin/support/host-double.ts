import type {
  Host,
  MessageWithParts,
  Part,
  Prompt,
  Result,
  Session,
  Toast,
} from "../../../src/plugin/host/client.ts"
import { agentOf, answerTo, askedBy, sessionOf } from "./opencode-data.ts"

/** A prompt under way, which the test answers. */
export type AskedPrompt = {
  prompt: Prompt
  /** The child has written this, and is not at its end. */
  write(message: MessageWithParts): void
  /** The prompt's call returns. */
  settle(result: Result<MessageWithParts>): void
  /** The child's final answer, whose call returns. */
  answer(text: string): void
}

export type HostDouble = Host & {
  readonly sessions: Map<string, Session>
  readonly said: Map<string, MessageWithParts[]>
  readonly prompts: AskedPrompt[]
  readonly aborted: string[]
  readonly logged: string[]
  readonly toasts: Toast[]
  readonly shown: Part[]
  /** What was written to a session's metadata, in order. */
  readonly writes: { session: string; metadata: Record<string, unknown> }[]
}

export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
export const failed = (message: string, status?: number): Result<never> => ({
  ok: false,
  error: { message, status },
})

/** opencode in memory: one owner session, the usual agents, two models. `overrides` takes the place of its calls. */
export function hostDouble(overrides: Partial<Host> = {}): HostDouble {
  const sessions = new Map<string, Session>([["owner", sessionOf("owner")]])
  const said = new Map<string, MessageWithParts[]>()
  const prompts: AskedPrompt[] = []
  const aborted: string[] = []
  const logged: string[] = []
  const toasts: Toast[] = []
  const shown: Part[] = []
  const writes: HostDouble["writes"] = []
  const found = (id: string) => {
    const session = sessions.get(id)
    return session ? ok(session) : failed(`no session ${id}`, 404)
  }

  const host: Host = {
    async createSession(input) {
      const session = sessionOf(`ses_${sessions.size}`, input)
      sessions.set(session.id, session)
      return ok(session)
    },
    deleteSession: async (id) => ok(sessions.delete(id)),
    session: async (id) => found(id),
    sessionsSince: async () => ok([...sessions.values()]),
    statuses: async () => ok({}),
    children: async (id) => ok([...sessions.values()].filter(({ parentID }) => parentID === id)),
    messages: async (id) => ok(said.get(id) ?? []),
    async message(id, messageID) {
      const message = said.get(id)?.find(({ info }) => info.id === messageID)
      return ok(message ?? answerTo({ session: id, messageID }, ""))
    },
    async writeMetadata(id, metadata) {
      writes.push({ session: id, metadata })
      const session = sessions.get(id)
      if (session) sessions.set(id, { ...session, metadata })
      return found(id)
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
          settle(ok(message))
        }
        prompts.push({ prompt, write, settle, answer })
      }),
    post: async () => ok(undefined),
    send: async () => ok(undefined),
    async updatePart(part) {
      shown.push(part)
      return ok(part)
    },
    async abort(id) {
      aborted.push(id)
      return ok(true)
    },
    agents: async () =>
      ok([
        agentOf("build", [], { mode: "primary" }),
        agentOf("general"),
        agentOf("explore"),
        agentOf("title", [], { hidden: true }),
      ]),
    models: async () => ok(["other/big", "fake/m1", "fake/m2"]),
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
  return { ...host, sessions, said, prompts, aborted, logged, toasts, shown, writes }
}
