import * as z from "zod"
import { wordsOf } from "../../util/error-words.ts"
import { within } from "../../util/within.ts"
import type { Client } from "./client-parts.ts"
import { instances } from "./instances.ts"

/** Longest wait until events are heard. Milliseconds. */
const connectTimeout = 10_000
/** Before they are asked for again where they broke off. Milliseconds. */
const pauseMs = 1_000

export type ElsewhereOptions = {
  client: Pick<Client, "global">
  /** Where the owners are. */
  home: string
  hear: (event: object) => void
  complain: (message: string) => void
}

/**
 * The events of other directories. opencode 1.18 tells each instance of the plugin of its own directory alone: those of
 * the directories in which children work that were started here are in the stream of all. It is open from the first of
 * these on.
 */
export class Elsewhere {
  readonly #options: ElsewhereOptions
  readonly #directories = new Set<string>()
  readonly #over = new AbortController()
  #connected: Promise<void> | undefined

  constructor(options: ElsewhereOptions) {
    this.#options = options
  }

  /**
   * Resolves once the events of this directory are heard.
   * @throws Error where opencode tells of none
   */
  async follow(directory: string): Promise<void> {
    this.#directories.add(directory)
    instances.lend(directory, this.#options.home)
    this.#connected ??= this.#connect()
    await within(connectTimeout, this.#connected, () =>
      Promise.reject(new Error("opencode does not tell what happens in other directories")),
    )
  }

  stop(): void {
    this.#over.abort()
  }

  #connect(): Promise<void> {
    return new Promise((resolve) => void this.#listen(resolve))
  }

  async #listen(onConnected: () => void): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      try {
        const { stream } = await this.#options.client.global.event({ signal, sseMaxRetryAttempts: 1 })
        // The first one says that it is open.
        for await (const event of stream) {
          onConnected()
          const { data } = Told.safeParse(event)
          if (data && this.#directories.has(data.directory)) this.#options.hear(data.payload)
        }
      } catch (error) {
        if (!signal.aborted)
          this.#options.complain(`the events of other directories broke off: ${wordsOf(error)}`)
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
    }
  }
}

const Told = z.object({
  directory: z.string(),
  payload: z.custom<object>((payload) => typeof payload === "object" && payload !== null),
})
