import type { ChildInput, Effects } from "./effects.ts"
import type { JobKey } from "./record.ts"

type InFlight = { input: ChildInput; dropped: AbortController }

/**
 * The prompts and checks in flight, for the one case in which no machine can end them: an actor that throws is gone, but
 * xstate lets what it invoked run on, and its child or its command would go on working for nobody.
 */
export class Prompts {
  readonly #inFlight = new Map<string, InFlight>()
  readonly #effects: Effects

  constructor(effects: Effects) {
    this.#effects = effects
  }

  readonly promptChild: Effects["promptChild"] = (input, signal) =>
    this.#follow(input, signal, (either) => this.#effects.promptChild(input, either))

  readonly runCheck: Effects["runCheck"] = (input, signal) =>
    this.#follow(input, signal, (either) => this.#effects.runCheck(input, either))

  async #follow<T>(
    input: ChildInput,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const key = keyOf(input.job)
    const running: InFlight = { input, dropped: new AbortController() }
    const forget = () => {
      if (this.#inFlight.get(key) === running) this.#inFlight.delete(key)
    }
    this.#inFlight.set(key, running)
    signal.addEventListener("abort", forget)
    try {
      return await run(AbortSignal.any([signal, running.dropped.signal]))
    } finally {
      forget()
    }
  }

  /** Lets go of what the job has in flight. Returns the child, which is still to be stopped; nothing where nothing is. */
  drop(job: JobKey): ChildInput | undefined {
    const running = this.#inFlight.get(keyOf(job))
    if (!running) return undefined
    this.#inFlight.delete(keyOf(job))
    running.dropped.abort()
    return running.input
  }
}

const keyOf = ({ owner, id }: JobKey) => `${owner}/${id}`
