import type { Context, NewTool } from "../../../../../src/plugin/host/v2/api.ts"
import type { Call } from "../../../../../src/plugin/host/v2/calls.ts"

type Message = { id: string; type: string; time: { created: number } } & Record<string, unknown>

export type MadeSession = {
  id: string
  parentID?: string
  title: string
  permissions: unknown
  model?: unknown
  /** Default: that of the plugin. */
  location?: { directory: string }
}

export type ContextDouble = Context & {
  readonly made: MadeSession[]
  readonly said: Map<string, Message[]>
  readonly stored: Map<string, unknown>
  readonly tools: NewTool[]
  /** How many sessions are being read now, and were at most. */
  readonly reads: { now: number; most: number }
}

export type DoubleOptions = {
  version?: string
  /** Its location. */
  directory?: string
  /** Whether `session.create` takes a parent. */
  takesParent?: boolean
  /** Whether it lets a plugin remove sessions. */
  removes?: boolean
  /** Whether opencode's own tool is there. Default: it is. */
  hasSubagent?: boolean
  /** In the place of its `execute`. */
  subagent?: (given: object, call: Call) => Promise<unknown>
}

/** opencode 2 as a plugin sees it, in memory: nothing runs in its sessions. */
export function contextDouble(options: DoubleOptions = {}): ContextDouble {
  const { version = "2.0.15", directory = "/project", takesParent = false, hasSubagent = true } = options
  const made: MadeSession[] = []
  const said = new Map<string, Message[]>()
  const stored = new Map<string, unknown>()
  const tools: NewTool[] = []
  const reads = { now: 0, most: 0 }
  let count = 0
  const make = (session: Omit<MadeSession, "id">) => {
    const full = { ...session, id: `ses_${++count}` }
    made.push(full)
    return full
  }
  const admit = (session: string, message: Partial<Message>) => {
    const messages = said.get(session) ?? []
    said.set(session, messages)
    const known = messages.find(({ id }) => id === message.id)
    if (known) return known
    const time = { created: Date.now() }
    const admitted = { id: `msg_${messages.length + 1}`, type: "user", ...message, time }
    messages.push(admitted)
    return admitted
  }
  const execute =
    options.subagent ??
    (async (given: object, call: Call) => {
      const session = make({ parentID: call.sessionID, title: "", permissions: [], ...given })
      await call.progress({ sessionID: session.id })
      throw new Error("the subagent has run")
    })

  return {
    made,
    said,
    stored,
    tools,
    reads,
    app: { version },
    location: { directory },
    options: {},
    agent: { list: async () => ({ data: [] }) },
    model: { list: async () => ({ data: [] }) },
    session: {
      async create({ parentID, ...session }) {
        return make({ ...session, ...(takesParent && { parentID }) })
      },
      async get({ sessionID: id }) {
        reads.most = Math.max(reads.most, ++reads.now)
        await Promise.resolve()
        reads.now--
        const session = made.find((each) => each.id === id)
        if (!session) throw Object.assign(new Error(), { _tag: "Session.NotFoundError" })
        const tokens = { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } }
        return { location: { directory }, ...session, cost: 0, tokens, time: { updated: 1 } }
      },
      context: async ({ sessionID: id }) => said.get(id) ?? [],
      prompt: async ({ sessionID: id, ...prompt }) => admit(id, prompt),
      async synthetic({ sessionID: session, delivery: _, ...message }) {
        const { id, type, time, ...payload } = admit(session, { ...message, type: "synthetic" })
        return { id, type, time, payload }
      },
      wait: async () => undefined,
      interrupt: async () => ({ interrupted: true }),
      async update({ sessionID: id, ...changes }) {
        Object.assign(made.find((each) => each.id === id) ?? {}, changes)
      },
      async switchModel({ sessionID: id, model }) {
        Object.assign(made.find((each) => each.id === id) ?? {}, { model })
      },
      async move({ sessionID: id, directory }) {
        Object.assign(made.find((each) => each.id === id) ?? {}, { location: { directory } })
      },
      hook: async () => undefined,
      ...(options.removes && {
        async remove({ sessionID: id }) {
          const at = made.findIndex((each) => each.id === id)
          made.splice(at, at < 0 ? 0 : 1)
        },
      }),
    },
    permission: { list: async () => [], reply: async () => undefined, hook: async () => undefined },
    storage: {
      get: async (key) => stored.get(key),
      set: async (key, value) => void stored.set(key, value),
      remove: async (key) => void stored.delete(key),
      async scan({ prefix, after = "", limit = 100 }) {
        const keys = [...stored.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted()
        return { entries: keys.slice(0, limit).map((key) => ({ key, value: stored.get(key) })) }
      },
    },
    tool: {
      list: async () => (hasSubagent ? [{ id: "subagent", execute }] : []),
      transform: async (change) => change({ add: (tool) => void tools.push(tool) }),
    },
    event: {
      async *subscribe({ signal }) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
      },
    },
  }
}
