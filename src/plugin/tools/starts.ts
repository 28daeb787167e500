import type { HostEvent, ToolCallPlace } from "../host/port.ts"

/**
 * How long a start may take to be announced, milliseconds: the model writes the calls of a message one after the other,
 * and opencode runs the first while the next is still being written.
 */
const announceMs = 500

/**
 * Where a call of agents_start stands. `announced`: the model is writing it, or opencode is about to run it. `made`: its
 * jobs are there, and it may go on for as long as they run.
 */
type Stage = "announced" | "making" | "made"

/** `jobs`: those of agents_start make jobs. `runs`: also those of agents_send, which may give an ended job a new run. */
type Made = "jobs" | "runs"

/**
 * The calls under way that start something: what they are about to make, a wait or a cancel of the same owner waits
 * for.
 */
export class StartsUnderWay {
  /** By owner, the calls of agents_start. */
  readonly #starts = new Map<string, Map<string, Stage>>()
  /** By owner, the calls of agents_send that run, and the job that each sends to. */
  readonly #sending = new Map<string, Map<object, string>>()
  readonly #listeners = new Set<() => void>()
  #unnamed = 0

  hear(event: HostEvent): void {
    const { type, session } = event
    switch (type) {
      case "tool.pending":
      case "tool.running":
        // Of a call that runs opencode tells once it has begun, and whenever what is shown of it changes.
        if (event.tool === "agents_start" && !this.#starts.get(session)?.has(event.call))
          this.#put(session, event.call, "announced")
        return
      case "tool.ended":
        this.#forget(session, (stage, call) => call === event.call && stage !== "making")
        return
      // The model is asked anew: what it had announced has ended, or broke off and will never be run.
      case "session.busy":
      case "session.retrying":
        this.#forget(session, (stage) => stage === "announced")
        return
      case "session.idle":
        this.#forget(session, (stage) => stage !== "making")
    }
  }

  /** The call is under way from now on, and until `making` settles, however long it goes on itself. */
  track<T>({ session, call }: ToolCallPlace, making: Promise<T>): Promise<T> {
    const name = call ?? `unnamed ${this.#unnamed++}`
    this.#put(session, name, "making")
    return making.finally(() => {
      if (call !== undefined) this.#put(session, name, "made")
      else this.#forget(session, (_, each) => each === name)
    })
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
    const stages = [...(this.#starts.get(owner)?.values() ?? [])]
    return stages.some((stage) => stage !== "made") || (made === "runs" && this.#sending.has(owner))
  }

  #put(owner: string, call: string, stage: Stage): void {
    const ofOwner = this.#starts.get(owner) ?? new Map<string, Stage>()
    this.#starts.set(owner, ofOwner.set(call, stage))
    this.#changed()
  }

  #forget(owner: string, test: (stage: Stage, call: string) => boolean): void {
    const ofOwner = this.#starts.get(owner)
    if (!ofOwner) return
    for (const [call, stage] of ofOwner) if (test(stage, call)) ofOwner.delete(call)
    if (ofOwner.size === 0) this.#starts.delete(owner)
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
