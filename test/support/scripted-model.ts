import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text as readAll } from "node:stream/consumers"
import { z } from "zod"
import { ok, type Reply, writeReply } from "./replies.ts"
import { Watched } from "./waiters.ts"

export type { Reply } from "./replies.ts"

/** One chat-completions request of opencode. */
export interface ModelRequest {
  /** The last user message: what `on` and `script` match. */
  text: string
  /** The system prompts, joined. */
  system: string
  messages: Message[]
  /** The names of the tools offered. */
  tools: string[]
  /** `m1` or `m2`. */
  model: string
  /** The opencode session that asks, from the header `x-session-affinity`. */
  session: string | undefined
  headers: IncomingHttpHeaders
  /** The size of the body, in bytes. */
  bytes: number
  rawBody: string
  /**
   * `closed`: opencode hung up before the answer was complete, which is what a real cancellation looks like here.
   * `dropped`: the script broke the connection.
   */
  state: "open" | "answered" | "closed" | "dropped"
  readonly closed: boolean
  /** When it came, and when it ended (ms since the epoch). */
  at: number
  endedAt?: number
}

export type Match = string | RegExp | ((request: ModelRequest) => boolean)

export interface ScriptedModel {
  /** The base URL of the API, ending in `/v1`. */
  readonly url: string
  /** Every request of an agent, in the order they came. */
  readonly requests: readonly ModelRequest[]
  /** What opencode asks for itself (thread titles), answered with a stock text and kept out of `requests`. */
  readonly other: readonly ModelRequest[]
  /**
   * Answers requests whose last user text contains the string or matches the regular expression; of several
   * matching rules the last one registered answers. Strings and expressions are not asked after a tool result,
   * or a tool call would be answered by itself for ever: there the answer is "ok", or see `script`. Functions
   * are asked always. Returns the function that takes the rule back.
   */
  on(match: Match, reply: Reply | ((request: ModelRequest) => Reply | Promise<Reply>)): () => void
  /**
   * As `on`, for a turn of several steps: the successive requests with one last user text in one session, those
   * after tool results and retries included, get the successive replies, then "ok".
   */
  script(match: Match, replies: Reply[]): () => void
  /** The first request, past ones included, that matches; looked at again when it ends. */
  waitFor(matches: (request: ModelRequest) => boolean, timeoutMs?: number): Promise<ModelRequest>
  stop(): Promise<void>
}

/**
 * A model with an OpenAI-compatible API on loopback. Without a rule it answers "ok" to everything.
 *
 * Plain node:http and not @copilotkit/aimock: that one has all chunks of an answer before it sends the first, so
 * it cannot stream a little and then hold, nor send headers alone; and it learns that the client hung up only
 * when its own answer is over, while these tests ask just that, at once.
 */
export async function startScriptedModel({ title = "A thread" } = {}): Promise<ScriptedModel> {
  const requests = new Watched<ModelRequest>("model request")
  const other: ModelRequest[] = []
  const rules: Rule[] = []

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await parseRequest(incoming)
    if (!request) {
      response.writeHead(404).end()
      return
    }
    watchEnd(request, response, () => requests.changed())
    if (isTitleRequest(request)) {
      other.push(request)
      await writeReply(response, request.model, { type: "text", text: title })
      return
    }
    requests.add(request)
    const outcome = await writeReply(response, request.model, await replyOf(rules, request))
    if (outcome === "drop") {
      request.state = "dropped"
      response.destroy()
    }
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error) => {
      // A rule that throws, or a request we do not understand: the test sees it in the error of its prompt, as
      // opencode does not retry a 400.
      if (response.headersSent) response.destroy()
      else response.writeHead(400).end(JSON.stringify({ error: { message: `scripted model: ${error}` } }))
    })
  })
  // opencode keeps its connections: a server that closes idle ones would reset a request just under way.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

  function add(rule: Rule) {
    rules.push(rule)
    return () => {
      const index = rules.indexOf(rule)
      if (index >= 0) rules.splice(index, 1)
    }
  }

  return {
    url: `http://127.0.0.1:${portOf(server.address())}/v1`,
    requests: requests.items,
    other,
    on: (match, reply) =>
      add({
        match: (request) =>
          (typeof match === "function" || !isToolRound(request)) && matchesText(match, request),
        reply: async (request) => (typeof reply === "function" ? reply(request) : reply),
      }),
    script: (match, replies) => {
      const steps = new Map<string, number>()
      return add({
        match: (request) => matchesText(match, request),
        reply: async (request) => {
          const conversation = `${request.session}\n${request.text}`
          const step = steps.get(conversation) ?? 0
          steps.set(conversation, step + 1)
          return replies[step] ?? ok
        },
      })
    },
    waitFor: (matches, timeoutMs) => requests.waitFor(matches, timeoutMs),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Rule {
  match: (request: ModelRequest) => boolean
  reply: (request: ModelRequest) => Promise<Reply>
}

async function replyOf(rules: Rule[], request: ModelRequest): Promise<Reply> {
  const rule = rules.findLast((candidate) => candidate.match(request))
  return rule ? rule.reply(request) : ok
}

function matchesText(match: Match, request: ModelRequest): boolean {
  if (typeof match === "function") return match(request)
  return typeof match === "string" ? request.text.includes(match) : match.test(request.text)
}

function isToolRound(request: ModelRequest): boolean {
  return request.messages.at(-1)?.role === "tool"
}

function isTitleRequest(request: ModelRequest): boolean {
  return request.system.includes("You are a title generator")
}

function watchEnd(request: ModelRequest, response: ServerResponse, changed: () => void): void {
  response.once("close", () => {
    if (request.state === "open") request.state = response.writableFinished ? "answered" : "closed"
    request.endedAt = Date.now()
    changed()
  })
}

const partSchema = z.looseObject({ type: z.string(), text: z.string().optional() })
const messageSchema = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(partSchema), z.null()]).optional(),
})
const bodySchema = z.looseObject({
  model: z.string(),
  messages: z.array(messageSchema),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }) })).optional(),
})

export type Message = z.infer<typeof messageSchema>

async function parseRequest(incoming: IncomingMessage): Promise<ModelRequest | undefined> {
  const rawBody = await readAll(incoming)
  if (!incoming.url?.endsWith("/chat/completions")) return undefined
  const { model, messages, tools } = bodySchema.parse(JSON.parse(rawBody))
  const session = incoming.headers["x-session-affinity"]
  const request: ModelRequest = {
    text: textOf(messages.findLast((message) => message.role === "user")),
    system: messages
      .filter(({ role }) => role === "system")
      .map(textOf)
      .join("\n"),
    messages,
    tools: (tools ?? []).map((tool) => tool.function.name),
    model,
    session: typeof session === "string" ? session : undefined,
    headers: incoming.headers,
    bytes: Buffer.byteLength(rawBody),
    rawBody,
    state: "open",
    get closed() {
      return this.state === "closed"
    },
    at: Date.now(),
  }
  return request
}

/** The words of a message, of all its text parts. */
export function textOf(message: Message | undefined): string {
  const content = message?.content ?? ""
  if (typeof content === "string") return content
  return content.map((part) => part.text ?? "").join("\n")
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error(`Not listening on a port: ${address}`)
  return address.port
}
