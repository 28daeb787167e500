import * as z from "zod"
import { eachLimited } from "../../util/each-limited.ts"
import type { Context } from "./api.ts"
import { scan } from "./storage.ts"

/** What is kept for a child session: opencode 2 lets a plugin change no session's metadata. */
const Entry = z.object({
  parent: z.string(),
  /** When it was written last, epoch milliseconds. */
  at: z.number(),
  stored: z.unknown(),
})
type Entry = z.infer<typeof Entry>

const prefix = "child/"
/** An owner's children, without more than their names: an owner may be one of very many. */
const owners = "owner/"
const ofOwner = (parent: string) => `${owners}${parent}/`
/** How many entries are read at once where each has to be read by itself. */
const mostReads = 16

/** The product's records in opencode's own storage, by child session. */
export class StoredSessions {
  readonly #storage: Context["storage"]
  readonly #onDamaged: (session: string) => void
  readonly #now: () => number
  /** Changes of one session follow each other: opencode has no compare-and-set. */
  readonly #changing = new Map<string, Promise<unknown>>()

  /** @param onDamaged told of a child whose entry opencode itself cannot read, each time that it is looked at */
  constructor(
    storage: Context["storage"],
    onDamaged: (session: string) => void = () => {},
    now: () => number = Date.now,
  ) {
    this.#storage = storage
    this.#onDamaged = onDamaged
    this.#now = now
  }

  /** Where it fails, nothing of it stays: a half of it would be a job that nobody has started. */
  async add(session: string, parent: string, stored: unknown): Promise<void> {
    const outcomes = await Promise.allSettled([
      this.#set(session, { parent, at: this.#now(), stored }),
      this.#storage.set(ofOwner(parent) + session, {}),
    ])
    const failed = outcomes.find((each) => each.status === "rejected")
    if (!failed) return
    await this.#storage.remove(prefix + session).catch(() => {})
    await this.#storage.remove(ofOwner(parent) + session).catch(() => {})
    throw failed.reason
  }

  /** The session was deleted. */
  remove(session: string): Promise<void> {
    return this.#inTurn(session, async () => {
      const entry = await this.get(session)
      if (!entry) return
      await this.#storage.remove(prefix + session)
      await this.#storage.remove(ofOwner(entry.parent) + session)
    })
  }

  /** Their owner was deleted. opencode may have made them after that, and deletes none of those. */
  async removeOf(parent: string): Promise<void> {
    for (const session of await this.of(parent)) {
      await this.remove(session)
      await this.#storage.remove(ofOwner(parent) + session)
    }
  }

  async get(session: string): Promise<Entry | undefined> {
    return Entry.safeParse(await this.#storage.get(prefix + session)).data
  }

  /**
   * The sessions of all locations that were written since then, epoch milliseconds. `root`: the owner above, which is
   * nobody's child here.
   */
  async since(at: number): Promise<{ session: string; root: string }[]> {
    const found = await scan(this.#storage, prefix).catch((error) => this.#oneByOne(error))
    const entries = new Map(
      found.flatMap(({ key, value }) => {
        const entry = Entry.safeParse(value).data
        return entry ? [[key.slice(prefix.length), entry] as const] : []
      }),
    )
    const rootOf = (session: string): string => {
      const parent = entries.get(session)?.parent
      return parent === undefined ? session : rootOf(parent)
    }
    return [...entries].flatMap(([session, entry]) =>
      entry.at >= at ? [{ session, root: rootOf(session) }] : [],
    )
  }

  /** opencode answers no scan that comes by an entry which is no JSON. */
  async #oneByOne(why: unknown): Promise<{ key: string; value?: unknown }[]> {
    const names = (await scan(this.#storage, owners)).map(({ key }) => key.slice(key.lastIndexOf("/") + 1))
    const read = await eachLimited(names, mostReads, async (session) => {
      const key = prefix + session
      return this.#storage.get(key).then(
        (value) => ({ key, value }),
        () => ({ key, isDamaged: true as const }),
      )
    })
    const damaged = read.filter((each) => "isDamaged" in each)
    // It is not because of some entries that it has failed.
    if (damaged.length === 0) throw why
    for (const { key } of damaged) this.#onDamaged(key.slice(prefix.length))
    return read.filter((each) => !("isDamaged" in each))
  }

  async of(parent: string): Promise<string[]> {
    const found = await scan(this.#storage, ofOwner(parent))
    return found.map(({ key }) => key.slice(ofOwner(parent).length))
  }

  /** @throws NotFoundError where nothing is there, or no more: the session was deleted. */
  update(session: string, change: (stored: unknown) => object | undefined): Promise<void> {
    return this.#inTurn(session, async () => {
      const entry = await this.get(session)
      if (!entry) throw new NotFoundError("nothing is stored for this session")
      const stored = change(entry.stored)
      if (stored !== undefined) await this.#set(session, { ...entry, at: this.#now(), stored })
    })
  }

  /** Changes of one session within this process follow each other. */
  async #inTurn(session: string, run: () => Promise<void>): Promise<void> {
    const before = this.#changing.get(session) ?? Promise.resolve()
    const changing = before.catch(() => {}).then(run)
    this.#changing.set(session, changing)
    try {
      await changing
    } finally {
      if (this.#changing.get(session) === changing) this.#changing.delete(session)
    }
  }

  async #set(session: string, entry: Entry): Promise<void> {
    // Storage takes JSON alone.
    await this.#storage.set(prefix + session, JSON.parse(JSON.stringify(entry)))
  }
}

class NotFoundError extends Error {
  /** As opencode's own errors have it. */
  readonly _tag = "NotFoundError"
}
