import type { JobPhase } from "../../machines/record.ts"
import { permissionParts } from "../../shown/permission-parts.ts"
import { answersOfOne, questionsOfOne } from "../../shown/questions-of-1.ts"
import type { Answer, Request } from "../../shown/requests.ts"
import type { Standing, TerminalCommand } from "../contract.ts"
import { glanceAt } from "../glance.ts"
import type { Ask, Jobs, Overview, ShownJob } from "../jobs.ts"
import { withWaits } from "../waiting.ts"
import type { Api, Part, Replied, Session } from "./api-of-1.ts"
import { type Call, type OpenRequest, openRequests } from "./requests-of-1.ts"
import { serverPart } from "./server-part-of-1.ts"
import { storedRecord, storedRun, toldStanding } from "./shown-record.ts"
import { done, given, tell } from "./tell-1.ts"
import { textOf } from "./texts-of-1.ts"

/** Before a change is told. Milliseconds. */
const interval = 250

type Listener = { hear: () => void; owner: string | undefined }

/** What opencode has told of a child, beside its metadata. */
type Child = { owner: string; hasBegun: boolean; activity?: NonNullable<ShownJob["activity"]> | undefined }

/** The latest sessions of the project, in all of its directories, among which jobs are looked for. opencode's default is 100. */
const mostSessions = 1_000

/** Characters of a text that is being written: its end is shown. */
const textLength = 200

