import { setTimeout as after } from "node:timers/promises"
import type { JobKey } from "../../machines/record.ts"
import type { Found, Source, Sources, Spending } from "../source.ts"
import { clip, viewOf } from "./job-view.ts"
import { type NumberedChange, Ring } from "./ring.ts"

/** One server-sent event. `id` is what `Last-Event-ID` resumes from. */
export type FeedMessage = { event: "snapshot" | "changes" | "resync"; id?: number; data: string }

export type FeedOptions = {
  now: () => number
  readOnly: boolean
  /** How long changes are recorded after the last client left, so that it can resume. Milliseconds. */
  lingerMs?: number
}

/** Shortest time between two writes to a client, milliseconds. */
const pace = 100
/** Longest silence, milliseconds: the page takes a longer one for a broken connection. */
const heartbeat = 10_000
/** Largest event, characters, unless a single job is larger. A stalled client holds one of these in memory. */
const chunkSize = 32 * 1024

/**
 * Sends the jobs and their changes to clients. It subscribes to nothing while there are none. Each client pulls at its
 * own speed: it has no queue, only a position in the ring.
 */
export class Feed {
  readonly #sources: Sources
  readonly #options: Required<FeedOptions>
  readonly #ring: Ring
  readonly #wakers = new Set<() => void>()
  #clients = 0
  #untap: (() => void) | undefined
  #lingering: NodeJS.Timeout | undefined

  constructor(sources: Sources, options: FeedOptions) {
    this.#sources = sources
    this.#options = { lingerMs: 10_000, ...options }
    // Above every number of an earlier process on this port, whose clients must not continue from ours.
    this.#ring = new Ring(options.now() * 1_000)
  }

  /** How many clients are connected. */
  get clients(): number {
    return this.#clients
  }

  /** Whether it is subscribed to the projects' records. */
  get isTapped(): boolean {
    return this.#untap !== undefined
  }

