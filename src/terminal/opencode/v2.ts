import { contract } from "../contract.ts"
import type { Jobs, ShownJob } from "../jobs.ts"
import type { Element } from "../solid.ts"
import type { Terminal } from "../terminal.ts"

/** What opencode 2 hands to the `setup` of a terminal part, as far as it is used. Seen in 2.0.15. */
export type Context = {
  client: { rpc(of: typeof contract): Rpc }
  theme: {
    text: {
      base: unknown
      muted: unknown
      feedback: Record<"success" | "warning" | "error", { base: unknown }>
    }
  }
  ui: {
    slot(claim: { append: string; render(input: { sessionID: string }): Element }): () => void
    router: { navigate(to: { type: "session"; sessionID: string }): void }
  }
}

type Rpc = {
  list(given: { owner: string }): Promise<{ jobs: ShownJob[] }>
  events: { on(name: "changed", hear: (event: { data: { owner: string } }) => void): () => void }
}

export function terminalOf2({ client, theme, ui }: Context): Terminal {
  const rpc = client.rpc(contract)
  const jobs: Jobs = {
    of: async (owner) => (await rpc.list({ owner })).jobs,
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
    open: (sessionID) => ui.router.navigate({ type: "session", sessionID }),
  }
}
