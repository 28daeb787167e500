import type { GlobalEvent, OpencodeClient } from "@opencode-ai/sdk/v2/client"
import { Watched } from "./waiters.ts"

/** The event stream of one opencode, from its start on: of all its instances, or of that of one project. */
export interface Events {
  readonly seen: readonly GlobalEvent[]
  /** The first event that matches, past ones included: let the predicate name ids. */
  waitFor(matches: (event: GlobalEvent) => boolean, timeoutMs?: number): Promise<GlobalEvent>
  /** Hears of every event from now on, until the returned function is called. */
  listen(hear: (event: GlobalEvent) => void): () => void
}

export class EventStream implements Events {
  readonly #events = new Watched<GlobalEvent>("event")
  readonly #isOurs: (event: GlobalEvent) => boolean
  #connection: AbortController | undefined

  /** @param project whose events alone are to be seen. Default: all. */
  constructor(project?: string) {
    this.#isOurs = ({ directory }) => project === undefined || directory === project
  }

  get seen(): readonly GlobalEvent[] {
    return this.#events.items
  }

  waitFor(matches: (event: GlobalEvent) => boolean, timeoutMs?: number): Promise<GlobalEvent> {
    return this.#events.waitFor(matches, timeoutMs)
  }

  listen(hear: (event: GlobalEvent) => void): () => void {
    return this.#events.listen(hear)
  }

  /** Returns once events arrive, so that nothing done afterwards goes unseen. */
  async connect(client: OpencodeClient): Promise<void> {
    const connection = new AbortController()
    this.#connection = connection
    const { stream } = await client.global.event({ signal: connection.signal, sseMaxRetryAttempts: 1 })
    const first = await stream.next()
    if (first.done) throw new Error("opencode closed its event stream at once")
    this.#add(first.value)
    void this.#read(stream, connection.signal)
  }

  disconnect(): void {
    this.#connection?.abort()
  }

  #add(event: GlobalEvent): void {
    if (this.#isOurs(event)) this.#events.add(event)
  }

  async #read(stream: AsyncIterable<GlobalEvent>, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of stream) this.#add(event)
    } catch (error) {
      // A killed opencode breaks its stream: those who wait for an event will say which one is missing.
      if (!signal.aborted && !(error instanceof TypeError)) throw error
    }
  }
}
