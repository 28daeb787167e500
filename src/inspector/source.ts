import type { Budget, JobKey, JobRecord } from "../machines/record.ts"
import type { Troupe } from "../machines/troupe.ts"
import type { ShownMessage } from "../shown/conversation.ts"
import type { ChangedFiles } from "../shown/files.ts"
import type { Answer, Request } from "../shown/requests.ts"

/** One project's actor system, as far as the inspector needs it. */
export type Source = Pick<Troupe, "records" | "history" | "actors" | "cancel"> & {
  /** The project's folder, shown to people. */
  name: string
  /** Most prompts in flight at once. */
  concurrency: number
  /** Nothing in this project can be changed through the inspector, even where other projects allow it. Default: false. */
  readOnly?: boolean
  /** The budgets that a job counts towards, the narrowest first. Default: there are none. */
  budgets?(job: JobRecord): readonly Spending[]
  /** What a running job is writing; empty until it has written something. */
  draft?(job: JobRecord): string
  /** What the sessions of owners are called. Nobody asks while nobody looks. */
  titles?: Titles
  /** Reads the text of an ended job that is not in memory. Default: it cannot be read. */
  readText?(job: JobRecord): Promise<EndedText>
  /**
   * Reads the conversation of a job's child, oldest first.
   * @param after the message that it may begin with, if it is still there
   */
  conversation?(job: JobRecord, after?: string): Promise<Conversation>
  /** Which files a job's child has changed, as far as opencode knows. */
  files?(job: JobRecord): Promise<Files>
  /** Reads in full what a job asks; those that are no longer asked, or cannot be read now, are not there. */
  requests?(job: JobRecord): Promise<readonly ShownRequest[]>
  /** Answers it in the person's name. Whether it was still asked. Rejects with a message for people. */
  answer?(request: Request, answer: Answer): Promise<boolean>
  /** Sends a message to a running job, or a follow-up to an ended one. Rejects with a message for people. */
  send?(job: JobKey, message: string): Promise<void>
}

/** What a batch or an owner may spend with all that its jobs start, and has spent. Cost in US dollars. */
export type Spending = {
  of: "batch" | "owner"
  /** Of the batch, or of the owner's session. */
  name: string
  limit: Budget
  spent: { tokens: number; cost: number }
  /** Nothing more is prompted: what was under way may have used more than it may. */
  isSpent: boolean
}

export type Titles = {
  /** Nothing while it is not known: then it is read, and told to those who subscribe. */
  of(owner: string): string | undefined
  /** Hears of owners whose title has become known or has changed. Returns what ends that. */
  subscribe(hear: (owner: string) => void): () => void
}

/** The text that an ended job left, or why there is none. */
export type EndedText =
  | { kind: "text"; text: string }
  /** The child wrote nothing. */
  | { kind: "nothing" }
  /** It can never be read. `why` is a clause for people: `its session was deleted`. */
  | { kind: "lost"; why: string }
  /** It cannot be read now. */
  | { kind: "unreadable"; why: string }

export type Conversation =
  | { kind: "messages"; messages: readonly ShownMessage[] }
  | Extract<EndedText, { kind: "lost" | "unreadable" }>

export type Files = ({ kind: "files" } & ChangedFiles) | Extract<EndedText, { kind: "lost" | "unreadable" }>

/** `unanswerable`: why it cannot be answered here. For people, a sentence. */
export type ShownRequest = Request & { unanswerable?: string }

export type Found = { source: Source; record: JobRecord }

/** From memory, or read where it is kept: texts leave memory once delivered, and with the process. */
export async function endedText({ source, record }: Found): Promise<EndedText> {
  const { text, session } = record
  if (text !== undefined) return text === "" ? { kind: "nothing" } : { kind: "text", text }
  if (session === "") return { kind: "nothing" }
  return (await source.readText?.(record)) ?? { kind: "unreadable", why: "it is not in memory" }
}

/** Empty for a job that has no child yet. */
export async function conversationOf({ source, record }: Found, after?: string): Promise<Conversation> {
  if (record.session === "") return { kind: "messages", messages: [] }
  const unread: Conversation = { kind: "unreadable", why: "this project does not offer it" }
  return (await source.conversation?.(record, after)) ?? unread
}

/** None for a job that has no child yet. */
export async function filesOf({ source, record }: Found): Promise<Files> {
  if (record.session === "") return { kind: "files", files: [] }
  const unread: Files = { kind: "unreadable", why: "this project does not offer it" }
  return (await source.files?.(record)) ?? unread
}

/** Nothing is asked of anybody where the job's record says that it waits for nothing. */
export async function requestsOf({ source, record }: Found): Promise<readonly ShownRequest[]> {
  return record.asks?.length ? ((await source.requests?.(record)) ?? []) : []
}

/** The projects of this process. */
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

  /**
   * By the child session's id, also by one that the job has left for another model, or by `owner/id` while it has none.
   */
  find(key: string): Found | undefined {
    const slash = key.indexOf("/")
    for (const source of this.#sources) {
      const { records } = source
      const record =
        slash < 0 ? records.bySession(key) : records.get(key.slice(0, slash), key.slice(slash + 1))
      if (record) return { source, record }
    }
    if (slash >= 0) return undefined
    for (const found of this.jobs())
      if (found.record.attempts?.some(({ session }) => session === key)) return found
    return undefined
  }

  /** Called when a project is added or removed. Returns a function that unsubscribes. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
