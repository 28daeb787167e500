import { isDeepStrictEqual } from "node:util"
import * as z from "zod"
import { boundedMessage } from "../../../machines/record.ts"
import type { Answer } from "../../../shown/requests.ts"
import type { TerminalService } from "../../../terminal/contract.ts"
import { eachLimited } from "../../util/each-limited.ts"
import { wordsOf } from "../../util/error-words.ts"
import { Problems } from "../../util/problems.ts"
import { shared as processWide } from "../../util/process-wide.ts"
import { within } from "../../util/within.ts"
import { finalAnswer, isGiven, isStalled, isUnended, lastAnswer, placeOf, STALLED } from "../answers.ts"
import { changedFiles } from "../changed-files.ts"
import type {
  FoundSessions,
  Host,
  HostAgent,
  HostEvent,
  HostMessage,
  HostModel,
  HostSession,
  LoadGuard,
  ModelChoice,
  NewSession,
  PermissionRule,
  Prompt,
  Result,
  StartPermission,
  ToolCallPlace,
} from "../port.ts"
import type { Context } from "./api.ts"
import { AskedThrough } from "./asked-through.ts"
import { BegunDeliveries } from "./begun-deliveries.ts"
import type { Call, StartCheck } from "./calls.ts"
import { Children, splitModel } from "./children.ts"
import {
  admittedMark,
  againMark,
  decodeAgents,
  decodeDirectory,
  decodeMessages,
  decodeModels,
  decodeSession,
  lastEndIn,
  OUR_KEY,
} from "./decode.ts"
import { askToEdit } from "./edit-permission.ts"
import { failureOf, hearFailures } from "./failures.ts"
import { decodeChanges } from "./files.ts"
import { forgetHome } from "./homes.ts"
import { answerTimeout, NoAnswerError } from "./in-time.ts"
import { hasLoaded, hearLocations, Loading, untilLoaded } from "./loading.ts"
import { Reader } from "./reading.ts"
import { decodePermissions, Forms, inputIn, permissionRequest } from "./requests.ts"
import { encodeRule } from "./rules.ts"
import { RunningCalls } from "./running-calls.ts"
import { askToRun } from "./shell-permission.ts"
import { shownMessages } from "./shown.ts"
import { StoredSessions } from "./stored-sessions.ts"
import { type Channel, openChannel } from "./terminal.ts"
import { UnderWay } from "./under-way.ts"

/** How long opencode takes to end, at most, once it has cut off its turns. Milliseconds. */
const endLimit = 5_000

/**
 * opencode ends its turns and its database before its plugins: whoever comes next is to find a job as it was, and no end
 * of it. Returns where opencode goes on all the same.
 */
const endOfOpencode = () => new Promise<void>((resolve) => setTimeout(resolve, endLimit).unref())

/** What fails, fails for those who ask only where it is not because opencode ends. */
async function toldOnlyIfItGoesOn<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (thrown) {
    if (!isNotFound(thrown)) await endOfOpencode()
    throw thrown
  }
}

/** How many sessions are read at once. */
const mostReads = 16

export type HostOfTwo = Host & {
  /** Takes every event of opencode. */
  hear(event: HostEvent): void
  /** The same as opencode tells it. */
  hearUndecoded(event: unknown): void
  /**
   * Hears the ends of turns that nobody has heard: those which ended between the last instance of the plugin and this
   * one. To be called once events are heard.
   */
  catchUp(hear: (event: HostEvent) => void): void
  /** Shows a running tool call's progress. Returns what ends that. */
  began(call: Call): () => void
  /** Asks for the permission to start a subagent. */
  askToStart(call: Call, agent: string, description: string, child?: string): Promise<StartPermission>
  /** Asks for the permission to run a command in the shell. */
  askToRun(call: Call, command: string): Promise<StartPermission>
  /** Asks for the permission to change files. */
  askToEdit(call: Call, root: string, files: readonly string[]): Promise<StartPermission>
  /** Whether a person is to be asked for a permission. */
  decide(check: StartCheck): void
}

/**
 * opencode 2 behind the port.
 * @param context see `inTime`: without it, what hangs in opencode may hang here
 * @param assureLoadable see {@link LoadGuard}
 */
