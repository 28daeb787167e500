import type { Part, QuestionRequest } from "@opencode-ai/sdk/v2"
import { createOpencodeClient } from "@opencode-ai/sdk/v2/client"
import * as z from "zod"
import { answersOfOne } from "../../../shown/questions-of-1.ts"
import type { Answer, Request } from "../../../shown/requests.ts"
import { type Standing, slashes, type TerminalService, toastTitle } from "../../../terminal/contract.ts"
import { wordsOf } from "../../util/error-words.ts"
import { Problems } from "../../util/problems.ts"
import { within } from "../../util/within.ts"
import { changedFiles } from "../changed-files.ts"
import {
  type Host,
  type HostEvent,
  type HostModel,
  isGone,
  type LoadGuard,
  type OwnerMessage,
  type Prompt,
  type Result,
  type Toast,
  type ToolCallPlace,
} from "../port.ts"
import type { Client } from "./client-parts.ts"
import { decodeConversation } from "./conversation.ts"
import { decodeAgent, decodeMessage, decodeSession, type MessageWithParts, OUR_KEY } from "./decode.ts"
import { Elsewhere } from "./elsewhere.ts"
import { decodeEvent } from "./events.ts"
import { decodeChanges } from "./files.ts"
import { instances } from "./instances.ts"
import { loadedFor } from "./loaded-for.ts"
import { partIDOf } from "./part-id.ts"
import { Places } from "./places.ts"
import { decodePermission, decodeQuestion, inputOf } from "./requests.ts"
import { shownMessage } from "./shown.ts"
import { carryOut, commandIn, commandOf } from "./terminal.ts"

/** Whose toasts and log lines these are. */
const NAME = "opencode-troupe"

/** Longest wait for an answer, milliseconds: opencode answers in 1 to 50. Nothing here may hang for ever. */
const answerTimeout = 10_000

/** For how long a link is shown. Milliseconds. */
const linkMs = 30_000

/** How many messages are read of a conversation whose end is wanted, before all of it is. */
const mostLatest = 10

/** Before a call that opencode does not show as running is looked for again. Milliseconds. */
const progressPauseMs = 1_000

export type HostOfOne = Host &
  Required<Pick<Host, "toast">> & {
    /** Sees whether opencode is too old or too new. opencode answers its plugins only once they are loaded. */
    lookAtVersion(): Promise<void>
    /** Carries out what the terminal asks for in an event. */
    hearTerminal(event: object): void
    /** Whether its jobs are this instance's: it, or what it is a child of, works in this directory. */
    isHere(session: string): Promise<boolean>
    /** The directory of the owner above it; nothing where opencode does not say. */
    homeOf(session: string): Promise<string | undefined>
    /** An event of opencode's, decoded. One that is not as expected is left out, and is a problem of this opencode. */
    decoded(event: object): HostEvent | undefined
    /** Has what happens in other directories told, in which children of sessions here work. Undecoded. */
    hearElsewhere(hear: (event: object) => void): void
    /** Hears no more of that. */
    stop(): void
  }

/**
 * @param given the client that opencode hands to plugins: of the older kind, which lacks session metadata, but with
 *   the address, the fetch and the authorization that the newer kind needs.
 * @param assureLoadable see {@link LoadGuard}
 */
