import { contract } from "../contract.ts"
import type { Answer, Ask, Decision, Jobs, Request } from "../jobs.ts"
import type { Element } from "../solid.ts"
import { untrack } from "../solid.ts"
import type { Command, Key, Option, Screen } from "../terminal.ts"
import { shownUntilSettled } from "./dialogs.ts"
import { type Form, type FormAnswer, formAnswer, questionsOf } from "./forms-of-2.ts"
import { type Attention, noticesOf2, type TerminalToast, type ToastEvent, type Toasts } from "./notices.ts"
import { permissionParts } from "./permission-parts.ts"
import { toldJobs } from "./shown-record.ts"

/** What opencode 2 hands to the `setup` of a terminal part, as far as it is used. Seen in 2.0.15. */
export type Context = {
  client: {
    rpc(of: typeof contract): Rpc
    session: {
      prompt(prompt: { sessionID: string; text: string }): Promise<unknown>
      message: { get(of: { sessionID: string; messageID: string }): Promise<Message> }
      form: {
        list(of: { sessionID: string }): Promise<readonly Form[]>
        reply(of: FormKey & { answer: FormAnswer }): Promise<unknown>
        cancel(of: FormKey): Promise<unknown>
      }
    }
    permission: {
      list(of: { sessionID: string }): Promise<readonly Permission[]>
      reply(answer: {
        sessionID: string
        requestID: string
        decision: Decision
        message?: string
      }): Promise<unknown>
    }
  }
  data: {
    /** Goes on once opencode is back, unlike `rpc.events`. */
    on(type: "server.connected", hear: () => void): () => void
    on(
      type: "session.execution.interrupted",
      hear: (event: { data: { sessionID: string } }) => void,
    ): () => void
    on(type: ChangedEvent, hear: (event: { data: { owner: string } }) => void): () => void
    on(type: ToastEvent, hear: (event: { data: TerminalToast }) => void): () => void
    session: {
      get(session: string): { title?: string } | undefined
      permission: ShownPermissions
    }
  }
  attention: Attention
  keymap: {
    layer(layer: () => { mode: "global" | "modal"; priority?: number; commands: KeymapCommand[] }): void
    shortcuts(id: string): readonly string[]
  }
  renderer: { copyToClipboardOSC52(text: string): boolean }
  theme: {
    text: {
      base: unknown
      muted: unknown
      action: { primary: { focused: unknown } }
      feedback: Record<"success" | "warning" | "error", { base: unknown }>
    }
    background: { action: { primary: { focused: unknown } }; formfield: { focused: unknown } }
    hue: { accent: Record<200, unknown> }
  }
  ui: {
    slot(claim: { append: string; render(input: { sessionID: string }): Element | null }): () => void
    dialog: {
      select<Value>(list: { title: string; options: Option<Value>[] }): Promise<Value | undefined>
      confirm(question: { title: string; message: string }): Promise<boolean | undefined>
      prompt(question: { title: string; placeholder: string }): Promise<string | undefined>
      show(draw: () => Element, onClose: () => void): void
      set(options: { size: "large" }): void
      clear(): void
    }
    toast: Toasts
    router: {
      navigate(to: { type: "session"; sessionID: string }): void
      current(): { type: string; sessionID?: string }
    }
  }
}

type KeymapCommand = {
  id: string
  title: string
  group: string
  palette?: true
  bind: string | false
  slash?: { name: string }
  run(): void
}

/** The requests that opencode shows. */
type ShownPermissions = {
  list(session: string): readonly unknown[] | undefined
  invalidate(session: string): void
  sync(session: string): Promise<unknown>
}

type Permission = {
  id: string
  action: string
  resources: readonly string[]
  save?: readonly string[]
  metadata?: Record<string, unknown>
  source?: Source
}
type Source = { messageID?: string; id?: string }
type Message = { content?: readonly { id?: string; state?: { input?: Record<string, unknown> } }[] }
type FormKey = { sessionID: string; formID: string }

type Rpc = {
  list(given: { owner?: string }): Promise<unknown>
  read(given: { session: string }): Promise<{ prompt: string; text: string }>
  inspect(given: object): Promise<{ link: string }>
  cancel(given: { session: string }): Promise<unknown>
  send(given: { session: string; message: string }): Promise<unknown>
}

type ChangedEvent = `rpc.${typeof contract.id}.changed`

