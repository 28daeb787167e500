import type { JobKey, JobRecord } from "../machines/record.ts"
import type { Troupe } from "../machines/troupe.ts"

/** One project's actor system, as far as the inspector needs it. */
export type Source = Pick<Troupe, "records" | "history" | "actors" | "cancel"> & {
  /** For people: the project's folder. */
  name: string
  /** Prompts in flight at most. */
  concurrency: number
  /** Nothing of this project can be changed, though it may be through the inspector in others. Default: false. */
  readOnly?: boolean
  /** What a running job is writing; empty before it has written anything. */
  draft?(job: JobRecord): string
  /** Reads the text of an ended job that is no longer in memory. Default: it cannot be read. */
  readText?(job: JobRecord): Promise<EndedText>
  /** Tells a running job something more, or gives an ended one a follow-up. Rejects with words for people. */
  send?(job: JobKey, message: string): Promise<void>
}

/** The text that an ended job left, or why there is none. */
export type EndedText =
  | { kind: "text"; text: string }
  /** The child wrote nothing. */
  | { kind: "nothing" }
  /** It can never be read. `why` is for people, in half a sentence. */
  | { kind: "lost"; why: string }
  /** It cannot be read now. */
  | { kind: "unreadable"; why: string }

export type Found = { source: Source; record: JobRecord }

/** From memory, or where an earlier process ran the job, or it has been delivered, from where it is kept. */
export async function endedText({ source, record }: Found): Promise<EndedText> {
  const { text, session } = record
  if (text !== undefined) return text === "" ? { kind: "nothing" } : { kind: "text", text }
  if (session === "") return { kind: "nothing" }
  return (await source.readText?.(record)) ?? { kind: "unreadable", why: "it is no longer in memory" }
}

/** The projects that one process serves. */
export class Sources {
  readonly #sources = new Set<Source>()
  readonly #listeners = new Set<() => void>()

  add(source: Source): () => void {
    this.#sources.add(source)
    this.#changed()
    return () => {
      if (this.#sources.delete(source)) this.#changed()
    }
  }

  list(): Source[] {
    return [...this.#sources]
  }

  *jobs(): Iterable<Found> {
    for (const source of this.#sources) for (const record of source.records.all()) yield { source, record }
  }

  /** By the child session's id or, for a job that has none yet, `owner/id`. */
  find(key: string): Found | undefined {
    const slash = key.indexOf("/")
    for (const source of this.#sources) {
      const { records } = source
      const record =
        slash < 0 ? records.bySession(key) : records.get(key.slice(0, slash), key.slice(slash + 1))
      if (record) return { source, record }
    }
    return undefined
  }

  /** Hears of projects that come and go. Returns what ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