export function createHost(
  given: unknown,
  directory: string,
  assureLoadable: LoadGuard = async () => {},
): HostOfOne {
  const client = newerClient(given, directory, async (request) => {
    const place = loadedFor(request, (id) => places.known(id))
    if (place !== undefined && place !== directory) await instances.beforeLoad(place, assureLoadable)
  })
  const { session } = client
  const problems = new Problems()
  const { map, mapEach } = decoders(problems)
  let terminal: TerminalService | undefined
  /** Whether it has this product's commands: a toast of 1.18 cannot be clicked. */
  let hasCommands = false
  const toast = ({ leadsTo, message, ...shown }: Toast) => {
    const words = leadsTo && hasCommands ? `${message}\n/${slashes[leadsTo.command]}` : message
    return call(client.tui.showToast({ title: toastTitle, ...shown, message: words }))
  }
  let hearElsewhere: (event: object) => void = () => {}
  const elsewhere = new Elsewhere({
    client,
    home: directory,
    hear: (event) => hearElsewhere(event),
    complain: (message) =>
      void call(client.app.log({ service: NAME, level: "warn", message: `${NAME}: ${message}` })),
  })
  const places = new Places(async (id) => decodedSession(await call(session.get({ sessionID: id }))))
  const decoded = (given: Parameters<typeof decodeSession>[0]) => {
    const session = decodeSession(given)
    places.keep(session.id, session)
    return session
  }
  const decodedSession = map("a session", decoded)
  /** By owner, what terminals were last told. */
  const told = new Map<string, string>()
  const tell = (standing: Standing, isAnew: boolean) => {
    const command = commandOf(standing)
    const { budgets, holds, live } = standing
    const isEmpty = [budgets, Object.keys(holds), Object.keys(live)].every((each) => each.length === 0)
    if (isAnew ? isEmpty : told.get(standing.owner) === command || (isEmpty && !told.has(standing.owner)))
      return
    told.set(standing.owner, command)
    void call(client.tui.publish({ body: { type: "tui.command.execute", properties: { command } } }))
  }
  const found = map("sessions", (sessions: Parameters<typeof decodeSession>[0][]) => ({
    sessions: sessions.map(decoded),
  }))

  /**
   * Where its tools run, which opencode has to be asked for all that it keeps for a directory. This one where it does
   * not say.
   */
  async function of(id: string): Promise<{ directory: string }> {
    const place = await places.of(id)
    return { directory: place.ok ? place.value.directory : directory }
  }

  /** What happens in it is heard from then on. */
  async function follow(id: string): Promise<void> {
    const { directory: place } = await of(id)
    if (place !== directory) await elsewhere.follow(place)
  }

  const agentsIn = async (place: string) =>
    mapEach("agents", decodeAgent)(await call(client.app.agents({ directory: place })))

  const modelsIn = async (place: string) =>
    map("models", decodeModels)(await call(client.config.providers({ directory: place })))

  return {
    problems,
    async isHere(id) {
      const home = await places.home(id)
      return !home.ok || home.value === directory
    },
    async homeOf(id) {
      const home = await places.home(id)
      return home.ok ? home.value : undefined
    },
    hearElsewhere(hear) {
      hearElsewhere = hear
    },
    stop: () => elsewhere.stop(),
    lookAtVersion: () => lookAtVersion(client, problems),

    hearTerminal(event) {
      const command = terminal && commandIn(event)
      if (!terminal || !command) return
      if (command.act === "arrive") {
        hasCommands = true
        for (const standing of terminal.standings({})) tell(standing, true)
      }
      carryOut(command, terminal).then(
        (message) => message !== undefined && void toast({ message, variant: "info", duration: linkMs }),
        (error) => void toast({ message: wordsOf(error), variant: "error" }),
      )
    },

    serveTerminal: async (service) => {
      terminal = service
      // Most changes are told by the metadata of the children.
      const changed = (owner: string) => {
        for (const standing of service.standings({ owner })) tell(standing, false)
      }
      const end = async () => {
        terminal = undefined
      }
      return { ok: true, value: { changed, toast: () => {}, end } }
    },

    decoded: (event) =>
      decodeEvent(event, (type) =>
        problems.add(
          `opencode tells of ${type} in an unknown way, which is left out; it may be too old or too new for ` +
            "opencode-troupe",
        ),
      ),

    async createSession({ parent, title, agent, rules, stored, directory: wanted }) {
      const made = decodedSession(
        await outcome(
          session.create({
            directory: wanted ?? (await of(parent)).directory,
            title,
            agent,
            parentID: parent,
            permission: rules,
            metadata: { [OUR_KEY]: stored },
          }),
        ),
      )
      // Who is not heard would seem to do nothing.
      if (made.ok) await follow(made.value.id).catch(() => {})
      if (!made.ok || wanted === undefined || made.value.directory === wanted) return made
      void call(session.delete({ sessionID: made.value.id }))
      return {
        ok: false,
        error: { message: `opencode has it work in ${made.value.directory}, not in ${wanted}` },
      }
    },

    deleteSession: (id) => call(session.delete({ sessionID: id })),

    setRules: (id, rules) => call(session.update({ sessionID: id, permission: rules })),

    session: (id) => call(session.get({ sessionID: id })).then(decodedSession),

    async sessionsSince(since) {
      // Children may work in other directories.
      const all = found(await call(session.list({ scope: "project", start: since, limit: 10_000 })))
      if (!all.ok) return all
      const ours = all.value.sessions.filter(({ stored }) => stored !== undefined)
      const homes = await Promise.all(ours.map(({ id }) => places.home(id)))
      const isHere = (home: Result<string> | undefined) => home?.ok && home.value === directory
      const [unread] = homes.flatMap((home) => (home.ok || isGone(home) ? [] : home.error))
      return { ok: true, value: { sessions: ours.filter((_, index) => isHere(homes[index])), unread } }
    },

    children: (id) => call(session.children({ sessionID: id })).then(found),

    isBusy: async (id) =>
      map(
        "busy sessions",
        (busy: Record<string, { type: string }>) => (busy[id]?.type ?? "idle") !== "idle",
      )(await call(session.status(await of(id)))),

    messages: (id) => call(session.messages({ sessionID: id })).then(map("messages", decodeConversation)),

    async conversation(id, from) {
      const shown = map("messages", (messages: MessageWithParts[]) => messages.map(shownMessage))
      if (from !== undefined) {
        const latest = shown(await call(session.messages({ sessionID: id, limit: mostLatest })))
        if (!latest.ok || latest.value.some((message) => message.id === from)) return latest
      }
      return shown(await call(session.messages({ sessionID: id })))
    },

    async files(id) {
      const { directory: place } = await of(id)
      return map("messages", (messages: MessageWithParts[]) => changedFiles(decodeChanges(messages), place))(
        await call(session.messages({ sessionID: id })),
      )
    },

    modelOf: ({ session: id, message: messageID }) =>
      call(session.message({ sessionID: id, messageID }))
        .then(map("a message", decodeMessage))
        .then(
          map("a message", (message) =>
            message.role === "assistant" ? { model: message.model, variant: message.variant } : undefined,
          ),
        ),

    async updateStored(id, change) {
      const found = await call(session.get({ sessionID: id }))
      if (!found.ok) return found
      const { metadata } = found.value
      const stored = change(metadata?.[OUR_KEY])
      if (stored === undefined) return { ok: true, value: undefined }
      // opencode replaces the whole of it: the keys of others go along.
      return call(session.update({ sessionID: id, metadata: { ...metadata, [OUR_KEY]: stored } }))
    },

    prompt: (prompt) =>
      outcome(follow(prompt.session).then(() => session.prompt(promptBody(prompt)))).then(
        map("a message", decodeMessage),
      ),

    async deliver(message, turn) {
      const body = messageBody(message)
      // opencode accepts a prompt before it has stored it: a crash could lose one that starts its turn at once.
      const stored = await call(session.prompt({ ...body, noReply: true }))
      const delivered = stored.ok && turn.isWanted() ? await done(session.promptAsync(body)) : stored
      return delivered.ok ? { ok: true, value: { mark: message.mark } } : delivered
    },

    // A conversation shows all of its messages, those before a compaction too.
    begunDeliveries: async () => ({ ok: true, value: [] }),

    steer: (prompt) => done(session.promptAsync(promptBody(prompt))),

    abort: (id) => call(session.abort({ sessionID: id })),

    async withdraw(id, { id: requestID, kind }) {
      const request = { ...(await of(id)), requestID }
      return kind === "permission"
        ? call(client.permission.reply({ ...request, reply: "reject" }))
        : call(client.question.reject(request))
    },

    async request(asking, { id, kind }) {
      const place = await of(asking)
      if (kind === "question") {
        const open = await call(client.question.list(place))
        return map("questions", (all: QuestionRequest[]) =>
          all.flatMap((each) => (each.id === id ? decodeQuestion(each) : [])).at(0),
        )(open)
      }
      const open = await call(client.permission.list(place))
      if (!open.ok) return open
      const asked = open.value.find((each) => each.id === id)
      if (!asked) return { ok: true, value: undefined }
      const { tool, sessionID } = asked
      const message = tool && (await call(session.message({ sessionID, messageID: tool.messageID })))
      const input = tool && (message?.ok ? inputOf(message.value, tool.callID) : "unreadable")
      return map("a permission request", decodePermission)({ ok: true, value: { asked, input } })
    },

    async answer(request, answer) {
      const answered = await call(reply(client, await of(request.session), request, answer))
      if (answered.ok) return { ok: true, value: true }
      return isGone(answered) ? { ok: true, value: false } : answered
    },

    async showProgress(place, { title, metadata }, signal) {
      while (!signal.aborted) {
        const message = await call(session.message({ sessionID: place.session, messageID: place.message }))
        if (!message.ok) return message
        const part = message.value.parts.find((each) => isRunning(each, place))
        if (part) {
          const state = { ...part.state, title, metadata: { ...part.state.metadata, ...metadata } }
          const { sessionID, messageID, id: partID } = part
          return call(client.part.update({ sessionID, messageID, partID, part: { ...part, state } }))
        }
        // opencode may not have stored yet that the call runs.
        await pause(progressPauseMs, signal)
      }
      return { ok: true, value: undefined }
    },

    agents: async (id) => agentsIn((await of(id)).directory),
    models: async (id) => modelsIn((await of(id)).directory),

    async offeredIn(place) {
      const heard = await outcome(elsewhere.follow(place).then(() => ({ data: true })))
      if (!heard.ok) return heard
      const agents = await agentsIn(place)
      if (!agents.ok) return agents
      const models = await modelsIn(place)
      return models.ok ? { ok: true, value: { agents: agents.value, models: models.value } } : models
    },

    hasLoaded: (place) => instances.hasLoaded(place),

    toast,

    // opencode writes the message alone: that has to say whose it is.
    log: (level, message) => call(client.app.log({ service: NAME, level, message: `${NAME}: ${message}` })),
  }
}

