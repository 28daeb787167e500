import { commandPrefix, type TerminalCommand } from "../contract.ts"
import type { Answer, Ask, Decision, Jobs, Question, Request, ShownJob } from "../jobs.ts"
import { type Element, onCleanup, untrack } from "../solid.ts"
import type { Key, Option, Screen } from "../terminal.ts"
import { shownUntilSettled } from "./dialogs.ts"
import { type Attention, noticesOf1 } from "./notices.ts"
import { permissionText } from "./permission-text.ts"
import { type Client, type OpenRequest, openRequests, type Told } from "./requests-of-1.ts"
import { storedRecord } from "./stored-record.ts"

/** What opencode 1.18 hands to a terminal part, as far as it is used. Seen in 1.18.33. */
export type Api = {
  client: {
    session: Client["session"] & {
      list(of: { limit: number }): Promise<{ data?: Session[] }>
      children(of: { sessionID: string }): Promise<{ data?: Session[] }>
      messages(of: { sessionID: string }): Promise<{ data?: Message[] }>
      message(of: { sessionID: string; messageID: string }): Promise<{ data?: Message }>
    }
    tui: {
      publish(event: {
        body: { type: "tui.command.execute"; properties: { command: string } }
      }): Promise<{ error?: unknown }>
    }
    permission: Client["permission"] & {
      reply(answer: { requestID: string; reply: Decision; message?: string }): Promise<Replied>
    }
    question: Client["question"] & {
      reply(answer: { requestID: string; answers: string[][] }): Promise<Replied>
      reject(of: { requestID: string }): Promise<Replied>
    }
  }
  attention: Attention
  keymap: {
    registerLayer(layer: {
      mode?: "modal"
      priority?: number
      commands: KeymapCommand[]
      bindings?: readonly Binding[]
    }): () => void
    getCommandBindings(of: { visibility: "registered"; commands: string[] }): Map<string, readonly Binding[]>
  }
  keys: { formatBindings(bindings: readonly Binding[] | undefined): string | undefined }
  tuiConfig: { keybinds: { get(command: string): readonly Binding[] } }
  renderer: { copyToClipboardOSC52(text: string): boolean }
  ui: {
    dialog: {
      replace(draw: () => Element, onClose?: () => void): void
      setSize(size: "large"): void
      clear(): void
    }
    DialogSelect<Value>(list: {
      title: string
      options: Option<Value>[]
      onSelect(option: { value: Value }): void
    }): Element
    DialogConfirm(question: { title: string; message: string; onConfirm(): void; onCancel(): void }): Element
    DialogPrompt(question: {
      title: string
      placeholder: string
      onConfirm(value: string): void
      onCancel(): void
    }): Element
    toast(toast: { message: string; variant: "info" | "success" | "warning" | "error" }): void
  }
  state: {
    session: {
      get(session: string): { title?: string } | undefined
      status(session: string): Status | undefined
    }
  }
  event: { on(type: string, hear: (event: { properties: EventProperties & Told }) => void): () => void }
  slots: {
    register(slots: {
      order: number
      slots: Record<string, (context: unknown, props: SlotProps) => Element>
    }): void
  }
  theme: { current: Record<ThemeColor, unknown> }
  route: {
    navigate(to: "session", params: { sessionID: string }): void
    readonly current: { params?: { sessionID?: string } }
  }
}

type ThemeColor =
  | "text"
  | "textMuted"
  | "success"
  | "error"
  | "warning"
  | "accent"
  | "primary"
  | "selectedListItemText"
  | "backgroundElement"
type KeymapCommand = { name: string; title: string; namespace?: "palette"; slashName?: string; run(): void }
type Binding = { key: unknown; cmd?: unknown }
type Replied = { error?: unknown; response?: { status: number } }
type Message = { info: { role: string }; parts: MessagePart[] }
type MessagePart = {
  type: string
  text?: string
  callID?: string
  state?: { input?: Record<string, unknown> }
}
type SlotProps = { session_id: string }
type Session = { id: string; title?: string; parentID?: string; metadata?: unknown }
type Status =
  | { type: "idle" }
  | { type: "busy" }
  | { type: "retry"; attempt: number; message: string; next: number }