/** Jobs as the metadata of their children have them, and what opencode tells of those that run. */
export function jobsOf({ client, state, event }: Pick<Api, "client" | "state" | "event">): Jobs {
  const demandServerPart = serverPart(client)
  const children = new Map<string, Child>()
  /** The children of owners by their ids, read once and kept up to date by events, which have them in full. */
  const read = new Map<string, Promise<Map<string, Session>>>()
  const titles = new Map<string, string>()
  /** By owner: what the server part says, since it is not stored. */
  const standings = new Map<string, Standing>()
  const listeners = new Set<Listener>()
  const changes = batched(interval, (changed) => {
    for (const { owner, hear } of listeners) if (owner === undefined || owner === changed) hear()
  })

  function meet(session: Session): void {
    const { id, parentID } = session
    if (parentID === undefined || children.has(id) || !recordOf(session)) return
    children.set(id, { owner: parentID, hasBegun: false })
  }

  function childrenOf(owner: string): Promise<Map<string, Session>> {
    const known = read.get(owner)
    if (known) return known
    const asked = client.session.children({ sessionID: owner }).then((answer) => {
      const sessions = given(answer)
      for (const child of sessions) meet({ parentID: owner, ...child })
      return new Map(sessions.map((child) => [child.id, child]))
    })
    read.set(owner, asked)
    // What could not be read is read with the next change.
    asked.catch(() => read.get(owner) === asked && read.delete(owner))
    return asked
  }

  /** What is told while the children are being read may be newer than what is read. */
  function keep(owner: string | undefined, how: (children: Map<string, Session>) => void): void {
    if (owner !== undefined) read.get(owner)?.then(how, () => {})
  }

  function change(session: string | undefined, how: (child: Child) => Partial<Child> | undefined): void {
    const child = session === undefined ? undefined : children.get(session)
    const changed = child && how(child)
    if (!child || !changed) return
    Object.assign(child, changed)
    changes.add(child.owner)
  }

  for (const type of ["session.created", "session.updated"])
    event.on(type, ({ properties: { info } }) => {
      if (!info) return
      meet(info)
      keep(info.parentID, (children) => children.set(info.id, info))
      change(info.id, () => ({}))
    })
  event.on("session.deleted", ({ properties: { info } }) => {
    if (!info) return
    keep(children.get(info.id)?.owner, (of) => of.delete(info.id))
    change(info.id, () => ({}))
  })
  event.on("server.connected", () => {
    read.clear()
    for (const { hear } of listeners) hear()
  })
  event.on("session.status", ({ properties: { sessionID, status } }) =>
    change(sessionID, () => (status?.type === "busy" ? { hasBegun: true } : { activity: undefined })),
  )
  event.on("tui.command.execute", ({ properties: { command } }) => {
    const standing = toldStanding(command)
    if (!standing) return
    const before = standings.get(standing.owner)
    standings.set(standing.owner, standing)
    changes.add(standing.owner)
    // What was asked before the terminal was there, and what has been answered.
    for (const directory of new Set([...askedIn(before), ...askedIn(standing)])) void requests.read(directory)
  })
  const requests = openRequests(
    client,
    event,
    () => state.path.directory,
    (session) => change(session, () => ({})),
  )
  event.on("message.part.updated", ({ properties: { part } }) => {
    const activity = part && activityOf(part)
    change(part?.sessionID, () => activity && { activity })
  })
  event.on("message.part.delta", ({ properties: { sessionID, delta = "" } }) =>
    change(sessionID, ({ activity }) => ({
      activity: { text: `${activity?.text ?? ""}${delta}`.slice(-textLength), at: Date.now() },
    })),
  )

  function shown(of: Session): ShownJob[] {
    const { id: session } = of
    const stored = recordOf(of)
    if (!stored) return []
    const job = { ...stored, session }
    if (job.endedAt !== undefined) return [job]
    const holdUntil = standings.get(job.owner)?.holds[session]
    if (holdUntil !== undefined && holdUntil > Date.now()) return [{ ...job, phase: "queued", holdUntil }]
    const told = standings.get(job.owner)?.live[session]
    const status = state.session.status(session)
    const child = children.get(session)
    const isIdle = status === undefined || status.type === "idle"
    // That another opencode runs it is in its metadata alone.
    if (!told && isIdle && !child?.hasBegun && job.state === "created") return [{ ...job, phase: "queued" }]
    if (told && job.state === "created" && isBefore[told.phase]) return [{ ...job, phase: told.phase }]
    const open = requests.of(session)
    const asks = open.map((request) => askOf(request, session))
    return [
      {
        ...job,
        state: "prompting",
        phase: status?.type === "retry" ? "retrying" : (asks[0]?.kind ?? liveIn(told?.phase)),
        ...(job.check && told?.rounds !== undefined && { check: { ...job.check, rounds: told.rounds } }),
        ...(open[0] && { asks, waitingSince: open[0].since }),
        ...(child?.activity && { activity: child.activity }),
        ...(status?.type === "retry" && {
          retry: { attempt: status.attempt, reason: status.message, next: status.next },
        }),
      },
    ]
  }

  /** In full, with what the call that asks was given. */
  async function inFull(open: OpenRequest): Promise<Request> {
    const { id, session } = open
    if (open.kind === "question")
      return { id, session, kind: "question", questions: questionsOfOne(open.questions) }
    const { permission: action, always, call, patterns, metadata } = open
    const input = call && (await inputOf(session, call))
    const parts = permissionParts({ action, patterns, metadata, input })
    return { id, session, kind: "permission", action, always, parts }
  }

  async function inputOf(session: string, { messageID, callID }: Call) {
    const of = { sessionID: session, messageID }
    const { data } = await client.session.message(of).catch(() => ({ data: undefined }))
    return data?.parts.find((part) => part.callID === callID)?.state?.input ?? "unreadable"
  }

  function reply(request: Request, answer: Answer): Promise<Replied> {
    const directory = requests.get(request.id)?.directory
    const of = { requestID: request.id, ...(directory !== undefined && { directory }) }
    switch (answer.kind) {
      case "decision": {
        const { decision, message } = answer
        return client.permission.reply({
          ...of,
          reply: decision,
          ...(message !== undefined && { message }),
        })
      }
      case "answers": {
        const questions = request.kind === "question" ? request.questions : []
        return client.question.reply({ ...of, answers: answersOfOne(questions, answer.answers) })
      }
      case "dismissal":
        return client.question.reject(of)
    }
  }

  async function of(owner: string): Promise<ShownJob[]> {
    return withWaits([...(await childrenOf(owner)).values()].flatMap(shown).toSorted(asStarted), Date.now())
  }

  const withBudgets = (jobs: readonly ShownJob[]): Overview => ({
    jobs,
    budgets: [...new Set(jobs.map(({ owner }) => owner))].flatMap(
      (owner) => standings.get(owner)?.budgets ?? [],
    ),
  })

  async function all(): Promise<ShownJob[]> {
    const listed = given(await client.session.list({ limit: mostSessions, scope: "project" }))
    const sessions = listed.filter(isHere(listed, state.path.directory))
    for (const { id, title = "" } of sessions) titles.set(id, title)
    const found = withWaits(sessions.flatMap(shown).toSorted(asStarted), Date.now())
    if (found.length === 0) await demandServerPart()
    return found
  }

  async function act(command: TerminalCommand): Promise<void> {
    await demandServerPart()
    await tell(client, command)
  }

  return {
    title: (owner) => state.session.get(owner)?.title || titles.get(owner) || owner,
    all: async () => withBudgets(await all()),
    // None of them is looked for where nobody waits.
    async waiting() {
      if (!requests.isEmpty()) return (await all()).filter(({ asks }) => asks?.length)
      await demandServerPart()
      return []
    },
    async read(job) {
      const of = { sessionID: job.session }
      const [child, messages] = await Promise.all([client.session.get(of), client.session.messages(of)])
      const run = storedRun(given(child).metadata)
      return { prompt: run.prompt, text: textOf(job, given(messages), run) }
    },
    inspect: async () => {
      // The server part says it in a toast.
      await act({ act: "inspect" })
      return undefined
    },
    cancel: ({ session }) => act({ act: "cancel", session }),
    send: ({ session }, message) => act({ act: "send", session, message }),
    async request(_job, ask) {
      const open = requests.get(ask.id)
      return open && inFull(open)
    },
    async answer(request, answer) {
      const replied = await reply(request, answer)
      if (replied.response?.status === 404) {
        requests.forget(request.id)
        return false
      }
      done(replied)
      return true
    },
    of,
    glance: async (owner, most) => glanceAt(withBudgets(await of(owner)), most, Date.now()),
    subscribe(hear, owner) {
      const listener = { hear, owner }
      listeners.add(listener)
      // What happened while nobody listened may have gone unheard.
      read.clear()
      return () => listeners.delete(listener)
    },
  }
}