type Providers = { providers: { id: string; models: Record<string, Model> }[] }
type Model = { variants?: Record<string, unknown>; cost?: Prices }

function decodeModels({ providers }: Providers): HostModel[] {
  return providers.flatMap(({ id, models }) =>
    Object.entries(models).map(([model, { variants = {}, cost }]) => ({
      name: `${id}/${model}`,
      variants: Object.keys(variants),
      ...(isUnpriced(cost) && { isUnpriced: true as const }),
    })),
  )
}

type Prices = { input: number; output: number }

/** An older or newer opencode may not say. */
const isUnpriced = (cost: Prices | undefined) => cost !== undefined && cost.input === 0 && cost.output === 0

function reply(
  { permission, question }: Client,
  place: { directory: string },
  request: Request,
  answer: Answer,
) {
  const asked = { ...place, requestID: request.id }
  switch (answer.kind) {
    case "decision": {
      const { decision, message } = answer
      return permission.reply({ ...asked, reply: decision, ...(message !== undefined && { message }) })
    }
    case "answers": {
      const questions = request.kind === "question" ? request.questions : []
      return question.reply({ ...asked, answers: answersOfOne(questions, answer.answers) })
    }
    case "dismissal":
      return question.reject(asked)
  }
}

/** So long, or until `signal` aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
  return within(ms, aborted, () => undefined)
}

type ToolPart = Extract<Part, { type: "tool" }>
type RunningPart = ToolPart & { state: Extract<ToolPart["state"], { status: "running" }> }

function isRunning(part: Part, { call: id }: ToolCallPlace): part is RunningPart {
  return part.type === "tool" && part.callID === id && part.state.status === "running"
}

/** The oldest opencode of this generation with all that is needed, and the first of the next generation. */
const [oldest, next] = [
  [1, 18],
  [2, 0],
] as const

