import type { HostEvent, ToolCallPlace } from "../host/port.ts"

/**
 * How long a start may take to be announced, milliseconds: the model writes the calls of a message one after the other,
 * and opencode runs the first while the next is still being written.
 */
const announceMs = 500

/** The calls of agents_start that are under way: what they are about to make, a wait of the same owner waits for. */
export class StartsUnderWay {
  /** By owner, the ids of the calls that the model is writing or that opencode is about to run. */
  readonly #announced = new Map<string, Set<string>>()
  readonly #running = new Map<string, Set<string>>()
  readonly #listeners = new Set<() => void>()
  #unnamed = 0

  hear(event: HostEvent): void {
    const { type, session } = event
    switch (type) {
      case "tool.pending":
      case "tool.running":
        if (event.tool === "agents_start") this.#announce(session, event.call)
        return
      case "tool.ended":
        this.#remove(this.#announced, session, event.call)
        return
      // The model is asked anew: what it had announced has ended, or broke off and will never be run.
      case "session.busy":
      case "session.retrying":
      case "session.idle":
        if (this.#announced.delete(session)) this.#changed()
    }
  }

  /** The call is under way from now on, and until `start` settles. */
  track<T>({ session, call = `unnamed ${this.#unnamed++}` }: ToolCallPlace, start: Promise<T>): Promise<T> {
    this.#add(this.#running, session, call)
    this.#remove(this.#announced, session, call)
    return start.finally(() => this.#remove(this.#running, session, call))
  }

  /** Resolves once no start of this owner is under way, or `signal` aborts. */
  over(owner: string, signal: AbortSignal): Promise<void> {
    return this.#until(() => !this.#isAny(owner), signal)
  }

  /** As `over`, for an owner that may be about to start something. */
  async announcedAndOver(owner: string, signal: AbortSignal): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), announceMs).unref()
    await this.#until(() => this.#isAny(owner), AbortSignal.any([signal, late.signal]))
    clearTimeout(timer)
    return this.over(owner, signal)
  }

  #isAny(owner: string): boolean {
    return this.#announced.has(owner) || this.#running.has(owner)
  }

  /** opencode tells that a call runs once it has begun. */
  #announce(owner: string, call: string): void {
    if (!this.#running.get(owner)?.has(call)) this.#add(this.#announced, owner, call)
  }

  #add(calls: Map<string, Set<string>>, owner: string, call: string): void {
    const ofOwner = calls.get(owner) ?? new Set()
    calls.set(owner, ofOwner.add(call))
    this.#changed()
  }

  #remove(calls: Map<string, Set<string>>, owner: string, call: string): void {
    const ofOwner = calls.get(owner)
    if (!ofOwner?.delete(call)) return
    if (ofOwner.size === 0) calls.delete(owner)
    this.#changed()
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