/** Whether a session belongs to this directory, in whichever its own jobs or those of its owner work. */
function isHere(sessions: readonly Session[], directory: string): (session: Session) => boolean {
  const byId = new Map(sessions.map((session) => [session.id, session]))
  return (session) => {
    let top = session
    for (let above = byId.get(top.parentID ?? ""); above; above = byId.get(top.parentID ?? "")) top = above
    return top.directory === undefined || top.directory === directory
  }
}

/** The other directories in which something is asked. */
const askedIn = (standing: Standing | undefined): string[] =>
  Object.values(standing?.live ?? {}).flatMap(({ directory, asks }) =>
    directory !== undefined && asks !== undefined ? [directory] : [],
  )

/** What is asked is read first: until then it works on. */
const liveIn = (phase: JobPhase = "working"): JobPhase =>
  phase === "permission" || phase === "question" ? "working" : phase

/** Nobody has asked the child yet. */
const isBefore: Partial<Record<JobPhase, true>> = { opening: true, blocked: true, queued: true }

const parsed = new WeakMap<Session, ReturnType<typeof storedRecord>>()

/** Parsed once: with each change all are looked at. */
function recordOf(session: Session): ReturnType<typeof storedRecord> {
  if (!parsed.has(session)) parsed.set(session, storedRecord(session.metadata))
  return parsed.get(session)
}

/** Those of one call have one time: they are told apart by their ids, which count up where nobody chose them. */
const asStarted = (a: ShownJob, b: ShownJob) =>
  a.createdAt - b.createdAt || a.id.localeCompare(b.id, undefined, { numeric: true })

function askOf(request: OpenRequest, child: string): Ask {
  const { id, session } = request
  return {
    id,
    kind: request.kind,
    text:
      request.kind === "permission"
        ? `${request.permission}: ${request.patterns.join(", ")}`
        : request.questions.map(({ question }) => question).join(" "),
    ...(session !== child && { session }),
  }
}

function activityOf({ type, tool, text, time, state }: Part): Child["activity"] {
  if (type === "tool" && state?.status === "running")
    return { tool: state.title || tool || "", at: Date.now() }
  // A prompt has no time.
  return type === "text" && time ? { text: text ?? "", at: Date.now() } : undefined
}

/** Passes each of what was added on, once, after a pause. */
function batched(pauseMs: number, pass: (each: string) => void) {
  const waiting = new Set<string>()
  const flush = () => {
    const all = [...waiting]
    waiting.clear()
    for (const each of all) pass(each)
  }
  return {
    add(each: string) {
      if (waiting.size === 0) setTimeout(flush, pauseMs)
      waiting.add(each)
    },
  }
}
