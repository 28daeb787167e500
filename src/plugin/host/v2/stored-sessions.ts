import * as z from "zod"
import type { Context } from "./api.ts"

/** What is kept for a child session: opencode 2 lets a plugin change no session's metadata. */
const Entry = z.object({
  parent: z.string(),
  /** All locations of the process share the storage. */
  directory: z.string(),
  /** When it was written last, epoch milliseconds. */
  at: z.number(),
  stored: z.unknown(),
})
type Entry = z.infer<typeof Entry>

const prefix = "child/"
/** How many entries are read at once. */
const pageSize = 500

/** The product's records in opencode's own storage, by child session. */
export class StoredSessions {
  readonly #storage: Context["storage"]
  readonly #directory: string
  readonly #now: () => number
  /** Changes of one session follow each other: opencode has no compare-and-set. */
  readonly #changing = new Map<string, Promise<unknown>>()

  constructor(storage: Context["storage"], directory: string, now: () => number = Date.now) {
    this.#storage = storage
    this.#directory = directory
    this.#now = now
  }

  async add(session: string, parent: string, stored: unknown): Promise<void> {
    await this.#set(session, { parent, directory: this.#directory, at: this.#now(), stored })
  }

  async get(session: string): Promise<Entry | undefined> {
    return Entry.safeParse(await this.#storage.get(prefix + session)).data
  }

  /** Sessions of this location that were written since then, epoch milliseconds. */
  async since(at: number): Promise<string[]> {
    const found = await this.#all()
    return found.filter(([, entry]) => entry.at >= at).map(([session]) => session)
  }

  async of(parent: string): Promise<string[]> {
    const found = await this.#all()
    return found.filter(([, entry]) => entry.parent === parent).map(([session]) => session)
  }

  /** Changes one entry; changes of one session within this process follow each other. */
  async update(session: string, change: (stored: unknown) => object | undefined): Promise<void> {
    const before = this.#changing.get(session) ?? Promise.resolve()
    const changing = before.catch(() => {}).then(() => this.#change(session, change))
    this.#changing.set(session, changing)
    try {
      await changing
    } finally {
      if (this.#changing.get(session) === changing) this.#changing.delete(session)
    }
  }

  async #change(session: string, change: (stored: unknown) => object | undefined): Promise<void> {
    const entry = await this.get(session)
    const stored = change(entry?.stored)
    if (stored !== undefined && entry) await this.#set(session, { ...entry, at: this.#now(), stored })
  }

  async #set(session: string, entry: Entry): Promise<void> {
    // Storage takes JSON alone.
    await this.#storage.set(prefix + session, JSON.parse(JSON.stringify(entry)))
  }

  async #all(): Promise<[string, Entry][]> {
    const found: [string, Entry][] = []
    for (let after: string | undefined; ; ) {
      const range = { prefix, limit: pageSize, ...(after !== undefined && { after }) }
      const { entries } = Page.parse(await this.#storage.scan(range))
      for (const { key, value } of entries) {
        const entry = Entry.safeParse(value).data
        if (entry?.directory === this.#directory) found.push([key.slice(prefix.length), entry])
      }
      after = entries.at(-1)?.key
      if (entries.length < pageSize) return found
    }
  }
}

const Page = z.object({ entries: z.array(z.object({ key: z.string(), value: z.unknown() })) })