export function createHost(
  context: Context,
  problems = new Problems(),
  assureLoadable: LoadGuard = async () => {},
): HostOfTwo {
  const { session, location, app, rpc } = context
  const loading = new Loading(location.directory)
  const here: Place = {
    agent: context.agent,
    model: context.model,
    permission: context.permission,
    loaded: loading.over,
  }
  places.set(location.directory, here)
  const damaged = new Set<string>()
  const stored = new StoredSessions(context.storage, (id) => {
    damaged.add(id)
    problems.add(`opencode's storage is damaged where the record of ${id} is: its job is left out`)
  })
  const begunDeliveries = new BegunDeliveries(context.storage)
  // An instance that a reload has put in the place of another has not heard which turns began before it.
  const busy = processWide("busy sessions", () => new Set<string>())
  /** The last request to the model of each session whose turn runs. */
  const steps = new Map<string, { message: string; asked: ModelChoice }>()
  const calls = new RunningCalls()
  /** Sessions that this instance has made and that wait for their first prompt: their conversations are empty. */
  const unasked = new Set<string>()
  /** How many sessions are being made, and which were deleted meanwhile: nobody hears of that again. */
  let making = 0
  const deleted = new Set<string>()
  /** Busy ones of which this instance has heard nothing yet. */
  const unheard = new Set(busy)
  /** Asks for the requests of a session where it works. */
  const located: Context = {
    ...context,
    permission: {
      ...context.permission,
      list: async (key) => (placeIn(await locationOf(key.sessionID)) ?? here).permission.list(key),
    },
  }
  const underWay = new UnderWay(located)
  const forms = new Forms()
  /** To the terminals, once it is there. */
  let channel: Channel | undefined
  const reader = new Reader(app.version, problems)
  const children = new Children(located, calls, loading.over, {
    reader,
    warn: (problem) => problems.add(problem),
  })
  const through = new AskedThrough()

  async function rulesOf({ sessionID, agent }: Call): Promise<PermissionRule[]> {
    const [agents, session] = await Promise.all([agentsIn(await directoryOf(sessionID)), load(sessionID)])
    return [...(agents.find(({ name }) => name === agent)?.rules ?? []), ...session.rules]
  }

  async function load(id: string): Promise<HostSession> {
    const [found, entry] = await Promise.all([session.get({ sessionID: id }), stored.get(id)])
    return reader.read("answer session.get", () => decodeSession(found, entry))
  }

  async function loadAll(ids: readonly string[]): Promise<FoundSessions> {
    const loaded = await eachLimited(ids, mostReads, async (id) => ({
      id,
      session: await outcome(() => load(id)),
    }))
    const errors = loaded.flatMap(({ id, session }) =>
      // A session that was deleted leaves what was stored for it, and what is damaged stays so.
      session.ok || session.error.status === 404 || damaged.has(id) ? [] : [session.error],
    )
    return {
      sessions: loaded.flatMap(({ session }) => (session.ok ? [session.value] : [])),
      unread: errors[0],
    }
  }

  /** Where it works now: it may have been moved since it was made. */
  async function directoryOf(id: string): Promise<string> {
    const found = await session.get({ sessionID: id })
    return reader.read("answer session.get", () => decodeDirectory(found))
  }

  /** The same; this location where opencode does not say. */
  const locationOf = (id: string) => directoryOf(id).catch(() => location.directory)

  const placeIn = (directory: string) => (directory === location.directory ? here : places.get(directory))

  /** See {@link LoadGuard}. */
  async function beforeLoad(directory: string): Promise<void> {
    if (!hasLoaded(directory)) await assureLoadable(directory)
  }

  async function agentsIn(directory: string): Promise<HostAgent[]> {
    const own = placeIn(directory)
    const agent = own?.agent ?? context.agent
    const of = { location: { directory } }
    if (!own) {
      await beforeLoad(directory)
      // Being asked, opencode loads it.
      await agent.list(of)
      await (placeIn(directory)?.loaded ?? untilLoaded(directory))
    }
    await own?.loaded
    const found = own ? await agent.list() : await agent.list(of)
    return reader.read("answer agent.list", () => decodeAgents(found))
  }

  /** opencode tells of the models of other locations only those that have the plugin as well. */
  async function modelsIn(directory: string): Promise<HostModel[] | undefined> {
    const found = await placeIn(directory)?.model.list()
    return found === undefined ? undefined : reader.read("answer model.list", () => decodeModels(found))
  }

  /** While opencode loads its plugins anew, none of them hears why a turn fails. */
  async function lackOf({ session: id, model }: Prompt): Promise<string | undefined> {
    const found = await outcome(async () => modelsIn(await directoryOf(id)))
    const isMissing = model !== undefined && found.ok && found.value?.every(({ name }) => name !== model)
    return isMissing ? `Model unavailable: ${model}` : undefined
  }

  /** Of where it works: opencode keeps requests by location. */
  async function permissionsOf(id: string): Promise<Context["permission"]> {
    const directory = await locationOf(id)
    const place = placeIn(directory)
    if (!place) throw new Error(`${noPlugin(directory)} Answer it in opencode itself.`)
    return place.permission
  }

  async function open(id: string) {
    const listed = await (await permissionsOf(id)).list({ sessionID: id })
    return reader.read("answer permission.list", () => decodePermissions(listed))
  }

  /** Whether this location is where it works; not of one that was deleted. */
  async function isHere(id: string): Promise<boolean> {
    const directory = await outcome(() => directoryOf(id))
    if (directory.ok) return directory.value === location.directory
    if (directory.error.status === 404) return false
    throw new Error(directory.error.message)
  }

  const messages = async (id: string): Promise<HostMessage[]> => (await conversation(id)).messages

  async function conversation(id: string): Promise<Conversation> {
    const found = await session.context({ sessionID: id })
    return reader.read("answer session.context", () => ({
      messages: decodeMessages(found),
      lastEnd: lastEndIn(found),
    }))
  }

  async function make(input: NewSession): Promise<{ id: string }> {
    const id = await children.make(input)
    // What has a record may be run by whoever comes next: not before its rules hold.
    await session.update({ sessionID: id, permissions: input.rules.map(encodeRule) })
    if (input.directory !== undefined) await move(id, input.directory)
    await stored.add(id, input.parent, input.stored)
    if (deleted.has(id) || deleted.has(input.parent)) {
      await stored.remove(id)
      // opencode makes children of sessions that are gone, too.
      await session.remove?.({ sessionID: id }).catch(() => {})
      throw new Error("the session or its owner was deleted while it was being created")
    }
    // A move is in its conversation.
    if (input.directory === undefined) unasked.add(id)
    return { id }
  }

  /** opencode makes children where their parent is. */
  async function move(id: string, directory: string): Promise<void> {
    await beforeLoad(directory)
    await session.move({ sessionID: id, directory })
    const until = Date.now() + answerTimeout
    while ((await directoryOf(id)) !== directory) {
      if (Date.now() > until) throw new Error(`opencode did not have it work in ${directory}`)
      await session.wait({ sessionID: id })
      await new Promise((resolve) => setTimeout(resolve, movePauseMs))
    }
    await session.wait({ sessionID: id })
  }

  /** One that is not known to be admitted may be: then its turn runs, and its end is waited for. Returns whether it is known. */
  async function admit(prompt: Parameters<typeof session.prompt>[0]): Promise<boolean> {
    await beforeLoad(await locationOf(prompt.sessionID))
    try {
      await session.prompt(prompt)
      return true
    } catch (thrown) {
      if (!(thrown instanceof NoAnswerError)) throw thrown
      return false
    }
  }

  /** Returns the conversation when no turn runs, and whether that of the prompt is over. */
  async function ask({
    session: id,
    messageID,
    text,
  }: Prompt): Promise<{ after: HostMessage[]; isOver: boolean }> {
    const { messages: before, lastEnd }: Conversation = unasked.delete(id)
      ? { messages: [], lastEnd: undefined }
      : await conversation(id)
    const isAsked = placeOf(before, messageID) !== undefined
    // What the end of an opencode has interrupted is no answer to whoever asks again.
    const answer = finalAnswer(before, messageID)
    if (answer && answer.end?.error?.kind !== "interrupted") return { after: before, isOver: true }
    // opencode 2 does not go on with a prompt that a crash has cut off: it is asked anew, and says for which.
    const askAnew = async () => {
      // opencode finds no models where it loads.
      await placeIn(await locationOf(id))?.loaded
      return admit({ sessionID: id, text, metadata: againMark(messageID) })
    }
    let isAdmitted = true
    if (isAsked && !busy.has(id)) isAdmitted = await askAnew()
    else if (!isAsked) isAdmitted = await admit({ sessionID: id, id: messageID, text })
    await session.wait({ sessionID: id })
    let { messages: after, lastEnd: end } = await conversation(id)
    if (isStalled(after, messageID)) {
      await askAnew()
      await session.wait({ sessionID: id })
      ;({ messages: after, lastEnd: end } = await conversation(id))
    }
    // With an agent that does not exist a turn ends before it takes up its prompt.
    const isOver = placeOf(after, messageID) ? !isUnended(after, messageID) : !isAdmitted || end !== lastEnd
    return { after, isOver }
  }

  /** opencode offers plugins no answers to questions: a terminal gives them. Whether the question was still asked. */
  async function passOn(session: string, request: string, answer: Answer): Promise<boolean> {
    if (!channel) throw new Error(noAnswers)
    if (!forms.request(session, request)) return false
    const closed = forms.untilClosed(request, passOnLimit)
    channel.answer({ session, request, ...(answer.kind === "answers" && { answers: answer.answers }) })
    if (await closed) return true
    throw new Error(noTerminal)
  }

  return {
    problems,

    createSession: (input) => {
      making++
      return outcome(() => make(input)).finally(() => {
        if (--making === 0) deleted.clear()
      })
    },

    // 2.0 offers plugins no way to do it: without its record nobody runs it.
    deleteSession: (id) =>
      call(async () => {
        unasked.delete(id)
        await stored.remove(id)
        await session.remove?.({ sessionID: id })
      }),

    setRules: (id, rules) =>
      call(() => session.update({ sessionID: id, permissions: rules.map(encodeRule) })),

    session: (id) => call(() => load(id)),

    sessionsSince: (since) =>
      call(async () => {
        const found = await stored.since(since)
        const roots = [...new Set(found.map(({ root }) => root))]
        const owners = await eachLimited(roots, mostReads, async (root) => ({
          root,
          isHere: await outcome(() => isHere(root)),
        }))
        const ours = new Set(owners.flatMap(({ root, isHere }) => (isHere.ok && isHere.value ? root : [])))
        const loaded = await loadAll(found.flatMap(({ session, root }) => (ours.has(root) ? session : [])))
        const [error] = owners.flatMap(({ isHere }) => (isHere.ok ? [] : isHere.error))
        return { ...loaded, unread: loaded.unread ?? error }
      }),

    children: (id) => call(async () => loadAll(await stored.of(id))),

    isBusy: async (id) => ({ ok: true, value: busy.has(id) }),

    messages: (id) => call(() => messages(id)),

    conversation: (id) =>
      call(async () => {
        const found = await session.context({ sessionID: id })
        return reader.read("answer session.context", () => shownMessages(found))
      }),

    files: (id) =>
      call(async () => {
        const found = await session.context({ sessionID: id })
        const changes = reader.read("answer session.context", () => decodeChanges(found))
        return changedFiles(changes, await directoryOf(id))
      }),

    modelOf: ({ session: id, message: messageID }) =>
      call(async () => {
        const step = steps.get(id)
        if (step?.message === messageID) return step.asked
        const found = (await messages(id)).find((each) => each.id === messageID)
        return found?.role === "assistant" ? { model: found.model, variant: found.variant } : undefined
      }),

    updateStored: (id, change) =>
      call(() => {
        // What is written before the first prompt is that there will be none.
        unasked.delete(id)
        return stored.update(id, change)
      }),

    prompt: (prompt) =>
      outcome(async () => {
        const { session: id, messageID } = prompt
        const { after, isOver } = await toldOnlyIfItGoesOn(() => ask(prompt))
        const isCutOff = !isOver && !isGiven(finalAnswer(after, messageID))
        if (!isCutOff) return answerTo(after, messageID)
        // Where it goes on all the same, it can store nothing more.
        await endOfOpencode()
        return withReason(answerTo(await messages(id), messageID), failureOf(id) ?? (await lackOf(prompt)))
      }),

    // One durable message, which starts its turn by itself or waits for the end of the one that runs.
    deliver: ({ session: id, messageID, text, mark }, turn) =>
      call(async () => {
        const start = turn.isWanted() ? {} : ({ resume: false } as const)
        const begun = await begunDeliveries.add(id, messageID, mark)
        const metadata = { [OUR_KEY]: mark }
        const admitted = await session.synthetic({
          sessionID: id,
          id: messageID,
          text,
          metadata,
          delivery: "queue",
          ...start,
        })
        // What it has under this id already stays as it was, whatever it is handed now.
        const held = admittedMark(admitted) ?? mark
        if (!isDeepStrictEqual(held, begun)) await begunDeliveries.set(id, messageID, held)
        return { mark: held }
      }),
    begunDeliveries: (id) => call(() => begunDeliveries.of(id)),

    switchModel: (id, { model, variant }) =>
      call(() => session.switchModel({ sessionID: id, model: splitModel(model, variant) })),

    steer: ({ session: id, messageID, text }) =>
      call(async () => {
        await beforeLoad(await locationOf(id))
        return session.prompt({ sessionID: id, id: messageID, text })
      }),

    abort: (id) => call(() => session.interrupt({ sessionID: id })),

    request: (id, { id: request, kind }) =>
      call(async () => {
        if (kind === "question") {
          const asked = forms.request(id, request)
          return asked && (channel ? asked : { ...asked, unanswerable: noAnswers })
        }
        const asked = (await open(id)).find((each) => each.id === request)
        if (!asked) return undefined
        const { source } = asked
        const found = source?.messageID !== undefined && (await session.context({ sessionID: id }))
        const input = found ? reader.read("answer session.context", () => inputIn(found, source)) : undefined
        return permissionRequest(id, asked, input)
      }),

    answer: ({ id, session: sessionID }, answer) =>
      call(async () => {
        if (answer.kind !== "decision") return passOn(sessionID, id, answer)
        const { decision, message } = answer
        if (!(await open(sessionID)).some((each) => each.id === id)) return false
        // opencode goes on with the turn for the sake of a message and keeps it to itself: the child reads it as a
        // prompt, with what the refusal came to.
        if (message !== undefined) await session.prompt({ sessionID, text: message })
        return settled(
          (await permissionsOf(sessionID)).reply({
            sessionID,
            requestID: id,
            decision,
            ...(message !== undefined && { message }),
          }),
        )
      }),

    showProgress: (place: ToolCallPlace, { metadata }) =>
      call(async () => {
        await calls.at(place)?.call.progress(withoutUndefined(metadata))
      }),

    ...(rpc && {
      serveTerminal: (service: TerminalService) =>
        call(async () => {
          channel = await openChannel(rpc, service)
          return channel
        }),
    }),

    agents: (id) => call(async () => agentsIn(await directoryOf(id))),
    onAgentsChanged: (listener) => loading.onAgentsChanged(listener),

    models: (id) =>
      call(async () => {
        const found = await modelsIn(await directoryOf(id))
        return found ?? (await modelsIn(location.directory)) ?? []
      }),
    offeredIn: (directory) =>
      call(async () => ({ agents: await agentsIn(directory), models: await modelsIn(directory) })),

    hasLoaded,

    async log(level, message) {
      console[level](`opencode-troupe: ${message}`)
      return { ok: true, value: undefined }
    },

    tellAgain: (id, hear) =>
      call(async () => {
        if (busy.has(id)) await underWay.tell(id, hear)
      }),

    hearUndecoded(event) {
      loading.hear(event)
      hearLocations(event)
      hearFailures(event)
      forms.hearUndecoded(event)
    },

    hear(event) {
      const { type, session: id } = event
      underWay.hear(event)
      children.hear(event)
      through.hear(event)
      unheard.delete(id)
      if (type === "session.busy") {
        busy.add(id)
        const { message, asked } = event
        if (message !== undefined && asked) steps.set(id, { message, asked })
      }
      if (type === "request.closed") forms.closed(event.request)
      if (type === "session.idle" || type === "session.deleted") {
        forms.ended(id)
        busy.delete(id)
        steps.delete(id)
      }
      // What an undo has taken out comes under another id.
      if (type === "messages.removed") void outcome(() => begunDeliveries.forget(id))
      if (type === "session.deleted") {
        unasked.delete(id)
        if (making > 0) deleted.add(id)
        forgetHome(id)
        void outcome(() => Promise.all([stored.remove(id), stored.removeOf(id), begunDeliveries.forget(id)]))
      }
    },

    catchUp(hear) {
      for (const id of unheard) {
        void outcome(() => session.wait({ sessionID: id })).then(() => {
          // Of what has been heard meanwhile, its end is heard as well.
          if (unheard.has(id)) hear({ type: "session.idle", session: id })
        })
      }
    },

    began(call) {
      const running = calls.begin(call)
      return () => {
        calls.end(running)
        children.removeUnused(running)
      }
    },

    askToStart: (...asked) => children.askToStart(...asked),
    askToRun: (running, command) => askToRun({ context, reader, through }, running, command),
    askToEdit: (running, root, files) =>
      askToEdit({ context, reader, through, rulesOf }, running, root, files),
    decide: (check) => children.decide(check),
  }
}

