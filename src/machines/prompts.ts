import type { ChildInput, Effects } from "./effects.ts"
import type { JobKey } from "./record.ts"

type Prompt = { input: ChildInput; dropped: AbortController }

/**
 * The prompts in flight, for the one case in which no machine can end them: an actor that throws is gone, but xstate
 * lets what it invoked run on, and its child would go on working for nobody.
 */
export class Prompts {
  readonly #inFlight = new Map<string, Prompt>()
  readonly #effects: Effects

  constructor(effects: Effects) {
    this.#effects = effects
  }

  readonly promptChild: Effects["promptChild"] = async (input, signal) => {
    const key = keyOf(input.job)
    const prompt: Prompt = { input, dropped: new AbortController() }
    const forget = () => {
      if (this.#inFlight.get(key) === prompt) this.#inFlight.delete(key)
    }
    this.#inFlight.set(key, prompt)
    signal.addEventListener("abort", forget)
    try {
      return await this.#effects.promptChild(input, AbortSignal.any([signal, prompt.dropped.signal]))
    } finally {
      forget()
    }
  }

  /** Lets go of the job's prompt. Returns the child, which is still to be stopped; nothing where no prompt is in flight. */
  drop(job: JobKey): ChildInput | undefined {
    const prompt = this.#inFlight.get(keyOf(job))
    if (!prompt) return undefined
    this.#inFlight.delete(keyOf(job))
    prompt.dropped.abort()
    return prompt.input
  }
}

const keyOf = ({ owner, id }: JobKey) => `${owner}/${id}`
