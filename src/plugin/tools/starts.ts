import type { HostEvent, ToolCallPlace } from "../host/port.ts"

/**
 * How long a start may take to be announced, milliseconds: the model writes the calls of a message one after the other,
 * and opencode runs the first while the next is still being written.
 */
const announceMs = 500

/** `jobs`: those of agents_start make jobs. `runs`: also those of agents_send, which may give an ended job a new run. */
type Made = "jobs" | "runs"

/**
 * The calls under way that start something: what they are about to make, a wait or a cancel of the same owner waits
 * for.
 */
export class StartsUnderWay {
  /** By owner, the ids of the calls of agents_start that the model is writing or that opencode is about to run. */
  readonly #announced = new Map<string, Set<string>>()
  readonly #running = new Map<string, Set<string>>()
  /** By owner, the calls of agents_send that run, and the job that each sends to. */
  readonly #sending = new Map<string, Map<object, string>>()
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

  /** A message to this job is under way until `send` settles. */
  trackSend<T>(owner: string, job: string, send: Promise<T>): Promise<T> {
    const sends = this.#sending.get(owner) ?? new Map<object, string>()
    this.#sending.set(owner, sends.set(send, job))
    this.#changed()
    return send.finally(() => {
      sends.delete(send)
      if (sends.size === 0) this.#sending.delete(owner)
      this.#changed()
    })
  }

  /** Resolves once no such call of this owner is under way, or `signal` aborts. */
  over(owner: string, signal: AbortSignal, made: Made = "runs"): Promise<void> {
    return this.#until(() => !this.#isAny(owner, made), signal)
  }

  /** As `over`, for an owner that may be about to start something. */
  async announcedAndOver(owner: string, signal: AbortSignal, made: Made = "runs"): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), announceMs).unref()
    await this.#until(() => this.#isAny(owner, made), AbortSignal.any([signal, late.signal]))
    clearTimeout(timer)
    return this.over(owner, signal, made)
  }

  /** Resolves once the messages to these jobs that are under way now are over, or `signal` aborts. Default: to all. */
  sent(owner: string, signal: AbortSignal, ids?: readonly string[]): Promise<void> {
    const isMeant = ([, job]: [object, string]) => !ids || ids.includes(job)
    const sends = [...(this.#sending.get(owner) ?? [])].filter(isMeant).map(([send]) => send)
    return this.#until(() => !sends.some((send) => this.#sending.get(owner)?.has(send)), signal)
  }

  #isAny(owner: string, made: Made): boolean {
    const isStarting = this.#announced.has(owner) || this.#running.has(owner)
    return isStarting || (made === "runs" && this.#sending.has(owner))
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