/** Why a question cannot be answered. */
const noAnswers = "opencode 2 lets its plugins answer no questions: answer it in the terminal."
const noTerminal =
  "on opencode 2 answers to questions go through its terminal, and no terminal with opencode-troupe is open. Open one in this project, then answer again, here or there."

const noPlugin = (directory: string) => `opencode has not loaded opencode-troupe in ${directory}.`

/** Before it is looked again whether a session has been moved. Milliseconds. */
const movePauseMs = 20

/** For how long an answer is waited for that terminals were handed. Milliseconds. */
const passOnLimit = 3_000

/** Whether the request was still there. */
async function settled(replying: Promise<unknown>): Promise<boolean> {
  try {
    await replying
    return true
  } catch (thrown) {
    if (isNotFound(thrown) || tagOf(thrown)?.endsWith("AlreadySettledError")) return false
    throw thrown
  }
}

/** What a location of opencode offers to the sessions in it. `loaded`: see {@link Loading.over}. */
type Place = Pick<Context, "agent" | "model" | "permission"> & { loaded: Promise<void> }

/** By directory: the latest instance's of each. */
const places = processWide("places of opencode 2, 2", () => new Map<string, Place>())

/** `lastEnd`: see {@link lastEndIn}. */
type Conversation = { messages: HostMessage[]; lastEnd: string | undefined }

