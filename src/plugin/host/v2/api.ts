/**
 * What opencode 2 hands to a plugin's `setup`, as far as this product uses it. Declared by hand, since users would have
 * to install a package of types. Each group says where it was seen, which is always the real 2.0.15. An older or newer
 * one may lack any of it: see `offered.ts`.
 *
 * The shapes of what comes back are schemas: of answers in `decode.ts`, of events in `events.ts`, of what tools and
 * hooks are called with in `calls.ts`. Failures reject with tagged errors, whose `message` is often empty.
 */
export type Context = {
  /** Seen in the argument of `setup`, which is called once for each location. */
  app: { version: string }
  location: { directory: string }
  /** Seen as the configuration has them, unchecked. */
  options: unknown
  /** Seen with `{ location, data }` as their answers, the data without what the configuration says until it is loaded. */
  agent: {
    /** Seen to load another location that it is asked about; models are told of this one alone. */
    list(of?: { location: { directory: string } }): Promise<unknown>
  }
  model: { list(): Promise<unknown> }
  session: Sessions
  /** Seen with a child that asks before `shell`, and with the ask of opencode's own tool `subagent`. */
  permission: {
    /** The requests of this location that wait for an answer: seen to have none of a session that works elsewhere. */
    list(session: SessionKey): Promise<unknown>
    /** Seen to be answered for `shell`. A `message` is kept from the child. */
    reply(
      answer: SessionKey & { requestID: string; decision: "once" | "always" | "reject"; message?: string },
    ): Promise<unknown>
    hook(name: "evaluate", hear: (given: unknown) => unknown): Promise<unknown>
  }
  storage: Storage
  tool: Tools
  /** Methods and events for the terminal part of the same plugin. Seen with a sidebar that listed and heard. */
  rpc?: { register(contract: object, methods: object): Promise<unknown> } | undefined
  /** Seen to tell of all locations of the process, live only, and to end with the instance's cleanup. */
  event: { subscribe(options: { signal: AbortSignal }): AsyncIterable<unknown> }
}

/**
 * Seen with sessions of a scripted model: its answers, failures, pauses and interrupts, and `kill -9` in the midst. Their
 * answers come without `{ data }`.
 */
type Sessions = {
  create(session: NewSession): Promise<unknown>
  get(session: SessionKey): Promise<unknown>
  /** The messages since the last compaction, oldest first. */
  context(session: SessionKey): Promise<unknown>
  /** Admits a prompt, durably, and returns at once. The same id again is answered with the first admission. */
  prompt(
    prompt: SessionKey & { id?: string; text: string; delivery?: Delivery; metadata?: object },
  ): Promise<unknown>
  /** One durable message, once for each id; it starts a turn of an idle session, and waits for a running one. */
  synthetic(message: SessionKey & Synthetic): Promise<unknown>
  /** Returns when no turn runs. */
  wait(session: SessionKey): Promise<unknown>
  interrupt(session: SessionKey): Promise<unknown>
  update(changes: SessionKey & { title?: string; permissions?: Rule[] }): Promise<unknown>
  /** Not in 2.0.15; only read in later code. */
  remove?(session: SessionKey): Promise<unknown>
  switchModel(choice: SessionKey & { model: ModelChoice }): Promise<unknown>
  /** Has it work in another directory from its next turn on: seen to take a turn of its own, which ends soon after. */
  move(to: SessionKey & { directory: string }): Promise<unknown>
  hook(name: "context", hear: (given: unknown) => unknown): Promise<unknown>
  hook(name: "compaction", hear: (given: unknown) => unknown): Promise<unknown>
}

/** Seen with `session.create`, `prompt`, `synthetic` and `switchModel`. */
type SessionKey = { sessionID: string }
type Delivery = "steer" | "queue"
type Synthetic = {
  id?: string
  text: string
  description?: string
  metadata?: object
  delivery: Delivery
  /** With `false` it starts no turn: the session's next one takes it along. */
  resume?: false
}
type ModelChoice = { providerID: string; id: string; variant?: string | undefined }
type NewSession = {
  title: string
  agent: string
  /** 2.0.15 drops it. */
  parentID: string
  model?: ModelChoice
  permissions: Rule[]
}

/** Seen in answers of `session.get` and `agent.list`, and to hold for children. Of several that match, the last one does. */
export type Rule = { action: string; resource: string; effect: "allow" | "ask" | "deny" }

/**
 * JSON values by key, shared by all locations of the process; no transactions. Seen with values of 5 MB, and to survive
 * `kill -9` right after a write.
 */
type Storage = {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<unknown>
  remove(key: string): Promise<unknown>
  scan(range: { prefix: string; after?: string; limit?: number }): Promise<unknown>
}

/** Seen to offer our tools to models, and to hand out opencode's own, which a plugin can call. */
type Tools = {
  list(): Promise<unknown>
  transform(change: (tools: { add(tool: NewTool): void }) => void): Promise<unknown>
}

/** Seen with tools of ours, called by a scripted model. */
export type NewTool = {
  name: string
  /** With `codemode: true`, the default, a tool is not offered to the model but through opencode's own `execute`. */
  options: { codemode: false }
  description: string
  /** JSON Schema, which opencode enforces, or a Standard Schema, which does that by itself. */
  input: object
  execute(given: unknown, call: unknown): Promise<ToolResult>
}

/** Seen to lose the whole result where a field of `metadata` is `undefined`. */
export type ToolResult = { content: string; metadata: object }
