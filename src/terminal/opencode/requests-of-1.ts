import type { QuestionOfOne } from "../../shown/questions-of-1.ts"

/** What opencode 1.18 tells of requests that wait for a person. Seen in 1.18.33. */
export type Client = {
  permission: { list(of?: Place): Promise<{ data?: Told[] }> }
  question: { list(of?: Place): Promise<{ data?: Told[] }> }
  session: { get(of: { sessionID: string }): Promise<{ data?: { parentID?: string; metadata?: unknown } }> }
}

/** Whose requests. opencode keeps them for each directory. Default: the terminal's own. */
export type Place = { directory?: string }

/** Of all directories. `from` says of which: seen in 1.18.33, whose types leave it out. */
export type Events = {
  on(type: string, hear: (event: { properties: Told }, from?: Place) => void): () => void
}

/** A request, its end, or what happens to a session. */
export type Told = {
  id?: string
  sessionID?: string
  requestID?: string
  permission?: string
  patterns?: readonly string[]
  always?: readonly string[]
  metadata?: Record<string, unknown>
  tool?: Call
  questions?: readonly QuestionOfOne[]
  info?: { id?: string; parentID?: string }
}

export type Call = { messageID: string; callID: string }

export type OpenRequest = {
  id: string
  session: string
  /** When it was heard of. Epoch milliseconds. */
  since: number
  /** Where its session works, if that is not where the terminal is. */
  directory?: string | undefined
} & (
  | {
      kind: "permission"
      permission: string
      patterns: readonly string[]
      always: readonly string[]
      metadata: Record<string, unknown>
      call: Call | undefined
    }
  | { kind: "question"; questions: readonly QuestionOfOne[] }
)

export type OpenRequests = {
  /** Those of a session and of all below it, oldest first. */
  of(session: string): OpenRequest[]
  get(id: string): OpenRequest | undefined
  /** Reads those of another directory that may have been there before the terminal. */
  read(directory: string): Promise<void>
  /** opencode no longer has it. */
  forget(id: string): void
  isEmpty(): boolean
}

/**
 * The requests of all sessions that wait for a person, with those that already waited before the terminal was there.
 * `changed` is told the session that asks, and each one above it.
 *
 * @param here the terminal's own directory
 */
export function openRequests(
  client: Client,
  event: Events,
  here: () => string,
  changed: (session: string) => void,
): OpenRequests {
  const open = new Map<string, OpenRequest>()
  /** Of the sessions that are known; nothing for one without a parent. */
  const parents = new Map<string, string | undefined>()
  /** Those that ended while opencode was asked which ones are open. */
  const ended = new Set<string>()

  function above(session: string): string[] {
    const found: string[] = []
    for (let at: string | undefined = session; at !== undefined && !found.includes(at); at = parents.get(at))
      found.push(at)
    return found
  }

  /** Learns where it belongs: it may have been made before the terminal was there. */
  async function meet(session: string): Promise<void> {
    for (const at of above(session)) {
      if (parents.has(at)) continue
      const { data } = await client.session.get({ sessionID: at }).catch(() => ({ data: undefined }))
      // What could not be read is read with the next request.
      if (!data) return
      parents.set(at, data.parentID)
      if (data.parentID !== undefined) await meet(data.parentID)
    }
  }

  function tell(session: string): void {
    for (const each of above(session)) changed(each)
  }

  function add(request: OpenRequest | undefined): void {
    if (!request || ended.has(request.id)) return
    open.set(request.id, request)
    void meet(request.session).then(() => tell(request.session))
  }

  function remove(id: string): void {
    ended.add(id)
    const request = open.get(id)
    if (open.delete(id) && request) tell(request.session)
  }

  for (const type of ["permission.asked", "question.asked"])
    event.on(type, ({ properties }, { directory } = {}) =>
      add(requestIn(properties, directory === here() ? undefined : directory)),
    )
  for (const type of ["permission.replied", "question.replied", "question.rejected"])
    event.on(type, ({ properties: { requestID } }) => requestID !== undefined && remove(requestID))
  event.on("session.created", ({ properties: { info } }) => {
    if (info?.id !== undefined) parents.set(info.id, info.parentID)
  })
  // A session that was aborted leaves its requests unanswered.
  for (const type of ["session.idle", "session.deleted"])
    event.on(type, ({ properties: { sessionID } }) => {
      for (const { id, session } of [...open.values()]) if (session === sessionID) remove(id)
    })

  async function readOf(kind: OpenRequest["kind"], directory?: string): Promise<void> {
    const known = [...open.values()].filter(
      (request) => request.kind === kind && request.directory === directory,
    )
    // Those that come are heard all the same.
    const listed = client[kind].list(directory === undefined ? {} : { directory })
    const { data } = await listed.catch(() => ({ data: undefined }))
    if (!data) return
    for (const { id } of known) if (!data.some((told) => told.id === id)) remove(id)
    for (const told of data) if (told.id === undefined || !open.has(told.id)) add(requestIn(told, directory))
  }
  async function read(directory?: string): Promise<void> {
    await Promise.all([readOf("permission", directory), readOf("question", directory)])
  }
  function readAll(): void {
    const elsewhere = [...open.values()].map(({ directory }) => directory)
    for (const directory of new Set([undefined, ...elsewhere])) void read(directory)
  }
  // Who was away, or begins anew, has told of none that are over.
  for (const type of ["server.connected", "server.instance.disposed"]) event.on(type, readAll)
  readAll()

  return {
    of: (session) => [...open.values()].filter((request) => above(request.session).includes(session)),
    get: (id) => open.get(id),
    read,
    forget: remove,
    isEmpty: () => open.size === 0,
  }
}

function requestIn(told: Told, directory?: string): OpenRequest | undefined {
  const { id, sessionID: session, permission, patterns = [], always = [], metadata = {}, questions } = told
  if (id === undefined || session === undefined) return undefined
  const request = { id, session, since: Date.now(), ...(directory !== undefined && { directory }) }
  if (permission !== undefined)
    return { ...request, kind: "permission", permission, patterns, always, metadata, call: told.tool }
  return questions && { ...request, kind: "question", questions }
}
