/**
 * What opencode 2 hands to a plugin's `setup`, as far as this product uses it. Declared by hand from what 2.0.15 was
 * seen to do: there is no package of types that must not be installed by users. What comes back is parsed in
 * `decode.ts`; failures reject with tagged errors, whose `message` is often empty.
 */
export type Context = {
  app: { version: string }
  location: { directory: string }
  options: unknown
  agent: { list(): Promise<unknown> }
  model: { list(): Promise<unknown> }
  session: Sessions
  permission: {
    /** The requests that wait for an answer. */
    list(session: SessionKey): Promise<unknown>
    hook(name: "evaluate", hear: (given: unknown) => unknown): Promise<unknown>
  }
  storage: Storage
  tool: Tools
  event: { subscribe(options: { signal: AbortSignal }): AsyncIterable<unknown> }
}

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
  /** Not in 2.0.15. */
  remove?(session: SessionKey): Promise<unknown>
  switchModel(choice: SessionKey & { model: ModelChoice }): Promise<unknown>
  hook(name: "context", hear: (given: unknown) => unknown): Promise<unknown>
  hook(name: "compaction", hear: (given: unknown) => unknown): Promise<unknown>
}

type SessionKey = { sessionID: string }
type Delivery = "steer" | "queue"
type Synthetic = { id?: string; text: string; description?: string; metadata?: object; delivery: Delivery }
type ModelChoice = { providerID: string; id: string; variant?: string | undefined }
type NewSession = {
  title: string
  agent: string
  /** 2.0.15 drops it. */
  parentID: string
  model?: ModelChoice
  permissions: Rule[]
}

/** Of several that match, the last one holds. */
export type Rule = { action: string; resource: string; effect: "allow" | "ask" | "deny" }

/** JSON values by key, shared by all locations of the process; no transactions. */
type Storage = {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<unknown>
  remove(key: string): Promise<unknown>
  scan(range: { prefix: string; after?: string; limit?: number }): Promise<unknown>
}

type Tools = {
  list(): Promise<unknown>
  transform(change: (tools: { add(tool: NewTool): void }) => void): Promise<unknown>
}

export type NewTool = {
  name: string
  /** With `codemode: true`, the default, a tool is not offered to the model but through opencode's own `execute`. */
  options: { codemode: false }
  description: string
  /** JSON Schema, which opencode enforces, or a Standard Schema, which does that by itself. */
  input: object
  execute(given: unknown, call: unknown): Promise<ToolResult>
}

export type ToolResult = { content: string; metadata: object }