const Health = z.object({ version: z.string() })

async function lookAtVersion(client: Client, problems: Problems): Promise<void> {
  const health = await outcome(client.global.health())
  const { version } = Health.safeParse(health.ok && health.value).data ?? {}
  if (version === undefined) return
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const isOld = major < oldest[0] || (major === oldest[0] && minor < oldest[1])
  // What is built from a checkout of opencode has no number.
  if (major > 0 && isOld)
    problems.add(`opencode ${version} is too old: opencode-troupe needs ${oldest.join(".")} or newer`)
  if (major >= next[0])
    problems.add(`opencode ${version} loads opencode-troupe the way opencode 1.18 does: it may not work`)
}

/** What opencode answers, decoded. What is not as expected fails, and is a problem of this opencode. */
function decoders(problems: Problems) {
  const map =
    <From, To>(what: string, decode: (value: From) => To) =>
    (result: Result<From>): Result<To> => {
      if (!result.ok) return result
      try {
        return { ok: true, value: decode(result.value) }
      } catch (thrown) {
        const message = `opencode's answer is not as expected (${what}: ${wordsOf(thrown)})`
        problems.add(`${message}; it may be too old or too new for opencode-troupe`)
        return { ok: false, error: { message } }
      }
    }
  const mapEach = <From, To>(what: string, decode: (value: From) => To) =>
    map(what, (values: From[]) => values.map(decode))
  return { map, mapEach }
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
  return within(answerTimeout, outcome(request), () => ({
    ok: false,
    error: { message: `opencode gave no answer within ${answerTimeout / 1000} s`, isInDoubt: true },
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

function promptBody({ session, messageID, text, agent, model, variant }: Prompt, unseen = {}) {
  return {
    sessionID: session,
    messageID,
    agent,
    ...(model !== undefined && { model: splitModel(model) }),
    ...(variant !== undefined && { variant }),
    parts: [{ id: partIDOf(messageID), type: "text" as const, text, ...unseen }],
  }
}

const messageBody = ({ mark, ...prompt }: OwnerMessage) =>
  promptBody(prompt, { synthetic: true, metadata: { [OUR_KEY]: mark } })

/** Model names may have slashes of their own; providers have none. */
function splitModel(model: string): { providerID: string; modelID: string } {
  const slash = model.indexOf("/")
  return { providerID: model.slice(0, slash), modelID: model.slice(slash + 1) }
}

type ClientConfig = NonNullable<Parameters<typeof createOpencodeClient>[0]>

/** @param before hears of each request before it is sent, which it is not where that fails. */
function newerClient(
  given: unknown,
  directory: string,
  before: (request: { url: string }) => Promise<void>,
): Client {
  const { baseUrl, fetch: send = untimed, headers } = configOf(given)
  return createOpencodeClient({
    directory,
    ...(baseUrl !== undefined && { baseUrl }),
    fetch: async (given) => {
      const request = given instanceof globalThis.Request ? given : new globalThis.Request(given)
      await before(request)
      return send(request)
    },
    // With a server password they carry the authorization. The newer kind spreads them, which empties a `Headers`.
    ...(headers !== undefined && {
      headers: headers instanceof Headers ? Object.fromEntries(headers) : headers,
    }),
  })
}

/** As the client's own: Bun would give up a turn after some minutes. */
function untimed(request: globalThis.Request): Promise<Response> {
  Reflect.set(request, "timeout", false)
  return fetch(request)
}

/** The generated clients keep their configuration behind a field that their types do not show. */
function configOf(given: unknown): ClientConfig {
  const inner = fieldOf(given, "_client") ?? fieldOf(given, "client")
  const getConfig = fieldOf(inner, "getConfig")
  if (typeof getConfig !== "function") {
    throw new Error(
      "opencode-troupe: this opencode gives plugins an unknown kind of client; version 1.18 or newer is required",
    )
  }
  return getConfig.call(inner) ?? {}
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}
