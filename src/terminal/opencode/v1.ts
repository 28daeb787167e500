import type { Jobs, ShownJob } from "../jobs.ts"
import type { Element } from "../solid.ts"
import type { Terminal } from "../terminal.ts"

/** What opencode 1.18 hands to a terminal part, as far as it is used. Seen in 1.18.33. */
export type Api = {
  client: { session: { children(of: { sessionID: string }): Promise<{ data?: Session[] }> } }
  state: {
    session: {
      status(session: string): Status | undefined
      permission(session: string): readonly Permission[]
      question(session: string): readonly Question[]
    }
  }
  event: { on(type: string, hear: (event: { properties: EventProperties }) => void): () => void }
  slots: {
    register(slots: {
      order: number
      slots: Record<string, (context: unknown, props: SlotProps) => Element>
    }): void
  }
  theme: { current: Record<"text" | "textMuted" | "success" | "error" | "warning", unknown> }
  route: { navigate(to: "session", params: { sessionID: string }): void }
}

type SlotProps = { session_id: string }
type Session = { id: string; parentID?: string; metadata?: { troupe?: { record?: Stored } } }
type Stored = Omit<ShownJob, "session">
type Status =
  | { type: "idle" }
  | { type: "busy" }
  | { type: "retry"; attempt: number; message: string; next: number }
type Permission = { id: string; permission: string; patterns: readonly string[] }
type Question = { id: string; questions: readonly { question: string }[] }
type EventProperties = {
  sessionID?: string
  info?: Partial<Session>
  part?: {
    sessionID: string
    type: string
    tool?: string
    text?: string
    state?: { status: string; title?: string }
  }
}

/** Before a change is told. Milliseconds. */
const interval = 250

export function terminalOf1(api: Api): Terminal {
  const colors = {
    text: () => api.theme.current.text,
    muted: () => api.theme.current.textMuted,
    good: () => api.theme.current.success,
    bad: () => api.theme.current.error,
    attention: () => api.theme.current.warning,
  }
  return {
    jobs: jobsOf(api),
    color: (name) => colors[name](),
    sidebar: (draw) =>
      api.slots.register({
        order: 150,
        slots: { sidebar_content: (_context, { session_id }) => draw(session_id) },
      }),
    open: (sessionID) => api.route.navigate("session", { sessionID }),
  }
}

/** Jobs as the metadata of their children have them, and what opencode tells of those that run. */
function jobsOf({ client, state, event }: Api): Jobs {
  const owners = new Map<string, string>()
  const activities = new Map<string, NonNullable<ShownJob["activity"]>>()
  const listeners = new Set<(owner: string) => void>()
  const changed = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined

  function note(session: string | undefined): void {
    const owner = session === undefined ? undefined : owners.get(session)
    if (owner === undefined) return
    changed.add(owner)
    timer ??= setTimeout(() => {
      timer = undefined
      const told = [...changed]
      changed.clear()
      for (const each of told) for (const hear of listeners) hear(each)
    }, interval)
  }

  for (const type of ["session.created", "session.updated"])
    event.on(type, ({ properties: { info } }) => {
      if (info?.id === undefined || info.parentID === undefined || !info.metadata?.troupe) return
      owners.set(info.id, info.parentID)
      note(info.id)
    })
  for (const type of [
    "session.status",
    "permission.asked",
    "permission.replied",
    "question.asked",
    "question.replied",
  ])
    event.on(type, ({ properties }) => note(properties.sessionID))
  event.on("message.part.updated", ({ properties: { part } }) => {
    if (!part || !owners.has(part.sessionID)) return
    if (part.type === "tool" && part.state?.status === "running")
      activities.set(part.sessionID, { tool: part.state.title || part.tool || "", at: Date.now() })
    else if (part.type === "text") activities.set(part.sessionID, { text: part.text ?? "", at: Date.now() })
    else return
    note(part.sessionID)
  })

  function shown({ id: session, metadata }: Session): ShownJob[] {
    const stored = metadata?.troupe?.record
    if (!stored) return []
    const job = { ...stored, session }
    if (job.endedAt !== undefined) {
      activities.delete(session)
      return [job]
    }
    const asks = [
      ...state.session.permission(session).map(({ id, permission, patterns }) => ({
        id,
        kind: "permission" as const,
        text: `${permission}: ${patterns.join(", ")}`,
      })),
      ...state.session.question(session).map(({ id, questions }) => ({
        id,
        kind: "question" as const,
        text: questions[0]?.question ?? "",
      })),
    ]
    const status = state.session.status(session)
    const activity = activities.get(session)
    if (status === undefined || status.type === "idle") return [{ ...job, phase: "queued" }]
    return [
      {
        ...job,
        state: "prompting",
        phase: status.type === "retry" ? "retrying" : "working",
        ...(asks.length > 0 && { asks }),
        ...(activity && { activity }),
        ...(status.type === "retry" && {
          retry: { attempt: status.attempt, reason: status.message, next: status.next },
        }),
      },
    ]
  }

  return {
    async of(owner) {
      const { data = [] } = await client.session.children({ sessionID: owner })
      for (const { id, metadata } of data) if (metadata?.troupe) owners.set(id, owner)
      return data.flatMap(shown).toSorted((a, b) => a.createdAt - b.createdAt)
    },
    subscribe(hear) {
      listeners.add(hear)
      return () => listeners.delete(hear)
    },
  }
}
