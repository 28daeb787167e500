import type { PassedAnswer } from "../contract.ts"
import type { Element } from "../solid.ts"
import { untrack } from "../solid.ts"
import type { Command, Key, Screen } from "../terminal.ts"
import { shownUntilSettled } from "./dialogs.ts"
import { type Client, type Data, isHere, jobsOf, type Place } from "./jobs-of-2.ts"
import { type Attention, noticesOf2, type TerminalToast, type ToastEvent, type Toasts } from "./notices.ts"
import { type AnswerEvent, passAnswersOn } from "./passed-on.ts"

/** What opencode 2 hands to the `setup` of a terminal part, as far as it is used. Seen in 2.0.15. */
export type Context = {
  client: Client
  /** Where the terminal was started. Live. */
  location?: Place
  data: Data & {
    on(
      type: "session.execution.interrupted",
      hear: (event: { data: { sessionID: string } }) => void,
    ): () => void
    on(type: AnswerEvent, hear: (event: { data: PassedAnswer }) => void): () => void
    on(type: ToastEvent, hear: (event: { data: TerminalToast }) => void): () => void
    session: { permission: ShownPermissions }
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
      prompt(question: {
        title: string
        placeholder: string
        value?: string | undefined
      }): Promise<string | undefined>
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

/** `end`: of what opencode does not end with the components. */
export function terminalOf2(context: Context): { screen: Screen; end(): void } {
  const { client, data, ui, keymap, renderer, attention } = context
  const here = () => context.location
  const shown = () => ui.router.current().sessionID
  /** Where the terminal is, or the session that it shows. */
  const isShown = (place: Place | undefined) =>
    isHere(place, here(), data.session.get(shown() ?? "")?.location)
  const ends = [
    takeBack(data),
    noticesOf2({ data, ui, attention, isHere: isShown }),
    passAnswersOn(client, data),
  ]
  // Another one once the person has switched to it.
  const theme = () => context.theme
  const colors = {
    text: () => theme().text.base,
    muted: () => theme().text.muted,
    good: () => theme().text.feedback.success.base,
    bad: () => theme().text.feedback.error.base,
    attention: () => theme().text.feedback.warning.base,
    accent: () => theme().hue.accent[200],
    chosen: () => theme().text.action.primary.focused,
    chosenBackground: () => theme().background.action.primary.focused,
    field: () => theme().background.formfield.focused,
  }
  const screen: Screen = {
    jobs: jobsOf({ client, data, here }),
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
    shown,
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
