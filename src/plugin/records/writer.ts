import { createActor, fromPromise } from "xstate"
import { realClock } from "../../machines/clock.ts"
import { type Change, type WriteInput, type WriteOutcome, writerMachine } from "./writer-machine.ts"

export type WriterOptions = {
  session: string
  /** Its first change: a writer without any is gone. */
  change: Change
  write(input: WriteInput): Promise<WriteOutcome>
  /** It has waited for others long enough, and writes. */
  onDue(): void
  /** Told once, when there is nothing left to write or nobody left to write it. */
  onEnd(): void
  reportError(error: unknown): void
}

/** Somebody who waits until a change is written. */
type Waiter = { number: number; resolve(): void; reject(reason: Error): void }

/** The actor that writes one session's record, and those who wait for it. */
export class Writer {
  readonly #actor
  readonly #waiters = new Set<Waiter>()
  readonly #onEnd: () => void
  /** Resolves with `onEnd`. */
  readonly ended: Promise<void>
  #resolveEnded = () => {}
  #hasEnded = false

  constructor({ session, change, write, onDue, onEnd, reportError }: WriterOptions) {
    this.#onEnd = onEnd
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    const machine = writerMachine.provide({
      actors: { write: fromPromise(({ input }: { input: WriteInput }) => write(input)) },
    })
    this.#actor = createActor(machine, { input: { session, change }, clock: realClock })
    this.#actor.on("writing.due", onDue)
    this.#actor.subscribe({
      next: ({ status, context }) => {
        this.#settle(context.written)
        if (status === "done") this.#end()
      },
      error: (error) => {
        reportError(error)
        this.#end()
      },
    })
    this.#actor.start()
  }

  get state(): string {
    const { value } = this.#actor.getSnapshot()
    return typeof value === "string" ? value : (Object.keys(value)[0] ?? "")
  }

  change(change: Change): void {
    this.#actor.send({ type: "record.changed", change })
  }

  /** Another one writes now. */
  othersAreDue(): void {
    this.#actor.send({ type: "others.due" })
  }

  /** Resolves when the change of this number is written; rejects where it never will be. */
  written(number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ number, resolve, reject })
    })
  }

  /** One last attempt for what is unwritten. */
  close(): void {
    this.#actor.send({ type: "store.closing" })
  }

  stop(): void {
    this.#actor.stop()
    this.#end()
  }

  #settle(written: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.number > written) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  #end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const { reject } of this.#waiters) reject(new Error("the record could not be written"))
    this.#waiters.clear()
    this.#onEnd()
    this.#resolveEnded()
  }
}