type EventProperties = {
  title?: string
  message?: string
  sessionID?: string
  info?: Partial<Session>
  status?: Status
  delta?: string
  part?: Part
}
type Part = {
  sessionID: string
  type: string
  tool?: string
  text?: string
  time?: object
  state?: { status: string; title?: string }
}

/** Before a change is told. Milliseconds. */
const interval = 250

export function terminalOf1(api: Api): Screen {
  const colors = {
    text: () => api.theme.current.text,
    muted: () => api.theme.current.textMuted,
    good: () => api.theme.current.success,
    bad: () => api.theme.current.error,
    attention: () => api.theme.current.warning,
    accent: () => api.theme.current.accent,
    chosen: () => api.theme.current.selectedListItemText,
    chosenBackground: () => api.theme.current.primary,
    field: () => api.theme.current.backgroundElement,
  }
  noticesOf1(api, () => tell(api.client, { act: "arrive" }))
  return {
    jobs: jobsOf(api),
    color: (name) => colors[name](),
    sidebar: (draw) =>
      api.slots.register({
        order: 150,
        slots: { sidebar_content: (_context, { session_id }) => draw(session_id) },
      }),
    promptLine: (draw) =>
      api.slots.register({
        order: 150,
        slots: { session_prompt_right: (_context, { session_id }) => draw(session_id) },
      }),
    command: ({ id, title, slash, bind, run }) =>
      void api.keymap.registerLayer({
        commands: [
          {
            name: id,
            title,
            namespace: "palette",
            ...(slash !== undefined && { slashName: slash }),
            run: () => void run(),
          },
        ],
        bindings: bind === undefined ? [] : [{ key: bind, cmd: id }],
      }),
    select: ({ title, options }) =>
      asked(api, (settle) => api.ui.DialogSelect({ title, options, onSelect: ({ value }) => settle(value) })),
    confirm: async (question) =>
      (await asked<boolean>(api, (settle) =>
        api.ui.DialogConfirm({ ...question, onConfirm: () => settle(true), onCancel: () => settle(false) }),
      )) === true,
    prompt: (question) =>
      asked(api, (settle) =>
        api.ui.DialogPrompt({ ...question, onConfirm: settle, onCancel: () => settle(undefined) }),
      ),
    dialog: (draw) =>
      asked(api, (settle) => {
        api.ui.dialog.setSize("large")
        // What is drawn must not hang on what is read meanwhile: else all of it would be drawn anew.
        return untrack(() => draw(settle))
      }),
    close: () => api.ui.dialog.clear(),
    keys: (keys) => {
      const { bindings, shortcuts } = boundBy(api, keys)
      const commands = keys.map(({ id, title, run }) => ({ name: id, title, run: () => void run() }))
      onCleanup(api.keymap.registerLayer({ mode: "modal", priority: 1, commands, bindings }))
      return shortcuts
    },
    copy: (text) => api.renderer.copyToClipboardOSC52(text),
    toast: (toast) => api.ui.toast(toast),
    open: (sessionID) => api.route.navigate("session", { sessionID }),
    shown: () => api.route.current.params?.sessionID,
  }
}

async function tell({ tui }: Pick<Api["client"], "tui">, given: TerminalCommand): Promise<void> {
  const properties = { command: `${commandPrefix}${JSON.stringify(given)}` }
  done(await tui.publish({ body: { type: "tui.command.execute", properties } }))
}

/** Shows a dialog until it is answered or closed. */
const asked = <Value>(
  { ui: { dialog } }: Api,
  draw: (settle: (value: Value | undefined) => void) => Element,
): Promise<Value | undefined> =>
  shownUntilSettled<Value | undefined>(
    (settle, onClose) => dialog.replace(() => draw(settle), onClose),
    () => dialog.clear(),
  )

