import type { HostEvent, ToolCallPlace } from "../host/port.ts"

/**
 * How long a start may take to be announced, milliseconds: the model writes the calls of a message one after the other,
 * and opencode runs the first while the next is still being written.
 */
const announceMs = 500

/** The calls of agents_start that are under way, by owner: what they are about to make, a wait of the same owner awaits. */
export class StartsUnderWay {
  readonly #calls = new Map<string, Set<string>>()
  readonly #listeners = new Set<() => void>()
  #unnamed = 0

  /** Announces the calls that the model is writing or that opencode is about to run. */
  hear(event: HostEvent): void {
    const { type, session } = event
    if (type === "session.idle") this.#removeAll(session)
    if (type !== "tool.pending" && type !== "tool.running" && type !== "tool.ended") return
    if (event.tool !== "agents_start") return
    if (type === "tool.ended") this.#remove(session, event.call)
    else this.#add(session, event.call)
  }

  /** The call is under way from now on, and until `start` settles. */
  track<T>({ session, call = `unnamed ${this.#unnamed++}` }: ToolCallPlace, start: Promise<T>): Promise<T> {
    this.#add(session, call)
    return start.finally(() => this.#remove(session, call))
  }

  /** Resolves once no start of this owner is under way, or `signal` aborts. */
  over(owner: string, signal: AbortSignal): Promise<void> {
    return this.#until(() => !this.#calls.has(owner), signal)
  }

  /** As `over`, for an owner that may be about to start something. */
  async announcedAndOver(owner: string, signal: AbortSignal): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), announceMs)
    await this.#until(() => this.#calls.has(owner), AbortSignal.any([signal, late.signal]))
    clearTimeout(timer)
    return this.over(owner, signal)
  }

  #add(owner: string, call: string): void {
    const calls = this.#calls.get(owner) ?? new Set()
    this.#calls.set(owner, calls.add(call))
    this.#changed()
  }

  #remove(owner: string, call: string): void {
    const calls = this.#calls.get(owner)
    calls?.delete(call)
    if (calls?.size === 0) this.#removeAll(owner)
  }

  #removeAll(owner: string): void {
    if (this.#calls.delete(owner)) this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }

  #until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds() && !signal.aborted) return
        this.#listeners.delete(look)
        signal.removeEventListener("abort", look)
        resolve()
      }
      this.#listeners.add(look)
      signal.addEventListener("abort", look)
      look()
    })
  }
}