/** The last message of the turn in which this was asked. */
function answerTo(messages: readonly HostMessage[], asked: string): HostMessage {
  const answer = lastAnswer(messages, asked)
  // A turn that ended before the model said anything, as with an agent that does not exist.
  if (!answer) throw new Error("opencode ended the turn without an answer")
  return answer
}

/** Says why opencode could not go on, as far as it has said so. */
function withReason(answer: HostMessage, reason: string | undefined): HostMessage {
  if (answer.role !== "assistant" || answer.end?.error !== STALLED || reason === undefined) return answer
  const message = boundedMessage(`${STALLED.message}: ${reason}`)
  return { ...answer, end: { ...answer.end, error: { ...STALLED, message } } }
}

/** What is `undefined` in a result's metadata loses the whole result. */
export function withoutUndefined(metadata: object): object {
  return JSON.parse(JSON.stringify(metadata))
}

function call<T>(run: () => Promise<T>): Promise<Result<T>> {
  return within(answerTimeout, outcome(run), () => ({
    ok: false,
    error: { message: new NoAnswerError().message, isInDoubt: true },
  }))
}

async function outcome<T>(run: () => Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await run() }
  } catch (thrown) {
    const status = isNotFound(thrown) ? 404 : undefined
    const isInDoubt = thrown instanceof NoAnswerError
    const message = wordsOf(thrown) || tagOf(thrown) || "opencode failed"
    return { ok: false, error: { message, status, ...(isInDoubt && { isInDoubt }) } }
  }
}

const Tagged = z.object({ _tag: z.string() })

const tagOf = (thrown: unknown) => Tagged.safeParse(thrown).data?._tag

const isNotFound = (thrown: unknown) => tagOf(thrown)?.endsWith("NotFoundError") === true
