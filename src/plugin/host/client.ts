import type { Agent, Message, Part, PermissionRule, Session } from "@opencode-ai/sdk/v2"
import { createOpencodeClient, type OpencodeClient } from "@opencode-ai/sdk/v2/client"
import { within } from "../util/within.ts"

export type { Agent, Message, Part, PermissionRule, Session }

/** A call's outcome. opencode fails in three ways (rejects, resolves with `error`, says nothing): here they are one. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: HostError }
export type HostError = {
  message: string
  status?: number | undefined
  /** opencode gave no answer: whether the call had its effect is not known. */
  isInDoubt?: boolean
}

/** Longest wait for an answer, milliseconds: opencode answers in 1 to 50. Nothing here may hang for ever. */
const patience = 10_000

export type MessageWithParts = { info: Message; parts: Part[] }

export type NewSession = {
  parentID: string
  title: string
  agent: string
  metadata: Record<string, unknown>
  permission: PermissionRule[]
}

export type Prompt = {
  session: string
  messageID: string
  partID: string
  text: string
  agent: string
  /** `provider/model` */
  model?: string | undefined
  variant?: string | undefined
}

/** A prompt that opencode may give ids of its own. */
export type NewPrompt = Omit<Prompt, "messageID" | "partID"> & {
  messageID?: string
  partID?: string
  /** Not shown to the person. */
  synthetic?: boolean
  metadata?: Record<string, unknown>
}

export type Toast = { message: string; variant: "info" | "success" | "warning" | "error"; duration?: number }

/** opencode, as far as this plugin needs it. The only module that knows its client. */
export type Host = ReturnType<typeof createHost>

/**
 * @param given the client that opencode hands to plugins: of the older kind, which lacks session metadata, but with
 *   the address, the fetch and the authorization that the newer kind needs.
 */
export function createHost(given: unknown, directory: string) {
  const client = newerClient(given, directory)
  const { session } = client
  return {
    /** Waits for as long as it takes: a session that came after its caller had left would stay behind unseen. */
    createSession: (input: NewSession): Promise<Result<Session>> => outcome(session.create(input)),

    deleteSession: (id: string): Promise<Result<boolean>> => call(session.delete({ sessionID: id })),

    session: (id: string): Promise<Result<Session>> => call(session.get({ sessionID: id })),

    /** Sessions of this project that changed since then, epoch milliseconds; children too. */
    sessionsSince: (since: number): Promise<Result<Session[]>> =>
      call(session.list({ start: since, limit: 10_000 })),

    /** What the sessions that are not idle do, by session. */
    statuses: (): Promise<Result<Record<string, { type: string }>>> => call(session.status()),

    children: (id: string): Promise<Result<Session[]>> => call(session.children({ sessionID: id })),

    messages: (id: string): Promise<Result<MessageWithParts[]>> => call(session.messages({ sessionID: id })),

    message: (id: string, messageID: string): Promise<Result<MessageWithParts>> =>
      call(session.message({ sessionID: id, messageID })),

    /** Replaces the whole object: hand in the keys of others too. */
    writeMetadata: (id: string, metadata: Record<string, unknown>): Promise<Result<Session>> =>
      call(session.update({ sessionID: id, metadata })),

    /**
     * Returns when the child's turn is over, however long that takes. A failure of the model is no failure of the
     * call: see `info.error`.
     */
    prompt: (prompt: Prompt): Promise<Result<MessageWithParts>> =>
      outcome(session.prompt(promptBody(prompt))),

    /** Puts a message into a session's conversation, for its next turn. Returns when it is stored. */
    post: (prompt: NewPrompt): Promise<Result<unknown>> =>
      call(session.prompt({ ...promptBody(prompt), noReply: true })),

    /** Hands a session more text: a busy one takes it up at its next step, an idle one starts a turn. */
    send: (prompt: NewPrompt): Promise<Result<void>> => done(session.promptAsync(promptBody(prompt))),

    /** Changes a part of a message as it is shown. */
    updatePart: (part: Part): Promise<Result<Part>> =>
      call(
        client.part.update({ sessionID: part.sessionID, messageID: part.messageID, partID: part.id, part }),
      ),

    /** Ends the turn for real; closing the request of `prompt` would not. */
    abort: (id: string): Promise<Result<boolean>> => call(session.abort({ sessionID: id })),

    agents: (): Promise<Result<Agent[]>> => call(client.app.agents()),

    /** All models there are, as `provider/model`. */
    models: async (): Promise<Result<string[]>> => {
      const found = await call(client.config.providers())
      if (!found.ok) return found
      const names = found.value.providers.flatMap(({ id, models }) =>
        Object.keys(models).map((model) => `${id}/${model}`),
      )
      return { ok: true, value: names }
    },

    toast: (toast: Toast): Promise<Result<boolean>> =>
      call(client.tui.showToast({ title: "opencode-troupe", ...toast })),

    log: (level: "debug" | "info" | "warn" | "error", message: string): Promise<Result<boolean>> =>
      call(client.app.log({ service: "opencode-troupe", level, message })),
  }
}