/** The keys that the person has set for what opencode's own dialogs do as well, else those of ours. */
function boundBy({ keymap, keys: { formatBindings }, tuiConfig }: Api, keys: readonly Key[]) {
  const bindings = keys.flatMap(({ id, bind }): readonly Binding[] => {
    const set = tuiConfig.keybinds.get(id)
    return set.length > 0 ? set : [{ key: bind, cmd: id }]
  })
  const shortcuts = (id: string) => {
    const found = keymap.getCommandBindings({ visibility: "registered", commands: [id] }).get(id)
    return formatBindings(found) ?? ""
  }
  return { bindings, shortcuts }
}

/** What opencode has told of a child, beside its metadata. */
type Child = { owner: string; hasBegun: boolean; activity?: NonNullable<ShownJob["activity"]> | undefined }

/** The latest sessions of the project, among which jobs are looked for. opencode's default is 100. */
const mostSessions = 1_000

/** Characters of a text that is being written: its end is shown. */
const textLength = 200

/** Jobs as the metadata of their children have them, and what opencode tells of those that run. */
function jobsOf({ client, state, event }: Api): Jobs {
  const children = new Map<string, Child>()
  /** The children of owners, until one is stored, begins or ends a turn: all else is in the events. */
  const read = new Map<string, Promise<Session[]>>()
  const titles = new Map<string, string>()
  const listeners = new Set<(owner: string) => void>()
  const changes = batched(interval, (owner) => {
    for (const hear of listeners) hear(owner)
  })

  function meet({ id, parentID, metadata }: Partial<Session>): void {
    if (id === undefined || parentID === undefined || children.has(id) || !storedRecord(metadata)) return
    children.set(id, { owner: parentID, hasBegun: false })
  }

  async function childrenOf(owner: string): Promise<Session[]> {
    const known = read.get(owner)
    if (known) return known
    const asked = client.session.children({ sessionID: owner }).then(({ data }) => data ?? [])
    read.set(owner, asked)
    const found = await asked.catch(() => [])
    // What could not be read is read with the next change.
    if (found.length === 0) read.delete(owner)
    for (const child of found) meet({ parentID: owner, ...child })
    return asked
  }

  function readAnew(session: string | undefined): void {
    const child = session === undefined ? undefined : children.get(session)
    if (child) read.delete(child.owner)
  }

  function change(session: string | undefined, how: (child: Child) => Partial<Child> | undefined): void {
    const child = session === undefined ? undefined : children.get(session)
    const changed = child && how(child)
    if (!child || !changed) return
    Object.assign(child, changed)
    changes.add(child.owner)
  }

  for (const type of ["session.created", "session.updated", "session.deleted"])
    event.on(type, ({ properties: { info = {} } }) => {
      meet(info)
      readAnew(info.id)
      change(info.id, () => ({}))
    })
  event.on("session.status", ({ properties: { sessionID, status } }) => {
    readAnew(sessionID)
    change(sessionID, () => (status?.type === "busy" ? { hasBegun: true } : { activity: undefined }))
  })
  const requests = openRequests(client, event, (session) => change(session, () => ({})))
  event.on("message.part.updated", ({ properties: { part } }) => {
    const activity = part && activityOf(part)
    change(part?.sessionID, () => activity && { activity })
  })
  event.on("message.part.delta", ({ properties: { sessionID, delta = "" } }) =>
    change(sessionID, ({ activity }) => ({
      activity: { text: `${activity?.text ?? ""}${delta}`.slice(-textLength), at: Date.now() },
    })),
  )

  function shown({ id: session, metadata }: Session): ShownJob[] {
    const stored = storedRecord(metadata)
    if (!stored) return []
    const job = { ...stored, session }
    if (job.endedAt !== undefined) return [job]
    const status = state.session.status(session)
    const child = children.get(session)
    const isIdle = status === undefined || status.type === "idle"
    if (isIdle && !child?.hasBegun) return [{ ...job, phase: "queued" }]
    const open = requests.of(session)
    const asks = open.map((request) => askOf(request, session))
    return [
      {
        ...job,
        state: "prompting",
        phase: status?.type === "retry" ? "retrying" : (asks[0]?.kind ?? "working"),
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
      return { id, session, kind: "question", questions: open.questions.map(questionOf) }
    const { permission: action, always, call, patterns, metadata } = open
    const { data } = call
      ? await client.session.message({ sessionID: session, messageID: call.messageID })
      : {}
    const input = data?.parts.find(({ callID }) => callID !== undefined && callID === call?.callID)?.state
      ?.input
    return {
      id,
      session,
      kind: "permission",
      action,
      always,
      text: permissionText({ patterns, metadata, input }),
    }
  }

  function reply(request: Request, answer: Answer): Promise<Replied> {
    const { id: requestID } = request
    switch (answer.kind) {
      case "decision": {
        const { decision, message } = answer
        return client.permission.reply({
          requestID,
          reply: decision,
          ...(message !== undefined && { message }),
        })
      }
      case "answers": {
        const questions = request.kind === "question" ? request.questions : []
        const answers = questions.map(({ key }) => [...(answer.answers[key] ?? [])])
        return client.question.reply({ requestID, answers })
      }
      case "dismissal":
        return client.question.reject({ requestID })
    }
  }

  async function all(): Promise<ShownJob[]> {
    const { data = [] } = await client.session.list({ limit: mostSessions })
    for (const { id, title = "" } of data) titles.set(id, title)
    return data.flatMap(shown).toSorted(asStarted)
  }

  return {
    title: (owner) => state.session.get(owner)?.title || titles.get(owner) || owner,
    all,
    // None of them is looked for where nobody waits.
    waiting: async () => (requests.isEmpty() ? [] : (await all()).filter(({ asks }) => asks?.length)),
    async read({ session }) {
      const { data = [] } = await client.session.messages({ sessionID: session })
      const textBy = (role: string, messages: readonly Message[]) =>
        messages
          .filter(({ info }) => info.role === role)
          .at(-1)
          ?.parts.flatMap(({ type, text }) => (type === "text" && text ? [text] : []))
          .join("\n") ?? ""
      return { prompt: textBy("user", data), text: textBy("assistant", data) }
    },
    inspect: async () => {
      // The server part says it in a toast.
      await tell(client, { act: "inspect" })
      return undefined
    },
    cancel: ({ session }) => tell(client, { act: "cancel", session }),
    send: ({ session }, message) => tell(client, { act: "send", session, message }),
    async request(_job, ask) {
      const open = requests.get(ask.id)
      return open && inFull(open)
    },
    async answer(request, answer) {
      const replied = await reply(request, answer)
      if (replied.response?.status === 404) return false
      done(replied)
      return true
    },
    async of(owner) {
      return (await childrenOf(owner)).flatMap(shown).toSorted(asStarted)
    },
    subscribe(hear) {
      listeners.add(hear)
      // What happened while nobody listened may have gone unheard.
      read.clear()
      return () => listeners.delete(hear)
    },
  }
}

/** Those of one call have one time: they are told apart by their ids, which count up where nobody chose them. */
const asStarted = (a: ShownJob, b: ShownJob) =>
  a.createdAt - b.createdAt || a.id.localeCompare(b.id, undefined, { numeric: true })

function done({ error }: { error?: unknown }): void {
  if (error !== undefined) throw new Error(`opencode refused: ${JSON.stringify(error)}`)
}

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

type QuestionOf1 = Extract<OpenRequest, { kind: "question" }>["questions"][number]

const questionOf = (
  { question, header, options, multiple, custom }: QuestionOf1,
  index: number,
): Question => ({
  key: String(index),
  title: header,
  text: question,
  choices: options.map(({ label, description }) => ({ value: label, label, description })),
  isMultiple: multiple === true,
  takesText: custom !== false,
})

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