/** `end`: of what opencode does not end with the components. */
export function terminalOf2({ client, data, theme, ui, keymap, renderer, attention }: Context): {
  screen: Screen
  end(): void
} {
  const ends = [takeBack(data), noticesOf2({ data, ui, attention })]
  const rpc = client.rpc(contract)
  const all = async () => toldJobs(await rpc.list({}))
  const jobs: Jobs = {
    of: async (owner) => toldJobs(await rpc.list({ owner })),
    all,
    waiting: async () => (await all()).filter(({ asks }) => asks?.length),
    title: (owner) => data.session.get(owner)?.title || owner,
    read: ({ session }) => rpc.read({ session }),
    inspect: async () => (await rpc.inspect({})).link,
    cancel: async ({ session }) => void (await rpc.cancel({ session })),
    send: async ({ session }, message) => void (await rpc.send({ session, message })),
    request: async ({ session }, ask) => requestOf(client, ask.session ?? session, ask),
    answer: (request, answer) => inTime(reply(client, request, answer)),
    subscribe(hear, owner) {
      const ends = [
        data.on(`rpc.${contract.id}.changed`, ({ data: { owner: changed } }) => {
          if (owner === undefined || owner === changed) hear()
        }),
        data.on("server.connected", hear),
      ]
      return () => {
        for (const end of ends) end()
      }
    },
  }
  const colors = {
    text: () => theme.text.base,
    muted: () => theme.text.muted,
    good: () => theme.text.feedback.success.base,
    bad: () => theme.text.feedback.error.base,
    attention: () => theme.text.feedback.warning.base,
    accent: () => theme.hue.accent[200],
    chosen: () => theme.text.action.primary.focused,
    chosenBackground: () => theme.background.action.primary.focused,
    field: () => theme.background.formfield.focused,
  }
  const screen: Screen = {
    jobs,
    color: (name) => colors[name](),
    sidebar: (draw) =>
      void ui.slot({ append: "sidebar.content", render: ({ sessionID }) => draw(sessionID) }),
    promptLine: (draw) =>
      void ui.slot({ append: "session.composer.top", render: ({ sessionID }) => draw(sessionID) }),
    // A layer belongs into a component: outside of one, a cold start fails the whole plugin.
    command: (command) =>
      void ui.slot({
        append: "app",
        render: () => {
          // Global: else the prompt does not know its slash.
          keymap.layer(() => ({ mode: "global", commands: [inPalette(command)] }))
          return null
        },
      }),
    select: (list) => ui.dialog.select(list),
    confirm: async (question) => (await ui.dialog.confirm(question)) === true,
    prompt: (question) => ui.dialog.prompt(question),
    dialog: (draw) =>
      shownUntilSettled((settle, onClose) => {
        // What is drawn must not hang on what is read meanwhile: else all of it would be drawn anew.
        ui.dialog.show(() => untrack(() => draw(settle)), onClose)
        ui.dialog.set({ size: "large" })
      }, ui.dialog.clear),
    close: () => ui.dialog.clear(),
    keys: (keys) => {
      keymap.layer(() => ({ mode: "modal", priority: 1, commands: keys.map(inDialog) }))
      return (id) => keymap.shortcuts(id).join(",")
    },
    copy: (text) => renderer.copyToClipboardOSC52(text),
    toast: (toast) => ui.toast.show(toast),
    open: (sessionID) => ui.router.navigate({ type: "session", sessionID }),
    shown: () => ui.router.current().sessionID,
  }
  return {
    screen,
    end() {
      for (const end of ends) end()
    },
  }
}

const group = "Jobs"

function inPalette({ id, title, slash, bind = "", run }: Command): KeymapCommand {
  return {
    id,
    title,
    group,
    palette: true,
    bind: bind || false,
    ...(slash !== undefined && { slash: { name: slash } }),
    run: () => void run(),
  }
}

const inDialog = ({ id, title, bind, run }: Key): KeymapCommand => ({
  id,
  title,
  group,
  bind,
  run: () => void run(),
})

/** 2.0.15 goes on to show the permission requests of a turn that was interrupted, over the owner's prompt. */
function takeBack({ on, session: { permission } }: Context["data"]): () => void {
  return on("session.execution.interrupted", ({ data: { sessionID } }) => {
    if (!permission.list(sessionID)?.length) return
    permission.invalidate(sessionID)
    void permission.sync(sessionID).catch(() => {})
  })
}

type Client = Context["client"]

async function requestOf(client: Client, session: string, { id, kind }: Ask): Promise<Request | undefined> {
  const of = { sessionID: session }
  if (kind === "question") {
    const form = (await client.session.form.list(of)).find((each) => each.id === id)
    return form && { id, session, kind, questions: questionsOf(form) }
  }
  const permission = (await client.permission.list(of)).find((each) => each.id === id)
  if (!permission) return undefined
  const { action, resources: patterns, save: always = [], metadata, source } = permission
  const input = source?.messageID === undefined ? undefined : await inputOf(client, session, source)
  const parts = permissionParts({ action, patterns, metadata, input })
  return { id, session, kind, action, always, parts }
}

async function inputOf({ session }: Client, sessionID: string, { messageID = "", id }: Source) {
  const message = await session.message.get({ sessionID, messageID }).catch(() => undefined)
  const part = message?.content?.find((part) => part.id !== undefined && part.id === id)
  return part?.state?.input ?? "unreadable"
}

async function reply(client: Client, request: Request, answer: Answer): Promise<void> {
  const { id, session: sessionID } = request
  switch (answer.kind) {
    case "decision": {
      const { decision, message } = answer
      const given = { sessionID, requestID: id, decision }
      if (message === undefined) return void (await client.permission.reply(given))
      const open = await client.permission.list({ sessionID })
      if (!open.some((each) => each.id === id)) throw new Error("PermissionNotFoundError")
      // 2.0.15 goes on with the turn for the sake of a message and keeps it to itself: the child reads it as a prompt,
      // with what the refusal came to.
      await client.session.prompt({ sessionID, text: message })
      await client.permission.reply({ ...given, message })
      return
    }
    case "answers": {
      const form = (await client.session.form.list({ sessionID })).find((each) => each.id === id)
      if (!form) throw new Error("FormNotFoundError")
      await client.session.form.reply({ sessionID, formID: id, answer: formAnswer(form, answer.answers) })
      return
    }
    case "dismissal":
      await client.session.form.cancel({ sessionID, formID: id })
  }
}

/** Whether it was: whoever comes after another answer is told that there is nothing to answer. */
async function inTime(replying: Promise<void>): Promise<boolean> {
  try {
    await replying
    return true
  } catch (error) {
    const words = `${error instanceof Error ? `${error.name} ${error.message}` : ""} ${tagOf(error)}`
    if (/NotFound|AlreadySettled/.test(words)) return false
    throw error
  }
}

const tagOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