type Settled<T> = { data?: T | undefined; error?: unknown; response?: Response | undefined }

/** For calls that are answered with nothing. */
async function done(request: Promise<Settled<unknown>>): Promise<Result<void>> {
  const answered = await call(
    request.then(({ error, response }) => ({ data: error === undefined, error, response })),
  )
  return answered.ok ? { ok: true, value: undefined } : answered
}

function call<T>(request: Promise<Settled<T>>): Promise<Result<T>> {
  return within(patience, outcome(request), () => ({
    ok: false,
    error: { message: `opencode gave no answer within ${patience / 1000} s`, isInDoubt: true },
  }))
}

async function outcome<T>(request: Promise<Settled<T>>): Promise<Result<T>> {
  try {
    const { data, error, response } = await request
    if (data !== undefined && error === undefined) return { ok: true, value: data }
    const status = response?.status
    return {
      ok: false,
      error: { message: wordsOf(error) || `opencode answered ${status ?? "nothing"}`, status },
    }
  } catch (thrown) {
    return {
      ok: false,
      error: { message: wordsOf(thrown) || "opencode could not be reached", isInDoubt: true },
    }
  }
}

/** opencode's errors carry their words in `message`, in `data.message`, or not at all. */
export function wordsOf(error: unknown): string {
  if (typeof error === "string") return error
  if (typeof error !== "object" || error === null) return ""
  if ("data" in error && wordsOf(error.data) !== "") return wordsOf(error.data)
  if ("message" in error && typeof error.message === "string") return error.message
  return "name" in error && typeof error.name === "string" ? error.name : ""
}

function promptBody(prompt: NewPrompt) {
  const { session, messageID, partID, text, synthetic, metadata, agent, model, variant } = prompt
  return {
    sessionID: session,
    ...(messageID !== undefined && { messageID }),
    agent,
    ...(model !== undefined && { model: splitModel(model) }),
    ...(variant !== undefined && { variant }),
    parts: [
      {
        ...(partID !== undefined && { id: partID }),
        type: "text" as const,
        text,
        ...(synthetic !== undefined && { synthetic }),
        ...(metadata !== undefined && { metadata }),
      },
    ],
  }
}

/** Model names may have slashes of their own; providers have none. */
function splitModel(model: string): { providerID: string; modelID: string } {
  const slash = model.indexOf("/")
  return { providerID: model.slice(0, slash), modelID: model.slice(slash + 1) }
}

type ClientConfig = NonNullable<Parameters<typeof createOpencodeClient>[0]>

function newerClient(given: unknown, directory: string): OpencodeClient {
  const { baseUrl, fetch, headers } = configOf(given)
  return createOpencodeClient({
    directory,
    ...(baseUrl !== undefined && { baseUrl }),
    ...(fetch !== undefined && { fetch }),
    // With a server password they carry the authorization. The newer kind spreads them, which empties a `Headers`.
    ...(headers !== undefined && {
      headers: headers instanceof Headers ? Object.fromEntries(headers) : headers,
    }),
  })
}

/** The generated clients keep their configuration behind a field that their types do not show. */
function configOf(given: unknown): ClientConfig {
  const inner = fieldOf(given, "_client") ?? fieldOf(given, "client")
  const getConfig = fieldOf(inner, "getConfig")
  if (typeof getConfig !== "function") {
    throw new Error(
      "opencode-troupe: this opencode hands its plugins a client of an unknown kind; it needs 1.18 or newer",
    )
  }
  return getConfig.call(inner) ?? {}
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}
