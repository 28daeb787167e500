import { contract } from "../contract.ts"
import type { Decision, Jobs, ShownJob } from "../jobs.ts"
import type { Element } from "../solid.ts"
import type { Option, Terminal } from "../terminal.ts"

/** What opencode 2 hands to the `setup` of a terminal part, as far as it is used. Seen in 2.0.15. */
export type Context = {
  client: {
    rpc(of: typeof contract): Rpc
    permission: {
      reply(answer: { sessionID: string; requestID: string; decision: Decision }): Promise<unknown>
    }
  }
  keymap: { layer(layer: () => { mode: "global"; commands: KeymapCommand[] }): void }
  theme: {
    text: {
      base: unknown
      muted: unknown
      feedback: Record<"success" | "warning" | "error", { base: unknown }>
    }
  }
  ui: {
    slot(claim: { append: string; render(input: { sessionID: string }): Element | null }): () => void
    dialog: {
      select<Value>(list: { title: string; options: Option<Value>[] }): Promise<Value | undefined>
      confirm(question: { title: string; message: string }): Promise<boolean | undefined>
      prompt(question: { title: string; placeholder: string }): Promise<string | undefined>
      alert(text: { title: string; message: string }): Promise<unknown>
    }
    toast: { show(toast: { message: string; variant: string }): void }
    router: { navigate(to: { type: "session"; sessionID: string }): void }
  }
}

type KeymapCommand = {
  id: string
  title: string
  group: string
  palette: true
  bind: false
  slash: { name: string }
  run(): void
}

type Rpc = {
  list(given: { owner?: string }): Promise<{ jobs: ShownJob[] }>
  read(given: { session: string }): Promise<{ prompt: string; text: string }>
  cancel(given: { session: string }): Promise<unknown>
  send(given: { session: string; message: string }): Promise<unknown>
  events: { on(name: "changed", hear: (event: { data: { owner: string } }) => void): () => void }
}

export function terminalOf2({ client, theme, ui, keymap }: Context): Terminal {
  const rpc = client.rpc(contract)
  const jobs: Jobs = {
    of: async (owner) => (await rpc.list({ owner })).jobs,
    all: async () => (await rpc.list({})).jobs,
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
  }
  return {
    jobs,
    color: (name) => colors[name](),
    sidebar: (draw) =>
      void ui.slot({ append: "sidebar.content", render: ({ sessionID }) => draw(sessionID) }),
    // A layer belongs into a component: outside of one, a cold start fails the whole plugin.
    command: ({ id, title, slash, run }) =>
      void ui.slot({
        append: "app",
        render: () => {
          const command = { id, title, group: "Jobs", palette: true as const, slash: { name: slash } }
          // Global: else the prompt does not know its slash. Without keys until a person gives it some.
          keymap.layer(() => ({
            mode: "global",
            commands: [{ ...command, bind: false, run: () => void run() }],
          }))
          return null
        },
      }),
    select: (list) => ui.dialog.select(list),
    confirm: async (question) => (await ui.dialog.confirm(question)) === true,
    prompt: (question) => ui.dialog.prompt(question),
    show: async (text) => void (await ui.dialog.alert(text)),
    toast: (toast) => ui.toast.show(toast),
    open: (sessionID) => ui.router.navigate({ type: "session", sessionID }),
  }
}
