import { contract } from "../contract.ts"
import type { Decision, Jobs, ShownJob } from "../jobs.ts"
import type { Element } from "../solid.ts"
import { untrack } from "../solid.ts"
import type { Command, Key, Option, Terminal } from "../terminal.ts"
import { shownUntilSettled } from "./dialogs.ts"

/** What opencode 2 hands to the `setup` of a terminal part, as far as it is used. Seen in 2.0.15. */
export type Context = {
  client: {
    rpc(of: typeof contract): Rpc
    permission: {
      reply(answer: { sessionID: string; requestID: string; decision: Decision }): Promise<unknown>
    }
  }
  data: { session: { get(session: string): { title?: string } | undefined } }
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
    toast: { show(toast: { message: string; variant: string }): void }
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

type Rpc = {
  list(given: { owner?: string }): Promise<{ jobs: ShownJob[] }>
  read(given: { session: string }): Promise<{ prompt: string; text: string }>
  cancel(given: { session: string }): Promise<unknown>
  send(given: { session: string; message: string }): Promise<unknown>
  events: { on(name: "changed", hear: (event: { data: { owner: string } }) => void): () => void }
}

export function terminalOf2({ client, data, theme, ui, keymap, renderer }: Context): Terminal {
  const rpc = client.rpc(contract)
  const jobs: Jobs = {
    of: async (owner) => (await rpc.list({ owner })).jobs,
    all: async () => (await rpc.list({})).jobs,
    title: (owner) => data.session.get(owner)?.title || owner,
    read: ({ session }) => rpc.read({ session }),
    cancel: async ({ session }) => void (await rpc.cancel({ session })),
    send: async ({ session }, message) => void (await rpc.send({ session, message })),
    answer: async ({ session: sessionID }, requestID, decision) =>
      void (await client.permission.reply({ sessionID, requestID, decision })),
    subscribe: (hear) => rpc.events.on("changed", ({ data }) => hear(data.owner)),
  }
  const colors = {
    text: () => theme.text.base,
    muted: () => theme.text.muted,
    good: () => theme.text.feedback.success.base,
    bad: () => theme.text.feedback.error.base,
    attention: () => theme.text.feedback.warning.base,
    accent: () => theme.hue.accent[200],
    selected: () => theme.background.action.primary.focused,
    selectedText: () => theme.text.action.primary.focused,
    field: () => theme.background.formfield.focused,
  }
  return {
    jobs,
    color: (name) => colors[name](),
    sidebar: (draw) =>
      void ui.slot({ append: "sidebar.content", render: ({ sessionID }) => draw(sessionID) }),
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
