import * as z from "zod"
import type { BegunDelivery } from "../port.ts"
import type { Context } from "./api.ts"
import { scan } from "./storage.ts"

const Entry = z.object({ at: z.number(), mark: z.unknown() })

/** How long it is known, milliseconds: an opencode that was killed may be started again only after weeks. */
const keptMs = 30 * 24 * 3_600_000

/**
 * The messages to owners whose delivery has begun. A conversation shows only what came since it was compacted: after a
 * crash nobody could tell from it whether a result had been delivered before that.
 */
export class BegunDeliveries {
  readonly #storage: Context["storage"]
  readonly #now: () => number

  constructor(storage: Context["storage"], now: () => number = Date.now) {
    this.#storage = storage
    this.#now = now
  }

  /**
   * To be called before the message is handed to opencode. Of one that had begun before, opencode may hold what it was
   * first: that stays known until it has answered. Returns the mark that is known.
   */
  async add(session: string, messageID: string, mark: unknown): Promise<unknown> {
    const entry = Entry.safeParse(await this.#storage.get(keyOf(session) + messageID)).data
    const known = entry ? entry.mark : mark
    await this.set(session, messageID, known)
    return known
  }

  /** To be called with the mark of the message that opencode has under this id. */
  async set(session: string, messageID: string, mark: unknown): Promise<void> {
    await this.#storage.set(keyOf(session) + messageID, { at: this.#now(), mark })
  }

  /** Oldest first, as their ids are. */
  async of(session: string): Promise<BegunDelivery[]> {
    const begun: BegunDelivery[] = []
    for (const { key, value } of await scan(this.#storage, keyOf(session))) {
      const entry = Entry.safeParse(value).data
      if (entry && this.#now() - entry.at < keptMs)
        begun.push({ messageID: key.slice(keyOf(session).length), mark: entry.mark })
      else await this.#storage.remove(key)
    }
    return begun
  }

  /** The session was deleted. */
  async forget(session: string): Promise<void> {
    for (const { key } of await scan(this.#storage, keyOf(session))) await this.#storage.remove(key)
  }
}

const keyOf = (session: string) => `delivery/${session}/`