  /** @param resumeFrom the number of the last event that the client has seen. */
  async *follow(resumeFrom: number | undefined, signal: AbortSignal): AsyncGenerator<FeedMessage, void> {
    this.#enter()
    try {
      let cursor = resumeFrom
      while (!signal.aborted) {
        const changes = cursor === undefined ? undefined : this.#ring.since(cursor)
        if (changes === undefined) {
          if (cursor !== undefined) yield { event: "resync", data: "{}" }
          cursor = this.#ring.head
          yield* this.#snapshot(cursor)
        } else {
          cursor = this.#ring.head
          yield* this.#changes(changes, cursor)
        }
        await after(pace, undefined, { signal, ref: false })
        if (this.#ring.head === cursor) await this.#change(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#leave()
    }
  }

  stop(): void {
    clearTimeout(this.#lingering)
    this.#untap?.()
    this.#untap = undefined
  }

  /** Reads the jobs while they are being sent: a job that changes meanwhile is sent again as a change. */
  *#snapshot(seq: number): Iterable<FeedMessage> {
    const projects = this.#sources.list().map(({ name, concurrency }) => ({ name, concurrency }))
    const head = { now: this.#options.now(), readOnly: this.#options.readOnly, projects }
    let first = true
    const owners = new Owners()
    for (const { jobs, isLast } of inChunks(this.#sources.jobs(), (found) => owners.withJob(found))) {
      const chunk = { ...head, first, last: isLast, ...owners.take() }
      const data = `${JSON.stringify(chunk).slice(0, -1)},"jobs":[${jobs}]}`
      yield { event: "snapshot", ...(isLast && { id: seq }), data }
      first = false
    }
  }

  /** Without changes it is a heartbeat. */
  *#changes(changes: NumberedChange[], seq: number): Iterable<FeedMessage> {
    const gone: string[] = []
    const found: Found[] = []
    const owners = new Owners()
    for (const { source, owner, id } of changes) {
      const record = id === undefined ? undefined : source.records.get(owner, id)
      if (record) found.push({ source, record })
      else if (id === undefined) owners.add(source, owner)
      else gone.push(`${owner}/${id}`)
    }
    for (const { jobs, isLast } of inChunks(found, (each) => owners.withJob(each))) {
      const chunk = { now: this.#options.now(), gone: isLast ? gone : [], ...owners.take() }
      const head = JSON.stringify(chunk)
      yield { event: "changes", ...(isLast && { id: seq }), data: `${head.slice(0, -1)},"jobs":[${jobs}]}` }
    }
  }

  /** Resolves at the next change, when a heartbeat is due, or when the client leaves. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#wakers.delete(wake)
        signal.removeEventListener("abort", wake)
        resolve()
      }
      const timer = setTimeout(wake, heartbeat)
      timer.unref()
      this.#wakers.add(wake)
      signal.addEventListener("abort", wake)
    })
  }

  #enter(): void {
    this.#clients++
    clearTimeout(this.#lingering)
    this.#untap ??= this.#tap()
  }

  #leave(): void {
    this.#clients--
    if (this.#clients > 0) return
    this.#lingering = setTimeout(() => this.stop(), this.#options.lingerMs)
    this.#lingering.unref()
  }

  #tap(): () => void {
    this.#ring.reset()
    let untapAll = this.#tapSources(this.#sources.list())
    const unsubscribe = this.#sources.subscribe(() => {
      untapAll()
      untapAll = this.#tapSources(this.#sources.list())
      this.#ring.reset()
      this.#wake()
    })
    return () => {
      unsubscribe()
      untapAll()
    }
  }

  #tapSources(sources: Source[]): () => void {
    const untaps = sources.flatMap((source) => {
      const note = ({ owner, id }: JobKey) => {
        this.#ring.push({ source, owner, id })
        this.#wake()
      }
      const untitled = source.titles?.subscribe((owner) => {
        this.#ring.push({ source, owner })
        this.#wake()
      })
      return [source.records.subscribe(note), source.records.onForgotten(note), untitled ?? (() => {})]
    })
    return () => {
      for (const untap of untaps) untap()
    }
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake()
  }
}

/** The titles of the owners that a chunk is about, and the budgets that its jobs count towards, each once. */
class Owners {
  readonly #sent = new Set<string>()
  #titles: Record<string, string> = {}
  readonly #looked = new Set<string>()
  #budgets = new Map<string, Spending>()

  /** The JSON of a job, whose owner's title and budgets go along. */
  withJob(found: Found): string {
    const { source, record } = found
    if (!this.#sent.has(record.owner)) this.add(source, record.owner)
    this.#addBudgets(found)
    return JSON.stringify(viewOf(found))
  }

  /** Jobs of one batch count towards the same. */
  #addBudgets({ source, record }: Found): void {
    const key = `${record.owner} ${record.batch ?? ""}`
    if (!source.budgets || this.#looked.has(key)) return
    this.#looked.add(key)
    for (const budget of source.budgets(record)) this.#budgets.set(`${budget.of} ${budget.name}`, budget)
  }

  add({ titles }: Source, owner: string): void {
    const title = titles?.of(owner)
    if (title === undefined) return
    this.#sent.add(owner)
    this.#titles[owner] = clip(title)
  }

  take(): { owners: Record<string, string>; budgets: Spending[] } {
    const taken = { owners: this.#titles, budgets: [...this.#budgets.values()] }
    this.#titles = {}
    this.#budgets = new Map()
    return taken
  }
}

/** Joined JSON of as many items as fit; at least one chunk, even if empty. */
function* inChunks<T>(
  items: Iterable<T>,
  toJson: (item: T) => string,
): Iterable<{ jobs: string; isLast: boolean }> {
  let jobs = ""
  for (const item of items) {
    const json = toJson(item)
    if (jobs !== "" && jobs.length + json.length > chunkSize) {
      yield { jobs, isLast: false }
      jobs = ""
    }
    jobs += jobs === "" ? json : `,${json}`
  }
  yield { jobs, isLast: true }
}
